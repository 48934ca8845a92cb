"""Filters as stores take them mean what they mean in memory, and refuse what fits no field."""

from __future__ import annotations

import datetime as dt

import pytest

from antiphon.errors import FilterError
from antiphon.query.filters import parse_filter
from antiphon.stores.filters import Between, Either, Every, Holds, Opposite, Present, lowered, values_of

TYPES = {"year": "number", "genres": "list", "country": "string", "released": "date", "seen": "boolean"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("year>=1980", Between("year", 1980, None, strict=False)),
        ("year<1980", Between("year", None, 1980, strict=True)),
        ("country=FRANCE", Holds("country", ("france",))),
        ("country!=France", Opposite(Holds("country", ("france",)))),
        ("country=null", Opposite(Present("country"))),
        ("country!=null", Present("country")),
        ("genres exists", Present("genres")),
        ("genres all drama,War", Every((Holds("genres", ("drama",)), Holds("genres", ("war",))))),
        ("genres any drama,War", Holds("genres", ("drama", "war"))),
        ("seen=true or year=1980", Either((Holds("seen", (1.0,)), Holds("year", (1980.0,))))),
        ("released>1970-01-02", Between("released", 86_400, None, strict=True)),
    ],
)
def test_each_operator_is_one_of_six_tests(text, expected):
    """Text is folded, dates are seconds, booleans are numbers."""
    assert lowered(parse_filter(text), TYPES) == expected


@pytest.mark.parametrize("text", ["nothing=1", "year=often", "genres>3", "country all a,b", "released=yesterday"])
def test_what_fits_no_field_is_refused(text):
    """As a search in memory refuses it."""
    with pytest.raises(FilterError):
        lowered(parse_filter(text), TYPES)


def test_no_filter_is_no_test():
    """None stays None."""
    assert lowered(None, TYPES) is None


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (None, "list", []),
        ([" Drama", "drama", "", None], "list", ["drama"]),
        ("Été", "string", ["été"]),
        (float("nan"), "number", []),
        (True, "boolean", [1.0]),
        (dt.datetime(1970, 1, 1, 0, 1), "date", [60.0]),  # noqa: DTZ001  fields have no zone
    ],
)
def test_values_of_an_item(value, kind, expected):
    """What is blank or no number is no value."""
    assert values_of(value, kind) == expected
