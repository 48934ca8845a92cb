"""Which differences between rows are real: paired tests of all pairs of a column, adjusted for their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.evaluate.results import Result, mean_over_seeds
from antiphon.evaluate.significance import holm, paired_bootstrap_test, paired_randomisation_test, seed_spread
from antiphon.reproduce.reproduce import Row

METRIC = "ndcg@200"
ALPHA = 0.05
RESAMPLES = 50_000
"""Holm multiplies the smallest p by the number of pairs, near 200: with fewer, no difference could pass 0.01."""


def compare(rows: Sequence[Row], metric: str = METRIC) -> list[dict[str, Any]]:
    """Every pair of rows of each column, higher mean first, for JSON.

    The values of a row with several training seeds are their mean, query by query. `p` is of the paired randomisation
    test and `p_bootstrap` of the paired bootstrap; `p_holm` adjusts `p` for all pairs of the column. `win`: the first
    row is better, by the adjusted test at 0.05.
    """
    tests: list[dict[str, Any]] = []
    for kind in dict.fromkeys(row.kind for row in rows):
        column = sorted(
            ((row.label, mean_over_seeds(row.results)) for row in rows if row.kind == kind),
            key=lambda item: -float(np.nanmean(item[1].values[metric])),
        )
        pairs = [(a, b) for i, a in enumerate(column) for b in column[i + 1 :]]
        found = [_test(kind, a, b, metric) for a, b in pairs]
        for test, adjusted in zip(found, holm([test["p"] for test in found]), strict=True):
            tests.append({**test, "p_holm": float(adjusted), "win": bool(adjusted <= ALPHA)})
    return tests


def spread_document(row: Row, metric: str = METRIC) -> dict[str, float | None]:
    """Noise between training seeds apart from noise between queries, for JSON."""
    found = seed_spread(np.stack([result.values[metric] for result in row.results]))
    values = {"seed_std": found.seed_std, "query_se": found.query_se}
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}


def _test(kind: str, a: tuple[str, Result], b: tuple[str, Result], metric: str) -> dict[str, Any]:
    first, second = a[1].values[metric], b[1].values[metric]
    swapped = paired_randomisation_test(first, second, n_resamples=RESAMPLES)
    resampled = paired_bootstrap_test(first, second, n_resamples=2000)
    return {
        "task": kind, "a": a[0], "b": b[0], "metric": metric, "n": swapped.n, "difference": swapped.mean_difference,
        "low": resampled.low, "high": resampled.high, "p": swapped.p_value, "p_bootstrap": resampled.p_value,
    }  # fmt: skip
