"""What requests say of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.base.language import ENGLISH, language_of
from antiphon.channels.eras import eras_of, made_in

NONE: list[tuple[int | None, int | None]] = []


def years(text: str, *examples: float, language: str = "en") -> list[tuple[int | None, int | None]]:
    """(first, last) of the years that a text asks for."""
    return [(era.low, era.high) for era in eras_of(text, examples, language_of(language).times)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("war films before 1970", [(None, 1969)]),
        ("anything older than 1980", [(None, 1979)]),
        ("until 1955", [(None, 1955)]),
        ("thrillers since 1990", [(1990, None)]),
        ("thrillers from 1990 on", [(1990, None)]),
        ("horror after 1980, please", [(1981, None)]),
        ("comedies between 1939 and 1930", [(1930, 1939)]),
        ("from 1990 to 1995", [(1990, 1995)]),
        ("nothing older than 1960", [(1960, None)]),
        ("horror, but not after 1980", [(None, 1980)]),
        ("made for before 1,000 dollars", NONE),
        ("a story of 1969", NONE),
        ("something older", NONE),
        ("older people in love", NONE),
        ("after 2000% inflation", NONE),
        ("it was before 1970 " + "and then they went on and on " * 6, NONE),
    ],
)
def test_years_as_people_say_them(text: str, found: list[tuple[int | None, int | None]]) -> None:
    """Sides, ranges in either order; not numbers of other things, and not those of stories."""
    assert years(text) == found


@pytest.mark.parametrize(
    ("text", "examples", "found"),
    [
        ("like Alien but newer", (1979.0,), [(1980, None)]),
        ("like Alien and Heat, but older please", (1979.0, 1995.0), [(None, 1978)]),
        ("older ones like Heat", (1995.0,), [(None, 1994)]),
        ("like Heat but older people", (1995.0,), NONE),
        ("like this one but newer", (float("nan"),), NONE),
    ],
)
def test_examples_are_compared_with(
    text: str, examples: tuple[float, ...], found: list[tuple[int | None, int | None]]
) -> None:
    """Older than the oldest, newer than the newest."""
    assert years(text, *examples) == found


def test_german() -> None:
    """By the table of the language."""
    assert years("Filme vor 1970", language="de") == [(None, 1969)]
    assert years("wie Metropolis, aber neuer", 1927.0, language="de") == [(1928, None)]


def test_items_of_unknown_years_are_not_of_other_years() -> None:
    """Nothing is known against them."""
    (era,) = eras_of("before 1970", (), ENGLISH.times)
    np.testing.assert_array_equal(era.misses(np.array([1950, 1980, np.nan])), [False, True, False])


def test_words_may_be_taken_back() -> None:
    """As any reading."""
    (era,) = eras_of("war films before 1970", (), ENGLISH.times)
    assert eras_of("war films before 1970", (), ENGLISH.times, {era.words}) == []


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    """Whatever is said, ranges are in order."""
    for era in eras_of(text, (1990.0,), ENGLISH.times):
        assert era.low is None or era.high is None or era.low <= era.high


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dark science fiction from the eighties", (1980, 1989)),
        ("a western of the 1970s", (1970, 1979)),
        ("comedies from the late 80's", (1980, 1989)),
        ("from the 70s or the early '80s", (1970, 1989)),
        ("an 80s thriller", (1980, 1989)),
        ("90s action", (1990, 1999)),
        ("something made in 1994", (1994, 1994)),
        ("a drama from 1994, please", (1994, 1994)),
        ("from the 20s", (1920, 1929)),
        ("teen comedy 80's", (1980, 1989)),
        ("set in the eighties", None),
        ("80s music", None),
        ("80s-style horror", None),
        ("not from the eighties", None),
        ("a story of 1969", None),
        ("a man in his fifties", None),
        ("from the mountains", None),
    ],
)
def test_the_time_that_items_are_from(text: str, found: tuple[int, int] | None) -> None:
    """Not the time that they are about, nor one that is refused."""
    era = made_in(text, ENGLISH)
    assert (None if era is None else (era.low, era.high)) == found


def test_a_time_may_be_taken_back() -> None:
    """By the words that said it."""
    era = made_in("dark science fiction from the eighties", ENGLISH)
    assert era is not None
    assert era.words == "from the eighties"
    assert made_in("dark science fiction from the eighties", ENGLISH, {era.words}) is None


def test_older_than_an_example() -> None:
    """By the example that stands there, not by the others."""
    text = "like Heat but older than Alien"
    (era,) = eras_of(text, (1995.0, 1979.0), ENGLISH.times, (), (text.index("Heat"), text.index("Alien")))
    assert (era.words, era.low, era.high) == ("older than", None, 1978)


def test_german_decades() -> None:
    """By the table of the language."""
    era = made_in("ein Western aus den siebziger Jahren", language_of("de"))
    assert era is not None
    assert (era.low, era.high) == (1970, 1979)
