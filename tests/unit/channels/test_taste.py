"""Taste: linear models of histories as factors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.base.progress import silent
from antiphon.channels.taste import USUAL_PENALTY, Taste, fit_taste
from antiphon.config.sections import SpaceConfig
from antiphon.data.catalog import Interactions
from antiphon.data.held_out import user_item_matrix
from antiphon.data.splits import HeldOut
from antiphon.numbers.ease import DROPOUT, LONG_HISTORIES, POPULAR_ITEMS, ease_weights

pytest.importorskip("implicit")
N_ITEMS, N_USERS = 30, 80


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """Users who like one of three groups of ten items; item 29 is used by nobody."""
    rng = np.random.default_rng(0)
    pairs = sorted(
        {(user, int(item)) for user in range(N_USERS) for item in rng.choice(10, 5, replace=False) + 10 * (user % 3)}
    )
    users, items = np.array([pair for pair in pairs if pair[1] != N_ITEMS - 1], dtype=np.int32).T
    ones = np.ones(len(users), dtype=np.float32)
    return Interactions(tuple(f"u{u:02}" for u in range(N_USERS)), users, items, ones, ones.astype(bool))


@pytest.fixture(scope="module")
def check() -> HeldOut:
    """Three held-out users, one a group."""
    profiles = tuple(np.array([start, start + 1], dtype=np.int32) for start in (0, 10, 20))
    truths = tuple(np.array([start + 2, start + 3], dtype=np.int32) for start in (0, 10, 20))
    return HeldOut(np.arange(3), profiles, truths)


@pytest.fixture(scope="module")
def taste(interactions: Interactions, check: HeldOut, tmp_path_factory: pytest.TempPathFactory) -> Taste:
    """Fitted with few trials."""
    config = SpaceConfig(taste_trials=2, ease_rank=6)
    table = tmp_path_factory.mktemp("taste") / "search.jsonl"
    return fit_taste(interactions, check, N_ITEMS, config, seed=0, table=table, progress=silent)


def test_both_models_prefer_the_group_of_a_history(taste: Taste) -> None:
    """The scores of a history are highest for items that the same users like."""
    history = [(np.array([0, 1], dtype=np.int32), np.ones(2, dtype=np.float32))]
    for name, vectors in taste.embed(history).items():
        scores = vectors @ taste.blocks()[name].T
        others = np.argsort(-scores[0])[:6]
        assert (others < 10).all(), name


def test_ease_factors_approach_the_full_model(interactions: Interactions, check: HeldOut, tmp_path: Path) -> None:
    """At full rank the inner products are the scores of the full model."""
    config = SpaceConfig(taste_trials=1, ease_rank=N_ITEMS - 1)
    nobody = HeldOut(np.arange(0), (), ())
    fitted = fit_taste(interactions, nobody, N_ITEMS, config, seed=0, table=tmp_path / "t.jsonl", progress=silent)
    rows = check.profiles[0]
    scores = fitted.embed([(rows, np.ones(2, dtype=np.float32))])["ease"] @ fitted.ease.T
    scale, weights = ease_weights(
        user_item_matrix(interactions, N_ITEMS), USUAL_PENALTY, histories=LONG_HISTORIES, items=POPULAR_ITEMS,
        dropout=DROPOUT,
    )  # fmt: skip
    assert_allclose(scores[0], scale[rows] @ weights[rows], atol=1e-4)


def test_items_that_nobody_used_have_no_factors(taste: Taste) -> None:
    """Their rows are zeros, so that taste says nothing of them."""
    assert not taste.ials[N_ITEMS - 1].any()
    assert not taste.ease[N_ITEMS - 1].any()
    assert not taste.ease_left[N_ITEMS - 1].any()


def test_saved_taste_embeds_the_same(taste: Taste, tmp_path: Path) -> None:
    """What `save` wrote answers as before, from the files that `paths` names."""
    assert taste.save(tmp_path) == Taste.paths(tmp_path)
    history = [(np.array([3], dtype=np.int32), np.ones(1, dtype=np.float32))]
    for name, vectors in Taste.load(tmp_path).embed(history).items():
        assert np.array_equal(vectors, taste.embed(history)[name])


def test_rank_zero_leaves_ease_out(interactions: Interactions, check: HeldOut, tmp_path: Path) -> None:
    """A space may have iALS alone."""
    config = SpaceConfig(taste_trials=1, ease_rank=0)
    fitted = fit_taste(interactions, check, N_ITEMS, config, seed=0, table=tmp_path / "t.jsonl", progress=silent)
    assert list(fitted.blocks()) == ["ials"]
