"""Typed columns: what each arrow type becomes, and what equals what."""
# ruff: noqa: DTZ001  catalogs hold times without a zone

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import FilterError
from antiphon.query.columns import field_table, guess_type, make_column, normalise, seconds, split_words, words_of

DAY = dt.datetime(2020, 1, 2)


def chunked(values, kind=None):
    """A column of one chunk."""
    return pa.chunked_array([pa.array(values, kind)])


def column(kind, values, arrow=None):
    """A column made ready for filters, as the catalog does it."""
    return make_column("field", kind, normalise(chunked(values, arrow), kind))


@pytest.mark.parametrize(
    ("kind", "values", "arrow", "expected"),
    [
        ("number", [1, None], pa.int32(), [1.0, None]),
        ("number", [Decimal("1.5"), None], None, [1.5, None]),
        ("number", ["1980", None], None, [1980.0, None]),
        ("number", [None, None], pa.null(), [None, None]),
        ("boolean", [1, 0, None], pa.uint8(), [True, False, None]),
        ("boolean", ["true", "false", None], None, [True, False, None]),
        ("date", [86400, None], pa.int32(), [dt.datetime(1970, 1, 2), None]),
        ("date", [86400], pa.uint64(), [dt.datetime(1970, 1, 2)]),
        ("date", ["2020-01-02", "2020-01-02 10:30:00"], None, [DAY, dt.datetime(2020, 1, 2, 10, 30)]),
        ("date", ["2020-01-02T00:00:00Z", "2020-01-02T02:00:00+02:00"], None, [DAY, DAY]),
        ("date", [dt.date(2020, 1, 2), None], pa.date32(), [DAY, None]),
        ("date", [dt.date(2020, 1, 2)], pa.date64(), [DAY]),
        ("date", [DAY], pa.timestamp("ns"), [DAY]),
        ("date", [dt.datetime(2020, 1, 2, tzinfo=dt.UTC)], pa.timestamp("ms", "America/New_York"), [DAY]),
        ("string", ["a", None], pa.large_string(), ["a", None]),
        ("string", ["a", None], pa.string_view(), ["a", None]),
        ("string", [7, None], None, ["7", None]),
        ("list", [["a", None], None, []], pa.large_list(pa.large_string()), [["a", None], None, []]),
        ("list", [["a", "b"], None], pa.list_(pa.string(), 2), [["a", "b"], None]),
        ("list", [[None], None, []], pa.list_(pa.null()), [[None], None, []]),
        ("list", [[1, 2]], None, [["1", "2"]]),
        ("list", ["a | b|", "", None], pa.large_string(), [["a", "b"], [], None]),
        ("list", ["a|b"], pa.string_view(), [["a", "b"]]),
    ],
)
def test_normalise_brings_arrow_types_to_the_one_of_the_field(kind, values, arrow, expected):
    """Large, view, nested and narrow types of other writers come out as one."""
    assert normalise(chunked(values, arrow), kind).to_pylist() == expected


@pytest.mark.parametrize(
    ("kind", "values"),
    [("string", ["a", "b", None, "a"]), ("list", ["a|b", None, "b", "a|b"]), ("number", [1, 2, None, 1])],
)
def test_dictionary_encoded_columns_are_like_plain_ones(kind, values):
    """Categories of pandas are text to a catalog."""
    plain = chunked(values)
    encoded = plain.dictionary_encode()
    assert normalise(encoded, kind).to_pylist() == normalise(plain, kind).to_pylist()
    assert guess_type(encoded.type) == guess_type(plain.type)


def test_digits_below_a_microsecond_go():
    """Files of pandas have nanoseconds."""
    values = chunked([1_577_836_800_000_000_001], pa.int64()).cast(pa.timestamp("ns"))
    assert normalise(values, "date").to_pylist() == [dt.datetime(2020, 1, 1)]


