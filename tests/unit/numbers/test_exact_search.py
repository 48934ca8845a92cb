"""What exact search promises: the answers of a plain sort, whatever filters and exclusions there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.numbers.exact import ExactIndex


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    """Vectors and queries of small whole numbers, so that scores are exact and ties are common."""
    n, dim, n_queries = draw(st.integers(1, 40)), draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    allowed = rng.random(n) < draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])) if draw(st.booleans()) else None
    exclude = None
    if draw(st.booleans()):
        exclude = [rng.integers(0, n, size=int(rng.integers(0, n + 1))) for _ in range(n_queries)]
    return {
        "vectors": rng.integers(-2, 3, size=(n, dim)).astype(np.float32),
        "queries": rng.integers(-2, 3, size=(n_queries, dim)).astype(np.float32),
        "k": draw(st.integers(1, 50)),
        "allowed": allowed,
        "exclude": exclude,
    }


def naive(case: dict[str, Any]) -> tuple[list[list[int]], list[list[float]]]:
    """Score everything, leave out what may not be an answer, sort by score and then by row."""
    all_rows, all_scores = [], []
    for number, query in enumerate(case["queries"]):
        scored = []
        for row, vector in enumerate(case["vectors"]):
            hidden = case["exclude"] is not None and row in case["exclude"][number]
            if not hidden and (case["allowed"] is None or case["allowed"][row]):
                scored.append((-float(query @ vector), row))
        best = sorted(scored)[: case["k"]]
        missing = case["k"] - len(best)
        all_rows.append([row for _, row in best] + [-1] * missing)
        all_scores.append([-score for score, _ in best] + [-np.inf] * missing)
    return all_rows, all_scores


def search(case: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """What the index answers."""
    options = {name: case[name] for name in ("allowed", "exclude")}
    return ExactIndex(case["vectors"]).search(case["queries"], case["k"], **options)


@given(case=searches())
def test_answers_equal_a_plain_sort(case: dict[str, Any]) -> None:
    """Rows and scores, ties by row, -1 and -inf where nothing is left; always k where k may be answers."""
    rows, scores = search(case)
    assert rows.dtype == np.int64
    assert rows.shape == scores.shape == (len(case["queries"]), case["k"])
    expected_rows, expected_scores = naive(case)
    assert rows.tolist() == expected_rows
    assert_array_equal(scores, np.array(expected_scores, dtype=np.float32))


@given(case=searches())
def test_a_batch_answers_as_its_queries_do_alone(case: dict[str, Any]) -> None:
    """Who else asks does not matter."""
    rows, scores = search(case)
    for number in range(len(case["queries"])):
        exclude = None if case["exclude"] is None else case["exclude"][number : number + 1]
        one = case["queries"][number : number + 1]
        alone = search({**case, "queries": one, "exclude": exclude})
        assert_array_equal(alone[0][0], rows[number])
        assert_array_equal(alone[1][0], scores[number])


@pytest.mark.parametrize("share", [0.01, 0.02, 0.3, 1.0])
def test_a_narrow_filter_still_gives_k(share: float) -> None:
    """Real vectors, 2,000 items: the right k answers also where only one in a hundred passes the filter."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[:5] + 0.1
    allowed = rng.random(2000) < share
    k = min(200, int(allowed.sum()))
    rows, scores = ExactIndex(vectors).search(queries, k, allowed=allowed)
    assert (rows >= 0).all()
    assert allowed[rows].all()
    exact = np.where(allowed, queries.astype(np.float64) @ vectors.T.astype(np.float64), -np.inf)
    for got, score, line in zip(rows, scores, exact, strict=True):
        assert len(set(got.tolist())) == k
        assert_allclose(score, np.sort(line)[::-1][:k], atol=1e-5)
        assert_allclose(line[got], score, atol=1e-5)


def test_vectors_on_disk_are_left_alone(tmp_path: Any) -> None:
    """An index works on a read-only memory map and writes nothing into it."""
    vectors = np.eye(6, dtype=np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    index = ExactIndex(mapped)
    index.search(vectors, 3, allowed=np.arange(6) > 2, exclude=[np.array([4])] * 6)
    assert_array_equal(np.load(tmp_path / "vectors.npy"), vectors)
