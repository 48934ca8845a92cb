"""The rows of the table: the paper's, ours, and the floors, each with every seed."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.errors import RunError
from antiphon.evaluate.baselines.fitted import baselines_of, make_system, makers_of
from antiphon.evaluate.budgets import Budget, baseline_budget, modality_budget, space_budget
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.results import Result, evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import System, raw_systems
from antiphon.evaluate.trials import Trial, merged
from antiphon.numbers.metrics import METRIC, mean_over_queries
from antiphon.numbers.random_search import log_uniform
from antiphon.reproduce.draws import Draw
from antiphon.reproduce.measure import measure
from antiphon.reproduce.reproduce import HUB, LABELS, MULTI, OURS, TRAINED, Reproduction

REFERENCE = "MULTI_TEMPLATE"
"""The row of the paper that is tuned and taken apart."""
MULTI_TRIALS = 4
OF_OURS = ("ease-own",)
"""Baselines that are parts of our space, and rank with the run of our row."""
LIBRARIES: Mapping[str, tuple[str, str]] = {
    "cornac-ease": ("cornac", "Cornac"), "lenskit-knn": ("lenskit", "LensKit"), "lenskit-ials": ("lenskit", "LensKit"),
}  # fmt: skip
"""Baselines of other libraries: the module that has to be there, and what people call it."""


@dataclass(frozen=True)
class Row:
    """A row of the table: results of one system on one task, one for each seed.

    `budget`: settings that were tried on validation, by what they choose, for each seed.
    """

    label: str
    kind: str
    results: Sequence[Result]
    floor: bool = True
    budget: Budget = field(default_factory=dict)


def table(everything: Reproduction) -> list[Row]:
    """Every row of the table."""
    rows = [row for name in (*MULTI, OURS) for row in trained(everything, name)]
    rows += [*without_content(everything), *tuned(everything)]
    rows += [row for name in everything.options.encoders if name in HUB for row in hub_rows(everything, name)]
    return rows + floors(everything)


def absent(everything: Reproduction) -> list[dict[str, str]]:
    """Rows that are missing, and why."""
    missing = {
        name: f"{called} is not installed: pip install 'antiphon[bench]'"
        for name, (module, called) in LIBRARIES.items()
        if importlib.util.find_spec(module) is None
    }
    return [{"system": LABELS[name], "why": why} for name, why in (missing | everything.failed).items()]


def trained(everything: Reproduction, label: str) -> list[Row]:
    """A trained row on every task, with each seed."""
    return _rows(everything, label, [of_row(everything, label, draw) for draw in everything.draws], floor=False)


def of_row(everything: Reproduction, label: str, draw: Draw) -> Outcome:
    """What a trained row got with one seed."""
    depends = [TRAINED[label], everything.joined, draw.identity]
    return everything.outcomes.run(
        f"row.{label}-seed{draw.seed}", depends, lambda: _measured(everything.row(label, draw.seed), draw)
    )


def without_content(everything: Reproduction) -> list[Row]:
    """The paper's row without its content modality, which is weak on these data."""
    found = [of_row_without_content(everything, draw) for draw in everything.draws]
    return _rows(everything, f"{REFERENCE} without {everything.joined[1]}", found, floor=False)


def of_row_without_content(everything: Reproduction, draw: Draw) -> Outcome:
    """What it got with one seed."""
    text, content, other = everything.joined
    name = f"{REFERENCE} without {content}-seed{draw.seed}".replace(" ", "-")
    return _once(everything, f"row.{name}", Trial(name, MULTI[REFERENCE], [text, other], draw.seed), draw)


def tuned(everything: Reproduction) -> list[Row]:
    """The paper's row with the best of a few settings on the validation part of each task; the usual ones are tried."""
    label, found = f"{REFERENCE}, tuned", []
    for draw in everything.draws:
        tried = [of_row(everything, REFERENCE, draw)]
        tried += [of_tried(everything, number, draw) for number in range(1, MULTI_TRIALS + 1)]
        best = {
            kind: max(range(len(tried)), key=lambda place: tried[place].facts["validation"][kind])
            for kind in draw.tasks
        }
        results = [tried[best[kind]].results[place] for place, kind in enumerate(draw.tasks)]
        found.append(Outcome(results, {"budget": tried[0].facts["budget"]}))
    rows = _rows(everything, label, found, floor=False)
    return [replace(row, budget={**row.budget, "own": 1 + MULTI_TRIALS}) for row in rows]


