"""Filters: whatever is sent as one, the service filters or says what is wrong with it."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import FilterError
from antiphon.query.filters import OPERATORS, SYMBOLS, conditions, matches, parse_filter

MANY = settings(max_examples=int(os.environ.get("ANTIPHON_FUZZ") or 25))
"""A few in `make test`, many in `make fuzz`; this file stands here to share the run that the others ask."""

FIELDS = st.sampled_from(["year", "genres", "country", "tags", "released", "seen", "title", "Year", "", "and", "é"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=12)
    | st.sampled_from(["1980", "drama", "1999-12-31", "true", "nan", "inf", "1e999", "\u0000", "\U0001f3ac"])
)  # fmt: skip
VALUES = SCALARS | st.lists(SCALARS, max_size=4) | st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
TESTS = VALUES | st.dictionaries(st.sampled_from([*OPERATORS, "eqq", ""]), VALUES, max_size=3)
MAPPINGS = st.recursive(
    st.dictionaries(FIELDS, TESTS, max_size=3),
    lambda inner: (
        st.fixed_dictionaries({"and": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"or": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
        | st.lists(inner, max_size=2)
    ),
    max_leaves=6,
)
WORDS = st.sampled_from(
    [
        "year",
        "genres",
        "drama",
        "and",
        "or",
        "not",
        "exists",
        "null",
        "(",
        ")",
        "[",
        "]",
        ",",
        "'",
        '"',
        "1980",
        *SYMBOLS,
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=3), max_size=14).map(" ".join)


@MANY
@given(MAPPINGS | TEXTS | st.lists(TEXTS | MAPPINGS, max_size=3))
def test_a_filter_is_read_or_refused(space, where):
    """In Python: a mask of the items, or a FilterError of a line or two."""
    try:
        parsed = parse_filter(where)
        mask = matches(parsed, space.columns)
    except FilterError as error:
        assert len(str(error)) < 2_000  # noqa: PT017  most of what is drawn is refused
    else:
        assert mask.shape == (space.n_items,)
        assert mask.dtype == bool
        assert isinstance(conditions(parsed), list)


@MANY
@given(MAPPINGS | TEXTS)
def test_a_filter_over_http_is_answered_or_the_caller_s_fault(client, where):
    """As the filter of a search, of counts, and in the address: never a 5xx."""
    body = json.dumps({"text": "a drama", "where": where, "k": 3}).encode()
    headers = {"content-type": "application/json"}
    for path in ("/v1/search", "/v1/facets"):
        got = client.post(path, content=body, headers=headers)
        assert got.status_code < 500, got.text
    if isinstance(where, str):
        assert client.get("/v1/facets", params={"where": where}).status_code < 500


@pytest.mark.parametrize(
    "where", ["(" * 5_000, "not " * 2_000 + "seen", "a=" + "b," * 4_000 + "c", "'" * 9_999, "x" * 9_999]
)
def test_long_filters_end(client, where):
    """Filters at the limit of their length are answered like others."""
    got = client.post("/v1/search", json={"text": "a", "where": where})
    assert got.status_code == 400
    assert len(got.text) < 3_000
