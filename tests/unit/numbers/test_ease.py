"""EASE: solutions of its problem, and what stands in for a matrix over the items that is too large."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.base.runtime import scipy_sparse
from antiphon.numbers import ease
from antiphon.numbers.ease import Operator, ease_operator, ease_sides, ease_weights, truncated_svd

N_ITEMS = 30
HELD_BACK = {"histories": 0.6, "items": 0.2, "dropout": 0.25}


@pytest.fixture(scope="module")
def dense() -> np.ndarray:
    """80 users who like 5 of one of three groups of ten items; item 29 is used by nobody."""
    rng = np.random.default_rng(0)
    found = np.zeros((80, N_ITEMS))
    for user in range(80):
        found[user, rng.choice(10, 5, replace=False) + 10 * (user % 3)] = 1
    found[:, N_ITEMS - 1] = 0
    return found


def sparse(dense: np.ndarray) -> Any:
    """The matrix as the models read it."""
    return scipy_sparse().csr_matrix(dense.astype(np.float32))


def test_ease_is_the_solution_of_its_problem(dense: np.ndarray) -> None:
    """B has a zero diagonal, and off the diagonal the gradient of |X - XB|^2 + penalty |B|^2 vanishes (Steck 2019)."""
    penalty = 3.0
    scale, weights = ease_weights(sparse(dense), penalty)
    assert (scale == 1).all()
    gradient = dense.T @ (dense @ weights - dense) + penalty * weights
    assert_allclose(np.diag(weights), 0)
    assert_allclose(gradient[~np.eye(N_ITEMS, dtype=bool)], 0, atol=1e-8)


def test_ease_with_weights_and_dropout_is_the_solution_of_its_problem(dense: np.ndarray) -> None:
    """The gradient of the weighted, scaled and regularized problem vanishes off the diagonal."""
    scale, weights = ease_weights(sparse(dense), 3.0, histories=0.6, items=0.2, dropout=0.25)
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
    _, weights = ease_weights(sparse(dense), 1e-9, dropout=share)
    for item in range(5):
        others = [other for other in range(5) if other != item]
        found = np.linalg.lstsq(shown[:, others], np.repeat(dense[:, item], 2_000), rcond=None)[0]
        assert_allclose(weights[others, item], found, atol=0.02)


def test_the_operator_is_the_matrix_where_nothing_is_left_out(dense: np.ndarray) -> None:
    """With all singular vectors, products with the operator are products with B, also transposed."""
    used = sparse(dense[:, :-1])
    scale, weights = ease_weights(used, 3.0, **HELD_BACK)
    told, operator = ease_operator(used, 3.0, N_ITEMS, **HELD_BACK)
    assert operator.shape == weights.shape
    assert_allclose(told, scale)
    unit = np.eye(N_ITEMS - 1)
    assert_allclose(operator.product(unit), weights, atol=1e-8)
    assert_allclose(operator.transposed(unit), weights.T, atol=1e-8)


def test_the_operator_has_no_say_of_an_item_for_itself(dense: np.ndarray) -> None:
    """Its diagonal is 0 with few singular vectors too."""
    _, operator = ease_operator(sparse(dense[:, :-1]), 3.0, 5, **HELD_BACK)
    assert_allclose(np.diag(operator.product(np.eye(N_ITEMS - 1))), 0, atol=1e-12)


def test_a_history_leads_to_its_group_without_the_matrix(dense: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are more items than the limit, the factors rank a history's group first as well."""
    monkeypatch.setattr(ease, "DENSE_ITEMS", 0)
    left, right = ease_sides(sparse(dense), 3.0, 6)
    assert not left[N_ITEMS - 1].any()
    assert not right[N_ITEMS - 1].any()
    for start in (0, 10, 20):
        scores = left[[start, start + 1]].sum(axis=0) @ right.T
        assert set(np.argsort(-scores)[:6]) <= set(range(start, start + 10))


def test_no_matrix_over_the_items_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """8,000 items would make a matrix of 512 MB; a fifth of that is enough without it."""
    monkeypatch.setattr(ease, "DENSE_ITEMS", 0)
    monkeypatch.setattr(ease, "INNER_RANK", 32)
    matrix = scipy_sparse().random(500, 8_000, density=0.01, random_state=0, format="csr", dtype=np.float32)
    tracemalloc.start()
    ease_sides(matrix, 10.0, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6


def test_leading_singular_vectors_are_those_of_the_whole_decomposition() -> None:
    """They equal numpy's where the values fall off."""
    rng = np.random.default_rng(1)
    basis, others = (np.linalg.qr(rng.normal(size=(n, 20)))[0] for n in (60, 50))
    matrix = basis * 0.5 ** np.arange(20) @ others.T
    left, values, right = truncated_svd(Operator.of(matrix), 5)
    assert_allclose(values, 0.5 ** np.arange(5), rtol=1e-6)
    assert_allclose(left * values @ right, basis[:, :5] * 0.5 ** np.arange(5) @ others[:, :5].T, atol=1e-6)
