"""What each ingredient of the default space is worth, and search that knows the user, measured."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.results import Result, evaluate, measured
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial
from antiphon.reproduce.personal import PARTS, personal_tasks
from antiphon.reproduce.reproduce import MULTI, OURS, OURS_FROM, Reproduction
from antiphon.space.space import load

METRIC = "ndcg@200"
JOINT_ONLY: Mapping[str, Any] = {
    **{name: {"joint": 1.0, "ials": 0.0, "ease": 0.0} for name in ("history", "likes")}, "rerank": 0.0
}  # fmt: skip
USED: Mapping[str, Mapping[str, Any]] = {
    "one dense vector per text": {"silent": ("words", "facets", "named", "alike", "passages", "popularity", "names")},
    "without words (BM25)": {"silent": ("words",)},
    "without passages": {"silent": ("passages",)},
    "without facets": {"silent": ("facets", "named", "alike")},
    "without the reader of facets": {"silent": ("facets",)},
    "without the dictionary": {"silent": ("named",)},
    "constants in place of the gate": {"gate": None},
    "without taste": JOINT_ONLY,
    "without reranking": {"rerank": 0.0},
    "without EASE (nor reranking)": {"history": {"ease": 0.0}, "likes": {"ease": 0.0}, "rerank": 0.0},
    "without iALS (nor reranking)": {"history": {"ials": 0.0}, "likes": {"ials": 0.0}, "rerank": 0.0},
}
"""Parts of the published space that are left out when it is used; weights of blocks change one by one."""
TRAINED: Mapping[str, Mapping[str, Any]] = {
    "without synthetic queries": {"train": {"query_weight": 0.0}},
    "without the pair loss": {"train": {"pair_weight": 0.0}},
    "without the linear path": {"joint": {"residual": False}},
    "equal weights": {"joint": {"weights": "mean"}},
}
"""Ingredients that are left out when it is built."""
Document = list[dict[str, Any]]


def ingredients(everything: Reproduction) -> Document:
    """The default space without one ingredient at a time, against itself (training seed 0)."""
    found: dict[str, Sequence[Result]] = {}
    for name, changes in USED.items():
        found[name] = everything.outcomes.run(
            f"own.{name}",
            dict(changes),
            lambda changes=changes: _used(everything, changes),  # type: ignore[misc]
        ).results
    for name, settings in TRAINED.items():
        trial = Trial(f"own-{name}".replace(" ", "-"), {**MULTI[OURS_FROM], **settings}, everything.joined)
        found[name] = everything.outcomes.run(
            f"own.{name}",
            dict(settings),
            lambda trial=trial: _trained(everything, trial),  # type: ignore[misc]
        ).results
    reference = {row.kind: row.results[0] for row in everything.trained(OURS, MULTI[OURS_FROM], "default")}
    return [
        {**measured(result, reference[kind], METRIC), "change": name, "task": kind}
        for name, results in found.items()
        for kind, result in zip(everything.tasks, results, strict=True)
    ]


def personalised(everything: Reproduction) -> Document:
    """Requests of test users: what they like among what they ask for, by the text, the history, and both."""

    def work() -> Outcome:
        data = RunData(everything.options.out / "rows" / f"{OURS}-seed0")
        tasks = personal_tasks(data, everything.material.queries, "test")
        system = SpaceSystem(data)
        return Outcome([replace(evaluate(system, task), system=part) for part, task in tasks.items()])

    results = {result.system: result for result in everything.outcomes.run("own.personalised", None, work).results}
    both = results[PARTS[0]]
    rows = [{**measured(both, metric=METRIC), "part": PARTS[0]}]
    return rows + [
        {**measured(both, results[part], METRIC), "part": part, "value": _mean(results[part])} for part in PARTS[1:]
    ]


def _used(everything: Reproduction, changes: Mapping[str, Any]) -> Outcome:
    data = RunData(everything.options.out / "rows" / f"{OURS}-seed0")
    space = load(data.layout.root)
    for name, change in changes.items():
        if name == "silent":
            gate = space.mixture.gate
            space.mixture = replace(space.mixture, gate=None if gate is None else gate.without(change))
            continue
        before = getattr(space.mixture, name)
        after: Any = {**before, **change} if isinstance(change, Mapping) else change
        space.mixture = replace(space.mixture, **{name: after})
    system = SpaceSystem(data)
    system.space = space
    return Outcome([evaluate(system, task) for task in everything.tasks.values()])


def _trained(everything: Reproduction, trial: Trial) -> Outcome:
    data = everything.trial(trial, preset="default", folder="studies")
    results = [evaluate(SpaceSystem(data), task) for task in everything.tasks.values()]
    shutil.rmtree(data.layout.root, ignore_errors=True)
    return Outcome(results)


def _mean(result: Result) -> float:
    return float(np.nanmean(result.values[METRIC]))
