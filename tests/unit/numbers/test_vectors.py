"""Numbers that are looked up in ascending ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from antiphon.numbers.vectors import looked_up


@given(known=st.sets(st.integers(0, 30), min_size=1), asked=st.lists(st.integers(-5, 40), max_size=20))
def test_numbers_are_looked_up_in_ascending_ones(known: set[int], asked: list[int]) -> None:
    """As by asking a set, and the places are those of the numbers that are there."""
    numbers = np.array(sorted(known))
    places, there = looked_up(numbers, np.array(asked, dtype=np.int64))
    assert there.tolist() == [number in known for number in asked]
    assert numbers[places[there]].tolist() == [number for number in asked if number in known]
