"""A space's vectors in a store as arrays, and terms by item."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.channels.dictionary import Dictionary
from antiphon.channels.facets import Facets
from antiphon.channels.stored import StoredParts, StoredRows, facet_terms, gathered, part_of, words_digest
from antiphon.query.columns import make_column
from antiphon.stores.memory import Memory

made = runpy.run_path(str(Path(__file__).parents[2] / "support" / "versions.py"))


@pytest.fixture(scope="module")
def version():
    """A version in memory."""
    store = Memory()
    store.write("one", made["SHAPE"], made["batches"]())
    return store.version("one")


def test_rows_are_fetched_as_an_array_gives_them(version):
    """One row, some, a mask, a slice, none; as a whole, and times a vector."""
    rows, whole = StoredRows(version, "joint"), version.vectors("joint", np.arange(600))
    mask = np.arange(600) % 7 == 0
    assert (rows.shape, len(rows), rows.ndim) == ((600, 16), 600, 2)
    for wanted in (np.array([5, 3, 5]), mask, slice(10, 20), np.zeros(0, dtype=np.int64), 7):
        assert_array_equal(rows[wanted], whole[wanted])
    assert_array_equal(np.asarray(rows), whole)
    assert_array_equal(np.stack(list(rows)), whole)
    assert_allclose(rows @ whole[0], whole @ whole[0], atol=1e-6)


def test_a_block_that_is_not_there_has_no_columns(version):
    """As the factors of a rank of 0."""
    rows = StoredRows(version, "ease")
    assert rows.shape == (600, 0)
    assert rows[np.array([1, 2])].shape == (2, 0)


def test_parts_are_fetched_by_modality_and_row(version):
    """As the array of all of them."""
    parts = StoredParts(version, ("text",))
    assert parts.shape == (1, 600, 16)
    assert_array_equal(parts[:, 9], version.vectors(part_of("text"), np.array([9])))
    assert_array_equal(np.asarray(parts[0]), version.vectors("part text", np.arange(600)))


def test_terms_are_gathered_by_item():
    """Ascending, with the sum where an item has one twice; items may have none."""
    rows, ids = np.array([2, 0, 2, 2]), np.array([1, 3, 0, 1])
    found = gathered(rows, ids, np.array([0.5, 1, 2, 0.25], dtype=np.float32), 4)
    assert found.bounds.tolist() == [0, 1, 1, 3, 3]
    assert found.ids.tolist() == [3, 0, 1]
    assert found.values.tolist() == [1, 2, 0.75]


def test_facets_are_three_kinds_of_terms():
    """A degree, a share of the item's facets, and an entry of the dictionary, which is numbered by its words."""
    import pyarrow as pa

    values = pa.chunked_array([pa.array([["western", "drama"], ["drama"], None], pa.list_(pa.string()))])
    dictionary = Dictionary.of({"genres": make_column("genres", "list", values)})
    facets = Facets(
        None, [("genres", "western"), ("genres", "drama")], np.array([0, 1, 3]), np.array([0, 0, 1], dtype=np.int32),
        3, np.array([0.5, 1, 1], dtype=np.float32),
    )  # fmt: skip
    found = facet_terms(facets, dictionary)
    order = sorted(dictionary.entries)
    named = {stems: 4 + number for number, stems in enumerate(order)}
    first = dict(zip(found.ids[found.of(0)].tolist(), found.values[found.of(0)].tolist(), strict=True))
    expected = {0: 0.5, 1: 1, 2: 2**-0.5, 3: 2**-0.5}
    expected |= {named[stems]: 1 for stems, rows in dictionary.entries.items() if 0 in rows}
    assert first == pytest.approx(expected)
    assert found.of(2) == slice(len(found.ids), len(found.ids))
    backwards = Dictionary(dict(reversed(dictionary.entries.items())), 3)
    assert words_digest(backwards) == words_digest(dictionary)
