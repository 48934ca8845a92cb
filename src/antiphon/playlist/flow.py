"""An order that flows: an open path through the items on which neighbours are close."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_GAIN = 1e-6


def flow_order(sims: NDArray[np.float32], start: int) -> list[int]:
    """A path over all items from `start` with a high sum of neighbours' similarities. `sims`: (n, n), symmetric.

    Nearest neighbour first, then reversals of a stretch while one helps (2-opt; Croes, Operations Research 6, 1958).
    Deterministic: of equal moves the first one is made.
    """
    n_items = len(sims)
    path = [start]
    left = np.ones(n_items, dtype=bool)
    left[start] = False
    while left.any():
        path.append(int(np.argmax(np.where(left, sims[path[-1]], -np.inf))))
        left[path[-1]] = False
    order = np.array(path)
    for _ in range(4 * n_items):
        move = _best_reversal(sims, order)
        if move is None:
            break
        first, last = move
        order[first : last + 1] = order[first : last + 1][::-1]
    return [int(item) for item in order]


def _best_reversal(sims: NDArray[np.float32], order: NDArray[np.int64]) -> tuple[int, int] | None:
    """The stretch whose reversal helps most; the first item stays where it is."""
    n_items = len(order)
    if n_items < 3:
        return None
    along = sims[np.ix_(order, order)]
    before = along[:-1]  # row i - 1: similarity of the item before position i to every item
    links = np.diagonal(along, offset=1)
    # Reversing i..j swaps the links (i-1, i) and (j, j+1) for (i-1, j) and (i, j+1); the path's end has no j+1.
    joined = np.zeros((n_items - 1, n_items), dtype=np.float32)
    joined[:, :-1] = along[1:, 1:]
    after = np.append(links, 0.0)
    gain = before + joined - links[:, None] - after[None, :]
    gain[np.tril_indices(n_items - 1, k=0, m=n_items)] = -np.inf  # only i < j: row r is i = r + 1
    gain[:, 0] = -np.inf
    rows, columns = np.arange(n_items - 1), np.arange(1, n_items)
    gain[rows, columns] = -np.inf
    best = int(np.argmax(gain))
    row, column = divmod(best, n_items)
    return (row + 1, column) if gain[row, column] > MIN_GAIN else None
