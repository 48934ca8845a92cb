"""Learning to read texts as facets."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels.facet_training import fit_facets
from antiphon.data.synthetic import SyntheticQueries

N_FACETS, DIM, N_ITEMS, PER_ITEM = 12, 16, 60, 6

Drawn = tuple[SyntheticQueries, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def drawn() -> Drawn:
    """Items with two facets; the vector of a text is the mean of its facets' vectors and some noise."""
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((N_FACETS, DIM)).astype(np.float32)
    held = [sorted(rng.choice(N_FACETS, 2, replace=False).tolist()) for _ in range(N_ITEMS)]
    owner = np.repeat(np.arange(N_ITEMS, dtype=np.int32), PER_ITEM)
    wanted = np.full((len(owner), 3), -1, dtype=np.int32)
    for row, item in enumerate(owner):
        chosen = rng.choice(held[item], int(rng.integers(1, 3)), replace=False)
        wanted[row, : len(chosen)] = chosen
    means = np.stack([labels[line[line >= 0]].mean(axis=0) for line in wanted])
    vectors = (means + 0.3 * rng.standard_normal(means.shape)).astype(np.float32)
    names = tuple(("tags", f"t{number}") for number in range(N_FACETS))
    queries = SyntheticQueries(
        tuple(str(row) for row in range(len(owner))), owner, wanted,
        np.arange(0, 2 * N_ITEMS + 1, 2, dtype=np.int64), np.array(held, dtype=np.int32).ravel(),
        names, tuple(value for _, value in names),
    )  # fmt: skip
    plain = (rng.standard_normal((40, DIM)) - 2).astype(np.float32)
    return queries, vectors, labels, plain


def test_new_texts_are_read(drawn: Drawn) -> None:
    """A text that was not trained on is understood as the facet that it is near."""
    queries, vectors, labels, plain = drawn
    facets = fit_facets(queries, vectors, labels, plain)
    rng = np.random.default_rng(9)
    texts = (labels + 0.3 * rng.standard_normal(labels.shape)).astype(np.float32)
    read = facets.reader(texts).argmax(axis=1)
    assert (read == np.arange(N_FACETS)).mean() > 0.8


def test_items_that_have_what_is_asked_for_come_first(drawn: Drawn) -> None:
    """The best item for a text of one facet has the facet."""
    queries, vectors, labels, plain = drawn
    facets = fit_facets(queries, vectors, labels, plain)
    best = facets.scores(facets.reader(labels)).argmax(axis=1)
    assert np.mean([item in facets.items(facet) for facet, item in enumerate(best)]) > 0.8


def test_texts_that_ask_for_nothing_are_read_as_nothing(drawn: Drawn) -> None:
    """A text like those without facets has little chance of any, one like a facet's much."""
    queries, vectors, labels, plain = drawn
    facets = fit_facets(queries, vectors, labels, plain)
    new = (np.random.default_rng(5).standard_normal((20, DIM)) - 2).astype(np.float32)
    assert facets.reader(new).sum(axis=1).mean() < 0.3
    assert facets.reader(labels).sum(axis=1).mean() > 0.8


def test_the_seed_decides(drawn: Drawn) -> None:
    """The same seed gives the same reader, another one another."""
    queries, vectors, labels, plain = drawn
    first, again, other = (fit_facets(queries, vectors, labels, plain, seed=seed).reader.vectors for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
