"""What a system got on a task: one value per query and metric, kept as a table, and means with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.significance import bootstrap_interval, paired_randomisation_test
from antiphon.evaluate.systems import System, rank
from antiphon.numbers.metrics import evaluate_ranking

METRICS: tuple[str, ...] = ("ndcg@200", "recall@20", "recall@200", "mrr@200")
K = 200
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Result:
    """Values of one system on one task, {metric: (n_queries,) float64}, NaN for a query without a relevant item.

    `seed`: the training seed; None for a system that is not trained by one.
    """

    system: str
    task: str
    ids: tuple[str, ...]
    values: Mapping[str, Floats]
    seed: int | None = None

    def document(self) -> dict[str, Any]:
        """Means with 95% bootstrap intervals over the queries, for JSON."""
        return {metric: interval_document(values) for metric, values in self.values.items()}


def evaluate(
    system: System,
    task: Task,
    metrics: Sequence[str] = METRICS,
    *,
    seed: int | None = None,
    beside: Callable[[NDArray[np.int64]], Mapping[str, Floats]] = lambda _: {},
) -> Result:
    """Rank, compare with the truth, and keep one value per query; `beside` gives more values of the ranked rows.

    Raises:
        ConfigError: the system does not answer such tasks, or a metric is unknown.
    """
    ranked = rank(system, task, min(K, task.n_items))
    values = evaluate_ranking(ranked, task.relevance, metrics, task.n_items)
    return Result(system.name, task.name, task.ids, {**values, **beside(ranked)}, seed)


def interval_document(values: Floats) -> dict[str, float | None]:
    """A mean and its 95% bootstrap interval, for JSON: None where there is no value."""
    found = bootstrap_interval(values)
    return {name: _number(getattr(found, name)) for name in ("mean", "low", "high")}


def measured(result: Result, reference: Result | None = None, metric: str = METRICS[0]) -> dict[str, Any]:
    """Queries, mean and interval of a metric, for JSON; with the difference to a reference on the same queries."""
    values = result.values[metric]
    document = {"n": int(np.count_nonzero(~np.isnan(values))), **interval_document(values)}
    if reference is None:
        return document
    test = paired_randomisation_test(values, reference.values[metric])
    return document | {"difference": test.mean_difference, "ci": [test.low, test.high], "p": test.p_value}


def mean_over_seeds(results: Sequence[Result]) -> Result:
    """One result per query: the mean over training seeds of the same system and task."""
    first = results[0]
    values = {
        metric: np.asarray(np.mean([result.values[metric] for result in results], axis=0)) for metric in first.values
    }
    return Result(first.system, first.task, first.ids, values, None if len(results) > 1 else first.seed)


def save_results(path: Path, results: Iterable[Result]) -> None:
    """Write a parquet of system, task, seed, query_id, metric and value, one row each."""
    parts: list[pa.Table] = []
    for result in results:
        n = len(result.ids)
        for metric, values in result.values.items():
            columns = {
                "system": pa.array([result.system] * n).dictionary_encode(),
                "task": pa.array([result.task] * n).dictionary_encode(),
                "seed": pa.array([result.seed] * n, pa.int64()),
                "query_id": pa.array(result.ids, pa.string()),
                "metric": pa.array([metric] * n).dictionary_encode(),
                "value": pa.array(values, pa.float64()),
            }
            parts.append(pa.table(columns))
    storage.write_table(path, pa.concat_tables(parts).unify_dictionaries())


def load_results(path: Path) -> list[Result]:
    """Read what `save_results` wrote, in its order."""
    table = storage.read_table(path)
    groups: dict[tuple[str, str, int | None], dict[str, tuple[list[str], list[float]]]] = {}
    names = ("system", "task", "seed", "query_id", "metric", "value")
    for system, task, seed, query, metric, value in zip(*(table[name].to_pylist() for name in names), strict=True):
        ids, values = groups.setdefault((system, task, seed), {}).setdefault(metric, ([], []))
        ids.append(query)
        values.append(math.nan if value is None else value)
    return [
        Result(
            system, task, tuple(next(iter(found.values()))[0]),
            {metric: np.array(values) for metric, (_, values) in found.items()}, seed,
        )
        for (system, task, seed), found in groups.items()
    ]  # fmt: skip


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
