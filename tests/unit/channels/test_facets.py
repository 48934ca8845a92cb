"""The facet channel: texts read as facets, and the items that have them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.channels.facets import KEPT, FacetReader, Facets, members
from antiphon.errors import IntegrityError
from antiphon.joint.model import Projection

IN, DIM, N_FACETS, N_ITEMS = 6, 4, 5, 7
HELD = [[0, 1], [1], [], [2, 3], [0, 4], [3], [1, 2, 4]]


def reader(seed: int = 0, n_facets: int = N_FACETS) -> FacetReader:
    """A reader with random weights."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    projection = Projection(draw(IN, 8), draw(8), draw(8, DIM), draw(DIM), residual=draw(IN, DIM))
    vectors = draw(n_facets + 1, DIM)
    return FacetReader(projection, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), draw(n_facets + 1))


def channel() -> Facets:
    """Seven items with five facets."""
    bounds = np.cumsum([0, *map(len, HELD)])
    starts, rows = members(bounds, np.array([facet for held in HELD for facet in held], dtype=np.int32), N_FACETS)
    names = [("genres", f"g{number}") for number in range(N_FACETS)]
    return Facets(reader(), names, starts, rows, N_ITEMS)


@given(st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=12))
def test_members_is_the_other_way_round(held: list[set[int]]) -> None:
    """An item is a member of a facet exactly where the facet is one of the item's."""
    bounds = np.cumsum([0, *map(len, held)])
    starts, rows = members(bounds, np.array([f for facets in held for f in sorted(facets)], dtype=np.int32), 9)
    for facet in range(9):
        expected = [item for item, facets in enumerate(held) if facet in facets]
        assert rows[starts[facet] : starts[facet + 1]].tolist() == expected


def test_probabilities_are_a_distribution() -> None:
    """Each row sums to 1 or less, whatever the text's vector, also where it is long or zero."""
    texts = np.array([np.zeros(IN), np.full(IN, 1e4), np.arange(IN)], dtype=np.float32)
    probabilities = reader()(texts)
    assert probabilities.shape == (3, N_FACETS)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    assert (probabilities.sum(axis=1) <= 1 + 1e-5).all()


def test_scores_equal_a_slow_sum() -> None:
    """An item scores the probabilities of its facets, one by one; an item without facets scores 0."""
    facets = channel()
    texts = np.random.default_rng(1).standard_normal((4, IN)).astype(np.float32)
    probabilities = facets.reader(texts)
    slow = np.array([[sum(line[facet] for facet in held) for held in HELD] for line in probabilities])
    scores = facets.scores(facets.reader(texts))
    assert np.allclose(scores, slow, atol=1e-6)
    assert (scores[:, 2] == 0).all()
    assert scores.max() <= 1 + 1e-6


def test_only_likely_facets_are_followed() -> None:
    """With very many facets the most probable ones count, so a score is at most the whole sum and near it."""
    n_facets = KEPT * 3
    names = [("tags", str(number)) for number in range(n_facets)]
    bounds = np.arange(n_facets + 1, dtype=np.int64)
    facets = Facets(reader(n_facets=n_facets), names, bounds, np.arange(n_facets, dtype=np.int32), n_facets)
    texts = np.random.default_rng(2).standard_normal((3, IN)).astype(np.float32)
    whole = facets.reader(texts)
    scores = facets.scores(whole)
    assert ((scores > 0).sum(axis=1) <= KEPT).all()
    assert (scores <= whole + 1e-7).all()
    assert (scores.max(axis=1) == whole.max(axis=1)).all()


def test_understood_names_the_likeliest_first() -> None:
    """What a text was understood as is ordered by probability, and leaves out what is unlikely."""
    facets = channel()
    text = np.random.default_rng(3).standard_normal(IN).astype(np.float32)
    understood = facets.understood(text, least=0.01)
    chances = [chance for _, chance in understood]
    assert chances == sorted(chances, reverse=True)
    assert min(chances) >= 0.01
    assert facets.understood(text, least=1.1) == []


def test_alike_is_the_cosine_of_facets() -> None:
    """Items are alike by the cosine of their sets of facets with those of the liked items, counted together."""
    facets = channel()
    dense = np.zeros((N_ITEMS, N_FACETS))
    for item, held in enumerate(HELD):
        dense[item, held] = 1
    for liked in ([0], [3], [0, 6], [2], [2, 5]):
        both = dense[liked].sum(axis=0)
        norms = np.linalg.norm(dense, axis=1) * np.linalg.norm(both)
        slow = np.divide(dense @ both, norms, out=np.zeros(N_ITEMS), where=norms > 0)
        assert np.allclose(facets.alike(np.array(liked, np.int32)), slow, atol=1e-6)


def test_saved_facets_are_the_same(tmp_path: Path) -> None:
    """What is loaded scores texts to the last bit as before."""
    facets = channel()
    facets.save(tmp_path)
    assert all(path.is_file() for path in Facets.paths(tmp_path))
    loaded = Facets.load(tmp_path)
    texts = np.random.default_rng(4).standard_normal((3, IN)).astype(np.float32)
    assert np.array_equal(loaded.scores(loaded.reader(texts)), facets.scores(facets.reader(texts)))
    assert list(loaded.names) == list(facets.names)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    """A truncated reader gives a sentence that says what to do."""
    channel().save(tmp_path)
    path = tmp_path / "reader.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(IntegrityError, match="build the run again"):
        Facets.load(tmp_path)


def test_facets_are_found_by_the_words_of_their_values() -> None:
    """Whole words, also those of values of several."""
    values = ("punk", "post-punk", "punk rock", "steampunk", "drama")
    facets = replace(channel(), names=[("tags", value) for value in values])
    assert sorted(facets.with_words({"punk", "daft"})) == [0, 1, 2]
    assert facets.with_words(()) == []
