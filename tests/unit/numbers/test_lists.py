"""Sums over inverted lists: what a loop over all rows finds, without one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.numbers import lists
from antiphon.numbers.lists import Listed, best_of, line_of, moments_of, sums_at

N_ROWS = 400


def drawn(seed: int, n_lists: int = 5) -> list[Listed]:
    """Lists of very unequal length, one of them without values."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(n_lists):
        rows = np.sort(rng.choice(N_ROWS, 4 ** (number + 1) % N_ROWS, replace=False)).astype(np.int32)
        values = None if number == 1 else rng.random(len(rows)).astype(np.float32) + np.float32(0.1)
        found.append(Listed(rows, values, float(rng.random() * 4 / (number + 1) + 0.1)))
    return found


def slowly(some: list[Listed]) -> np.ndarray:
    """The sums of all rows, one by one."""
    sums = np.zeros(N_ROWS)
    for one in some:
        for place, row in enumerate(one.rows.tolist()):
            sums[row] += one.weight * (1 if one.values is None else float(one.values[place]))
    return sums


@pytest.mark.parametrize("seed", range(5))
def test_sums_are_those_of_a_loop(seed: int) -> None:
    """Of all rows, of many and of few."""
    some = drawn(seed)
    assert_allclose(line_of(some, N_ROWS), slowly(some), rtol=1e-5)
    for rows in (np.arange(N_ROWS), np.array([3, 17, 399]), np.zeros(0, dtype=np.int64)):
        assert_allclose(sums_at(some, rows), slowly(some)[rows], rtol=1e-5)
    assert not sums_at([], np.arange(3)).any()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [1, 7, 50])
@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("known", [False, True])
def test_the_best_are_those_of_all(
    monkeypatch: pytest.MonkeyPatch, seed: int, n: int, share: float, known: bool
) -> None:
    """Wherever reading ends, with a filter and beside what rows have anyway."""
    monkeypatch.setattr(lists, "LONG", 3)
    rng, some = np.random.default_rng(seed), drawn(seed)
    allowed = None if share == 1 else rng.random(N_ROWS) < share
    beside = rng.standard_normal(N_ROWS).astype(np.float32) if known else None
    found = best_of(some, n, N_ROWS, allowed, beside)
    sums = slowly(some)
    totals = np.where(sums > 0, sums + (0 if beside is None else beside), -np.inf)
    if allowed is not None:
        totals[~allowed] = -np.inf
    expected = np.sort(totals)[::-1][: min(n, int(np.isfinite(totals).sum()))]
    assert_allclose(totals[found], expected, rtol=1e-4, atol=1e-5)


def test_few_lists_give_what_there_is() -> None:
    """None, or fewer rows than are asked for."""
    assert len(best_of([], 5, N_ROWS)) == 0
    one = Listed(np.array([4, 9]), None, 2.0)
    assert best_of([one], 5, N_ROWS).tolist() == [4, 9]


def test_where_reading_ends_early_the_others_still_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long lists bring no candidates, and their part of the sums of those that were met."""
    monkeypatch.setattr(lists, "LONG", 3)
    monkeypatch.setattr(lists, "MOST_READ", 10)
    short, long = Listed(np.array([1, 2, 3]), None, 1.0), Listed(np.arange(2, 200), None, 0.9)
    assert best_of([short, long], 2, N_ROWS).tolist() == [2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_moments_are_those_of_the_sums(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Exact while no list is longer than what is drawn; else near."""
    some = drawn(seed)
    sums = slowly(some)
    assert_allclose(moments_of(some, N_ROWS), (sums.mean(), sums.std()), rtol=1e-4)
    monkeypatch.setattr(lists, "CROSS", 50)
    assert_allclose(moments_of(some, N_ROWS), (sums.mean(), sums.std()), rtol=0.1)
    assert moments_of([], N_ROWS) == (0.0, 0.0)
