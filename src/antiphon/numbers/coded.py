"""Search in a large matrix: codes tell which rows may be the best, and these are scored exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import QueryError
from antiphon.numbers.codes import Codes
from antiphon.numbers.exact import ExactIndex, Rows, top_k

Floats = NDArray[np.float32]
OVER = 2
"""Rows that are scored exactly: this many times as many as are asked for."""
GATHERED = 0.02
"""Share of allowed rows up to which all of them are scored: as cheap as a scan of the codes, and exact."""


class CodedIndex(ExactIndex):
    """The rows of (n_items, length) float32 vectors with the highest inner products, found by their codes."""

    def __init__(self, vectors: Floats, codes: Codes) -> None:
        super().__init__(vectors)
        self.codes = codes

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
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise QueryError(
                f"expected queries of shape (n, {self.vectors.shape[1]}), got {queries.shape}; they are of another "
                "space."
            )
        hidden = max(map(len, exclude), default=0) if exclude is not None else 0
        n_rows = len(self.vectors)
        n_wanted = OVER * (k + hidden)
        n_open = n_rows if allowed is None else int(np.count_nonzero(allowed))
        if n_open <= max(n_wanted, GATHERED * n_rows):
            return super().search(queries, k, allowed=allowed, exclude=exclude)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        asked = np.flatnonzero(queries.any(axis=1))
        if not len(asked):
            return rows, scores
        near = self.codes.nearest(queries[asked], n_wanted, None if n_open == n_rows else allowed)
        for place, line in zip(asked.tolist(), near, strict=True):
            found = np.sort(line[line >= 0])
            hides = () if exclude is None else exclude[place]
            found = np.setdiff1d(found, hides) if len(hides) else found
            if len(found) < k:
                # The scan leaves out what has the lowest sum there is, such as all of many equal rows.
                mine = super().search(queries[place][None], k, allowed=allowed, exclude=[hides])
                rows[place], scores[place] = mine[0][0], mine[1][0]
                continue
            best, values = top_k((self.vectors[found] @ queries[place])[None], min(k, len(found)))
            rows[place, : best.shape[1]], scores[place, : best.shape[1]] = found[best[0]], values[0]
        return rows, scores
