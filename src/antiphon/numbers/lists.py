"""Sums over inverted lists: the best rows, some rows, and the spread of all, without a look at every row.

A request names a few lists, such as those of its words, and a row scores the sum of what they say of it. Lists that say
most are read first, and reading ends where what is left can bring no other row among the best (Turtle and Flood 1995,
"Query evaluation: strategies and optimizations", section 4: max-score).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.numbers.exact import top_k
from antiphon.numbers.vectors import looked_up

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
LONG = 20_000
"""Rows of a list before which it is asked whether it has to be read."""
MOST_READ = 250_000
"""Rows of lists that are read for candidates: longer ones say little, and are looked up for what others have found."""
CROSS = 4_096
"""Rows of a list that tell how it goes together with another one."""


@dataclass(frozen=True)
class Listed:
    """Rows that have something, ascending, none twice, and how much each has, 0 or more; None where all have 1.

    `rows`: (n,) int32 or int64. `values`: (n,) float32. `weight`: what it counts, more than 0.
    """

    rows: NDArray[np.int32] | Rows
    values: Floats | None
    weight: float

    @property
    def most(self) -> float:
        """What it brings a row at most."""
        if self.values is None:
            return self.weight
        return self.weight * float(self.values.max(initial=0))

    def brings(self, places: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Floats | np.float32:
        """What it brings the rows at some of its places, float32."""
        weight = np.float32(self.weight)
        return weight if self.values is None else weight * self.values[places]

    def of(self, known: NDArray[np.bool_]) -> Listed:
        """The list with some of all rows only; `known`: (n_rows,) bool."""
        there = known[self.rows]
        return Listed(self.rows[there], None if self.values is None else self.values[there], self.weight)


def sums_at(lists: Sequence[Listed], rows: NDArray[np.int32] | Rows) -> Floats:
    """The sums of some rows, which ascend, (n,) float32: the shorter is looked for in the longer."""
    result = np.zeros(len(rows), dtype=np.float32)
    for one in lists:
        if not len(one.rows) or not len(rows):
            continue
        if len(one.rows) < len(rows):
            places, there = looked_up(rows, one.rows)
            result[places[there]] += one.brings(there)
        else:
            places, there = looked_up(one.rows, rows)
            result[there] += one.brings(places[there])
    return result


def line_of(lists: Sequence[Listed], n_rows: int) -> Floats:
    """The sums of all rows, (n_rows,) float32."""
    result = np.zeros(n_rows, dtype=np.float32)
    for one in lists:
        result[one.rows] += one.brings(slice(None))
    return result


def best_of(
    lists: Sequence[Listed],
    n: int,
    n_rows: int,
    allowed: NDArray[np.bool_] | None = None,
    beside: Floats | None = None,
) -> Rows:
    """The n allowed rows with the highest sums above 0, best first, equal ones by row; fewer where fewer are listed.

    `allowed`: (n_rows,) bool; None for all. `beside`: (n_rows,) float32, what each row has anyway, by which those that
    are listed are ordered too. Where `MOST_READ` rows of lists were read, the others only order what was met.
    """
    order = sorted(lists, key=lambda one: one.most, reverse=True)
    left = np.cumsum([one.most for one in reversed(order)])[::-1] + (0 if beside is None else float(beside.max()))
    line = np.zeros(n_rows, dtype=np.float32)
    met: list[NDArray[np.int32] | Rows] = []
    n_met, n_read, read, bar = 0, 0, 0, -np.inf
    for one, most in zip(order, left.tolist(), strict=True):
        if len(one.rows) > LONG and n_met >= n:
            bar = _nth(_sums(line, np.concatenate(met), beside), n)
            if bar > most or n_read + len(one.rows) > MOST_READ:
                break
        some = one if allowed is None else one.of(allowed)
        before = line[some.rows]
        met.append(some.rows[before == 0])
        line[some.rows] = before + some.brings(slice(None))
        n_met, n_read, read = n_met + len(met[-1]), n_read + len(some.rows), read + 1
    rows: Rows = np.sort(np.concatenate(met)).astype(np.int64) if met else np.zeros(0, dtype=np.int64)
    sums = _sums(line, rows, beside)
    if read < len(order):
        # What is left adds to rows that may still be among the best; the others stay behind.
        near = sums + np.float32(sum(one.most for one in order[read:])) >= np.float32(bar - 1e-4)
        rows, sums = rows[near], sums[near] + sums_at(order[read:], rows[near])
    best: Rows = rows[top_k(sums[None], min(n, len(rows)))[0][0]]
    return best


def _sums(line: Floats, rows: NDArray[Any], beside: Floats | None) -> Floats:
    sums: Floats = line[rows] if beside is None else line[rows] + beside[rows]
    return sums


def _nth(sums: Floats, n: int) -> float:
    return float(np.partition(sums, len(sums) - n)[len(sums) - n])


def moments_of(lists: Sequence[Listed], n_rows: int) -> tuple[float, float]:
    """Mean and standard deviation of the sums of all rows.

    How two long lists go together is told by `CROSS` rows of the shorter one, evenly drawn; else it is exact.
    """
    first, second = 0.0, 0.0
    for place, one in enumerate(lists):
        values = np.ones(len(one.rows), dtype=np.float32) if one.values is None else np.asarray(one.values)
        first += one.weight * float(values.sum(dtype=np.float64))
        second += one.weight**2 * float(np.einsum("i,i->", values, values, dtype=np.float64))
        second += 2 * sum(_together(one, other) for other in lists[:place])
    mean = first / max(1, n_rows)
    return mean, float(np.sqrt(max(0.0, second / max(1, n_rows) - mean**2)))


def _together(one: Listed, other: Listed) -> float:
    """The sum over all rows of the products of what two lists bring."""
    short, long = (one, other) if len(one.rows) <= len(other.rows) else (other, one)
    if not len(short.rows):
        return 0.0
    drawn = slice(None, None, -(-len(short.rows) // CROSS))
    rows = short.rows[drawn]
    places, there = looked_up(long.rows, rows)
    mine = short.brings(drawn) * np.ones(len(rows), dtype=np.float32)
    products = mine[there] * long.brings(places[there])
    return float(products.sum(dtype=np.float64)) * len(short.rows) / len(rows)
