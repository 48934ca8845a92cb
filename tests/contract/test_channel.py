"""What every channel promises: its candidates lead its own scores, and scores of some rows are those of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import antiphon
from antiphon import Query
from antiphon.channels.base import Channel, Resolved
from antiphon.space.space import Space

CHANNELS = ("joint", "taste", "words", "passages", "facets", "names")
QUERIES = (
    Query(text="dark space robots"),
    Query(likes=("film-001", "film-002")),
    Query(user="user-05"),
    Query(text="a tender drama", history=("film-003",), dislikes=("film-010",)),
)


@pytest.fixture(scope="module")
def space(built: Any) -> Space:
    """Films with every channel."""
    return antiphon.load(built)


@pytest.fixture
def resolved(space: Space) -> Resolved:
    """Requests of every kind, looked up anew."""
    return space.resolve(QUERIES)


@pytest.fixture(params=CHANNELS)
def channel(space: Space, request: pytest.FixtureRequest) -> Channel:
    """Each channel of the space."""
    found = {channel.name: channel for channel in space.channels}
    assert set(found) == set(CHANNELS)
    return found[request.param]


def test_scores_of_rows_are_those_of_all_rows(space: Space, channel: Channel, resolved: Resolved) -> None:
    """Exact, whichever rows are asked for, for a batch and for each request of it."""
    whole = channel.scores(resolved, None)
    assert whole.shape == (len(QUERIES), space.n_items)
    assert whole.dtype == np.float32
    rows = np.array([0, 3, 17, 41, 59])
    assert_allclose(channel.scores(resolved, rows), whole[:, rows], rtol=1e-5, atol=1e-5)
    for place in range(len(QUERIES)):
        assert_allclose(channel.scores(resolved.take([place]), rows)[0], whole[place, rows], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_candidates_lead_its_own_scores(space: Space, channel: Channel, resolved: Resolved, share: float) -> None:
    """They are allowed, none comes twice, and no allowed row outside has a higher score."""
    allowed = np.random.default_rng(0).random(space.n_items) <= share
    found = channel.candidates(resolved, 5, allowed)
    assert found.shape == (len(QUERIES), 5)
    for line, scores in zip(found, channel.scores(resolved, None), strict=True):
        rows = line[line >= 0]
        assert len(set(rows.tolist())) == len(rows) == min(5, allowed.sum())
        assert allowed[rows].all()
        rest = np.setdiff1d(np.flatnonzero(allowed), rows)
        if len(rest):
            assert scores[rows].min() >= scores[rest].max() - 1e-5


def test_more_candidates_than_items_are_all_items(space: Space, channel: Channel, resolved: Resolved) -> None:
    """Then -1 fills the rest."""
    found = channel.candidates(resolved, space.n_items + 7, None)
    assert (np.sort(found, axis=1)[:, 7:] == np.arange(space.n_items)).all()
    assert ((found == -1).sum(axis=1) == 7).all()


def test_explanations_sum_to_its_score(space: Space, channel: Channel, resolved: Resolved) -> None:
    """What is said of an item is what it was given."""
    for place in range(len(QUERIES)):
        one = resolved.take([place])
        scores = channel.scores(one, None)[0]
        for row in (0, 21, 59):
            assert sum(channel.explain(one, row).values()) == pytest.approx(float(scores[row]), abs=1e-4)


def test_where_it_is_not_heard_it_says_nothing(space: Space, channel: Channel, resolved: Resolved) -> None:
    """A channel without a voice in a request gives zeros."""
    for place in range(len(QUERIES)):
        one = resolved.take([place])
        if not one.hears(channel):
            assert not channel.scores(one, None).any()
