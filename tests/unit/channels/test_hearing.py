"""Phrases that were copied from an item's text find that item, and are not read as anything else."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels.dictionary import Dictionary, stems_of
from antiphon.channels.hearing import Listener
from antiphon.channels.mentions import Names
from antiphon.channels.words import Lexical, tokens
from antiphon.query.request import Query

pytest.importorskip("bm25s")
TITLES = ("Gigi (1958)", "Heat (1995)", "The Lamp (2001)", "Fog (1980)")
TEXTS = (
    "Gigi: the most finicky bachelor in Paris offers them all to Gigi",
    "Heat: cops follow robbers through a city without mercy",
    "The Lamp: a keeper tends a lamp above the cold sea, a slow dark drama",
    "Fog: ghosts of sailors walk out of a cold sea, a slow horror",
)
VALUES = ("slow", "dark", "drama", "horror", "without mercy")


@pytest.fixture(scope="module")
def listener() -> Listener:
    """What hears requests for four films."""
    lexical = Lexical.fit(tokens(TEXTS))
    names = Names.of(TITLES, None, np.array([1958.0, 1995.0, 2001.0, 1980.0]), lexical.share)
    words = Dictionary({stems_of(value): np.array([2], np.int32) for value in VALUES}, len(TITLES))
    return Listener(names, None, words, lexical.holding)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("most finicky bachelor in Paris offers them", 0),
        ("bachelor in Paris offers them all to Gigi", 0),
        ("robbers through a city without mercy", 1),
        ("a keeper tends a lamp above the cold", 2),
    ],
)
def test_a_copied_phrase_asks_for_its_item(listener: Listener, text: str, row: int) -> None:
    """It names no example, refuses nothing, and stays as it is."""
    heard = listener.hear(Query(text=text))
    assert [(mention.row, mention.how) for mention in heard.mentions] == [(row, "asked")]
    assert heard.wanted.text == text
    assert not heard.refusals
    assert not len(heard.refused)


@pytest.mark.parametrize(
    "text",
    [
        "the cold sea",  # two items have it
        "a slow dark drama",  # made of the catalog's values
        "like Gigi, finicky",  # a name, and one word of its text
        "keeper lamp umbrellas",  # one word is nobody's
        "lamp keeper",  # too short to be known
    ],
)
def test_other_requests_are_none(listener: Listener, text: str) -> None:
    """What many say, what values say, what a name says, what nobody says."""
    assert not any(mention.how == "asked" for mention in listener.hear(Query(text=text)).mentions)


def test_the_reading_can_be_taken_back(listener: Listener) -> None:
    """As literal words, as any reading; conversations and silenced names are read as ever."""
    text = "most finicky bachelor in Paris offers them"
    assert not listener.hear(Query(text=text, literal=(text,))).mentions
    assert not listener.hear(Query(text=text, weights={"names": 0})).mentions
    assert not listener.hear(Query(turns=(text,))).mentions


def test_the_last_turn_that_asks_is_answered_first() -> None:
    """What was asked for before it is known to be wanted, and was given; an example stays one."""
    listener = Listener(Names.of(TITLES, None, None, lambda _: 0.001))
    heard = listener.hear(Query(turns=("I liked Gigi", "play Heat"), text="now play Fog"))
    assert [(mention.row, mention.how) for mention in heard.mentions] == [(0, "example"), (1, "earlier"), (3, "asked")]
    heard = listener.hear(Query(turns=("play Heat", "thanks"), text="a nice one"))
    assert [(mention.row, mention.how) for mention in heard.mentions] == [(1, "asked")]


def test_what_is_refused_by_name_is_not_asked_for(listener: Listener) -> None:
    """Its words leave the text, which would bring just that."""
    heard = listener.hear(Query(text="I hated The Lamp, something slow instead"))
    assert [(mention.row, mention.how) for mention in heard.mentions] == [(2, "refused")]
    assert "Lamp" not in (heard.wanted.text or "")
    assert "slow" in (heard.wanted.text or "")
    assert "Lamp" in (heard.query.text or "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("something like The Lamp", {"lamp"}),
        ("like The Lamp, but with a lamp", set()),  # said beside the name too
        ("something slow", set()),
    ],
)
def test_words_of_names_are_told_from_others(listener: Listener, text: str, words: set[str]) -> None:
    """Those that stand in a name alone ask for no value."""
    assert listener.hear(Query(text=text)).name_words == words


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("a slow drama from the eighties", [(1980, 1989)]),
        ("something older than The Lamp", [(None, 2000)]),
        ("something slow, but not from the eighties", []),
    ],
)
def test_times_are_heard(listener: Listener, text: str, years: list[tuple[int | None, int | None]]) -> None:
    """Decades, and names that are compared with; the items of other years go behind."""
    heard = listener.hear(Query(text=text))
    assert [(era.low, era.high) for era in heard.eras] == years
    assert (len(heard.refused) > 0) == bool(years)


def test_decades_hold_for_a_conversation(listener: Listener) -> None:
    """What is said next does not take them back; another decade is one more."""
    (era,) = listener.hear(Query(turns=("something from the eighties", "with ghosts"))).eras
    assert (era.low, era.high) == (1980, 1989)
    (era,) = listener.hear(Query(turns=("something from the eighties", "or from the nineties"))).eras
    assert (era.low, era.high) == (1980, 1999)
