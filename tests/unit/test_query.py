"""Query: what a request may say, and the sentence it gets when it says something else."""

from __future__ import annotations

from typing import Any

import pytest

from antiphon.errors import QueryError
from antiphon.query import MAX_ITEMS, MAX_K, MAX_TEXT, PARTS, Query


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "request is empty"),
        ({"where": None, "exclude": ("a",)}, "request is empty"),
        ({"text": ""}, "text of the request is empty"),
        ({"text": " \n\t"}, "text of the request is empty"),
        ({"text": "x" * (MAX_TEXT + 1)}, "100,001 characters"),
        ({"text": "x", "k": 0}, "k is 0"),
        ({"text": "x", "k": -3}, "k is -3"),
        ({"text": "x", "k": 1_000_000}, "k is 1,000,000"),
        ({"text": "x", "k": 10, "offset": MAX_K}, "offset 10,000"),
        ({"text": "x", "offset": -1}, "offset is -1"),
        ({"likes": "1240"}, "likes is a list"),
        ({"text": "x", "exclude": "1240"}, "exclude is a list"),
        ({"likes": ("a",) * (MAX_ITEMS + 1)}, "likes has 10,001 items"),
        ({"text": "x", "weights": {"txet": 1}}, "did you mean 'text'"),
        ({"text": "x", "weights": {"text": -0.1}}, "0 or more"),
        ({"text": "x", "weights": {"text": float("nan")}}, "finite"),
        ({"text": "x", "weights": {"text": float("inf")}}, "finite"),
    ],
)
def test_what_cannot_be_answered_is_refused(request_: dict[str, Any], sentence: str) -> None:
    """Each wrong request is a QueryError whose sentence names what is wrong."""
    with pytest.raises(QueryError, match=sentence):
        Query(**request_)


@pytest.mark.parametrize(
    "request_",
    [
        {"text": "люблю 🎬 映画"},
        {"text": "x" * MAX_TEXT},
        {"likes": ("a",)},
        {"dislikes": ("a",)},
        {"user": "u"},
        {"user": ""},
        {"history": ("a",)},
        {"text": "x", "k": MAX_K},
        {"text": "x", "k": 1, "offset": MAX_K - 1},
        {"text": "x", "weights": {"text": 0}},
    ],
)
def test_what_can_be_answered_is_taken(request_: dict[str, Any]) -> None:
    """The limits themselves are inside."""
    Query(**request_)


def test_weights_that_are_not_given_are_the_usual_ones() -> None:
    """Each part has a usual weight; a request changes the ones that it names."""
    query = Query(text="x", weights={"dislikes": 2})
    assert {part: query.weight(part) for part in PARTS} == {**PARTS, "dislikes": 2.0}
