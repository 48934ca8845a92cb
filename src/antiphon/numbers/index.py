"""What an index is: it finds the rows with the highest inner products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Index(Protocol):
    """Vectors of items that can be searched by inner product."""

    def search(
        self,
        queries: Floats,
        k: int,
        *,
        allowed: NDArray[np.bool_] | None = None,
        exclude: Sequence[Rows] | None = None,
        bias: Floats | None = None,
    ) -> tuple[Rows, Floats]:
        """The k best rows of each query.

        `queries`: (n_queries, dim) float32. `allowed`: (n_items,) bool, rows that may be answers. `exclude`: for each
        query, rows that may not. `bias`: (n_queries, n_items) float32, added to the scores. Returns rows and scores,
        (n_queries, k), best first, equal scores by row; where fewer than k rows may be answers, the rest is -1 and
        -inf. Whenever k rows may be answers there are k.
        """
        ...
