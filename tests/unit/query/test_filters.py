"""Filters: two ways of writing, one meaning, and the same rows as a slow evaluation by hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import FilterError
from antiphon.query.columns import field_table, normalise
from antiphon.query.filters import MAX_VALUES, Condition, Group, Not, conditions, matches, parse_filter

TYPES = {"year": "number", "country": "string", "genres": "list", "released": "date", "seen": "boolean"}
ARROW = {"year": pa.float64(), "country": pa.string(), "genres": pa.list_(pa.string()),
         "released": pa.timestamp("us"), "seen": pa.bool_()}  # fmt: skip
WORDS = ("drama", "Drama", "sci-fi", "new york", "and", "or", "not", "exists", "null", "null ", "O'Brien", "Airplane!",
         'the "best"', "a,b", "(x)", "1980", "été", "東京", "🎬", "x=y", "none", "")  # fmt: skip
YEARS = (1979.0, 1980.0, 1980.5, -1.0)
DAYS = ("1999-12-31", "2000-01-01", "1969-07-20")


def table(rows):
    """Rows of dictionaries as fields."""
    columns = {
        name: normalise(pa.chunked_array([pa.array([row[name] for row in rows], ARROW[name])]), kind)
        for name, kind in TYPES.items()
    }
    return field_table(pa.table(columns), TYPES)


def day(text):
    """Midnight of a day."""
    return None if text is None else dt.datetime.fromisoformat(text)


ROWS = st.fixed_dictionaries(
    {
        "year": st.none() | st.sampled_from(YEARS) | st.just(math.nan),
        "country": st.none() | st.sampled_from(WORDS),
        "genres": st.none() | st.lists(st.none() | st.sampled_from(WORDS), max_size=3),
        "released": st.none() | st.sampled_from(DAYS).map(day),
        "seen": st.none() | st.booleans(),
    }
)
VALUES = {
    "year": st.sampled_from(YEARS),
    "country": st.sampled_from(WORDS),
    "genres": st.sampled_from(WORDS),
    "released": st.sampled_from(DAYS),
    "seen": st.booleans(),
}


@st.composite
def field_conditions(draw):
    """A condition as (field, operator, value)."""
    field = draw(st.sampled_from(sorted(TYPES)))
    ranges = ["gt", "gte", "lt", "lte"] if field in ("year", "released", "seen") else []
    operator = draw(
        st.sampled_from(["eq", "ne", "in", "any", "exists", "null", *(["all"] if field == "genres" else []), *ranges])
    )
    if operator == "exists":
        return field, "exists", draw(st.booleans())
    if operator == "null":
        return field, draw(st.sampled_from(["eq", "ne"])), None
    if operator in ("in", "any", "all"):
        return field, operator, draw(st.lists(VALUES[field], min_size=1, max_size=3))
    return field, operator, draw(VALUES[field])


EXPRESSIONS = st.recursive(
    field_conditions(),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.sampled_from(["and", "or"]), st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=6,
)


def as_mapping(expression):
    """The expression as HTTP and Python write it."""
    if len(expression) == 3:
        field, operator, value = expression
        return {field: {operator: value}}
    kind, parts = expression
    return {"not": as_mapping(parts)} if kind == "not" else {kind: [as_mapping(part) for part in parts]}


def as_text(expression):
    """The expression as the command line writes it."""
    if len(expression) == 2:
        kind, parts = expression
        if kind == "not":
            return f"not ({as_text(parts)})"
        return "(" + f" {kind} ".join(as_text(part) for part in parts) + ")"
    field, operator, value = expression
    if operator == "exists":
        return f"{field} exists" if value else f"not {field} exists"
    symbol = {"eq": "=", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}.get(operator, f" {operator} ")
    return f"{field}{symbol}{','.join(quoted(one) for one in value) if isinstance(value, list) else quoted(value)}"


def quoted(value):
    """A value as text; words in whichever quotes they do not have."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        return str(value)
    return f'"{value}"' if "'" in value else f"'{value}'"


def passes(expression, row):  # noqa: PLR0911  a table of cases
    """The meaning of an expression, for one row, in plain Python."""
    if len(expression) == 2:
        kind, parts = expression
        if kind == "not":
            return not passes(parts, row)
        return (all if kind == "and" else any)(passes(part, row) for part in parts)
    field, operator, value = expression
    got = values_of(field, row[field])
    if operator == "exists":
        return bool(got) == value
    if value is None:
        return bool(got) == (operator == "ne")
    if isinstance(value, list):
        held = [plain(field, one) in got for one in value]
        return all(held) if operator == "all" else any(held)
    wanted = plain(field, value)
    if operator in ("eq", "ne"):
        return (wanted in got) == (operator == "eq")
    compare = {"gt": lambda a: a > wanted, "gte": lambda a: a >= wanted,
               "lt": lambda a: a < wanted, "lte": lambda a: a <= wanted}[operator]  # fmt: skip
    return any(compare(one) for one in got)


