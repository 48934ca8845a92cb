"""What settings of a factorization are tried on."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from antiphon.numbers import factorization
from antiphon.numbers.factorization import to_search


@pytest.fixture
def matrix() -> sp.csr_matrix:
    """200 users, each with 10 of 50 items."""
    rng = np.random.default_rng(0)
    items = np.concatenate([rng.permutation(50)[:10] for _ in range(200)])
    return sp.csr_matrix((np.ones(2_000, np.float32), (np.repeat(np.arange(200), 10), items)), (200, 50))


def test_a_small_matrix_is_tried_whole(matrix: sp.csr_matrix) -> None:
    """No user is left out where there is no need."""
    assert to_search(matrix, 0) is matrix


def test_of_a_large_one_some_users_are_tried(matrix: sp.csr_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as have that many interactions, whole, over all items; which ones is up to the seed."""
    monkeypatch.setattr(factorization, "MOST_SEARCHED", 500)
    some = to_search(matrix, 0)
    assert some.shape == (50, 50)
    assert (some.getnnz(axis=1) == 10).all()
    assert (some != to_search(matrix, 0)).nnz == 0
    assert (some != to_search(matrix, 1)).nnz > 0