@pytest.mark.parametrize(
    ("kind", "values", "arrow"),
    [
        ("number", ["abc"], None),
        ("number", [""], None),
        ("number", [["a"]], None),
        ("boolean", [0, 1, 2], None),
        ("boolean", ["yes"], None),
        ("date", ["yesterday"], None),
        ("date", [1.5], None),
        ("date", [2**62], None),
        ("date", [1], pa.time32("s")),
        ("list", [1], None),
        ("list", [[{"a": 1}]], None),
        ("string", [["a"]], None),
        ("string", [{"a": 1}], None),
    ],
)
def test_values_that_do_not_fit_are_refused(kind, values, arrow):
    """By one of the errors of arrow that the reader turns into a sentence."""
    with pytest.raises((pa.ArrowInvalid, pa.ArrowNotImplementedError)):
        normalise(chunked(values, arrow), kind)


@pytest.mark.parametrize(
    ("arrow", "expected"),
    [
        (pa.int8(), "number"),
        (pa.decimal128(5, 2), "number"),
        (pa.bool_(), "boolean"),
        (pa.timestamp("ns", "UTC"), "date"),
        (pa.date32(), "date"),
        (pa.time64("us"), None),
        (pa.duration("s"), None),
        (pa.large_string(), "string"),
        (pa.null(), "string"),
        (pa.list_(pa.string()), "list"),
        (pa.list_(pa.null()), "list"),
        (pa.list_(pa.int64()), "list"),
        (pa.large_list(pa.dictionary(pa.int32(), pa.string())), "list"),
        (pa.list_(pa.list_(pa.string())), None),
        (pa.struct([("a", pa.int64())]), None),
        (pa.binary(), None),
    ],
)
def test_the_type_of_a_raw_column_is_guessed(arrow, expected):
    """For filters over columns that the configuration does not type."""
    assert guess_type(arrow) == expected


@pytest.mark.parametrize("kind", ["number", "string", "list", "date", "boolean"])
@pytest.mark.parametrize("n_rows", [0, 1, 3])
def test_a_column_of_nulls_is_present_nowhere(kind, n_rows):
    """And of no rows, too."""
    made = column(kind, [None] * n_rows, pa.null())
    assert made.present().tolist() == [False] * n_rows
    assert made.holds({"date": "2020-01-01", "boolean": "true"}.get(kind, "1")).tolist() == [False] * n_rows


def test_nan_blank_text_and_empty_lists_are_no_value():
    """What a person would call missing."""
    assert column("number", [float("nan"), 0.0]).present().tolist() == [False, True]
    assert column("string", ["", "  ", "a", None]).present().tolist() == [False, False, True, False]
    assert column("list", [[], [""], [None], ["", "a"]]).present().tolist() == [False, False, False, True]


def test_text_compares_without_case_and_outer_blanks():
    """In any script; the German sharp s is two s."""
    made = column("string", ["Sci-Fi ", "STRASSE", "ÉTÉ", "東京", "🎬"])
    for value, row in (("sci-fi", 0), ("straße", 1), ("été", 2), (" 東京", 3), ("🎬", 4)):
        assert made.holds(value).tolist() == [place == row for place in range(5)]


def test_a_value_among_several_is_held():
    """A null among them is nothing."""
    made = column("list", [["Drama", "War"], ["war", None], None])
    assert made.holds("WAR").tolist() == [True, True, False]
    assert made.holds("none").tolist() == [False, False, False]


def test_columns_in_several_chunks_are_whole():
    """Row numbers go on from chunk to chunk."""
    values = pa.chunked_array([pa.array([["a"], ["b"]]), pa.array([["b", "c"]])])
    assert make_column("field", "list", values).holds("b").tolist() == [False, True, True]


def test_a_slice_of_a_column_is_that_slice():
    """Rows before it do not come back."""
    values = chunked([["a"], ["b"], ["c"]]).slice(1)
    assert make_column("field", "list", values).holds("c").tolist() == [False, True]
    assert make_column("field", "list", values).holds("a").tolist() == [False, False]


