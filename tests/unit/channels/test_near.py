"""Rows that lead a history by codes."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels import near
from antiphon.channels.base import Folded
from antiphon.channels.near import NearTaste
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import Codes, fit_codes

pytest.importorskip("faiss")


def test_the_leading_rows_are_among_the_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large space: known, none of the history's, and most of those of all."""
    monkeypatch.setattr(near, "LARGE", 10)
    monkeypatch.setattr(near, "DEPTH", 20)
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((4_000, 8)) * rng.gamma(1, 1, 4_000)[:, None]).astype(np.float32)
    users = (rng.random(4_000) < 0.9).astype(np.float32)
    made, codes = fit_codes(vectors, np.zeros(4_000, dtype=np.float32))
    index = CodedIndex(vectors, made, np.zeros(4_000, dtype=np.float32))
    asked = []

    def some(rows: np.ndarray) -> Codes:
        asked.append(rows)
        return Codes(made.centroids, codes[rows], made.length)

    query = rng.standard_normal(8).astype(np.float32)
    history = Folded(np.array([3, 5], dtype=np.int32), {"ease": query}, {"ease": 1.0})
    rows, scores = NearTaste(index, ["ease"], users, some).leading(history, {"ease": np.float32(1)}, None)
    assert len(asked[0]) == int(near.LONG * 4_000)
    exact = np.where(users > 0, vectors @ query, -np.inf)
    exact[history.rows] = -np.inf
    assert len(np.intersect1d(rows, np.argsort(-exact)[:20])) >= 16
    assert np.allclose(scores, exact[rows], atol=1e-4)
