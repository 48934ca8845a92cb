"""Ranking metrics over whole arrays of results, in plain numpy.

A ranking is `ranked`: (n_queries, k) int32 or int64, item rows best first, padded with -1 where there are fewer than
k results. The truth is a `Relevance`. Relevance is binary. A metric function takes `found`, the (n_queries, k) bool
array that `hits` makes, and gives one float64 per query: NaN for a query without a relevant item, which means leave
out. A list shorter than the cutoff counts as having no further results.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt

from antiphon.errors import ConfigError, DataError, MismatchError, nearest
from antiphon.numbers.vectors import looked_up

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Ranked = npt.NDArray[np.signedinteger[Any]]
Score = Callable[[Bools, Rows, int], Floats]
Item = TypeVar("Item", bound=np.generic)


@dataclass(frozen=True, slots=True, eq=False)
class Relevance:
    """The relevant items of every query, in compressed sparse row form.

    `indptr`: (n_queries + 1,) int64, starts at 0, never falls. `indices`: (n_relevant,) int64 item rows; those of
    query q are `indices[indptr[q]:indptr[q + 1]]`, strictly rising. A query may have none.

    Raises:
        DataError: the two arrays do not form such a table.
    """

    indptr: Rows
    indices: Rows

    def __post_init__(self) -> None:
        indptr, indices = self.indptr, self.indices
        if indptr.dtype != np.int64 or indices.dtype != np.int64 or indptr.ndim != 1 or indices.ndim != 1:
            raise DataError(
                f"Relevance got indptr {indptr.dtype} {indptr.shape} and indices {indices.dtype} {indices.shape}; "
                "both must be one-dimensional int64. Build it with Relevance.from_lists."
            )
        if indptr.size == 0 or indptr[0] != 0 or indptr[-1] != indices.size or bool((np.diff(indptr) < 0).any()):
            raise DataError(
                f"Relevance.indptr must start at 0, never fall and end at {indices.size}, the number of indices. "
                "Build it with Relevance.from_lists."
            )
        if indices.size and int(indices.min()) < 0:
            raise DataError(f"Relevance holds the item row {int(indices.min())}; rows start at 0. Drop unknown items.")
        query = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
        if bool(((np.diff(indices) <= 0) & (np.diff(query) == 0)).any()):
            raise DataError(
                "Relevance.indices must rise strictly within a query. Build it with Relevance.from_lists, "
                "which sorts and drops duplicates."
            )

    @classmethod
    def from_lists(cls, lists: Iterable[Iterable[int]]) -> Self:
        """One iterable of item rows per query becomes a sorted table without duplicates.

        Raises:
            DataError: a value is not an integer, or is negative.
        """
        rows = [_unique_rows(query, items) for query, items in enumerate(lists)]
        indptr = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=indptr[1:])
        return cls(indptr, np.concatenate([np.empty(0, dtype=np.int64), *rows]))

    @property
    def n_queries(self) -> int:
        """Number of queries, those without a relevant item included."""
        return self.indptr.size - 1

    @property
    def counts(self) -> Rows:
        """Number of relevant items of each query: (n_queries,) int64."""
        return np.diff(self.indptr)

    def row(self, query: int) -> Rows:
        """Relevant item rows of one query, rising: (counts[query],) int64."""
        return self.indices[self.indptr[query] : self.indptr[query + 1]]

    def keys(self, n_items: int) -> Rows:
        """One rising number per (query, item) pair, query * n_items + item: (n_relevant,) int64.

        Raises:
            DataError: an item row is not below `n_items`.
        """
        if self.indices.size and int(self.indices.max()) >= n_items:
            raise DataError(
                f"Relevance holds the item row {int(self.indices.max())}, but the catalog has {n_items} items. "
                "Keep only truths inside the catalog."
            )
        return np.repeat(np.arange(self.n_queries, dtype=np.int64) * n_items, self.counts) + self.indices


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric and its cutoff; `k` is None where the whole list is read. `str` gives back what was parsed."""

    name: str
    k: int | None = None

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"


