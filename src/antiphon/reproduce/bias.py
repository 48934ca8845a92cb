"""What is recommended, and to whom it helps: coverage, popularity, and shares by group. The paper asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.numbers.metrics import (
    Relevance,
    catalog_coverage,
    evaluate_ranking,
    exposure,
    gini,
    mean_over_queries,
    mean_popularity,
)

K = 20
DEPTH = 200
TERCILES = ("low", "middle", "high")
MIN_SHARE = 0.02
"""Groups with a smaller share of the truth are added up as `other`."""
Rows = NDArray[np.int64]
Labels = NDArray[np.int64]


def bias_document(ranked: Rows, task: Task, data: RunData) -> dict[str, Any]:
    """Numbers about one system's lists, for JSON.

    `by_item_popularity`: recall@200 of the truths in each third of the catalog by training users. `by_user_activity`:
    nDCG@200 of each third of users by profile length. `shares`: for each grouping of items, its share of the first 20
    results, of the truth and of the catalog.
    """
    n_items = task.n_items
    popularity = data.popularity
    thirds = terciles(popularity)
    by_item = {name: _recall_within(ranked, task, thirds == third) for third, name in enumerate(TERCILES)}
    activity = terciles(np.array([len(profile) for profile in task.profiles]))
    values = evaluate_ranking(ranked, task.relevance, [f"ndcg@{DEPTH}"], n_items)[f"ndcg@{DEPTH}"]
    by_user = {name: _mean(values[activity == third]) for third, name in enumerate(TERCILES)}
    return {
        "coverage@20": catalog_coverage(ranked, n_items, K),
        "gini@20": gini(ranked, n_items, K),
        "mean_popularity@20": _mean(mean_popularity(ranked, popularity, K)),
        "mean_popularity_of_truth": float(popularity[task.relevance.indices].mean()),
        "by_item_popularity": by_item,
        "by_user_activity": by_user,
        "shares": {name: shares(ranked, task, labels, names) for name, (labels, names) in groupings(data).items()},
    }


def terciles(values: NDArray[Any]) -> Labels:
    """0, 1 or 2 for the lowest, middle and highest third by rank, (n,) int64; equal values go by position."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.minimum(order * 3 // max(1, len(values)), 2)


def groupings(data: RunData) -> Mapping[str, tuple[Labels, Sequence[str]]]:
    """Ways to group the items: by decade and country where the catalog has such columns; labels and their names."""
    table, found = data.catalog.items, {}
    if "year" in table.column_names:
        decades = [None if year is None else f"{int(year) // 10 * 10}s" for year in table["year"].to_pylist()]
        found["decade"] = _labelled(decades)
    if "country" in table.column_names:
        found["country"] = _labelled(table["country"].to_pylist())
    return found


def shares(ranked: Rows, task: Task, labels: Labels, names: Sequence[str]) -> list[dict[str, Any]]:
    """Each group's share of the first 20 results, the truth and the catalog, largest in the truth first."""

    def share(counts: NDArray[Any]) -> NDArray[np.float64]:
        per_group = np.bincount(labels, weights=counts, minlength=len(names))
        return np.asarray(per_group / max(per_group.sum(), 1))

    truth = np.bincount(task.relevance.indices, minlength=task.n_items)
    columns = [share(exposure(ranked, task.n_items, K)), share(truth), share(np.ones(task.n_items))]
    rows = [
        {"group": name, "recommended": float(a), "truth": float(b), "catalog": float(c)}
        for name, a, b, c in zip(names, *columns, strict=True)
    ]
    large = sorted((row for row in rows if row["truth"] >= MIN_SHARE), key=lambda row: -float(str(row["truth"])))
    small = [row for row in rows if row["truth"] < MIN_SHARE]
    keys = ("recommended", "truth", "catalog")
    other = {"group": "other", **{key: sum(float(str(row[key])) for row in small) for key in keys}}
    return [*large, other] if small else large


def _recall_within(ranked: Rows, task: Task, group: NDArray[np.bool_]) -> float | None:
    kept = (task.relevance.row(query) for query in range(task.relevance.n_queries))
    within = Relevance.from_lists(rows[group[rows]] for rows in kept)
    return _mean(evaluate_ranking(ranked, within, [f"recall@{DEPTH}"], task.n_items)[f"recall@{DEPTH}"])


def _labelled(values: Sequence[str | None]) -> tuple[Labels, list[str]]:
    filled = [value or "unknown" for value in values]
    names = sorted(set(filled))
    row_of = {name: row for row, name in enumerate(names)}
    return np.array([row_of[value] for value in filled], dtype=np.int64), names


def _mean(values: NDArray[np.float64]) -> float | None:
    mean = mean_over_queries(values)
    return None if np.isnan(mean) else mean