def values_of(field, value):
    """What a row holds: a list of comparable values, empty where it holds none."""
    several = value if isinstance(value, list) else [value]
    known = [
        one for one in several if one is not None and one != "" and not (isinstance(one, float) and math.isnan(one))
    ]
    return [plain(field, one) for one in known]


def plain(field, value):
    """A value that == and < understand."""
    if field == "released":
        return value if isinstance(value, dt.datetime) else day(value)
    return value.casefold().strip() if isinstance(value, str) else value


@settings(max_examples=300)
@given(st.lists(ROWS, max_size=6), EXPRESSIONS)
def test_filters_pass_the_rows_that_a_slow_evaluation_passes(rows, expression):
    """Written either way, over every type of field, with nulls, nested groups and negations."""
    expected = [passes(expression, row) for row in rows]
    fields = table(rows)
    assert matches(parse_filter(as_mapping(expression)), fields).tolist() == expected
    assert matches(parse_filter(as_text(expression)), fields).tolist() == expected


@pytest.mark.parametrize(
    ("text", "mapping"),
    [
        ("year>=1980", {"year": {"gte": "1980"}}),
        ("year = 1980", {"year": "1980"}),
        ("year==1980", {"year": {"eq": "1980"}}),
        ("year>1980 and year<1990", {"and": [{"year": {"gt": "1980"}}, {"year": {"lt": "1990"}}]}),
        ("genres any sci-fi,horror", {"genres": ["sci-fi", "horror"]}),
        ("genres in [a, 'b c', \"d\"]", {"genres": {"in": ["a", "b c", "d"]}}),
        ("not country=USA", {"not": {"country": "USA"}}),
        ("NOT country exists", {"not": {"country": {"exists": True}}}),
        ("country=null", {"country": None}),
        ("country='null'", {"country": "null"}),
        ("director=Stanley Kubrick", {"director": "Stanley Kubrick"}),
        ("director=O'Brien", {"director": "O'Brien"}),
        ("title=Airplane!", {"title": "Airplane!"}),
        ("tags any tumey's dvds, want", {"tags": ["tumey's dvds", "want"]}),
        ("'my field'=1", {"my field": "1"}),
    ],
)
def test_text_and_mapping_read_the_same(text, mapping):
    """Each way of writing on one page."""
    assert parse_filter(text) == parse_filter(mapping)


def test_and_binds_closer_than_or_and_not_closest():
    """As in every language; parentheses change it."""
    a, b, c = (Condition(name, "exists", True) for name in "abc")
    assert parse_filter("a exists or b exists and not c exists") == Group("or", (a, Group("and", (b, Not(c)))))
    assert parse_filter("(a exists or b exists) and c exists") == Group("and", (Group("or", (a, b)), c))


def test_several_texts_must_all_hold():
    """--where can be given more than once; a filter that was read already is taken as it is."""
    read = parse_filter(["year>=1980", "genres any drama"])
    assert read == parse_filter("year>=1980 and genres any drama")
    assert parse_filter(read) is read
    assert parse_filter(["year>=1980"]) == parse_filter("year>=1980")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "expected a field name, but it ends here"),
        ("   ", "expected a field name, but it ends here"),
        ("year", "expected an operator after 'year', but it ends here"),
        ("year >= ", "expected a value for 'year', but it ends here"),
        ("year >>> 'x", "cannot read \"'x\""),
        ("year ~ 3", "expected an operator after 'year', got '~'; known are: >=, <=, >, <, =, ==, "),
        ("year >= 1980 and", "expected a field name, but it ends here"),
        ("(year >= 1980", "expected ')', but it ends here"),
        ("year >= 1980)", "did not expect ')' here"),
        ("= 3", "expected a field name, got '='"),
        ("year = (1980)", "expected a value for 'year', got '('"),
        ("year = 1980, 1981", "'=' takes one value, got 2; use in, any or all"),
        ("genres in [a, b", "expected ']', but it ends here"),
        ("title = 'a' b", "did not expect 'b' here; quote values with blanks or signs"),
        ("title = Love and Death", "expected an operator after 'Death', but it ends here"),
        ("not " * 40 + "year exists", "nested more than 32 deep"),
        ("(" * 40 + "year exists" + ")" * 40, "nested more than 32 deep"),
    ],
)  # fmt: skip
def test_text_that_cannot_be_read_says_where(text, reason):
    """And gives an example."""
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert reason in str(caught.value)
    assert "Write for example: year>=1980" in str(caught.value)


@given(st.text(max_size=40) | st.text(alphabet="ab ()='\",<>![]andornot", max_size=40))
def test_any_text_is_read_or_refused(text):
    """Never a traceback."""
    with contextlib.suppress(FilterError):
        assert parse_filter(text) == parse_filter(f"  ({text})\n")