def hits(ranked: Ranked, relevance: Relevance, n_items: int) -> Bools:
    """A result is a hit where it is relevant to its query and was not ranked before: (n_queries, k) bool.

    `ranked`: (n_queries, k) int32 or int64 item rows, -1 where there is no result. A repeated result keeps its rank
    but is a hit only the first time; -1 never is.

    Raises:
        DataError: `ranked` is not such an array, or an item row is outside the catalog.
        MismatchError: `ranked` and `relevance` are about different numbers of queries.
    """
    rows = _checked_rows(ranked, n_items)
    if rows.shape[0] != relevance.n_queries:
        raise MismatchError(
            f"The ranking has {rows.shape[0]} queries and the relevance has {relevance.n_queries}; "
            "there must be one ranked list per query. Build both from the same list of queries."
        )
    truth = relevance.keys(n_items)
    if truth.size == 0:
        return np.zeros(rows.shape, dtype=np.bool_)
    keys = _keys(rows, n_items)
    # The key of -1 is that of the previous query's last item, so it has to be masked out.
    return _first_only(keys, looked_up(truth, keys)[1] & (rows >= 0))


def ndcg(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """Normalised discounted cumulative gain of the first k results: (n_queries,) float64 in [0, 1].

    DCG@k = sum_{r=1..k} rel_r / log2(r + 1); the ideal has min(n_relevant, k) ones on top. Järvelin and Kekäläinen,
    "Cumulated gain-based evaluation of IR techniques", TOIS 20(4), 2002, with the discount of Burges et al.,
    "Learning to rank using gradient descent", ICML 2005.

    Raises:
        ConfigError: k is below 1.
    """
    top = _cut(found, k)
    ideal_length = np.minimum(n_relevant, k)
    depth = max(top.shape[1], int(ideal_length.max(initial=0)))
    discount = 1.0 / np.log2(np.arange(2, depth + 2, dtype=np.float64))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[ideal_length]
    gain = top @ discount[: top.shape[1]]
    # The two sums add up in different orders, so a perfect list may come out a hair above 1.
    return np.minimum(_divided(gain, ideal), 1.0)


def recall(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """Share of the relevant items that are among the first k results: (n_queries,) float64 in [0, 1].

    The divisor is n_relevant also where that is above k, as in trec_eval.

    Raises:
        ConfigError: k is below 1.
    """
    return _divided(_cut(found, k).sum(axis=1), n_relevant)


def precision(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """Share of the first k places that hold a relevant item: (n_queries,) float64 in [0, 1].

    The divisor is k also where the list is shorter, as in trec_eval.

    Raises:
        ConfigError: k is below 1.
    """
    return _divided(_cut(found, k).sum(axis=1), np.where(n_relevant > 0, k, 0))


def reciprocal_rank(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """One over the rank of the first hit, 0 without a hit in the first k: (n_queries,) float64 in [0, 1].

    Voorhees, "The TREC-8 question answering track report", 1999.

    Raises:
        ConfigError: k is below 1.
    """
    top = _cut(found, k)
    best = np.where(top, 1.0 / _ranks(top), 0.0).max(axis=1, initial=0.0)
    return _divided(best, np.minimum(n_relevant, 1))


def average_precision(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """Mean of the precision at the rank of every relevant item, 0 for one not in the first k: (n_queries,) float64.

    AP@k = (1 / n_relevant) sum_{r=1..k} rel_r * precision@r. Manning, Raghavan and Schütze, "Introduction to
    Information Retrieval", 2008, section 8.4. The divisor is n_relevant, as in trec_eval, not min(n_relevant, k).

    Raises:
        ConfigError: k is below 1.
    """
    top = _cut(found, k)
    precisions = np.cumsum(top, axis=1) / _ranks(top)
    return _divided(np.where(top, precisions, 0.0).sum(axis=1), n_relevant)


def hit_rate(found: Bools, n_relevant: Rows, k: int) -> Floats:
    """1 where any of the first k results is relevant, else 0: (n_queries,) float64.

    Raises:
        ConfigError: k is below 1.
    """
    return _divided(_cut(found, k).max(axis=1, initial=False), np.minimum(n_relevant, 1))


# By the name that a spec uses; those of WHOLE_LIST may go without a cutoff.
_BY_NAME: dict[str, Score] = {"ndcg": ndcg, "recall": recall, "precision": precision, "hit_rate": hit_rate}
METRICS: Final = MappingProxyType(_BY_NAME | {"mrr": reciprocal_rank, "map": average_precision})
WHOLE_LIST: Final = frozenset({"mrr", "map"})


def parse_metric(spec: str) -> MetricSpec:
    """A spec is a metric's name, an @ and a cutoff, such as "ndcg@200"; "mrr" and "map" may go without the cutoff.

    Raises:
        ConfigError: the name is unknown, or the cutoff is missing or is not a positive whole number.
    """
    name, at, cutoff = spec.partition("@")
    if name not in METRICS:
        raise ConfigError(f"Unknown metric {name!r} in {spec!r}: {nearest(name.lower(), METRICS)}")
    if not at and name in WHOLE_LIST:
        return MetricSpec(name)
    if not at:
        raise ConfigError(f"Metric {spec!r} has no cutoff: write how many results to read, such as '{name}@20'.")
    # No leading zeros, so that str() of the parsed spec is the key that the caller wrote.
    if not re.fullmatch(r"[1-9][0-9]{0,8}", cutoff):
        raise ConfigError(
            f"Metric {spec!r} has the cutoff {cutoff!r}; expected a whole number from 1 to 999999999, "
            f"such as '{name}@20'."
        )
    return MetricSpec(name, int(cutoff))


def evaluate_ranking(ranked: Ranked, relevance: Relevance, metrics: Iterable[str], n_items: int) -> dict[str, Floats]:
    """Each metric spec gets its value per query: {spec: (n_queries,) float64}, NaN without a relevant item.

    `ranked`: (n_queries, k) int32 or int64 item rows, best first, -1 where there is no result.

    Raises:
        ConfigError: a metric spec is wrong.
        DataError: an item row is outside the catalog, or `ranked` is not such an array.
        MismatchError: `ranked` and `relevance` are about different numbers of queries.
    """
    specs = [parse_metric(spec) for spec in metrics]
    found = hits(ranked, relevance, n_items)
    counts = relevance.counts
    whole = max(found.shape[1], 1)
    return {str(spec): METRICS[spec.name](found, counts, whole if spec.k is None else spec.k) for spec in specs}


def mean_over_queries(values: npt.NDArray[np.floating[Any]]) -> float:
    """The mean of the values that are not NaN; NaN if there are none. `values`: (n_queries,) floats."""
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else float("nan")


def catalog_coverage(ranked: Ranked, n_items: int, k: int) -> float:
    """Share of the catalog's items that are in the first k results of at least one query, in [0, 1].

    Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy", RecSys 2010, section 2.

    Raises:
        ConfigError: k is below 1.
        DataError: `ranked` is not an (n_queries, k) array of item rows of the catalog.
    """
    return float(np.count_nonzero(exposure(ranked, n_items, k)) / n_items)


def gini(ranked: Ranked, n_items: int, k: int) -> float:
    """Gini coefficient of how often items are shown: 0 if all equally often, (n_items - 1) / n_items if only one is.

    With the exposures in rising order, x_1 to x_n over all n items of the catalog,
    G = sum_i (2 i - n - 1) x_i / (n sum_i x_i). NaN where nothing is shown at all.

    Raises:
        ConfigError: k is below 1.
        DataError: `ranked` is not an (n_queries, k) array of item rows of the catalog.
    """
    shown = np.sort(exposure(ranked, n_items, k)).astype(np.float64)
    total = float(shown.sum())
    if total == 0.0:
        return float("nan")
    weights = 2.0 * np.arange(1, n_items + 1) - n_items - 1.0
    return float(weights @ shown / (n_items * total))


def exposure(ranked: Ranked, n_items: int, k: int) -> Rows:
    """Number of queries that have each item in their first k results: (n_items,) int64.

    Raises:
        ConfigError: k is below 1.
        DataError: `ranked` is not an (n_queries, k) array of item rows of the catalog.
    """
    rows, shown = _shown(ranked, n_items, k)
    return np.bincount(rows[shown], minlength=n_items)


def mean_popularity(ranked: Ranked, popularity: npt.NDArray[np.number[Any]], k: int) -> Floats:
    """Mean popularity of each query's first k results: (n_queries,) float64, NaN for an empty list.

    `popularity`: (n_items,) numbers in any unit, such as training interactions per item. The mean over queries is
    the average recommendation popularity of Yin et al., "Challenging the long tail recommendation", VLDB 2012.

    Raises:
        ConfigError: k is below 1.
        DataError: `popularity` is not one-dimensional, or `ranked` holds a row that it does not.
    """
    if popularity.ndim != 1:
        raise DataError(f"Popularity has the shape {popularity.shape}; expected one number per item, (n_items,).")
    rows, shown = _shown(ranked, popularity.size, k)
    total = np.where(shown, popularity.astype(np.float64)[rows], 0.0).sum(axis=1)
    return _divided(total, shown.sum(axis=1))


def _unique_rows(query: int, items: Iterable[int]) -> Rows:
    """Item rows of one query, sorted and without duplicates."""
    values = np.asarray(items if isinstance(items, np.ndarray) else list(items))
    if values.size == 0:
        return np.empty(0, dtype=np.int64)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise DataError(
            f"The relevant items of query {query} are {values.dtype} of shape {values.shape}; expected a flat list of "
            "item rows, whole numbers from 0. Translate item ids to rows first."
        )
    return np.unique(values.astype(np.int64))


def _checked_rows(ranked: Ranked, n_items: int) -> Rows:
    """The ranking as int64, once its shape, dtype and range are known to be right."""
    if n_items < 1:
        raise DataError(f"Metrics need a catalog with at least one item, got n_items = {n_items}.")
    if ranked.ndim != 2 or ranked.dtype.kind != "i":
        raise DataError(
            f"The ranking is {ranked.dtype} of shape {ranked.shape}; expected signed integers of shape (n_queries, k), "
            "with -1 where there is no result."
        )
    low, high = int(ranked.min(initial=0)), int(ranked.max(initial=0))
    if low < -1 or high >= n_items:
        wrong = low if low < -1 else high
        raise DataError(
            f"The ranking holds the item row {wrong}; expected -1 (no result) or a row from 0 to {n_items - 1}. "
            "Check that the index and the truth are of the same catalog."
        )
    return ranked.astype(np.int64, copy=False)


def _keys(rows: Rows, n_items: int) -> Rows:
    """One number per (query, item) pair; meaningless where the row is -1."""
    return rows + np.arange(rows.shape[0], dtype=np.int64)[:, None] * n_items


def _first_only(keys: Rows, candidates: Bools) -> Bools:
    """The candidates whose key no candidate before them has, in row-major order: rank order within a query."""
    flat = np.flatnonzero(candidates)
    _, first = np.unique(keys.ravel()[flat], return_index=True)
    kept = np.zeros(keys.size, dtype=np.bool_)
    kept[flat[first]] = True
    return kept.reshape(keys.shape)


def _shown(ranked: Ranked, n_items: int, k: int) -> tuple[Rows, Bools]:
    """The first k columns, and where they hold an item that is not a repetition."""
    rows = _cut(_checked_rows(ranked, n_items), k)
    return rows, _first_only(_keys(rows, n_items), rows >= 0)


def _cut(lists: npt.NDArray[Item], k: int) -> npt.NDArray[Item]:
    """The first k columns, or all if there are fewer."""
    if k < 1:
        raise ConfigError(f"A cutoff of {k} was asked for; expected how many results to read, 1 or more.")
    return lists[:, :k]


def _ranks(top: Bools) -> Floats:
    """Ranks of the columns, from 1: (k,) float64."""
    return np.arange(1, top.shape[1] + 1, dtype=np.float64)


def _divided(total: npt.NDArray[Any], divisor: npt.NDArray[Any]) -> Floats:
    """Total / divisor, NaN where the divisor is 0."""
    out = np.full(total.shape, np.nan)
    np.divide(total, divisor, out=out, where=divisor > 0)
    return out


METRIC = "ndcg@200"


K = 200
