"""Explanations: exact shares of a score, and the values that match."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.explain import matched_values, shares
from antiphon.features import unit
from antiphon.filters import parse_filter

FIELDS = {"year": 1982.0, "genres": ["Sci-Fi", "Drama"], "country": "USA", "director": None, "tags": ["dark", "a"]}


@given(st.integers(0, 10_000), st.integers(1, 4))
def test_shares_are_exact(seed: int, n: int) -> None:
    """A share times the score is that modality's part of the inner product with the normalised mean."""
    rng = np.random.default_rng(seed)
    parts = unit(rng.normal(size=(n, 6))) * (rng.random(n) < 0.8)[:, None]
    query = unit(rng.normal(size=6))
    total = parts.sum(axis=0)
    norm = float(np.linalg.norm(total))
    if norm < 1e-3 or abs(float(query @ total)) < 1e-3:
        return
    score = float(query @ total) / norm
    names = [f"m{i}" for i in range(n)]
    got = shares(query, parts.astype(np.float32), names)
    assert list(got) == names
    assert sum(got.values()) == pytest.approx(1, abs=1e-9)
    for name, part in zip(names, parts, strict=True):
        assert got[name] * score == pytest.approx(float(query @ part) / norm, abs=1e-5)


def test_a_missing_modality_has_no_share() -> None:
    """A part of zeros is 0 of the score."""
    got = shares(np.array([1, 0], np.float32), np.array([[0.6, 0.8], [0, 0]], np.float32), ["text", "cf"])
    assert got == {"text": 1.0, "cf": 0.0}


def test_a_modality_may_speak_against_the_item() -> None:
    """Shares sum to one although one is negative."""
    got = shares(np.array([1, 0], np.float32), np.array([[0.75, 0], [-0.25, 0]], np.float32), ["text", "cf"])
    assert got == {"text": 1.5, "cf": -0.5}


@pytest.mark.parametrize("parts", [[[1, 0], [-1, 0]], [[0, 1], [0, -1]], [[0, 0], [0, 0]]])
def test_a_score_of_zero_still_has_shares(parts: list[list[int]]) -> None:
    """Parts that cancel out are given by their size; nothing at all is divided evenly."""
    assert shares(np.array([1, 0], np.float32), np.array(parts, np.float32), ["a", "b"]) == {"a": 0.5, "b": 0.5}


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


def test_values_with_signs_of_regular_expressions_are_plain_words() -> None:
    """A value such as 'what (is' is looked for as it stands."""
    assert matched_values({"tags": ["what (is", "[x"]}, "say what (is it", None) == {"tags": ["what (is"]}