def of_tried(everything: Reproduction, number: int, draw: Draw) -> Outcome:
    """What the paper's row got with the settings of this number, from 1, and one seed."""
    settings, name = list(_drawn(draw.seed))[number - 1], f"{REFERENCE}-tried{number}-seed{draw.seed}"
    trial = Trial(name, merged(MULTI[REFERENCE], settings), everything.joined, draw.seed)
    return _once(everything, f"tried.{name}", trial, draw)


def _drawn(seed: int) -> Iterator[dict[str, Any]]:
    """Settings of the joint model that the paper leaves open."""
    rng = np.random.default_rng([seed, 22])
    for _ in range(MULTI_TRIALS):
        yield {
            "train": {"temperature": log_uniform(rng, 0.03, 0.5), "learning_rate": log_uniform(rng, 3e-4, 5e-3)},
            "joint": {"dropout": float(rng.uniform(0, 0.5)), "dim": int(rng.choice([128, 200, 400]))},
        }


def _once(everything: Reproduction, name: str, trial: Trial, draw: Draw) -> Outcome:
    """A trial of the paper's preset that is measured and forgotten."""

    def work() -> Outcome:
        data = everything.trial(trial, base=draw.base)
        found = _measured(data, draw)
        shutil.rmtree(data.layout.root, ignore_errors=True)
        return found

    return everything.outcomes.run(name, [trial.settings, trial.modalities, trial.seed, draw.identity], work)


def _measured(data: RunData, draw: Draw) -> Outcome:
    """Values on the test part of each task, means on the validation part, and what it cost."""
    system = raw_systems(data)["joint"]()
    results, spent, validation = [], {}, {}
    for kind, task in draw.tasks.items():
        start = time.perf_counter()
        results.append(measure(system, task, draw.data, seed=draw.seed))
        spent[kind] = round(1000 * (time.perf_counter() - start) / len(task), 3)
        validation[kind] = mean_over_queries(evaluate(system, draw.validation[kind], [METRIC]).values[METRIC])
    budget = space_budget(data.config)
    return Outcome(results, {**cost_of(data), "ms_per_query": spent, "validation": validation, "budget": budget})


def floors(everything: Reproduction) -> list[Row]:
    """Rows that nothing is trained jointly for, each tuned on validation where it has hyperparameters."""
    found = [_floor_row(everything, name, kind) for name, kind in floor_tasks(everything)]
    return [row for row in found if row is not None]


def floor_tasks(everything: Reproduction) -> list[tuple[str, str]]:
    """Every floor with every task that it answers."""
    data = everything.data
    raw, known = raw_systems(data), baselines_of(data)
    kinds = {name: raw[name]().kinds for name in LABELS if name in raw}
    kinds |= {name: baseline.kinds for name, baseline in known.items() if name in LABELS}
    kinds |= dict.fromkeys(OF_OURS, ("recommend", "similar", "cold"))
    if "lsa" not in everything.options.encoders:
        kinds.pop("text-lsa", None)
    return [(name, kind) for name in LABELS if name in kinds for kind in everything.tasks if kind in kinds[name]]


def _floor_row(everything: Reproduction, name: str, kind: str) -> Row | None:
    """A floor with every seed; None where another library's model fails, which is told and ends nothing."""
    try:
        results = [floor(everything, name, kind, draw) for draw in everything.draws]
    except Exception as error:
        if name not in LIBRARIES:
            raise
        everything.failed[name] = f"{type(error).__name__}: {error}"
        everything.notify(f"left out: {LABELS[name]}, {everything.failed[name]}")
        return None
    return Row(LABELS[name], kind, results, budget=_floor_budget(everything, name))


