"""Codes of texts: joint vectors, passages and popularity side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.channels.passages import Passages
from antiphon.channels.told import SideBySide, write_codes_of_texts
from antiphon.numbers.codes import Codes

BOUNDS = np.array([0, 2, 2, 3, 6, 6])


def some(seed: int = 0) -> tuple[np.ndarray, Passages]:
    """Five items of which two have no passages, and the last is one of them."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((6, 8)).astype(np.float32)
    return rng.standard_normal((5, 4)).astype(np.float32), Passages(vectors, BOUNDS)


@pytest.mark.parametrize("wanted", [slice(None), slice(1, 4), np.array([4, 0]), np.array([1])])
def test_rows_side_by_side_are_those_of_a_loop(wanted: Any) -> None:
    """Zeros for an item without passages."""
    joint, passages = some()
    expected = np.zeros((5, 4 + 8), dtype=np.float32)
    expected[:, :4] = joint
    for row in range(5):
        own = passages.vectors[BOUNDS[row] : BOUNDS[row + 1]]
        if len(own):
            expected[row, 4:] = own.mean(axis=0)
    both = SideBySide(joint, passages)
    assert both.shape == expected.shape
    assert_allclose(both[wanted], expected[wanted], atol=1e-5)


def test_what_is_written_finds_the_best_of_the_sum(tmp_path: Path) -> None:
    """By the joint vector, the passages and popularity at once."""
    pytest.importorskip("faiss")
    rng = np.random.default_rng(2)
    joint = rng.standard_normal((300, 4)).astype(np.float32)
    passages = Passages(rng.standard_normal((300, 8)).astype(np.float32), np.arange(301))
    popularity = rng.standard_normal(300).astype(np.float32)
    write_codes_of_texts(tmp_path, joint, passages, popularity)
    query, text = rng.standard_normal(4).astype(np.float32), rng.standard_normal(8).astype(np.float32)
    found = Codes.load(tmp_path, 300).nearest(np.concatenate([query, text, [1]])[None].astype(np.float32), 60)
    best = np.argsort(-(joint @ query + passages.vectors @ text + popularity))[:10]
    assert len(np.intersect1d(found[0], best)) >= 9
