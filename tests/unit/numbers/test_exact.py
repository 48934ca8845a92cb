"""The exact index: filters, exclusions, parts of a batch, and choosing the best k of a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from antiphon.errors import QueryError
from antiphon.numbers import exact
from antiphon.numbers.exact import ExactIndex, top_k


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.integers(1, 12).flatmap(
            lambda m: st.lists(
                st.lists(st.sampled_from([0, 1, 2, -np.inf]), min_size=m, max_size=m), min_size=n, max_size=n
            )
        )
    ),
    st.integers(1, 15),
)
def test_top_k_equals_a_stable_sort(rows: list[list[float]], k: int) -> None:
    """The best k of each row, equal scores by column, hidden ones never."""
    scores = np.array(rows, dtype=np.float32)
    columns, values = top_k(scores, min(k, scores.shape[1]))
    for line, got, value in zip(scores, columns, values, strict=True):
        wanted = [column for column in sorted(range(len(line)), key=lambda c: (-line[c], c)) if line[column] > -np.inf]
        wanted = wanted[: len(got)]
        assert got.tolist() == wanted + [-1] * (len(got) - len(wanted))
        assert value.tolist() == [line[column] for column in wanted] + [-np.inf] * (len(got) - len(wanted))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.49, 0.51, 1.0])
def test_gathering_and_hiding_agree(share: float) -> None:
    """Few allowed rows are gathered, many are scored with the rest hidden: the answers are the same."""
    rng = np.random.default_rng(0)
    vectors = rng.integers(-3, 4, size=(100, 5)).astype(np.float32)
    queries = rng.integers(-3, 4, size=(3, 5)).astype(np.float32)
    allowed = np.arange(100) < share * 100
    rows, scores = ExactIndex(vectors).search(queries, 20, allowed=allowed)
    products = np.where(allowed, queries @ vectors.T, -np.inf)
    expected_rows, expected = top_k(products, 20)
    assert_array_equal(rows, expected_rows)
    assert_array_equal(scores, expected)


def test_a_batch_that_is_too_large_is_scored_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts of a batch give what the whole gives, with each query's own exclusions."""
    rng = np.random.default_rng(1)
    vectors = rng.integers(-3, 4, size=(30, 4)).astype(np.float32)
    queries = rng.integers(-3, 4, size=(7, 4)).astype(np.float32)
    exclude = [rng.choice(30, size=5, replace=False) for _ in queries]
    whole = ExactIndex(vectors).search(queries, 6, exclude=exclude)
    monkeypatch.setattr(exact, "MAX_SCORES", 65)
    parts = ExactIndex(vectors).search(queries, 6, exclude=exclude)
    assert_array_equal(whole[0], parts[0])
    assert_array_equal(whole[1], parts[1])


@pytest.mark.parametrize("queries", [np.zeros((1, 3)), np.zeros(4), np.zeros((1, 1, 4))])
def test_queries_of_another_dimension_are_refused(queries: np.ndarray) -> None:
    """The error says what shape was expected."""
    with pytest.raises(QueryError, match=r"\(n, 4\)"):
        ExactIndex(np.zeros((5, 4), np.float32)).search(queries.astype(np.float32), 2)