@pytest.mark.parametrize(
    ("kind", "values", "value", "sentence"),
    [
        ("number", [1.0], "abc", "holds numbers, got 'abc'; write a number such as 1980"),
        ("number", [1.0], True, "holds numbers, got True"),
        ("number", [1.0], "nan", "holds numbers, got 'nan'"),
        ("number", [1.0], [1], "holds numbers, got"),
        ("number", [1.0], 10**400, "holds numbers, got 1000"),
        ("date", [DAY], "yesterday", "holds dates, got 'yesterday'; write a date such as '1999-12-31'"),
        ("date", [DAY], True, "holds dates, got True"),
        ("boolean", [True], "maybe", "holds booleans, got 'maybe'; write a boolean such as true"),
        ("boolean", [True], 2, "holds booleans, got 2"),
        ("string", ["a"], True, "holds text, got True"),
        ("string", ["a"], {"a": 1}, "holds text, got {'a': 1}"),
        ("list", [["a"]], ["a"], "holds text, got"),
        ("list", [["a"]], None, "holds text, got None"),
    ],
)
def test_a_value_of_another_kind_is_refused(kind, values, value, sentence):
    """The field, what was got, and an example."""
    with pytest.raises(FilterError) as caught:
        column(kind, values).holds(value)
    assert str(caught.value).startswith("the field 'field' ")
    assert sentence in str(caught.value)


def test_text_has_no_range():
    """The sentence says what fits instead."""
    with pytest.raises(FilterError, match="no range; use =, in, any, all or exists"):
        column("string", ["a"]).between("a", None)


@given(
    st.lists(st.none() | st.floats(-5, 5) | st.just(float("nan")), max_size=8),
    st.none() | st.integers(-5, 5),
    st.none() | st.integers(-5, 5),
)
def test_ranges_are_closed_and_leave_out_what_has_no_value(values, low, high):
    """Against the plain comparison of each row."""
    expected = [
        value is not None and not np.isnan(value) and (low is None or value >= low) and (high is None or value <= high)
        for value in values
    ]
    assert column("number", values, pa.float64()).between(low, high).tolist() == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1970-01-02", 86400),
        ("1970-01-01T00:00:01+00:00", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        (dt.date(1970, 1, 2), 86400),
        (dt.datetime(1970, 1, 1, 0, 1), 60),
        (dt.datetime(1970, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), 0),
        (np.int64(5), 5),
        (2.5, 2.5),
        ("1969-12-31", -86400),
    ],
)
def test_seconds_of_dates(value, expected):
    """Without a zone, a time is UTC."""
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["", "1999", "31.12.1999", None, True, float("nan"), [1]])
def test_what_is_no_date_is_refused(value):
    """ValueError, which the column turns into a sentence."""
    with pytest.raises(ValueError, match=r".*"):
        seconds(value)


def test_dates_filter_as_dates_whatever_they_came_from():
    """Days before 1970 and microseconds hold."""
    made = column("date", [dt.datetime(1960, 5, 1, 12, 0, 0, 1), None])
    assert made.between("1960-05-01", "1960-05-02").tolist() == [True, False]
    assert made.between("1960-05-01T12:00:00.000002", None).tolist() == [False, False]


@given(st.lists(st.text(alphabet="ab |", max_size=6)))
def test_split_words_has_no_blank_words(texts):
    """And loses no letter."""
    for text, words in zip(texts, split_words(chunked(texts, pa.string()), "|").to_pylist(), strict=True):
        assert all(word and word == word.strip() for word in words)
        assert "".join(words).replace(" ", "") == text.replace("|", "").replace(" ", "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("a", ["a"]),
        (1995.0, ["1995"]),
        (1995, ["1995"]),
        (7.5, ["7.5"]),
        (float("nan"), []),
        (float("inf"), ["inf"]),
        (["a", None, "b"], ["a", "b"]),
        ([], []),
        (DAY, ["2020-01-02"]),
        (dt.datetime(2020, 1, 2, 3), ["2020-01-02 03:00:00"]),
        (True, ["True"]),
    ],
)
def test_words_are_those_that_a_person_would_read(value, expected):
    """A year that pandas made 1995.0 is 1995; a null in a list is no word."""
    assert words_of(value) == expected


def test_a_field_table_has_the_named_columns():
    """In their types."""
    table = pa.table({"year": pa.array([1.0]), "name": pa.array(["a"])})
    made = field_table(table, {"year": "number", "name": "string"})
    assert {name: item.type for name, item in made.items()} == {"year": "number", "name": "string"}
