"""What each ingredient of the default space is worth, and search that knows the user, measured."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.results import Result, evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial
from antiphon.reproduce.comparisons import against
from antiphon.reproduce.draws import Draw
from antiphon.reproduce.personal import PARTS, personal_tasks
from antiphon.reproduce.reproduce import MULTI, OURS, OURS_FROM, Reproduction
from antiphon.reproduce.rows import of_row
from antiphon.space.loading import load

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
    """The default space without one ingredient at a time, against itself, with every seed."""
    found: dict[str, list[Sequence[Result]]] = {}
    for name, changes in USED.items():
        found[name] = [_without(everything, name, changes, draw) for draw in everything.draws]
    for name, settings in TRAINED.items():
        draws = everything.draws[: everything.options.study_seeds]
        found[name] = [_trained_without(everything, name, settings, draw) for draw in draws]
    wholes = [of_row(everything, OURS, draw).results for draw in everything.draws]
    return [
        {**against([one[at] for one in results], [one[at] for one in wholes[: len(results)]]), "change": name,
         "task": kind}
        for name, results in found.items()
        for at, kind in enumerate(everything.tasks)
    ]  # fmt: skip


def _without(everything: Reproduction, name: str, changes: Mapping[str, Any], draw: Draw) -> Sequence[Result]:
    """The published space of a seed, used without one of its parts."""
    depends = [dict(changes), draw.identity]
    return everything.outcomes.run(
        f"own.{name}.seed{draw.seed}", depends, lambda: _used(everything, changes, draw)
    ).results


def _trained_without(everything: Reproduction, name: str, settings: Mapping[str, Any], draw: Draw) -> Sequence[Result]:
    """The space of a seed, built without one of its parts."""
    trial = Trial(
        f"own-{name}-seed{draw.seed}".replace(" ", "-"), {**MULTI[OURS_FROM], **settings}, everything.joined, draw.seed
    )
    depends = [dict(settings), draw.identity]
    return everything.outcomes.run(
        f"own.{name}.seed{draw.seed}", depends, lambda: _trained(everything, trial, draw)
    ).results


def personalised(everything: Reproduction) -> Document:
    """Requests of test users: what they like among what they ask for, by the text, the history, and both."""

    def work(draw: Draw) -> Outcome:
        data = everything.row(OURS, draw.seed)
        tasks = personal_tasks(data, everything.material.queries, "test")
        system = SpaceSystem(data)
        return Outcome([replace(evaluate(system, task), system=part) for part, task in tasks.items()])

    found: dict[str, list[Result]] = {}
    for draw in everything.draws:
        name = f"own.personalised.seed{draw.seed}"
        for result in everything.outcomes.run(name, draw.identity, lambda draw=draw: work(draw)).results:  # type: ignore[misc]
            found.setdefault(result.system, []).append(result)
    both = found[PARTS[0]]
    return [{**against(both, found[part]), "part": part, "value": against(found[part], both)["mean"]} for part in PARTS]


def _used(everything: Reproduction, changes: Mapping[str, Any], draw: Draw) -> Outcome:
    system = changed(everything.row(OURS, draw.seed), changes)
    return Outcome([evaluate(system, task) for task in draw.tasks.values()])


def changed(data: RunData, changes: Mapping[str, Any]) -> SpaceSystem:
    """The published space of a run with other values in its mixture; `silent`: a voice that its gate does not hear."""
    space = load(data.layout.root, store={"kind": "memory"})
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
    return system


def _trained(everything: Reproduction, trial: Trial, draw: Draw) -> Outcome:
    data = everything.trial(trial, preset="default")
    results = [evaluate(SpaceSystem(data), task) for task in draw.tasks.values()]
    shutil.rmtree(data.layout.root, ignore_errors=True)
    return Outcome(results)
