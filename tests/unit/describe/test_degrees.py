"""Degrees: how much of a facet an item has, by how many people said so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from antiphon.channels.dictionary import Dictionary
from antiphon.config.sections import CategoryConfig, DescribeConfig, SyntheticConfig
from antiphon.data.catalog import Catalog
from antiphon.describe.degrees import ENOUGH, LEAST, degree_of, degrees_of
from antiphon.query.columns import field_table

COUNTED = DescribeConfig(categories=(CategoryConfig(label="Tags", column="tags", counts="tag_counts"),))
CONFIG = SyntheticConfig(min_items=1)


def catalog() -> Catalog:
    """Three films with tags: "family" by one person, by many, and as a genre beside the tag of one."""
    items = pa.table(
        {
            "item_id": ["a", "b", "c"],
            "title": ["A", "B", "C"],
            "genres": [["drama"], ["drama"], ["family"]],
            "tags": [["family", "war"], ["family"], ["family"]],
            "tag_counts": [[1, 9], [9], [1]],
        }
    )
    fields = items.select(["genres", "tags"])
    return Catalog(items, fields, {"genres": "list", "tags": "list"})


@pytest.mark.parametrize(("count", "degree"), [(0, LEAST), (1, LEAST), (ENOUGH, 1.0), (100, 1.0)])
def test_the_scale(count: float, degree: float) -> None:
    """One person is the least, some are enough."""
    assert degree_of(count) == pytest.approx(degree)


def test_what_one_person_said_is_less_than_what_many_said() -> None:
    """And a genre is whole, also where one person gave the tag of its name."""
    names, bounds, rows = [("genres", "family")], np.array([0, 3]), np.array([0, 1, 2], dtype=np.int32)
    found = degrees_of(catalog(), COUNTED, CONFIG, names, bounds, rows)
    np.testing.assert_allclose(found, [LEAST, 1, 1], rtol=1e-6)


def test_without_counts_everything_is_whole() -> None:
    """A catalog that does not say how many has no degrees."""
    names, bounds, rows = [("tags", "family")], np.array([0, 3]), np.array([0, 1, 2], dtype=np.int32)
    assert (degrees_of(catalog(), DescribeConfig(), CONFIG, names, bounds, rows) == 1).all()


def test_the_dictionary_follows_degrees() -> None:
    """Two tags of one person each are still more than one that is sure."""
    of = catalog()
    words = Dictionary.of(field_table(of.fields, of.field_types))
    known = words.with_degrees([("family", np.array([0, 1, 2], dtype=np.int32), np.array([LEAST, 1, 1], np.float32))])
    plain, scored = words.scores("a family film"), known.scores("a family film")
    np.testing.assert_allclose(plain, [1, 1, 1])
    np.testing.assert_allclose(scored, [LEAST, 1, 1], rtol=1e-6)
    assert known.scores("a family film about war")[0] > known.scores("a family film about war")[1]
