"""Which differences between rows are real: paired tests of all pairs of a column, over seeds and queries together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from antiphon.evaluate.hierarchy import (
    N_RESAMPLES,
    intervals,
    mean_intervals,
    number,
    resampled_means,
    seed_means,
    shift_p,
    swapped_p,
)
from antiphon.evaluate.results import Result
from antiphon.evaluate.significance import holm
from antiphon.reproduce.measure import BEYOND, POPULARITY
from antiphon.reproduce.rows import Row

METRIC = "ndcg@200"
ALPHA = 0.05


def compare(rows: Sequence[Row], metric: str = METRIC) -> list[dict[str, Any]]:
    """Every pair of rows of each column, higher mean first, for JSON.

    All rows see the same resamples of seeds and queries. `p_bootstrap` is of the nested bootstrap, `p_randomisation` of
    swaps query by query; `p` is the larger of the two, and `p_holm` adjusts it for all pairs of the column. `win`: the
    first row is better, by the adjusted p at 0.05.
    """
    tests: list[dict[str, Any]] = []
    for kind in dict.fromkeys(row.kind for row in rows):
        column = [row for row in rows if row.kind == kind]
        values = _stacked([row.results for row in column], metric)
        column_means, drawn = seed_means(values).mean(axis=0), resampled_means(values)
        order = np.argsort(-column_means, kind="stable")
        found = []
        for i, a in enumerate(order):
            for b in order[i + 1 :]:
                pair = _pair(column[a].results, column[b].results, drawn[:, a] - drawn[:, b], metric)
                found.append({"task": kind, "a": column[a].label, "b": column[b].label, "metric": metric, **pair})
        for test, adjusted in zip(found, holm([test["p"] for test in found]), strict=True):
            tests.append({**test, "p_holm": float(adjusted), "win": bool(adjusted <= ALPHA and test["difference"] > 0)})
    return tests


def against(results: Sequence[Result], references: Sequence[Result], metric: str = METRIC) -> dict[str, Any]:
    """A mean with its interval, and its difference to a reference on the same seeds and queries, for JSON."""
    values = _stacked([results, references], metric)
    drawn = resampled_means(values, 10_000)
    pair = _pair(results, references, drawn[:, 0] - drawn[:, 1], metric, 10_000)
    ends = intervals(drawn)[:, 0]
    mean = seed_means(values).mean(axis=0)[0]
    return {
        "n": pair["n"], "seeds": len(results), "mean": number(mean), "low": number(ends[0]), "high": number(ends[1]),
        "difference": pair["difference"], "ci": [pair["low"], pair["high"]], "p": pair["p"],
        "by_seed": [float(value) for value in -np.diff(seed_means(values), axis=1)[:, 0]],
    }  # fmt: skip


def row_values(row: Row, truth_popularity: float) -> dict[str, Any]:
    """Means of a row over seeds and queries with their intervals, and the means of each seed, for JSON."""
    metrics = {name: [result.values[name] for result in row.results] for name in row.results[0].values}
    found = mean_intervals(metrics)
    seeds = [float(np.nanmean(result.values[METRIC])) for result in row.results]
    errors = [_error(result.values[METRIC]) for result in row.results]
    shown = found[POPULARITY]["mean"]
    return {
        "metrics": {name: found[name] for name in metrics if name not in BEYOND},
        "beyond": {name: found[name] for name in BEYOND},
        "popularity_lift": None if shown is None else shown / truth_popularity - 1,
        "by_seed": seeds,
        "seed0": seeds[0],
        "seed_std": float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None,
        "query_se": float(np.mean(errors)),
    }


def _pair(
    a: Sequence[Result], b: Sequence[Result], drawn: Any, metric: str, n_resamples: int = N_RESAMPLES
) -> Mapping[str, Any]:
    differences = [(one.ids, one.values[metric] - other.values[metric]) for one, other in zip(a, b, strict=True)]
    observed = float(np.mean([np.nanmean(values) for _, values in differences]))
    low, high = intervals(drawn[:, None])[:, 0]
    nested, swapped = shift_p(drawn, observed), swapped_p(differences, n_resamples)
    return {
        "n": sum(int((~np.isnan(values)).sum()) for _, values in differences), "difference": observed,
        "low": float(low), "high": float(high), "p": max(nested, swapped), "p_bootstrap": nested,
        "p_randomisation": swapped,
    }  # fmt: skip


def _stacked(columns: Sequence[Sequence[Result]], metric: str) -> list[Any]:
    """For each seed the values of every column, (n_queries, n_columns)."""
    n_seeds = len(columns[0])
    return [np.stack([column[seed].values[metric] for column in columns], axis=1) for seed in range(n_seeds)]


def _error(values: Any) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else 0.0
