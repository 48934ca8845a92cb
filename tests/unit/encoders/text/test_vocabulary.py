"""Which words a text model's vocabulary has."""

from __future__ import annotations

import pytest

from antiphon.encoders.text.vocabulary import has_word

PIECES = {"newer", "Paris", "\u2581again", "\u0120never", "##ing"}


@pytest.mark.parametrize(
    ("word", "there"),
    [
        ("newer", True), ("Newer", True), ("Paris", True), ("again", True), ("never", True), ("paris", False),
        ("ing", False),
    ],
)  # fmt: skip
def test_a_word_is_there_in_one_piece(word: str, there: bool) -> None:
    """As it is or in lower case, whatever sign begins a word; the end of a word is no word."""
    assert has_word(word, PIECES.__contains__) is there
