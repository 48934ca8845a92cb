"""What the dictionary finds of a catalog's values in texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.channels.dictionary import Dictionary, stems_of
from antiphon.query.columns import field_table

TABLE = pa.table(
    {
        "genres": [["comedy", "drama"], ["science fiction"], ["sci-fi", "horror"], None],
        "tags": [["dark comedy"], ["dark"], ["post-apocalyptic"], ["good"]],
        "country": ["France", "USA", "France", None],
        "year": [1994.0, 1982.0, 1979.0, None],
    }
)
WORDS = Dictionary.of(
    field_table(TABLE, {"genres": "list", "tags": "list", "country": "string", "year": "number"}),
)


def named(text: str) -> list[list[int]]:
    """Rows of each value that a text names."""
    return [value.rows.tolist() for value in WORDS.named(text)]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a dark comedy", [[0]]),
        ("dark comedies", [[0]]),
        ("dark, but a comedy", [[1], [0]]),
        ("dramas from the nineties", [[0], [0]]),
        ("something of the 80s", [[1]]),
        ("a French film", [[0, 2]]),
        ("postapocalyptic", [[2]]),
        ("can you recommend some good films", []),
        ("", []),
    ],
)
def test_values_are_found_by_stems_the_longest_first(text: str, rows: list[list[int]]) -> None:
    """In the plural, as one word or two, as decades and as the people of a country; words around them name nothing."""
    assert named(text) == rows


def test_an_item_scores_the_values_that_it_has() -> None:
    """Each once, however often it is said."""
    assert WORDS.scores("french comedy comedies").tolist() == [2, 0, 1, 0]


def test_only_the_fields_that_are_asked_for_are_read() -> None:
    """Such as those that a configuration names."""
    columns = field_table(TABLE, {"genres": "list", "country": "string"})
    assert [value.rows.tolist() for value in Dictionary.of(columns, ["country"]).named("french comedy")] == [[0, 2]]


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    """Values never overlap, and lie within the words of the text."""
    found = WORDS.named(text)
    ends = [0, *(value.end for value in found)]
    assert all(value.start >= end for value, end in zip(found, ends, strict=False))
    assert ends[-1] <= len(stems_of(text))
    assert np.isfinite(WORDS.scores(text)).all()


def test_names_of_one_thing_are_one_value() -> None:
    """Who asks for science fiction finds what is called sci-fi, and a genre is whole beside one person's tag."""
    fields = pa.table({"genres": [["sci-fi"], ["sci-fi"], ["drama"]], "tags": [["science fiction"], [], []]})
    columns = field_table(fields, {"genres": "list", "tags": "list"})
    words = Dictionary.of(columns)
    for text in ("science fiction", "a scifi film", "Sci-Fi"):
        np.testing.assert_array_equal(words.scores(text), [1, 1, 0])
    tagged = [("science fiction", np.array([0], dtype=np.int32), np.array([0.7], dtype=np.float32))]
    whole = [("sci-fi", np.array([0, 1], dtype=np.int32), np.ones(2, dtype=np.float32))]
    np.testing.assert_allclose(words.with_degrees([*tagged, *whole]).scores("science fiction"), [1, 1, 0])
    np.testing.assert_allclose(words.with_degrees([*whole, *tagged]).scores("science fiction"), [1, 1, 0])


def test_a_decade_or_a_country_is_one_value_in_tags_too() -> None:
    """Who asks for the eighties finds what is tagged 80s, Japan what is tagged Japanese; a people keeps its own."""
    tags = [["80s"], ["eighties"], ["1980s"], ["japanese"], ["japan"], ["english"], ["british"], ["uk"]]
    words = Dictionary.of(field_table(pa.table({"tags": tags}), {"tags": "list"}))
    for text in ("songs of the eighties", "80s", "from the 1980s"):
        assert np.flatnonzero(words.scores(text)).tolist() == [0, 1, 2]
    assert np.flatnonzero(words.scores("bands from Japan")).tolist() == [3, 4]
    assert np.flatnonzero(words.scores("British bands")).tolist() == [6, 7]
    assert np.flatnonzero(words.scores("English bands")).tolist() == [5]


def test_a_value_is_known_with_and_without_spaces_and_words_of_requests() -> None:
    """Chill out and chillout are one, and dance music is dance."""
    tags = [["chill out"], ["chillout"], ["dance music"], ["dance"], ["rock music"]]
    words = Dictionary.of(field_table(pa.table({"tags": tags}), {"tags": "list"}))
    for text in ("to chill out to", "chillout"):
        assert np.flatnonzero(words.scores(text)).tolist() == [0, 1]
    for text in ("dance music", "dance"):
        assert np.flatnonzero(words.scores(text)).tolist() == [2, 3]
    assert np.flatnonzero(words.scores("music")).tolist() == []


def test_words_of_other_fields_are_not_named() -> None:
    """Where only some fields are spoken of; decades of years stay."""
    columns = field_table(TABLE, {"genres": "list", "tags": "list", "year": "number"})
    words = Dictionary.of(columns, ["genres"])
    assert words.scores("dark").tolist() == [0, 0, 0, 0]
    assert words.scores("comedy of the 80s").tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "covered"),
    [("some dark comedies please", True), ("dark horror from France", True), ("dark umbrellas", False), ("", True)],
)
def test_a_text_is_covered_by_values(text: str, covered: bool) -> None:
    """Words that people put around a request do not count."""
    assert WORDS.covers(text) == covered
