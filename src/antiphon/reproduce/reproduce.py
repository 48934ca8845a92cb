"""The paper's Table 4 on real data, with honest floors, tests and studies: from raw files to a report.

One base run encodes everything once. Rows that are trained are trials of it, one for each training seed; the others
rank with its features. Every step is a stage that is kept, so a reproduction that was killed goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from antiphon._version import __version__
from antiphon.base import storage
from antiphon.base.code import code_of
from antiphon.base.progress import Progress, silent
from antiphon.base.registry import find, names
from antiphon.config.load import parse_config
from antiphon.errors import ConfigError, RunError, nearest
from antiphon.evaluate.baselines.fitted import GROUP, baselines_of, make_system
from antiphon.evaluate.outcomes import Outcome, Outcomes
from antiphon.evaluate.protocols import Task, recommend_task, retrieve_task, similar_task
from antiphon.evaluate.results import Result, evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import raw_systems
from antiphon.evaluate.trials import Trial, merged, run_trial
from antiphon.reproduce.slices import NAMES, Material, gather
from antiphon.run.build import build

Notify = Callable[[str], None]
HUB: Mapping[str, str] = {"uae": "WhereIsAI/UAE-Large-V1", "e5": "intfloat/e5-large-v2"}
ENCODERS = ("minilm", "lsa", *HUB)
MULTI: Mapping[str, Mapping[str, Any]] = {
    "MULTI_TEMPLATE": {"describe": {"mode": "template"}},
    "MULTI_GEN": {"describe": {"mode": "gen"}},
    "MULTI_TEMPLATE+GEN": {"describe": {"mode": "template+gen"}},
}
OURS, OURS_FROM = "ANTIPHON", "MULTI_TEMPLATE"
"""The row of this library's default preset, which is not in the paper, and the descriptions that it reads."""
LABELS: Mapping[str, str] = {
    "text": "TEXT MiniLM, TEMPLATE+GEN", "text-template": "TEXT MiniLM, TEMPLATE", "text-gen": "TEXT MiniLM, GEN",
    "text-lsa": "TEXT LSA", "image": "IMG", "audio": "AUDIO descriptors", "vggish": "AUDIO VGGish",
    "whisper": "AUDIO Whisper", "cf": "CF", "bm25": "BM25", "bm25-template": "BM25, TEMPLATE", "bm25-gen": "BM25, GEN",
    "popularity": "popularity", "random": "random", "ials": "iALS, fold-in", "ease": "EASE", "item-knn": "item kNN",
    "rp3beta": "RP3beta", "facet-lookup": "facet lookup, untrained",
    "passages+bm25": "TEXT best passage + BM25, scores",
    "concat": "concatenation, untrained", "concat-content": "concatenation without CF, untrained",
    "text+bm25-rrf": "TEXT + BM25, reciprocal ranks", "text+bm25": "TEXT + BM25, scores",
    "text-template+bm25-rrf": "TEXT + BM25, TEMPLATE, reciprocal ranks",
    "text-template+bm25": "TEXT + BM25, TEMPLATE, scores",
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What to reproduce, and how much of it; `items`, `users`, `queries` and `epochs` make it small.

    Raises:
        ConfigError: a name is unknown or a number too small.
    """

    dataset: str
    source: Path | None = None
    out: Path = Path("runs/reproduce")
    seeds: int = 3
    trials: int = 12
    items: int | None = None
    users: int | None = None
    queries: int | None = None
    epochs: int | None = None
    encoders: Sequence[str] = ("minilm", "lsa")
    studies: bool = True

    def __post_init__(self) -> None:
        if self.dataset not in NAMES:
            raise ConfigError(f"there is no table for {self.dataset!r}; {nearest(self.dataset, NAMES)}")
        for name in self.encoders:
            if name not in ENCODERS:
                raise ConfigError(f"there is no text encoder {name!r} for the table; {nearest(name, ENCODERS)}")
        for name in ("seeds", "trials", "items", "users", "queries", "epochs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name} is {value}; it is 1 or more.")

    def settings(self) -> dict[str, Any]:
        """What the numbers depend on."""
        values = asdict(self)
        return {key: values[key] for key in ("dataset", "trials", "items", "users", "queries", "epochs")}


@dataclass(frozen=True)
class Row:
    """A row of the table: results of one system on one task, one for each training seed."""

    label: str
    kind: str
    results: Sequence[Result]
    floor: bool = True


class Reproduction:
    """One reproduction in its folder: the base run, the tasks, and the stages."""

    def __init__(self, options: Options, progress: Progress = silent, notify: Notify = lambda _: None) -> None:
        self.options, self.progress, self.notify = options, progress, notify
        self.started = time.perf_counter()
        self.material: Material = gather(
            options.dataset, options.source, options.out, items=options.items, users=options.users,
            queries=options.queries,
        )  # fmt: skip
        self.settings = merged(self.material.settings, self._small())
        self.data_hash = storage.digest("data", dict(self.material.hashes))
        self.config_hash = storage.digest("config", self._config_document(), options.settings(), __version__)
        plugins = [find("antiphon.encoders", item["encoder"]) for item in self.settings["modalities"]]
        plugins += [find(GROUP, name) for name in names(GROUP)]
        common = [self.config_hash, self.data_hash, code_of(*plugins)]
        self.outcomes = Outcomes(options.out / "stages", common, notify)

    @property
    def base(self) -> Path:
        """Folder of the base run."""
        return self.options.out / "base"

    def prepare(self) -> None:
        """Build the base run: catalog, descriptions, features of every modality; its joint model is not used."""
        config = parse_config(merged(self.settings, {"train": {"epochs": 0}}), source="the base run")
        build(config, self.base, progress=self.progress, notify=self.notify)

    def base_of(self, preset: str) -> Path:
        """The run that trials of a preset start from.

        That of the default preset has its synthetic requests and taste factors, so that they are made once.
        """
        if preset == "paper":
            return self.base
        trial = Trial(f"base-{preset}", {**MULTI[OURS_FROM], "train": {"epochs": 0}}, self.joined)
        path = self.options.out / trial.name
        run_trial(self.base, self.trial_settings(preset), trial, path, self.progress)
        return path

    @cached_property
    def data(self) -> RunData:
        """The base run as an evaluation sees it."""
        return RunData(self.base)

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """The columns of the table: test users and test queries."""
        return self._tasks("test")

    @cached_property
    def validation(self) -> Mapping[str, Task]:
        """Users and queries that hyperparameters are chosen on."""
        return self._tasks("validation")

    def _tasks(self, part: Any) -> Mapping[str, Task]:
        tasks = {
            "recommend": recommend_task(self.data, part),
            "retrieve": retrieve_task(self.data, self.material.queries, part),
        }
        if self.material.truth is not None:
            tasks["similar"] = similar_task(self.data, self.material.truth, part)
        return tasks

    @property
    def joined(self) -> list[str]:
        """Modalities of the paper's rows: text, one content modality, collaborative filtering."""
        return ["text", self.material.content[0], "cf"]

    def trial_settings(self, preset: str = "paper") -> dict[str, Any]:
        """Settings that trials start from."""
        return {**self.settings, "preset": preset}

    def trial(self, trial: Trial, *, preset: str = "paper", base: Path | None = None, folder: str = "rows") -> RunData:
        """Build a trial."""
        path = self.options.out / folder / trial.name
        return run_trial(base or self.base_of(preset), self.trial_settings(preset), trial, path, self.progress)

    def table(self) -> list[Row]:
        """Every row of the table: the paper's, ours, and the floors."""
        rows = [row for name, settings in MULTI.items() for row in self.trained(name, settings)]
        rows += self.trained(OURS, MULTI[OURS_FROM], preset="default")
        rows += [row for name in self.options.encoders if name in HUB for row in self._hub_rows(name)]
        return rows + self.floors()

    def trained(self, label: str, settings: Mapping[str, Any], preset: str = "paper") -> list[Row]:
        """A trained row on every task, with each training seed."""
        found: dict[str, list[Result]] = {}
        for seed in range(self.options.seeds):
            trial = Trial(f"{label}-seed{seed}", settings, self.joined, seed)

            def work(trial: Trial = trial) -> Outcome:
                data = self.trial(trial, preset=preset)
                system = raw_systems(data)["joint"]()
                results, spent = [], {}
                for kind, task in self.tasks.items():
                    start = time.perf_counter()
                    results.append(evaluate(system, task, seed=trial.seed))
                    spent[kind] = round(1000 * (time.perf_counter() - start) / len(task), 3)
                return Outcome(results, {**cost_of(data), "ms_per_query": spent})

            outcome = self.outcomes.run(f"row.{trial.name}", [settings, self.joined, seed, preset], work)
            for kind, result in zip(self.tasks, outcome.results, strict=True):
                found.setdefault(kind, []).append(result)
        return [Row(label, kind, results, floor=False) for kind, results in found.items()]

    def floors(self) -> list[Row]:
        """Rows that nothing is trained jointly for, each tuned on validation where it has hyperparameters."""
        raw, tuned = raw_systems(self.data), baselines_of(self.data)
        rows = []
        for name, label in LABELS.items():
            if name not in raw and name not in tuned:
                continue
            if name == "text-lsa" and "lsa" not in self.options.encoders:
                continue
            kinds = tuned[name].kinds if name in tuned else raw[name]().kinds
            rows += [self._floor(name, label, kind) for kind in self.tasks if kind in kinds]
        return rows

    def _floor(self, name: str, label: str, kind: str) -> Row:
        task = self.tasks[kind]

        def work() -> Outcome:
            start = time.perf_counter()
            table = self.options.out / "tuning" / f"{name}-{kind}.jsonl"
            system = make_system(
                self.data, name, self.validation[kind], table=table, trials=self.options.trials, progress=self.progress
            )
            made = time.perf_counter()
            result = evaluate(system, task)
            tried = table.read_text(encoding="utf-8").splitlines() if table.is_file() else []
            seconds = {"fit_seconds": made - start, "rank_seconds": time.perf_counter() - made}
            return Outcome([result], {**seconds, "trials": tried})

        return Row(label, kind, self.outcomes.run(f"floor.{name}.{kind}", None, work, [make_system, evaluate]).results)

    def _hub_rows(self, name: str) -> list[Row]:
        """A text encoder of the hub as rows, or a note that it cannot be had."""
        settings = {"modalities": [{"name": "text", "encoder": "sentence-transformers", "model": HUB[name]}]}
        trial = Trial(f"encoder-{name}", settings)

        def work() -> Outcome:
            data = self.trial(trial)
            system = raw_systems(data)["text"]()
            return Outcome([evaluate(system, task) for task in self.tasks.values()])

        try:
            outcome = self.outcomes.run(f"row.{trial.name}", settings, work)
        except RunError as error:
            self.notify(f"left out: {error}")
            return []
        label = f"TEXT {HUB[name].rpartition('/')[2]}"
        return [Row(label, kind, [result]) for kind, result in zip(self.tasks, outcome.results, strict=True)]

    def _small(self) -> dict[str, Any]:
        """Settings of a small run."""
        changes: dict[str, Any] = {}
        if self.options.epochs is not None:
            changes["train"] = {"epochs": self.options.epochs}
            changes["synthetic"] = {"per_item": 1}
        changes["space"] = {"taste_trials": self.options.trials}
        entries = [dict(entry) for entry in self.material.settings["modalities"]]
        for entry in entries:
            if entry["encoder"] == "als":
                entry["trials"] = self.options.trials
        return {**changes, "modalities": entries}

    def _config_document(self) -> Any:
        """The settings without the places of files, which are no part of what was done."""
        return strip_paths(self.settings)


def cost_of(data: RunData) -> dict[str, Any]:
    """Seconds of a run's stages, and the size of what it publishes."""
    manifest = storage.read_json(data.layout.manifest)
    space = data.space
    files = [path for path in space.layout.root.rglob("*") if path.is_file()]
    # Not the encoders: they are the same for any number of items.
    items = [path for path in files if not path.is_relative_to(space.layout.root / "query")]
    return {
        "seconds": {stage["name"]: round(stage["seconds"], 2) for stage in manifest["stages"]},
        "bytes_per_item": round(sum(path.stat().st_size for path in items) / space.n_items),
        "vector_bytes_per_item": int(np.prod(space.blocks.shape[1:])) * space.blocks.dtype.itemsize,
        "published_bytes": sum(path.stat().st_size for path in files),
    }


def strip_paths(value: Any) -> Any:
    """A configuration with files by their last name."""
    if isinstance(value, Mapping):
        return {key: strip_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strip_paths(inner) for inner in value]
    return (
        Path(value).name if isinstance(value, str | Path) and "/" in str(value) and Path(value).is_absolute() else value
    )
