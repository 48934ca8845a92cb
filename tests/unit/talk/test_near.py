"""Titles that are written nearly like some words."""

from __future__ import annotations

from antiphon.talk.near import NearTitles, groups_of

TITLES = ["the matrix", "the matrix reloaded", "star wars", "the godfather", "heat", "a matter of life and death"]


def found(words: str) -> list[str]:
    """Titles near some words, the nearest first."""
    return [TITLES[row] for _, row in NearTitles.of(TITLES).find(words)]


def test_a_letter_too_few_too_many_or_swapped_is_forgiven() -> None:
    """The title comes first whose letters are nearest; the shorter of two goes before the longer."""
    assert found("matrx") == ["the matrix", "the matrix reloaded"]
    assert found("star wras")[0] == "star wars"
    assert found("godfatherr") == ["the godfather"]


def test_words_of_another_kind_find_nothing() -> None:
    """Fewer than half of the groups of letters is no likeness."""
    assert found("submarine") == []
    assert NearTitles.of([]).find("matrx") == []


def test_a_word_begins_with_a_blank() -> None:
    """The beginning of a word is a group of its own."""
    assert groups_of("ab cd") == {" ab", "ab ", "b c", " cd", "cd "}
