"""Many texts in arrays."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.base.texts import ByText, Places, Texts


@given(pairs=st.lists(st.tuples(st.text(max_size=3), st.integers(0, 1000))), asked=st.lists(st.text(max_size=3)))
def test_numbers_are_found_by_their_texts_in_the_order_given(pairs: list[tuple[str, int]], asked: list[str]) -> None:
    """Those of a dictionary of lists."""
    expected: dict[str, list[int]] = {}
    for text, number in pairs:
        expected.setdefault(text, []).append(number)
    assert ByText(pairs).of(asked) == [expected.get(text, []) for text in asked]


@given(texts=st.lists(st.text(max_size=5)), start=st.integers(0, 5), stop=st.integers(0, 9))
def test_texts_are_those_of_the_list(texts: list[str], start: int, stop: int) -> None:
    """One, some, and all of them, also as arrow and from behind."""
    column = pa.chunked_array([texts[:2], texts[2:]], pa.string())
    held = Texts(column)
    assert list(held) == texts
    assert held[start:stop] == texts[start:stop]
    assert len(held) == len(texts)
    assert [held[place] for place in range(-len(texts), len(texts))] == texts + texts
    assert pa.array(held, pa.string()).to_pylist() == texts


def test_a_place_behind_the_last_is_an_error() -> None:
    """As of a list, so that loops end."""
    with pytest.raises(IndexError):
        Texts(pa.chunked_array([["a"]]))[1]


@given(texts=st.lists(st.text(max_size=5), unique=True), other=st.text(max_size=5))
def test_places_are_those_of_a_dictionary(texts: list[str], other: str) -> None:
    """By text, and as a whole."""
    places = Places(texts)
    assert dict(places) == {text: place for place, text in enumerate(texts)}
    assert (other in places) == (other in texts)
    assert places.get(other) == (texts.index(other) if other in texts else None)
