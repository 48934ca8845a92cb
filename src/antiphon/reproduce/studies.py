"""What the method claims or leaves open, measured: cold items, missing modalities, noise, ablations, bias."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.data.catalog import Interactions
from antiphon.data.features import Features
from antiphon.data.held_out import user_item_matrix
from antiphon.errors import QueryError
from antiphon.evaluate.baselines.fitted import make_system
from antiphon.evaluate.baselines.ials import IALS
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.protocols import Task, cold_task, recommend_task, wanted_task
from antiphon.evaluate.results import METRICS, Result, evaluate, measured
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import System, rank, raw_systems
from antiphon.evaluate.trials import Trial, drop, replace_features, shuffle, write_noise
from antiphon.numbers.factorization import Setting, factorize
from antiphon.numbers.vectors import unit
from antiphon.reproduce.asks import as_people_ask
from antiphon.reproduce.bias import DEPTH, bias_document
from antiphon.reproduce.comparisons import against
from antiphon.reproduce.reproduce import LABELS, MULTI, OURS, OURS_FROM, Reproduction
from antiphon.reproduce.rows import floor_system, of_row
from antiphon.reproduce.studies_own import changed, ingredients, personalised
from antiphon.reproduce.temporal import temporal
from antiphon.reproduce.untagged import untagged
from antiphon.reproduce.wordings import wordings

METRIC, NEAR = "ndcg@200", "ndcg@50"
REFERENCE = "MULTI_TEMPLATE"
"""The row of the paper that the studies take apart, and ours beside it: both read the same descriptions."""
PRESETS: Mapping[str, str] = {REFERENCE: "paper", OURS: "default"}
DESCRIBED: Mapping[str, Mapping[str, Any]] = {REFERENCE: MULTI[REFERENCE], OURS: MULTI[OURS_FROM]}
TRIAL_LABELS: Mapping[str, str] = {**LABELS, "text": LABELS["text-template"]}
"""Names of systems in trials: these read the descriptions of `REFERENCE`, where the base run has both views."""
AMONG: Mapping[str, str] = {"cold-test-cold": "cold", "cold-test-all": "all", "recommend-test": "liked"}
"""What the cold items are ranked among, by task; in the last, all that users like is to be found."""
UNDOUBTED = f"{OURS}, new items not doubted"
SHARES = (0.5, 1.0)
LEVELS = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 20))
"""Fewest and most interactions left to the items of each group of the cold-start curve."""
Document = list[dict[str, Any]]


class Studies:
    """The studies of one reproduction; each measurement is a stage."""

    def __init__(self, reproduction: Reproduction) -> None:
        self.all = reproduction

    def every(self) -> Iterator[tuple[str, Callable[[], Any]]]:
        """Names of the studies and what finds them, those that train least first."""
        yield "wordings", lambda: wordings(self.all)
        yield "personalised", lambda: personalised(self.all)
        yield "asks", lambda: as_people_ask(self.all)
        yield "bias", self.bias
        yield "cold", self.cold
        yield "noise", self.noise
        yield "ablations", self.ablations
        yield "missing", self.missing
        yield "curve", self.curve
        yield "temporal", lambda: temporal(self.all)
        yield "untagged", lambda: untagged(self.all)
        yield "ingredients", lambda: ingredients(self.all)

    def cold(self) -> Document:
        """A fifth of the items is hidden from collaborative filtering; rank them among themselves, and among all.

        What users like of the other items counts as wrong among all: `liked` has everything that they like as truth.
        """
        rows: Document = []
        for label, preset in PRESETS.items():
            outcome = self.all.outcomes.run(
                f"study.cold.{label}",
                preset,
                lambda label=label, preset=preset: self._cold(label, preset),  # type: ignore[misc]
            )
            for result in outcome.results:
                near = measured(result, metric=NEAR)["mean"]
                rows.append(_row(result, among=AMONG[result.task], **{NEAR: near}))
        return rows

    def _cold(self, label: str, preset: str) -> Outcome:
        # One setting of each factorization: the ones searched on all items would be searched again on fewer.
        settings = {
            **DESCRIBED[label], "split": {"cold": 0.2}, "modalities": self._fixed_cf(), "space": {"taste_trials": 1}
        }  # fmt: skip
        trial = Trial(f"cold-{label}", settings, self.all.joined)
        data = self.all.trial(trial, preset=preset)
        raw = raw_systems(data)
        systems = {label: raw["joint"]()}
        if label == OURS:
            systems[UNDOUBTED] = changed(data, {"unknown": 0.0, "passed": 0.0})
        if preset == "paper":
            content = self.all.joined[1]
            names = ("text", "text-lsa", content, "text-projected", f"{content}-projected", "popularity", "random")
            systems |= {named(name, TRIAL_LABELS): raw[name]() for name in names}
            mark = self.all.outcomes.fingerprint("concat-content", self.all.draws[0].identity, make_system)
            table = self.all.options.out / "tuning" / f"concat-content-cold-{mark[:12]}.jsonl"
            systems[named("concat-content")] = make_system(
                data, "concat-content", cold_task(data, "validation"), table=table, trials=self.all.options.trials
            )
        tasks = [
            cold_task(data, "test", among="cold"), cold_task(data, "test", among="all"), recommend_task(data, "test")
        ]  # fmt: skip
        metrics = (*METRICS, NEAR)
        results = [
            replace(evaluate(system, task, metrics), system=name) for name, system in systems.items() for task in tasks
        ]
        self._forget(trial)
        return Outcome(results, {"users": len(tasks[0]), "items": len(data.split.cold_items)})

    def curve(self) -> Document:
        """Groups of alike items keep 0, 1, 2, ... interactions each: how the systems rank within each group."""
        outcome = self.all.outcomes.run("study.curve", LEVELS, self._curve)
        return [_row(result, level=result.task.partition("-")[2]) for result in outcome.results]

    def _curve(self) -> Outcome:
        base = self.all.data
        groups, capped = cap_interactions(base.training, base.popularity)
        setting = self._setting()
        trial = Trial(
            "curve", MULTI[REFERENCE], self.all.joined, training=replace_features(_factors(base, capped, setting))
        )
        data = self.all.trial(trial)
        less = CappedData(data, capped)
        raw = raw_systems(data)
        systems: dict[str, System] = {REFERENCE: raw["joint"]()}
        systems |= {named(name, TRIAL_LABELS): raw[name]() for name in ("text", "text-projected", "random")}
        systems |= {"popularity": raw_systems(less)["popularity"](), "iALS, fold-in": IALS(less, setting)}
        results = []
        for group, level in enumerate(LEVELS):
            wanted = groups == group
            if not wanted.any():
                continue
            name = f"curve-{level_name(*level)}"
            task = wanted_task(base, name, "test", hidden=groups >= 0, wanted=wanted)
            if len(task):
                results += [replace(evaluate(system, task), system=name) for name, system in systems.items()]
        self._forget(trial)
        return Outcome(results, {"items_per_level": int((groups == 0).sum())})

    def missing(self) -> Document:
        """Each modality taken from a growing share of items, before the training or only when the space is used."""
        rows: Document = []
        for modality in self.all.joined:
            for share in SHARES:
                trained = self._without(modality) if share == 1 else Trial(
                    f"missing-{modality}-{share:g}-training", MULTI[REFERENCE], self.all.joined,
                    training=drop(modality, share),
                )  # fmt: skip
                used = Trial(
                    f"missing-{modality}-{share:g}-use", MULTI[REFERENCE], self.all.joined,
                    publishing=drop(modality, share),
                )  # fmt: skip
                for when, trial in (("training", trained), ("use", used)):
                    found = self._measure(trial, from_row=when == "use")
                    rows += [_row(result, modality=modality, share=share, when=when) for result in found]
        return rows

    def noise(self) -> Document:
        """A modality of random vectors added, and the content modality shuffled across the items, anew by each seed."""
        item_ids = self.all.data.item_ids
        entry = write_noise(self.all.options.out / "noise", item_ids)
        added = {"modalities": [*self.all.settings["modalities"], entry]}
        content = self.all.joined[1]
        rows: Document = []
        for label, preset in PRESETS.items():
            rows += self._shuffled(label, preset)
            trials = {
                "random modality added": Trial(
                    f"noise-{label}", {**DESCRIBED[label], **added}, [*self.all.joined, "noise"]
                ),
                f"without {content}": self._without(content, label),
            }
            for change, trial in trials.items():
                found = self._measure(trial, preset=preset)
                rows += [
                    {**_against(result, self._reference(label)), "row": label, "change": change} for result in found
                ]
        return rows

    def _shuffled(self, label: str, preset: str) -> Document:
        """The content modality shuffled across the items: another draw for each seed, against the row of that seed."""
        content, draws = self.all.joined[1], self.all.draws[: self.all.options.study_seeds]
        found = [
            self._measure(
                Trial(
                    f"shuffled-{label}-seed{draw.seed}", DESCRIBED[label], self.all.joined, draw.seed,
                    training=shuffle(content, draw.seed),
                ),
                preset=preset,
            )
            for draw in draws
        ]  # fmt: skip
        wholes = [of_row(self.all, label, draw).results for draw in draws]
        return [
            {"row": label, "change": f"{content} shuffled, {len(draws)} draws", "task": kind,
             **against([one[at] for one in found], [one[at] for one in wholes])}
            for at, kind in enumerate(self.all.tasks)
        ]  # fmt: skip

    def ablations(self) -> Document:
        """The paper's choices changed one at a time, against the row with the same seeds."""
        rows: Document = []
        for name, train, joint in ablation_settings(self.all.joined):
            settings = {**MULTI[REFERENCE], "train": train, "joint": joint}
            draws = self.all.draws[: self.all.options.study_seeds]
            found = [
                self._measure(
                    Trial(f"ablation-{name}-seed{draw.seed}".replace(" ", "-"), settings, self.all.joined, draw.seed)
                )
                for draw in draws
            ]
            references = [of_row(self.all, REFERENCE, draw).results for draw in draws]
            rows += [
                {"change": name, "task": kind, **against([one[at] for one in found], [one[at] for one in references])}
                for at, kind in enumerate(self.all.tasks)
            ]
        return rows

    def bias(self) -> dict[str, Any]:
        """Coverage, popularity and groups, for the trained rows and the floors that they are held against."""
        documents: dict[str, Any] = {}
        task = self.all.tasks["recommend"]
        for label in PRESETS:

            def work(label: str = label) -> Outcome:
                return self._bias(raw_systems(self.all.row(label, 0))["joint"](), task)

            documents[label] = self.all.outcomes.run(f"study.bias.{label}", None, work).facts
        for name in ("text", self.all.joined[1], "cf", "ease", "ials", "popularity", "random"):

            def floor(name: str = name) -> Outcome:
                return self._bias(floor_system(self.all, name, "recommend", self.all.draws[0]), task)

            documents[named(name)] = self.all.outcomes.run(f"study.bias.{name}", None, floor).facts
        return documents

    def _without(self, modality: str, label: str = REFERENCE) -> Trial:
        """A row without one of its modalities."""
        return Trial(f"without-{modality}-{label}", DESCRIBED[label], [m for m in self.all.joined if m != modality])

    def _bias(self, system: System, task: Task) -> Outcome:
        return Outcome(facts=bias_document(rank(system, task, min(DEPTH, task.n_items)), task, self.all.data))

    def _measure(self, trial: Trial, *, preset: str = "paper", from_row: bool = False) -> Sequence[Result]:
        """A trial's results on every task that it can answer."""

        def work() -> Outcome:
            base = self.all.row(REFERENCE, trial.seed).layout.root if from_row else None
            data = self.all.trial(trial, preset=preset, base=base)
            system = raw_systems(data)["joint"]()
            results = []
            for task in self.all.draws[trial.seed].tasks.values():
                try:
                    results.append(replace(evaluate(system, task), system=trial.name))
                except QueryError:  # nothing to compare a text with where there is no text modality
                    continue
            self._forget(trial)
            return Outcome(results)

        depends = [trial.settings, trial.modalities, trial.seed, preset]
        return self.all.outcomes.run(f"study.{trial.name}", depends, work).results

    def _reference(self, label: str) -> Mapping[str, Result]:
        return {result.task: result for result in of_row(self.all, label, self.all.draws[0]).results}

    def _setting(self) -> Setting:
        """The factorization that the base run's search chose."""
        return Setting(**storage.read_json(self.all.data.layout.workspace("cf") / "setting.json"))

    def _fixed_cf(self) -> list[dict[str, Any]]:
        """The modalities, with collaborative filtering at the base run's setting."""
        chosen = self._setting()
        fixed = {
            "trials": 1, "factors": [chosen.factors], "alpha": [chosen.alpha] * 2,
            "regularization": [chosen.regularization] * 2, "iterations": [chosen.iterations] * 2,
        }  # fmt: skip
        entries = self.all.settings["modalities"]
        return [{**entry, **fixed} if entry["encoder"] == "als" else dict(entry) for entry in entries]

    def _forget(self, trial: Trial) -> None:
        """Remove the folder of a trial whose results are kept."""
        shutil.rmtree(self.all.options.out / "studies" / trial.name, ignore_errors=True)


