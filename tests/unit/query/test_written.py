"""Lists that a program wrote into a text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.query.written import JSON, parts_of, written_list

WORDS = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12))


@given(WORDS)
def test_what_json_and_python_write_is_read_back(words):
    """Quotes, brackets, commas and backslashes within values are theirs."""
    assert written_list(json.dumps(words)) == words
    assert written_list(json.dumps([{"id": 1, "name": word} for word in words])) == words
    assert written_list(str(words)) == words


@given(st.text())
def test_any_text_is_a_list_or_none(text):
    """Nothing is raised, whatever a catalog holds."""
    assert written_list(text) is None or text.strip()[0] in "[{"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[{'id': 16, 'name': 'Animation'}, {'id': 35, 'name': \"Kid's\"}]", ["Animation", "Kid's"]),
        ('[{"iso_3166_1": "US", "name": "United States"}]', ["United States"]),
        ("['a, b', 'c',]", ["a, b", "c"]),
        ("[1, 2.5, null, true]", ["1", "2.5"]),
        ("[]", []),
        ("{'id': 1, 'name': 'Toy Story', 'poster_path': None}", ["Toy Story"]),
        ('{"id": 1}', []),
        ("[{'id': 16}]", []),
        ("drama", None),
        ("[see the note]", None),
        ("[__import__('os').getcwd()]", None),
        ("[" * 100_000, None),
        ("[" * 100_000 + "]" * 100_000, None),
    ],
)
def test_lists_of_programs(text, expected):
    """Objects are called by their name, numbers stay; what is no list is none, and nothing is evaluated."""
    assert written_list(text) == expected


def test_parts_of_a_text():
    """A text that is no list is one value; signs separate as ever."""
    assert parts_of(" drama ", JSON) == ["drama"]
    assert parts_of(" ", JSON) == []
    assert parts_of('["a", " "]', JSON) == ["a"]
    assert parts_of("a| b ||", "|") == ["a", "b"]
