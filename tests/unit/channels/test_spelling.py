"""Misspelt words of the catalog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.channels.spelling import Speller

TEXTS = ["Alfred Hitchcock", "suspense", "horror", "comedy", "comedy", "Hollywood", "The Terminator (1984)", "sci-fi"]
SPELLER = Speller.of(TEXTS, lambda word: word in {"frightening", "comely"})


@pytest.mark.parametrize(
    ("said", "mended"),
    [
        ("Hitchcok suspence", "Hitchcock suspense"),
        ("a commedy", "a comedy"),
        ("horor, please", "horror, please"),
        ("the terminater", "the terminator"),
        ("hollywodo", "hollywood"),
        ("frightening", "frightening"),
        ("comely", "comely"),
        ("something really umbrella", "something really umbrella"),
        ("horr", "horr"),
        ("scfi", "scfi"),
    ],
)
def test_one_letter_is_forgiven(said: str, mended: str) -> None:
    """In words that nobody knows; known ones, short ones and far ones stay."""
    assert SPELLER.mended(said) == mended


def test_usual_words_are_no_slips() -> None:
    """What people say anyway is meant as it is said, accents and all: it is no word of the catalog's one letter off."""
    speller = Speller.of(TEXTS, lambda _: False, usual=lambda word: word in {"comedi", "horro"})
    assert speller.mended("Comedi, horro, hórro") == "Comedi, horro, horror"


def test_stories_stay_as_they_are() -> None:
    """Their words are not the catalog's."""
    story = "horor " * 40
    assert SPELLER.mended(story) == story


@given(st.text(max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    """What is mended once stays."""
    assert SPELLER.mended(SPELLER.mended(text)) == SPELLER.mended(text)
