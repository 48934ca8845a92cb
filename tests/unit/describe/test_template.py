"""TEMPLATE: fixed sentences from columns, as in the paper's tables 1 and 3."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.config.sections import CategoryConfig, DescribeConfig
from antiphon.describe.template import MAX_CHARACTERS, fill_template
from antiphon.errors import ConfigError, DataError


def items(n_items=1, **columns):
    """A table of items with the columns that are given."""
    ids = [f"i{row}" for row in range(n_items)]
    return pa.table({"item_id": ids, "title": [f"T{row}" for row in range(n_items)], **columns})


def text(value, *, counts=None, **category):
    """The description of one item with one category."""
    columns = {"c": pa.array([value])} | ({} if counts is None else {"n": pa.array([counts])})
    options = CategoryConfig(label="C", column="c", counts=None if counts is None else "n", **category)
    (result,) = fill_template(items(**columns), DescribeConfig(categories=[options]))
    return result


def test_the_movie_template_of_the_paper():
    """Table 3: categories in fixed order, those without values left out."""
    table = pa.table(
        {
            "item_id": ["1", "2"],
            "title": ["Toy Story", "Heat"],
            "year": [1995, None],
            "director": ["John Lasseter", None],
            "starring": [["Tom Hanks", "Tim Allen"], None],
            "genres": [["animation", "comedy"], ["crime"]],
            "tags": [["pixar"], []],
        }
    )
    assert fill_template(table, DescribeConfig(preset="movies")) == [
        (
            "Movie: Toy Story. Year: 1995. Directed by: John Lasseter. Starring: Tom Hanks, Tim Allen. "
            "Genres: animation, comedy. Tags: pixar."
        ),
        "Movie: Heat. Genres: crime.",
    ]


def test_the_music_template_of_the_paper():
    """Table 1: the name in a sentence, then the kinds of tags that the catalog has."""
    table = items(genre=[["jazz", "soul"]], mood=[["calm"]], location=["New Orleans"])
    assert fill_template(table, DescribeConfig(preset="music")) == [
        (
            "The name of this artist is T0 and is described by the following tags: Genre: jazz, soul. "
            "Location: New Orleans. Mood: calm."
        )
    ]


def test_categories_of_the_configuration_replace_those_of_a_preset():
    """The preset's opening stays unless another is given."""
    categories = [CategoryConfig(label="Made in", column="country")]
    table = items(country=["Iran"], year=[1999])
    assert fill_template(table, DescribeConfig(preset="movies", categories=categories)) == ["Movie: T0. Made in: Iran."]
    config = DescribeConfig(preset="movies", opening="A film called {title}:", categories=categories)
    assert fill_template(table, config) == ["A film called T0: Made in: Iran."]


def test_without_a_preset_the_title_is_the_description():
    """Nothing else is known."""
    assert fill_template(items(2), DescribeConfig()) == ["T0.", "T1."]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1995.0, "T0. C: 1995."),
        (float("nan"), "T0."),
        (7.5, "T0. C: 7.5."),
        (dt.datetime(1995, 11, 22, tzinfo=dt.UTC), "T0. C: 1995-11-22."),
        (["a", None, "b"], "T0. C: a, b."),
        ([" a ", "", "a", "A"], "T0. C: a, A."),
        ("  ", "T0."),
        (None, "T0."),
        ([], "T0."),
        ("東京 🎬", "T0. C: 東京 🎬."),
        ("{title}", "T0. C: {title}."),
    ],
)
def test_values_are_written_as_a_person_would(value, expected):
    """No 1995.0, no None, no value twice, no braces filled in."""
    assert text(value) == expected


def test_noisy_tags_are_held_down():
    """Fewer taggers than asked for go, the most frequent stay, stop words go whatever their case."""
    tags, counts = ["own", "dark", "Slow", "witty", "rare"], [9, 2, 5, 5, 1]
    assert text(tags, counts=counts) == "T0. C: own, Slow, witty, dark, rare."
    assert text(tags, counts=counts, min_count=2) == "T0. C: own, Slow, witty, dark."
    assert text(tags, counts=counts, max_values=2) == "T0. C: own, Slow."
    assert text(tags, counts=counts, max_values=2, stop=["OWN", "slow"]) == "T0. C: witty, dark."
    assert text(tags, counts=counts, min_count=10) == "T0."


