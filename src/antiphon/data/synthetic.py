"""Synthetic queries as values: requests made of the items' facets, and which items answer them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.numbers.vectors import lists_of, looked_up

Facet = tuple[str, str]
"""A field and one of its values."""


@dataclass(frozen=True)
class SyntheticQueries:
    """Requests with the item that each was drawn from, and which facets they and the items have.

    `owner`: (n_queries,) int32 item rows, ascending. `wanted`: (n_queries, 3) int32 facet numbers, -1 where fewer.
    `bounds`, `facets`: item i has the sorted facet numbers facets[bounds[i]:bounds[i + 1]]. `names`: field and value
    of each facet; `labels`: the words for it.
    """

    texts: tuple[str, ...]
    owner: NDArray[np.int32]
    wanted: NDArray[np.int32]
    bounds: NDArray[np.int64]
    facets: NDArray[np.int32]
    names: tuple[Facet, ...]
    labels: tuple[str, ...]

    def starts(self) -> NDArray[np.int64]:
        """Where the queries of each item start, (n_items + 1,)."""
        return np.searchsorted(self.owner, np.arange(len(self.bounds))).astype(np.int64)

    def answered(self, queries: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the items `rows` have all facets of which queries, (n_queries, n_rows) bool."""
        wanted = self.wanted[queries]
        numbers = np.unique(wanted[wanted >= 0])
        places, bounds = lists_of(self.bounds, rows)
        row = np.repeat(np.arange(len(rows)), np.diff(bounds))
        place, real = looked_up(numbers, self.facets[places])
        has = np.zeros((len(rows), len(numbers) + 1), dtype=bool)
        has[row[real], place[real]] = True
        has[:, -1] = True  # where a query has fewer facets, every item has the one that is missing
        columns = np.where(wanted >= 0, np.searchsorted(numbers, wanted), len(numbers))
        return np.asarray(has[:, columns].all(axis=2).T)


@dataclass(frozen=True)
class QueryData:
    """Synthetic queries with their vectors, of the modality that encodes requests.

    `vectors`: (n_queries, dim) float32. `labels`: (n_facets, dim) float32, of the facets' own words. `plain`: (n, dim)
    float32, of texts that ask for no facet.
    """

    modality: str
    queries: SyntheticQueries
    vectors: NDArray[np.float32]
    labels: NDArray[np.float32]
    plain: NDArray[np.float32]
