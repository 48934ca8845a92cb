"""What answers are made of: how many of the first items nobody liked, few know, or people met and did not like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from antiphon.data.splits import passed_over
from antiphon.evaluate.rundata import RunData

Floats = NDArray[np.float64]
NEAR, RARE = 10, 5
COLD, FEW, NEVER = f"cold@{NEAR}", f"rare@{NEAR}", f"never_liked@{NEAR}"
NAMES: Mapping[str, str] = {
    COLD: f"of the first {NEAR} answers, liked by no training user",
    FEW: f"of the first {NEAR} answers, liked by fewer than {RARE}",
    NEVER: f"of the first {NEAR} answers, met by some and liked by none",
}


def answer_shares(ranked: NDArray[np.int64], data: RunData) -> dict[str, Floats]:
    """Shares of the first `NEAR` answers of each query, {name: (n_queries,) float64}; NaN for a query without any.

    `ranked`: (n_queries, k) item rows, -1 where there are fewer. Cold: no training user liked it. Rare: fewer than
    `RARE` did. Never liked: some met it, and none liked it.
    """
    liked = data.popularity
    cold, rare = liked == 0, liked < RARE
    met = np.zeros(len(liked), dtype=bool)
    if data.catalog.interactions is not None:
        met = passed_over(data.catalog.interactions, data.split, len(liked)) > 0
    first = ranked[:, :NEAR]
    there = first >= 0
    counts = there.sum(axis=1)
    found = {}
    for name, mask in ((COLD, cold), (FEW, rare), (NEVER, cold & met)):
        hits = (mask[np.maximum(first, 0)] & there).sum(axis=1)
        found[name] = np.divide(hits, counts, out=np.full(len(first), np.nan), where=counts > 0)
    return found