@pytest.mark.parametrize(
    ("counts", "min_count", "expected"),
    [
        ([None, 3], 1, "T0. C: b, a."),
        ([None, 3], 2, "T0. C: b."),
        ([], 1, "T0. C: a, b."),
        ([], 2, "T0."),
        ([1.0, 2.0], 1, "T0. C: b, a."),
    ],
)
def test_a_missing_number_is_that_of_one_person(counts, min_count, expected):
    """A tag that is there was given by somebody."""
    assert text(["a", "b"], counts=counts, min_count=min_count) == expected


def test_a_null_among_tags_keeps_the_others_beside_their_numbers():
    """Values and numbers are paired before nulls go."""
    assert text(["a", None, "b"], counts=[1, 9, 5]) == "T0. C: b, a."


def test_text_columns_are_split_by_a_separator():
    """Values and numbers of a CSV."""
    assert text("a|b| c", separator="|") == "T0. C: a, b, c."
    assert text("a|b", separator="|", counts="1|5") == "T0. C: b, a."
    assert text("a, b and c") == "T0. C: a, b and c."


def test_a_single_value_may_have_a_single_number():
    """Neither is a list."""
    assert text("a", counts=3, min_count=2) == "T0. C: a."
    assert text("a", counts=1, min_count=2) == "T0."


@pytest.mark.parametrize(
    ("tags", "counts", "sentence"),
    [
        (["a", "b"], [1], r"item 'i0' has 1 numbers in 'n' for 2 values in 'c'; expected one for each value"),
        (["a"], ["many"], r"item 'i0', column 'n': expected numbers, got \['many'\]"),
    ],
)
def test_numbers_that_do_not_go_with_the_values_are_refused(tags, counts, sentence):
    """The item is named."""
    with pytest.raises(DataError, match=sentence):
        text(tags, counts=counts)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"categories": [{"label": "G", "column": "genre"}]},
            r"no column 'genre' for the category 'G'; did you mean 'gen",
        ),
        ({"categories": [{"label": "G", "column": "genres", "counts": "n"}]}, r"no column 'n' for the category 'G'"),
        (
            {"categories": [{"label": "G", "column": "genres", "min_count": 2}]},
            r"min_count of the category 'G' needs `cou",
        ),
        ({"opening": "{name} of {title}"}, r"the opening .* has \{name\}, but only \{title\} is filled in"),
    ],
)
def test_a_template_that_does_not_fit_the_catalog_is_refused(config, sentence):
    """With the category and the nearest column."""
    with pytest.raises(ConfigError, match=sentence):
        fill_template(items(genres=[["a"]]), DescribeConfig.model_validate(config))


def test_a_title_with_braces_is_not_filled_in_again():
    """Titles are data."""
    table = pa.table({"item_id": ["a"], "title": ["{title} {0}"]})
    assert fill_template(table, DescribeConfig(opening="Movie: {title}.")) == ["Movie: {title} {0}."]


def test_a_description_has_an_end():
    """A thousand tags are cut."""
    assert len(text(["tag number " + str(number) for number in range(10_000)])) == MAX_CHARACTERS


WORDS = st.lists(st.sampled_from(["a", "b", "c", "Own", "own", " ", ""]), max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(1, 4), st.integers(1, 4), st.data())
def test_kept_values_are_those_of_a_slow_selection(rows, max_values, min_count, data):
    """Most people first, ties in the order of the file."""
    counts = [data.draw(st.lists(st.integers(0, 5), min_size=len(row), max_size=len(row))) for row in rows]
    category = CategoryConfig(
        label="C", column="c", counts="n", max_values=max_values, min_count=min_count, stop=["OWN"]
    )
    table = items(len(rows), c=pa.array(rows, pa.list_(pa.string())), n=pa.array(counts, pa.list_(pa.int64())))
    for number, got in enumerate(fill_template(table, DescribeConfig(categories=[category]))):
        kept = []
        for wanted in range(5, min_count - 1, -1):
            for word, count in zip(rows[number], counts[number], strict=True):
                if count == wanted and word.strip() and word.lower() != "own" and word not in kept:
                    kept.append(word)
        kept = kept[:max_values]
        assert got == f"T{number}." + (f" C: {', '.join(kept)}." if kept else "")
