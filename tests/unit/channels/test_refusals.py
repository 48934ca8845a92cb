"""What a request does not want."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels.dictionary import Dictionary, stems_of
from antiphon.channels.refusals import refusal_of

VALUES = ("romance", "violent", "vietnam", "horror", "musical")
WORDS = Dictionary({stems_of(value): np.array([row], np.int32) for row, value in enumerate(VALUES)}, len(VALUES))


@pytest.mark.parametrize(
    ("text", "left", "rows"),
    [
        ("a comedy without any romance", "a comedy", [0]),
        ("a thriller that is not violent", "a thriller", [1]),
        ("war movies but not about Vietnam", "war movies", [2]),
        ("no horror please, something light", "please, something light", [3]),
        ("no musicals, no horror, funny", "funny", [3, 4]),
        ("a horror film", "a horror film", []),
        ("not sure, maybe a horror film", "not sure, maybe a horror film", []),
        ("I have not seen horror", "I have not seen horror", []),
        ("not familiar with horror", "not familiar with horror", []),
        ("no worries, horror then", "no worries, horror then", []),
        ("no, but I love horror", "no, but I love horror", []),
        ("something without umbrellas", "something without umbrellas", []),
        ("no horror", "no horror", [3]),
        ("something slow, nothing violent", "something slow", [1]),
        ("a comedy with nothing too romantic", "a comedy", [0]),
        ("nothing but horror", "nothing but horror", []),
        ("something light, anything but horror", "something light", [3]),
        ("a film that isn't violent", "a film", [1]),
        ("not too violent horror", "horror", [1]),
        ("isn't it a horror film", "isn't it a horror film", []),
        ("nothing like a musical", "nothing like a musical", []),
    ],
)
def test_what_is_refused_leaves_the_text(text: str, left: str, rows: list[int]) -> None:
    """And only what the catalog knows is refused."""
    found = refusal_of(text, WORDS)
    assert (found.text, found.rows.tolist()) == (left, rows)


def test_a_story_refuses_nothing() -> None:
    """Its "not" is a part of what happens."""
    story = "A man who is not violent " + "walks through a town where nobody knows him " * 5
    assert not refusal_of(story, WORDS).words
