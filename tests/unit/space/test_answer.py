"""The answer path: exact where all items are candidates, and nearly so where each channel brings its best."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import antiphon
from antiphon import Query
from antiphon.channels import passages
from antiphon.channels.base import Passing, Resolved
from antiphon.channels.passages import Passages, PassagesChannel
from antiphon.numbers.rough import Rough, write_rough
from antiphon.numbers.vectors import unit
from antiphon.space import answer
from antiphon.space.space import Space

QUERIES = [
    Query(text="dark space robots"),
    Query(likes=("film-001", "film-002"), exclude=("film-003",)),
    Query(user="user-05"),
    Query(text="a tender drama", history=("film-003",)),
]


@pytest.fixture(scope="module")
def space(built: Any) -> Space:
    """Films with every channel."""
    return antiphon.load(built)


def naive(space: Space, query: Query, k: int) -> list[tuple[int, float]]:
    """The sum of all channels' scores of every item, sorted."""
    resolved = space.resolve([query])
    total = np.sum([channel.scores(resolved, None)[0] for channel in space.channels], axis=0)
    order = sorted(range(space.n_items), key=lambda row: (-total[row], row))
    allowed = [row for row in order if space.searchable[row] and row not in resolved.hidden[0]]
    return [(row, float(total[row])) for row in allowed[:k]]


def test_a_small_catalog_is_answered_exactly(space: Space) -> None:
    """As a naive loop over all items answers."""
    rows, scores = space.rank_rows(QUERIES, 12)
    for place, query in enumerate(QUERIES):
        expected = naive(space, query, 12)
        assert rows[place].tolist() == [row for row, _ in expected]
        assert_allclose(scores[place], [score for _, score in expected], atol=1e-4)


def test_candidates_are_scored_exactly(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large catalog the union of the channels' best is answered with the scores that all items would have."""
    exact = space.rank_rows(QUERIES, 5)
    monkeypatch.setattr(answer, "SMALL", 0)
    monkeypatch.setattr(answer, "LEAST", 1)
    rows, scores = space.rank_rows(QUERIES, 5)
    assert rows.tolist() == exact[0].tolist()
    assert_allclose(scores, exact[1], atol=1e-4)
    monkeypatch.setattr(answer, "DEPTH", 1)  # too few to be sure: still k answers, each with its exact score
    few, values = space.rank_rows(QUERIES, 5)
    whole = space.rank_rows(QUERIES, space.n_items)
    for place in range(len(QUERIES)):
        of = dict(zip(whole[0][place].tolist(), whole[1][place].tolist(), strict=True))
        assert (few[place] >= 0).all()
        assert_allclose(values[place], [of[row] for row in few[place].tolist()], atol=1e-4)


def test_a_filter_leaves_k_in_a_large_catalog(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many answers as pass, up to k."""
    whole = [hit.item_id for hit in space.search("dark", where="year>=1980", k=60)]
    monkeypatch.setattr(answer, "SMALL", 0)
    assert [hit.item_id for hit in space.search("dark", where="year>=1980", k=60)] == whole
    monkeypatch.setattr(answer, "LEAST", 1)
    assert [hit.item_id for hit in space.search("dark", where="year>=1980", k=3)] == whole[:3]


def test_portions_change_nothing(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that does not fit into memory is answered in portions."""
    rows, scores = space.rank_rows(QUERIES, 7)
    monkeypatch.setattr(answer, "MAX_SCORES", space.n_items)
    again, values = space.rank_rows(QUERIES, 7)
    assert rows.tolist() == again.tolist()
    assert_allclose(scores, values, rtol=1e-6, atol=1e-5)


def test_ids_are_what_is_ranked(space: Space) -> None:
    """`rank` names items and their scores, best first; lists are as long as there are answers."""
    ids, scores = space.rank([Query(text="dark"), Query(likes=("film-001",), exclude=("film-002",))], 100)
    assert [len(line) for line in ids] == [60, 58]
    hits = space.search("dark", k=5)
    assert ids[0][:5] == [hit.item_id for hit in hits]
    assert_allclose(scores[0][:5], [hit.score for hit in hits], rtol=1e-6)


def test_a_table_of_vectors_has_every_item(space: Space) -> None:
    """`to_arrow` gives ids, titles, fields and unit vectors, in the order of the items."""
    table = space.to_arrow()
    assert table["item_id"].to_pylist() == space.item_ids
    assert {"title", "year", "genres", "vector"} <= set(table.column_names)
    assert_allclose(np.array(table["vector"].to_pylist()), space.vectors, atol=1e-7)


class Told:
    """A channel of given scores."""

    name, voices = "told", ("told",)

    def __init__(self, line: np.ndarray) -> None:
        self.line = line

    def scores(self, resolved: Resolved, rows: np.ndarray | None) -> np.ndarray:
        """The same for each request."""
        return np.tile(self.line if rows is None else self.line[rows], (len(resolved), 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 999), st.integers(1, 70), st.sampled_from([-2.0, 0.3, 1.0]), st.booleans())
def test_what_leads_by_eight_bits_is_answered_exactly(seed: int, k: int, weight: float, filtered: bool) -> None:
    """Rows and scores are those of the exact passages, with another channel beside them, hidden rows and filters."""
    rng, n_items = np.random.default_rng(seed), 60
    bounds = np.concatenate([[0], np.cumsum(rng.integers(0, 6, n_items))])
    vectors = unit(rng.standard_normal((int(bounds[-1]), 24)).astype(np.float32))
    texts = unit(rng.standard_normal((3, 24)).astype(np.float32))
    sentences = [texts[:0], unit(rng.standard_normal((4, 24)).astype(np.float32)), texts[:0]]
    none, weights = [np.zeros(0, dtype=np.int32)] * 3, np.array([weight, weight, 0], dtype=np.float32)
    hidden = [np.array([4, 7]), np.zeros(0, dtype=np.int64), np.arange(50)]
    told = Told(rng.standard_normal(n_items).astype(np.float32))
    passing = Passing(rng.random(n_items) < 0.5) if filtered else None
    found = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "LARGE", 10)
        write_rough(Path(folder), vectors)
        for rough in (None, Rough(Path(folder), len(vectors))):
            channel = PassagesChannel(Passages(vectors, bounds, rough), np.ones(n_items, dtype=bool))
            said = {"told": np.ones(3, dtype=np.float32), "passages": weights}
            lists = (none, none, none, hidden, [None] * 3)
            resolved = Resolved([Query(text="said")] * 3, texts, sentences, {}, *lists, said)
            found.append(answer.best([told, channel], resolved, k, passing, n_items))
    assert_allclose(found[1][1], found[0][1], atol=1e-5)
    assert (found[0][0] == found[1][0]).mean() > 0.99
    assert ((found[1][0] >= 0) == np.isfinite(found[1][1])).all()
