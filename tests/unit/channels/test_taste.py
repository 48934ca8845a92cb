"""Taste: linear models of histories as factors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.base.progress import silent
from antiphon.base.runtime import scipy_sparse
from antiphon.channels.taste import (
    DROPOUT,
    LONG_HISTORIES,
    POPULAR_ITEMS,
    USUAL_PENALTY,
    Taste,
    ease_weights,
    fit_taste,
)
from antiphon.config.sections import SpaceConfig
from antiphon.data.catalog import Interactions
from antiphon.data.held_out import user_item_matrix
from antiphon.data.splits import HeldOut

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


def test_ease_is_the_solution_of_its_problem(interactions: Interactions) -> None:
    """B has a zero diagonal, and off the diagonal the gradient of |X - XB|^2 + penalty |B|^2 vanishes (Steck 2019)."""
    matrix = user_item_matrix(interactions, N_ITEMS)
    penalty = 3.0
    scale, weights = ease_weights(matrix, penalty)
    assert (scale == 1).all()
    dense = matrix.toarray().astype(np.float64)
    gradient = dense.T @ (dense @ weights - dense) + penalty * weights
    off = ~np.eye(N_ITEMS, dtype=bool)
    assert_allclose(np.diag(weights), 0)
    assert_allclose(gradient[off], 0, atol=1e-8)


def test_ease_with_weights_and_dropout_is_the_solution_of_its_problem(interactions: Interactions) -> None:
    """The gradient of the weighted, scaled and regularized problem vanishes off the diagonal."""
    scale, weights = ease_weights(user_item_matrix(interactions, N_ITEMS), 3.0, histories=0.6, items=0.2, dropout=0.25)
    dense = user_item_matrix(interactions, N_ITEMS).toarray().astype(np.float64)
    counts = np.maximum(dense.sum(axis=0), 1)
    assert_allclose(scale, counts**-0.2)
    scaled = dense * scale
    rows = np.maximum(dense.sum(axis=1), 1)[:, None] ** -0.6
    energy = (rows * scaled**2).sum(axis=0)
    ridge = 3.0 * energy.sum() / dense.sum() + 0.25 / 0.75 * energy
    gradient = scaled.T @ (rows * (scaled @ weights - scaled)) + ridge[:, None] * weights
    assert_allclose(np.diag(weights), 0)
    assert_allclose(gradient[~np.eye(N_ITEMS, dtype=bool)], 0, atol=1e-8)


def test_dropout_is_the_mean_over_histories_with_items_left_out() -> None:
    """B predicts whole histories from what a dropout leaves of them, scaled up, as well as any B can on average."""
    rng = np.random.default_rng(4)
    dense = (rng.random((60, 5)) < 0.5).astype(np.float64)
    share, shown = 0.4, np.repeat(dense, 2_000, axis=0)
    shown = shown * (rng.random(shown.shape) > share) / (1 - share)
    _, weights = ease_weights(scipy_sparse().csr_matrix(dense), 1e-9, dropout=share)
    for item in range(5):
        others = [other for other in range(5) if other != item]
        found = np.linalg.lstsq(shown[:, others], np.repeat(dense[:, item], 2_000), rcond=None)[0]
        assert_allclose(weights[others, item], found, atol=0.02)


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