def test_a_long_text_is_refused_in_a_short_sentence():
    """A megabyte of nonsense is not echoed."""
    with pytest.raises(FilterError) as caught:
        parse_filter("year " * 200_000)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({}, "the filter is empty"),
        ({"year": {}}, "'year' has no condition"),
        ({"year": {"gtee": 1}}, "unknown operator 'gtee'; did you mean 'gte'?"),
        ({"year": {5: 1}}, "unknown operator 5"),
        ({"and": {"year": 1}}, "'and' takes a list of filters"),
        ({"or": []}, "'or' takes a list of filters"),
        ({"or": ["year=1"]}, "a filter is a mapping of field to condition, got 'year=1'"),
        ({"not": [{"year": 1}]}, "a filter is a mapping of field to condition"),
        ([], "a filter is a text, a mapping, or a list of them, got []"),
        (5, "a filter is a text, a mapping, or a list of them, got 5"),
        (None, "a filter is a text, a mapping, or a list of them, got None"),
        ([None], "a filter is a text, a mapping, or a list of them, got None"),
    ],
)
def test_mappings_that_are_no_filter_are_refused(mapping, reason):
    """JSON from anywhere gets a sentence."""
    with pytest.raises(FilterError, match=re.escape(reason)):
        parse_filter(mapping)


def test_a_mapping_that_is_nested_without_end_is_refused():
    """Before Python's own limit."""
    nested = {"year": 1}
    for _ in range(100):
        nested = {"not": nested}
    with pytest.raises(FilterError, match="more than 32 deep"):
        parse_filter(nested)


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ({"yeer": 1}, "the catalog has no field 'yeer' to filter on; did you mean 'year'?"),
        ({"YEAR": 1}, "did you mean 'year'?"),
        ({7: 1}, "the catalog has no field 7 to filter on; known are: country, genres"),
        ({"country": {"gte": "a"}}, "no range"),
        ({"country": {"all": ["a"]}}, "'country' has one value per item, so 'all' does not fit it; use = or in."),
        ({"year": {"in": []}}, "'year' in: the list of values is empty"),
        ({"year": {"in": list(range(MAX_VALUES + 1))}}, "10001 values, at most 10000 are taken"),
        ({"year": {"eq": [1980, 1981]}}, "'year' eq: expected one value, got [1980, 1981]; use in or any."),
        ({"genres": {"ne": ["a", "b"]}}, "'genres' ne: expected one value"),
        ({"genres": {"any": ["a", None]}}, "'genres' any: null is no value of a list; use = null or exists."),
        ({"year": {"gte": None}}, "'year': null fits only = and !=, not 'gte'"),
        ({"year": {"exists": "false"}}, "'year': exists takes true or false, got 'false'"),
        ({"year": {"exists": None}}, "'year': exists takes true or false, got None"),
        ({"year": "eighties"}, "the field 'year' holds numbers, got 'eighties'"),
        ({"released": "eighties"}, "the field 'released' holds dates"),
        ({"seen": "perhaps"}, "the field 'seen' holds booleans"),
        ({"genres": {"any": [{"a": 1}]}}, "'genres': expected a value or a list of values, got [{'a': 1}]"),
    ],
)
def test_filters_that_do_not_fit_the_fields_are_refused(where, reason):
    """Even where no row is looked at."""
    with pytest.raises(FilterError, match=re.escape(reason)):
        matches(parse_filter(where), table([]))


def test_sets_of_values_are_lists():
    """{"genres": {"drama", "war"}} is natural in Python."""
    fields = table([{"year": 1980.0, "country": None, "genres": ["War"], "released": None, "seen": None}])
    for values in ({"war", "drama"}, ("war",), frozenset({"war"})):
        assert matches(parse_filter({"genres": values}), fields).tolist() == [True]


def test_values_of_numpy_and_dates_of_python_are_taken():
    """What a program has at hand."""
    row = {"year": 1980.0, "country": None, "genres": None, "released": day("2000-01-01"), "seen": True}
    where = {"year": np.int64(1980), "released": {"gte": dt.date(2000, 1, 1)}, "seen": True}
    assert matches(parse_filter(where), table([row])).tolist() == [True]


def test_conditions_are_those_that_a_hit_meets():
    """Negated ones are left out: an item does not match by what it lacks."""
    read = parse_filter("year>=1980 and (genres any drama or country=USA) and not seen=true")
    assert [condition.field for condition in conditions(read)] == ["year", "genres", "country"]
    assert conditions(None) == []


@pytest.mark.parametrize("depth", [1, 50, 100_000])
def test_values_that_hold_values_are_refused_at_any_depth(depth):
    """Under an operator, in a list, or alone; the sentence stays short."""
    value = 1
    for _ in range(depth):
        value = {"a": value}
    for where in ({"year": {"eq": value}}, {"year": {"in": [value]}}, {"year": [value]}, [value, [value]]):
        with pytest.raises(FilterError) as caught:
            parse_filter(where)
        assert len(str(caught.value)) < 300
    while isinstance(value, dict):  # freed one by one: Python 3.11 counts levels when it frees
        value = value["a"]
