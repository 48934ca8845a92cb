"""Explanations: exact shares of a score, and the values that match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.query.filters import parse_filter
from antiphon.space.explain import matched_values, shares

FIELDS = {"year": 1982.0, "genres": ["Sci-Fi", "Drama"], "country": "USA", "director": None, "tags": ["dark", "a"]}


@given(st.dictionaries(st.text(max_size=3), st.floats(-2, 2), min_size=1, max_size=5))
def test_shares_sum_to_one_and_keep_proportions(contributions: dict[str, float]) -> None:
    """A share is the contribution over the score, names in their order."""
    got = shares(contributions)
    assert list(got) == list(contributions)
    assert sum(got.values()) == pytest.approx(1, abs=1e-6)
    score = sum(contributions.values())
    if abs(score) > 1e-6:
        for name, value in contributions.items():
            assert got[name] * score == pytest.approx(value, abs=1e-9)


def test_a_contribution_may_speak_against_the_item() -> None:
    """Shares sum to one although one is negative; what contributes nothing has no share."""
    assert shares({"text": 0.75, "image": 0.0, "cf": -0.25}) == {"text": 1.5, "image": 0.0, "cf": -0.5}


@pytest.mark.parametrize("values", [(1.0, -1.0), (0.0, 0.0), (1e-12, -1e-12)])
def test_a_score_of_zero_still_has_shares(values: tuple[float, float]) -> None:
    """Contributions that cancel out count by their size; nothing at all is divided evenly."""
    assert shares(dict(zip("ab", values, strict=True))) == {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        (None, None, {}),
        ("dark sci-fi", None, {"genres": ["Sci-Fi"], "tags": ["dark"]}),
        ("DARKNESS and dramatic", None, {}),
        ("a drama", None, {"genres": ["Drama"]}),
        (None, "genres any drama,western", {"genres": ["Drama"]}),
        (None, "year>=1980", {"year": ["1982"]}),
        (None, "not country=France", {}),
        (None, "country=usa and year>=1980", {"country": ["USA"], "year": ["1982"]}),
        (None, "country=France or genres=drama", {"genres": ["Drama"]}),
        ("drama", "director exists", {"genres": ["Drama"]}),
    ],
)
def test_matched_values(text: str | None, where: str | None, expected: dict[str, list[str]]) -> None:
    """Values count that the filter asks for, or that the text names as whole words."""
    assert matched_values(FIELDS, text, None if where is None else parse_filter(where)) == expected


def test_values_of_empty_words_tell_nothing() -> None:
    """Who asks for artists like somebody has not asked for the tag "artists"; a filter may still ask for it."""
    fields = {"tags": ["artists", "dark"]}
    assert matched_values(fields, "dark artists", None, (), lambda value: value == "artists") == {"tags": ["dark"]}
    where = parse_filter("tags any artists")
    assert matched_values(fields, None, where, (), lambda value: True) == {"tags": ["artists"]}


def test_values_with_signs_of_regular_expressions_are_plain_words() -> None:
    """A value such as 'what (is' is looked for as it stands."""
    assert matched_values({"tags": ["what (is", "[x"]}, "say what (is it", None) == {"tags": ["what (is"]}
