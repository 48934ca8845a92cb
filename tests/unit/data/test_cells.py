"""Cells as people write them."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from antiphon.config.sections import FieldConfig
from antiphon.data.cells import as_numbers, date, formats_of, number, read_cells, truth
from antiphon.errors import DataError


def day(*parts):
    """A moment without a zone, as fields have it."""
    return datetime(*parts)  # noqa: DTZ001


def read(values, **field):
    """The cells of a column, and the rows that do not fit."""
    cells, bad = read_cells(pa.chunked_array([pa.array(values)]), FieldConfig(**field))
    return cells.to_pylist(), bad.nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("€14.33", 14.33), ("14,33 €", 14.33), ("$1,299.00", 1299.0), ("1.299,00 EUR", 1299.0), ("1 299", 1299.0),
        ("USD 5", 5.0), ("£.99", 0.99), ("12%", 12.0), ("-3", -3.0), ("1e3", 1000.0),
        ("1'000", 1000.0), ("1,234", 1234.0),
        ("unknown", None), ("five", None), ("1,2,3", None), ("12-14", None), ("€", None), ("2 x 3", None),
    ],
)  # fmt: skip
def test_numbers_are_read_with_money_and_thousands(text, value):
    """As shops of several countries write them; words and ranges are no numbers."""
    assert number(text) == value


def test_yes_and_no_are_truths():
    """In any case; other words are not."""
    assert [truth(word) for word in ("Yes", "n", "TRUE", "off", "1", "maybe")] == [True, False, True, False, True, None]


def test_the_format_of_dates_is_found_out():
    """A day above 12 says which; ISO dates are read beside."""
    assert read(["27/03/1954", "01/02/2000", "2001-05-06", None, "n/a"], type="date") == (
        [day(1954, 3, 27), day(2000, 2, 1), day(2001, 5, 6), None, None], [],
    )  # fmt: skip
    assert formats_of(["March 5, 1999"]) == ["%B %d, %Y"]
    assert date("1999-01-01T02:00:00+02:00", None) == day(1999, 1, 1)


def test_dates_that_could_be_of_two_formats_ask_for_one():
    """The fifth of April, or the fourth of May."""
    with pytest.raises(DataError, match=r"such as '04/05/2020', could be of the formats '%d/%m/%Y' and '%m/%d/%Y'"):
        read(["04/05/2020"], type="date")
    assert read(["04/05/2020"], type="date", format="%m/%d/%Y")[0] == [day(2020, 4, 5)]


def test_what_does_not_fit_is_null_and_told():
    """Empty words are no value, and no mistake."""
    assert read(["€14.33", "unknown", "", None, "7"], type="number") == ([14.33, None, None, None, 7.0], [1])
    assert read(["yes", "no", "perhaps"], type="boolean") == ([True, False, None], [2])
    assert read([[1], [2]], type="number") == ([None, None], [0, 1])


def test_words_for_nothing_can_be_named():
    """Also within lists."""
    assert read(["3", "unknown"], type="number", missing=["Unknown"]) == ([3.0, None], [])
    assert read(["a|b", "(none)"], type="list", missing=["(none)"]) == ([["a", "b"], None], [])
    assert read([["a", "n/a"]], type="list", missing=["N/A"]) == ([["a"]], [])


def test_a_pattern_takes_a_part_of_a_text():
    """The year in a title; where it is not found, there is no value."""
    titles = ["Heat (1995)", "Ran", "2001 (A Space Odyssey) (1968)"]
    assert read(titles, type="number", pattern=r"\((\d{4})\)\s*$") == ([1995.0, None, 1968.0], [])


def test_texts_that_are_numbers_for_the_most_part_are_numbers():
    """One 'five' among ratings; a column of words stays one."""
    cells, bad = as_numbers(pa.chunked_array([["4", "five", "3.5"]]))
    assert (cells.to_pylist(), bad.tolist()) == ([4.0, None, 3.5], [False, True, False])
    assert as_numbers(pa.chunked_array([["like", "5"]])) is None
    assert as_numbers(pa.chunked_array([[1, 2]])) is None
