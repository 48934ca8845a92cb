"""As people ask: requests that nobody derived from tags, memories of films and conversations.

The floors read the same texts as the space. The last row of a file is an oracle: the space that is told which items the
conversation names. The files are validation data: the tuned sum of floors is chosen on the very requests that it is
measured on, which is generous to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.baselines.ease import EASE
from antiphon.evaluate.baselines.facet_lookup import FacetLookup, plain_dictionary
from antiphon.evaluate.baselines.fusion import ScoreFusion, standardised
from antiphon.evaluate.baselines.passages import BestPassage
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.protocols import Kind, Task, retrieve_task
from antiphon.evaluate.results import Result, evaluate, measured
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, Popularity, ScoringSystem, SpaceSystem, System
from antiphon.reproduce.reproduce import OURS, Reproduction

FILES: Mapping[str, str] = {"tip_of_the_tongue.jsonl": "tip of the tongue", "dialogues.jsonl": "conversations"}
METRICS = ("mrr@200", "recall@10", "recall@50", "ndcg@200")
DRAWS = 60
ORACLE = "ANTIPHON, told what is named (oracle)"
Document = list[dict[str, Any]]


class FromNames(ScoringSystem):
    """A system that recommends from a profile, given the items that each request is said to name."""

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, name: str, inner: ScoringSystem, profiles: Sequence[Any]) -> None:
        self.name, self.inner, self.profiles = name, inner, profiles
        self.place: dict[str, int] = {}

    def scores(self, task: Task) -> Floats:
        """The inner system's scores; nothing for requests that name nothing."""
        profiles = tuple(self.profiles[self.place[name]] for name in task.ids)
        weights = tuple(np.ones(len(rows), dtype=np.float32) for rows in profiles)
        found = self.inner.scores(replace(task, kind="recommend", profiles=profiles, weights=weights))
        return np.where(np.isfinite(found), found, 0).astype(np.float32)


def as_people_ask(everything: Reproduction) -> Document:
    """MRR, recall and nDCG of the space and of floors, with the difference of MRR to the space."""
    folder = everything.material.folder
    rows: Document = []
    for file, label in FILES.items():
        path = folder / file
        if not path.is_file():
            continue
        outcome = everything.outcomes.run(
            f"study.asks.{label}",
            label,
            lambda path=path: _measure(everything, path),  # type: ignore[misc]
        )
        ours = next(result for result in outcome.results if result.system == OURS)
        for result in outcome.results:
            values = {metric: measured(result, metric=metric)["mean"] for metric in METRICS[1:]}
            rows.append({"requests": label, "system": result.system, **measured(ours, result, METRICS[0]),
                         "mrr": measured(result, metric=METRICS[0]), **values})  # fmt: skip
    return rows


def _measure(everything: Reproduction, path: Path) -> Outcome:
    data = everything.row(OURS, 0)
    task = retrieve_task(data, path, "all")
    named = _named(path, data, task)
    text, words = BestPassage(data), BM25(data.words())
    ease = FromNames("EASE of the items named", EASE(data, 300.0), named)
    ease.place = {name: place for place, name in enumerate(task.ids)}
    lookup = FacetLookup(plain_dictionary(data), words, 0.001)
    parts: list[ScoringSystem] = [text, words, lookup, ease, Popularity(data)]
    parts[-1].kinds = ("retrieve",)
    both = ScoreFusion("TEXT + BM25, equal", [text, words], [0.5, 0.5])
    systems: list[tuple[str, System]] = [
        ("popularity", parts[4]), ("BM25, all texts", words), ("TEXT, best passage", text),
        ("TEXT + BM25, equal", both), ("facet lookup", parts[2]), (ease.name, ease),
    ]  # fmt: skip
    results = [replace(evaluate(system, task, METRICS), system=name) for name, system in systems]
    results.append(_tuned_sum(parts, task))
    results.append(replace(evaluate(SpaceSystem(data), task, METRICS), system=OURS))
    if any(len(rows) for rows in named):
        queries = tuple(
            replace(query, likes=tuple(data.item_ids[row] for row in rows), weights={"names": 0.0} if len(rows) else {})
            for query, rows in zip(task.queries, named, strict=True)
        )
        oracle = evaluate(SpaceSystem(data), replace(task, queries=queries), METRICS)
        results.append(replace(oracle, system=ORACLE))
    return Outcome(results)


def _named(path: Path, data: RunData, task: Task) -> list[Any]:
    """Rows that each request of the task is said to name."""
    found: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        value = json.loads(line) if line.strip() else {}
        ids = [item for key in ("mentioned", "liked") for item in value.get(key, ())]
        rows = sorted({data.row_of[item] for item in ids if item in data.row_of})
        found[str(value.get("query_id"))] = np.array(rows, dtype=np.int32)
    return [found[name] for name in task.ids]


def _tuned_sum(parts: Sequence[ScoringSystem], task: Task) -> Result:
    """The best of `DRAWS` weighted sums of the floors by MRR, chosen on these requests."""
    scores = [standardised(part.scores(task)) for part in parts]
    rng = np.random.default_rng(0)
    best: Result | None = None
    for _ in range(DRAWS):
        weights = rng.dirichlet(np.ones(len(parts)))
        total = np.sum([np.float32(weight) * part for weight, part in zip(weights, scores, strict=True)], axis=0)
        found = evaluate(Given("floors, best tuned sum", total, task), task, METRICS)
        if best is None or np.nanmean(found.values[METRICS[0]]) > np.nanmean(best.values[METRICS[0]]):
            best = found
    assert best is not None  # noqa: S101  there are draws
    return best


class Given(ScoringSystem):
    """Scores that are there already."""

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, name: str, scores: Floats, task: Task) -> None:
        self.name, self.lines = name, dict(zip(task.ids, scores, strict=True))

    def scores(self, task: Task) -> Floats:
        """Those of the task's requests."""
        return np.stack([self.lines[name] for name in task.ids])
