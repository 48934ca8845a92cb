"""Numbers that are looked up in ascending ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from antiphon.numbers.vectors import looked_up, once, products_at, without


@given(known=st.sets(st.integers(0, 30), min_size=1), asked=st.lists(st.integers(-5, 40), max_size=20))
def test_numbers_are_looked_up_in_ascending_ones(known: set[int], asked: list[int]) -> None:
    """As by asking a set, and the places are those of the numbers that are there."""
    numbers = np.array(sorted(known))
    places, there = looked_up(numbers, np.array(asked, dtype=np.int64))
    assert there.tolist() == [number in known for number in asked]
    assert numbers[places[there]].tolist() == [number for number in asked if number in known]


@given(
    rows=st.lists(st.integers(0, 700), max_size=600),
    others=st.lists(st.integers(0, 700), max_size=20),
    wide=st.booleans(),
)
def test_rows_are_read_once_and_left_out(rows: list[int], others: list[int], wide: bool) -> None:
    """As numpy's own functions do, of whole rows and of some of their columns."""
    given_rows, left = np.array(rows, dtype=np.int64), np.array(others, dtype=np.int64)
    assert once(given_rows).tolist() == sorted(set(rows))
    assert without(once(given_rows), left).tolist() == sorted(set(rows) - set(others))
    vectors = np.random.default_rng(0).standard_normal((701, 6)).astype(np.float32)
    some = vectors if wide else vectors[:, 1:5]
    queries = np.ones((2, some.shape[1]), dtype=np.float32)
    assert_allclose(products_at(some, given_rows, queries), queries @ some[given_rows].T, rtol=1e-5, atol=1e-5)
