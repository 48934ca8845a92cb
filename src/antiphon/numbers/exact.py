"""Exact search: score what passes the filter, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import QueryError

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
MAX_SCORES = 32_000_000
"""Scores held at once: 128 MB of float32."""
LONG, SAMPLED = 100_000, 8_192
"""Scores of a line from which a sample tells first where the best begin, and the size of that sample."""
SPARSE = 0.25
"""Share of allowed rows below which gathering them is cheaper than scoring all, as measured from 400,000 items on."""


class ExactIndex:
    """Inner products with every allowed row of (n_items, dim) float32 vectors."""

    def __init__(self, vectors: Floats) -> None:
        self.vectors = vectors

    @property
    def width(self) -> int:
        """Numbers of a query."""
        return int(self.vectors.shape[1])

    def nothing(self, queries: Floats, k: int) -> tuple[Rows, Floats]:
        """Answers of queries before any row is found: -1 and -inf, (n_queries, k).

        Raises:
            QueryError: the queries have another dimension than the vectors.
        """
        if queries.ndim != 2 or queries.shape[1] != self.width:
            expected = f"expected queries of shape (n, {self.width})"
            raise QueryError(f"{expected}, got {queries.shape}; they are of another space.")
        shape = (len(queries), k)
        return np.full(shape, -1, dtype=np.int64), np.full(shape, -np.inf, dtype=np.float32)

    def search(
        self,
        queries: Floats,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        exclude: Sequence[Rows] | None = None,
    ) -> tuple[Rows, Floats]:
        """The k best rows of each query.

        `queries`: (n_queries, dim) float32. `allowed`: (n_items,) bool, rows that may be answers. `exclude`: for each
        query, rows that may not. Returns rows and scores, (n_queries, k), best first, equal scores by row; where fewer
        than k rows may be answers, the rest is -1 and -inf. Whenever k rows may be answers there are k.

        Raises:
            QueryError: the queries have another dimension than the vectors.
        """
        found, scores = self.nothing(queries, k)
        rows, vectors = self._candidates(allowed)
        step = max(1, MAX_SCORES // max(1, len(vectors)))
        for start in range(0, len(queries), step):
            part = slice(start, min(start + step, len(queries)))
            products = queries[part] @ vectors.T
            self._hide(products, rows, allowed, exclude[part] if exclude is not None else None)
            best, values = top_k(products, min(k, len(vectors)))
            found[part, : best.shape[1]] = np.where(best >= 0, best if rows is None else rows[best], -1)
            scores[part, : best.shape[1]] = values
        return found, scores

    def _candidates(self, allowed: NDArray[np.bool_] | None) -> tuple[Rows | None, Floats]:
        if allowed is None or allowed.mean() > SPARSE:
            return None, self.vectors
        rows = np.flatnonzero(allowed)
        return rows, self.vectors[rows]

    @staticmethod
    def _hide(
        products: Floats, rows: Rows | None, allowed: NDArray[np.bool_] | None, exclude: Sequence[Rows] | None
    ) -> None:
        if rows is None and allowed is not None and not allowed.all():
            products[:, ~allowed] = -np.inf
        for query, hidden in enumerate(exclude or ()):
            if len(hidden):
                products[query, hidden if rows is None else np.isin(rows, hidden)] = -np.inf


def top_k(scores: Floats, k: int) -> tuple[Rows, Floats]:
    """Columns of the k highest scores of each row, best first, equal scores by column; -1 where a score is -inf.

    `scores`: (n, n_items). Returns columns and scores, (n, k).
    """
    n_items = scores.shape[1]
    columns = np.full((len(scores), k), -1, dtype=np.int64)
    values = np.full((len(scores), k), -np.inf, dtype=scores.dtype)
    for row, line in enumerate(scores):
        candidates = _leading(line, k) if k < n_items else np.arange(n_items)
        best = candidates[np.argsort(-line[candidates], kind="stable")[:k]]
        best = best[line[best] > -np.inf]
        columns[row, : len(best)] = best
        values[row, : len(best)] = line[best]
    return columns, values


def _leading(line: Floats, k: int) -> Rows:
    """Columns whose scores are not below the k-th highest, ascending. A partition alone takes some of equals."""
    n_items = len(line)
    if n_items > LONG:
        # Of a long line only what a sample's quantile leaves is put in parts; too few, and the whole line is.
        sample = line[:: n_items // SAMPLED]
        spare = min(len(sample) - 1, 2 * k * len(sample) // n_items + 32)
        rows = np.flatnonzero(line >= np.partition(sample, len(sample) - 1 - spare)[len(sample) - 1 - spare])
        if k <= len(rows) < n_items // 4:
            return rows[_leading(line[rows], k)] if len(rows) > k else rows
    return np.flatnonzero(line >= np.partition(line, n_items - k)[n_items - k])
