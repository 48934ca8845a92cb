"""Times in sentences: one grammar for first requests and for refinements."""

from __future__ import annotations

import pytest

from antiphon.talk.times import time_of, times_in


def years(text: str, *, begun: bool = False) -> list[tuple[int | None, int | None]]:
    """First and last year of each time in a text."""
    return [(time.low, time.high) for time in times_in(text, begun=begun)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("films from the 80s", (1980, 1989)),
        ("the early nineties", (1990, 1993)),
        ("mid-1970s drama", (1974, 1976)),
        ("late '60s", (1967, 1969)),
        ("the 10s", (2010, 2019)),
        ("between 1990 and 1994", (1990, 1994)),
        ("from 1999 to 1990", (1990, 1999)),
        ("before 1980", (None, 1979)),
        ("up to 1980", (None, 1980)),
        ("after 1980", (1981, None)),
        ("since 1980", (1980, None)),
        ("from 1980 onwards", (1980, None)),
        ("in the year 1980", (1980, 1980)),
        ("newer than 2001", (2002, None)),
    ],
)
def test_a_time_is_its_first_and_last_year(text: str, expected: tuple[int | None, int | None]) -> None:
    """Both inside; None where it is open."""
    assert years(text) == [expected]


def test_from_a_year_means_that_year_first_and_since_then_later() -> None:
    """A first request asks for films from 1994; in a conversation "from 1994" narrows what is there."""
    assert years("from 1994") == [(1994, 1994)]
    assert years("from 1994", begun=True) == [(1994, None)]


def test_ages_are_no_decades() -> None:
    """A man in his forties, the roaring twenties of somebody's life."""
    assert years("a man in his forties") == []
    assert years("a woman in her 30s in the 50s") == [(1950, 1959)]


def test_overlapping_times_count_once() -> None:
    """A range is not also two years."""
    assert years("from 1970 to 1975, or since 1990") == [(1970, 1975), (1990, None)]


def test_a_clause_that_says_more_is_no_time() -> None:
    """Only a clause that is a time and nothing else is one."""
    assert time_of("in the 80s", begun=True) is not None
    assert time_of("the eighties", begun=True) is not None
    assert time_of("the eighties sound", begun=True) is None
    assert time_of("a film from 1990", begun=True) is None