def floor(everything: Reproduction, name: str, kind: str, draw: Draw) -> Result:
    """One floor on one task with one seed."""
    code, depends = _floor_code(everything, name), _floor_depends(everything, name, draw)

    def work() -> Outcome:
        start = time.perf_counter()
        system = floor_system(everything, name, kind, draw)
        found = _floor_table(everything, name, kind, draw)
        made = time.perf_counter()
        result = measure(system, draw.tasks[kind], draw.data)
        tried = found.read_text(encoding="utf-8").splitlines() if found.is_file() else []
        spent = {"fit_seconds": made - start, "rank_seconds": time.perf_counter() - made}
        return Outcome([result], {**spent, "system": name, "task": kind, "seed": draw.seed, "trials": tried})

    return everything.outcomes.run(f"floor.{name}.{kind}.seed{draw.seed}", depends, work, code).results[0]


def floor_system(everything: Reproduction, name: str, kind: str, draw: Draw) -> System:
    """A floor with the settings that are best on validation; what was tried before is not tried again."""
    data = everything.row(OURS, draw.seed) if name in OF_OURS else draw.data
    return make_system(
        data, name, draw.validation[kind], table=_floor_table(everything, name, kind, draw),
        trials=everything.options.trials, progress=everything.progress,
    )  # fmt: skip


def _floor_table(everything: Reproduction, name: str, kind: str, draw: Draw) -> Path:
    """Where the trials are kept: those of other data or code are not taken for these."""
    depends = _floor_depends(everything, name, draw)
    mark = everything.outcomes.fingerprint(f"{name}.{kind}", depends, *_floor_code(everything, name))
    return everything.options.out / "tuning" / f"{name}-{kind}-seed{draw.seed}-{mark[:12]}.jsonl"


def _floor_code(everything: Reproduction, name: str) -> list[Any]:
    """What a floor is made by; what is a part of our space changes with everything that makes the space."""
    makers = makers_of(everything.data)
    if name in OF_OURS:
        return [trained]
    return [make_system, measure, *([makers[name]] if name in makers else [])]


def _floor_depends(everything: Reproduction, name: str, draw: Draw) -> list[Any]:
    return [draw.identity, everything.options.trials, TRAINED[OURS] if name in OF_OURS else None]


def _floor_budget(everything: Reproduction, name: str) -> Budget:
    known, config = baselines_of(everything.data), everything.data.config
    budget = baseline_budget(known[name], everything.options.trials) if name in known else {}
    if name in OF_OURS:
        return {key: n for key, n in space_budget(everything.row(OURS, 0).config).items() if key == "EASE"}
    collaborative = modality_budget(config).get("cf", 0)
    return budget | ({"cf": collaborative} if name in ("cf", "concat") else {})


def hub_rows(everything: Reproduction, name: str) -> list[Row]:
    """A text encoder of the hub as rows, or a note that it cannot be had."""
    settings = {"modalities": [{"name": "text", "encoder": "sentence-transformers", "model": HUB[name]}]}
    label, found = f"TEXT {HUB[name].rpartition('/')[2]}", []
    for draw in everything.draws:
        trial = Trial(f"encoder-{name}-seed{draw.seed}", settings, seed=draw.seed)

        def work(trial: Trial = trial, draw: Draw = draw) -> Outcome:
            base = everything.options.out / "rows" / f"encoder-{name}-seed0" if draw.seed else draw.base
            data = everything.trial(trial, base=base, folder="rows")
            system = raw_systems(data)["text"]()
            return Outcome([measure(system, task, draw.data) for task in draw.tasks.values()])

        try:
            found.append(everything.outcomes.run(f"row.{trial.name}", [settings, draw.identity], work))
        except RunError as error:
            everything.notify(f"left out: {error}")
            return []
    return _rows(everything, label, found)


def _rows(everything: Reproduction, label: str, found: Sequence[Outcome], *, floor: bool = True) -> list[Row]:
    budget: Budget = found[0].facts.get("budget", {})
    return [
        Row(label, kind, [outcome.results[place] for outcome in found], floor, budget)
        for place, kind in enumerate(everything.tasks)
    ]


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
