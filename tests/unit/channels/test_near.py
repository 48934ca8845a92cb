"""Rows that lead by the codes of all blocks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from antiphon.channels import rerank, taste
from antiphon.channels.base import Folded, Passing
from antiphon.channels.near import cuts_of
from antiphon.channels.taste import TasteChannel
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import Cut, fit_codes

pytest.importorskip("faiss")
N_ROWS, BLOCKS = 4_000, {"ease": [4, 12], "joint": [0, 4]}


def channel_of(vectors: np.ndarray, users: np.ndarray, *, large: bool) -> TasteChannel:
    """One whose vectors have codes, where there are many."""
    nothing = np.zeros(N_ROWS, dtype=np.float32)
    made: Any = SimpleNamespace(users=users, reranker=None)
    coded = CodedIndex(vectors, fit_codes(vectors, nothing, cuts=cuts_of(BLOCKS))[0], nothing) if large else None
    return TasteChannel({"ease": vectors[:, 4:]}, made, {"ease": 1.0}, None, coded, BLOCKS)


@pytest.mark.parametrize("large", [True, False])
@pytest.mark.parametrize("share", [None, 0.3, 0.01])
def test_the_leading_rows_are_among_those_allowed(
    monkeypatch: pytest.MonkeyPatch, share: float | None, large: bool
) -> None:
    """Known, none of the history's, and most of the best of all that a filter lets through."""
    for module in (taste, rerank):
        monkeypatch.setattr(module, "DEPTH", 20)
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((N_ROWS, 12)) * rng.gamma(1, 1, N_ROWS)[:, None]).astype(np.float32)
    users = (rng.random(N_ROWS) < 0.9).astype(np.float32)
    allowed = None if share is None else rng.random(N_ROWS) < share
    query = rng.standard_normal(8).astype(np.float32)
    history = Folded(np.array([3, 5], dtype=np.int32), {"ease": query}, {"ease": 1.0})
    rows, scores = channel_of(vectors, users, large=large).leading(
        history, None if allowed is None else Passing(allowed)
    )
    exact = np.where(users > 0 if allowed is None else (users > 0) & allowed, vectors[:, 4:] @ query, -np.inf)
    exact[history.rows] = -np.inf
    assert len(np.intersect1d(rows, np.argsort(-exact)[:20])) >= (16 if large else 20)
    assert np.isfinite(exact[rows]).all()
    assert np.allclose(scores, exact[rows], atol=1e-4)


def test_blocks_are_cut_in_the_order_of_their_columns() -> None:
    """The joint block by its own shares, which no small block exceeds."""
    assert cuts_of(BLOCKS) == [Cut(0, 4, 1, 1), Cut(4, 12, 1, 2)]
    assert Cut.of((0, 2), 1.0, 1.0) == Cut(0, 2, 2, 0)