class CappedData(RunData):
    """A run whose systems learn from fewer interactions."""

    def __init__(self, data: RunData, training: Interactions) -> None:
        super().__init__(data.layout.root)
        self._training = training

    @cached_property
    def training(self) -> Interactions:
        """What was left."""
        return self._training


def named(system: str, labels: Mapping[str, str] = LABELS) -> str:
    """A system as reports call it."""
    plain, projected, _ = system.partition("-projected")
    return labels.get(plain, plain) + (", projected" if projected else "")


def cap_interactions(
    training: Interactions, popularity: NDArray[np.int64], seed: int = 0
) -> tuple[NDArray[np.int64], Interactions]:
    """Deal items with enough interactions into groups, and leave each group's items as many as its level says.

    The items of a group get every number within its level, one after the other. Returns the group of each item,
    (n_items,) int64, -1 where it keeps everything, and the interactions that are left.
    """
    rng = np.random.default_rng([seed, 13])
    lows, highs = np.array(LEVELS).T
    eligible = rng.permutation(np.flatnonzero(popularity >= highs.max()))
    dealt = eligible[: min(len(eligible) // 2, len(popularity) // 5)]
    groups = np.full(len(popularity), -1, dtype=np.int64)
    groups[dealt] = np.arange(len(dealt)) % len(LEVELS)
    left = popularity.copy()
    left[dealt] = lows[groups[dealt]] + np.arange(len(dealt)) // len(LEVELS) % (highs - lows + 1)[groups[dealt]]
    order = rng.permutation(len(training))
    by_item = order[np.argsort(training.item[order], kind="stable")]
    items = training.item[by_item]
    place = np.arange(len(items)) - np.searchsorted(items, items)
    kept = np.zeros(len(items), dtype=bool)
    kept[by_item] = place < left[items]
    return groups, training.select(kept)


def level_name(low: int, high: int) -> str:
    """Such as "0" or "3-5"."""
    return str(low) if low == high else f"{low}-{high}"


def ablation_settings(joined: Sequence[str]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name, [train] and [joint] of each ablation."""
    pairs = [(a, b) for i, a in enumerate(joined) for b in joined[i + 1 :]]
    for left_out in pairs:
        yield f"without the pair {left_out[0]} {left_out[1]}", {"pairs": [list(p) for p in pairs if p != left_out]}, {}
    for temperature in (0.05, 0.2):
        yield f"temperature {temperature:g}", {"temperature": temperature}, {}
    for dim in (64,):
        yield f"{dim} dimensions", {}, {"dim": dim}
    yield "symmetric", {"symmetric": True}, {}


def _factors(data: RunData, training: Interactions, setting: Setting) -> Features:
    """Collaborative features of fewer interactions, as the encoder makes them."""
    matrix = user_item_matrix(training, data.catalog.n_items)
    known = np.asarray(matrix.getnnz(axis=0) > 0)
    items = unit(factorize(matrix, setting, data.config.seed).items)
    return Features("cf", ("item",), np.where(known[:, None], items, 0).astype(np.float32)[None], known[None])


def _row(result: Result, **more: Any) -> dict[str, Any]:
    task = result.task.partition("-")[0]
    return {"system": result.system, "task": task, **measured(result, metric=METRIC), **more}


def _against(result: Result, reference: Mapping[str, Result]) -> dict[str, Any]:
    """A result with its difference to the reference on the same queries."""
    return _row(result, **measured(result, reference[result.task], METRIC))
