"""Search in a large matrix: codes tell which rows may be the best, and these are scored exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.numbers.codes import Codes
from antiphon.numbers.exact import ExactIndex, Rows, top_k
from antiphon.numbers.vectors import products_at

Floats = NDArray[np.float32]
OVER = 2
"""Rows that are scored exactly: this many times as many as are asked for."""
GATHERED = 0.02
"""Share of allowed rows up to which all of them are scored: as cheap as a scan of the codes, and exact."""


class CodedIndex(ExactIndex):
    """The rows of (n_items, length) float32 vectors with the highest inner products, found by their codes.

    `beside`: (n_items,) float32, one more number of each row, which the codes have as their last; queries have it too.
    """

    def __init__(self, vectors: Floats, codes: Codes, beside: Floats | None = None) -> None:
        super().__init__(vectors)
        self.codes, self.beside = codes, beside

    @property
    def width(self) -> int:
        """Numbers of a query."""
        return super().width + (self.beside is not None)

    def scores(self, query: Floats, rows: Rows) -> Floats:
        """Inner products of some rows with one query, (n,) float32."""
        if self.beside is None:
            return np.asarray(self.vectors[rows] @ query)
        return np.asarray(self.vectors[rows] @ query[:-1] + query[-1] * self.beside[rows])

    def products(self, queries: Floats, rows: Rows) -> Floats:
        """Inner products of some rows with queries of the vectors' width, (n_queries, n_rows) float32.

        Row by row, where it lies: numpy would make a copy of the rows first.
        """
        if not (self.vectors.flags.c_contiguous and self.vectors.dtype == np.float32):
            return products_at(self.vectors, rows, queries)
        n_queries, faiss = len(queries), runtime.faiss()
        asked = np.ascontiguousarray(queries, dtype=np.float32)
        turns, wanted = np.tile(np.arange(n_queries, dtype=np.int64), len(rows)), np.repeat(rows, n_queries)
        found = np.empty(len(wanted), dtype=np.float32)
        pairs = (faiss.swig_ptr(array) for array in (asked, turns, self.vectors, wanted, found))
        faiss.pairwise_indexed_inner_product(asked.shape[1], len(wanted), *pairs)
        return np.ascontiguousarray(found.reshape(len(rows), n_queries).T)

    def _exact(self, query: Floats, k: int, open_: Rows) -> tuple[Rows, Floats]:
        best, values = top_k(self.scores(query, open_)[None], min(k, len(open_)))
        return open_[best[0][best[0] >= 0]], values[0][best[0] >= 0]

    def near(self, queries: Floats, n: int, allowed: NDArray[np.bool_] | None = None) -> Rows:
        """At least n allowed rows that may be the best of each query, by their codes, in no order; -1 for none.

        (n_queries, n or more) int64. Nothing is read of the vectors, but where few rows are allowed or found.
        """
        n_open = len(self.vectors) if allowed is None else int(np.count_nonzero(allowed))
        asked = np.flatnonzero(queries.any(axis=1))
        if n_open <= OVER * n or not len(asked):
            return self.search(queries, n, allowed=allowed)[0]
        rows = np.full((len(queries), OVER * n), -1, dtype=np.int64)
        rows[asked] = self.codes.nearest(queries[asked], OVER * n, allowed)
        # The scan leaves out what has the lowest sum there is, such as all of many equal rows.
        for place in asked[(rows[asked] >= 0).sum(axis=1) < n].tolist():
            rows[place, :n] = self.search(queries[place][None], n, allowed=allowed)[0][0]
        return rows

    def search(
        self,
        queries: Floats,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        exclude: Sequence[Rows] | None = None,
    ) -> tuple[Rows, Floats]:
        """As `ExactIndex.search`; scores are exact, and a row may be missed whose code is far from it.

        Where few rows are allowed, or nearly all are asked for, the answer is exact. A query of zeros finds nothing.

        Raises:
            QueryError: the queries have another dimension than the vectors.
        """
        rows, scores = self.nothing(queries, k)
        hides = [np.zeros(0, dtype=np.int64)] * len(queries) if exclude is None else exclude
        n_rows, n_wanted = len(self.vectors), OVER * (k + max(map(len, hides), default=0))
        n_open = n_rows if allowed is None else int(np.count_nonzero(allowed))
        open_ = None
        if n_open <= max(n_wanted, GATHERED * n_rows):
            open_ = np.arange(n_rows) if allowed is None else np.flatnonzero(allowed)
        asked = np.flatnonzero(queries.any(axis=1))
        near = np.zeros((len(asked), 0), dtype=np.int64)
        if open_ is None and len(asked):
            near = self.codes.nearest(queries[asked], n_wanted, None if n_open == n_rows else allowed)
        for place, line in zip(asked.tolist(), near, strict=True):
            found = np.setdiff1d(np.sort(line[line >= 0]) if open_ is None else open_, hides[place])
            if open_ is None and len(found) < k:
                # The scan leaves out what has the lowest sum there is, such as all of many equal rows.
                found = np.setdiff1d(np.arange(n_rows) if allowed is None else np.flatnonzero(allowed), hides[place])
            best, values = self._exact(queries[place], k, found)
            rows[place, : len(best)], scores[place, : len(best)] = best, values
        return rows, scores
