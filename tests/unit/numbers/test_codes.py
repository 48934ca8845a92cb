"""Codes: four bits for two numbers find what is worth scoring exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from antiphon.errors import IntegrityError, QueryError
from antiphon.numbers import coded
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import Codes, Cut, basis_of, fit_codes, shape_of
from antiphon.numbers.exact import ExactIndex

pytest.importorskip("faiss")


def vectors_of(n_rows: int, length: int, seed: int = 0) -> np.ndarray:
    """Vectors of unequal length around a few directions."""
    rng = np.random.default_rng(seed)
    kinds = rng.standard_normal((12, length))
    lengths = rng.lognormal(sigma=0.5, size=(n_rows, 1))
    found = lengths * (kinds[rng.integers(0, 12, n_rows)] + 0.3 * rng.standard_normal((n_rows, length)))
    return found.astype(np.float32)


requests = given(
    st.integers(1, 90),
    st.sampled_from([1, 2, 7, 64]),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    st.integers(0, 999),
)


@settings(max_examples=40, deadline=None)
@requests
def test_at_full_depth_the_answers_are_those_of_all(n_rows: int, length: int, k: int, share: float, seed: int) -> None:
    """Where codes may bring every allowed row the rows, their order and their number are exact."""
    vectors, rng = vectors_of(n_rows, length, seed), np.random.default_rng(seed)
    queries, allowed = rng.standard_normal((3, length)).astype(np.float32), rng.random(n_rows) <= share
    exclude = [rng.integers(0, n_rows, 2) for _ in queries]
    index, depth = CodedIndex(vectors, fit_codes(vectors)[0]), max(k, n_rows)
    rows, scores = index.search(queries, depth, allowed=allowed, exclude=exclude)
    expected = ExactIndex(vectors).search(queries, depth, allowed=allowed, exclude=exclude)
    assert np.array_equal(rows, expected[0])
    assert_allclose(scores, expected[1], rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None)
@requests
def test_there_are_k_whenever_k_may_be_answers(n_rows: int, length: int, k: int, share: float, seed: int) -> None:
    """Whatever the codes are, also of rows that are all alike; each is allowed, and has its own score."""
    vectors, rng = vectors_of(n_rows, length, seed), np.random.default_rng(seed)
    if seed % 3 == 0:
        vectors[:] = vectors[0]
    queries, allowed = rng.standard_normal((3, length)).astype(np.float32), rng.random(n_rows) <= share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coded, "GATHERED", 0.0)
        rows, scores = CodedIndex(vectors, fit_codes(vectors)[0]).search(queries, k, allowed=allowed)
    for line, values, query in zip(rows, scores, queries, strict=True):
        found = line[line >= 0]
        assert len(found) == len(set(found.tolist())) == min(k, allowed.sum())
        assert allowed[found].all()
        assert_allclose(values[: len(found)], vectors[found] @ query, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_the_best_are_found_and_scored_exactly(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """Nearly all of the best rows under a filter, each with its own inner product, best first, as many as wanted."""
    monkeypatch.setattr(coded, "GATHERED", 0.0)
    vectors, rng = vectors_of(6_000, 32), np.random.default_rng(1)
    allowed = rng.random(len(vectors)) < share
    queries = vectors[rng.integers(0, len(vectors), 20)]
    rows, scores = CodedIndex(vectors, fit_codes(vectors)[0]).search(queries, 50, allowed=allowed)
    expected = ExactIndex(vectors).search(queries, 50, allowed=allowed)[0]
    assert (rows >= 0).all()
    assert allowed[rows].all()
    assert_allclose(scores, np.einsum("nkd,nd->nk", vectors[rows], queries), rtol=1e-4, atol=1e-4)
    assert (np.diff(scores, axis=1) <= 0).all()
    found = [len(np.intersect1d(*pair)) / 50 for pair in zip(rows, expected, strict=True)]
    assert np.mean(found) > 0.95


def test_what_is_hidden_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many others take its place."""
    monkeypatch.setattr(coded, "GATHERED", 0.0)
    vectors = vectors_of(500, 8)
    index = CodedIndex(vectors, fit_codes(vectors)[0])
    best = index.search(vectors[:1], 10)[0][0]
    without = index.search(vectors[:1], 10, exclude=[best[:5]])[0][0]
    assert not np.isin(best[:5], without).any()
    assert (without >= 0).all()


def test_a_query_of_zeros_finds_nothing() -> None:
    """It has no best rows; other queries beside it do."""
    vectors = vectors_of(500, 8)
    rows, _ = CodedIndex(vectors, fit_codes(vectors)[0]).search(np.stack([0 * vectors[0], vectors[0]]), 3)
    assert (rows[0] == -1).all()
    assert (rows[1] >= 0).all()


def test_the_same_seed_gives_the_same_codes(tmp_path: Path) -> None:
    """And what was saved finds the same."""
    vectors, cuts = vectors_of(400, 10), [Cut(0, 6, 2, 1), Cut(6, 10, 1, 1)]
    (made, codes), (again, twin) = fit_codes(vectors, cuts=cuts), fit_codes(vectors, cuts=cuts)
    assert np.array_equal(codes, twin)
    assert np.array_equal(made.centroids, again.centroids)
    made.save(tmp_path, codes)
    assert set(tmp_path.iterdir()) == set(Codes.paths(tmp_path))
    loaded = Codes.load(tmp_path, 400)
    assert np.array_equal(loaded.nearest(vectors[:4], 30), made.nearest(vectors[:4], 30))
    with pytest.raises(IntegrityError, match="400 rows, expected 401"):
        Codes.load(tmp_path, 401)


@pytest.mark.parametrize("length", [1, 2, 7, 256, 384, 1024, 1025])
def test_vectors_are_cut_into_no_more_pieces_than_a_scan_can_add(length: int) -> None:
    """An even number of pieces that hold the vector."""
    n_pieces, piece = shape_of(length)
    assert n_pieces % 2 == 0
    assert n_pieces <= 256
    assert n_pieces * piece >= length


def test_a_query_of_another_space_is_refused() -> None:
    """By its dimension."""
    vectors = vectors_of(50, 8)
    with pytest.raises(QueryError, match=r"\(n, 8\)"):
        CodedIndex(vectors, fit_codes(vectors)[0]).search(vectors[:, :4], 3)


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_rows_near_a_query_have_its_best_among_them(share: float) -> None:
    """At least as many as are asked for, allowed, none twice; a query of zeros has none."""
    vectors = vectors_of(2_000, 12)
    index, rng = CodedIndex(vectors, fit_codes(vectors)[0]), np.random.default_rng(3)
    allowed = None if share == 1 else rng.random(len(vectors)) < share
    queries = np.concatenate([vectors_of(3, 12, seed=4), np.zeros((1, 12), dtype=np.float32)])
    found, best = index.near(queries, 200, allowed), ExactIndex(vectors).search(queries, 20, allowed=allowed)[0]
    for mine, right in zip(found[:3], best[:3], strict=True):
        rows = mine[mine >= 0]
        assert len(rows) >= 200
        assert len(set(rows.tolist())) == len(rows)
        assert allowed is None or allowed[rows].all()
        assert len(np.intersect1d(rows, right)) >= 19
    assert (found[3] == -1).all()


def test_directions_are_those_in_which_rows_differ_most() -> None:
    """Each cut has its own, orthonormal, the widest first; one that stands alone has zeros beside it."""
    rng = np.random.default_rng(1)
    vectors = (rng.standard_normal((500, 6)) * np.array([0.1, 5, 0.2, 2, 1, 3])).astype(np.float32)
    basis = basis_of(vectors, [Cut(0, 4, 1, 1), Cut(4, 6, 1, 0)])
    assert basis.shape == (6, 6)
    assert not basis[:, [1, 5]].any()
    assert np.abs(basis[:, [0, 2, 3, 4]]).argmax(axis=0).tolist() == [1, 3, 2, 5]
    assert_allclose(basis.T @ basis, np.diag([1, 0, 1, 1, 1, 0]), atol=1e-5)


def test_bits_where_rows_differ_find_more() -> None:
    """Of vectors that lie near a plane of few directions: with fewer bytes a row."""
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((3_000, 64)) * np.linspace(1, 0, 64) ** 4 @ np.linalg.qr(rng.normal(size=(64, 64)))[0]
    vectors = vectors.astype(np.float32)
    queries = vectors[:30]
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :20]
    plain, turned = fit_codes(vectors)[0], fit_codes(vectors, cuts=[Cut(0, 64, 12, 8)])[0]
    found = [np.mean([np.isin(e, c).mean() for e, c in zip(exact, codes.nearest(queries, 40), strict=True)])
             for codes in (plain, turned)]  # fmt: skip
    assert turned.n_bytes < plain.n_bytes
    assert found[1] > found[0]


def test_rows_are_scored_where_they_lie() -> None:
    """As by a product of their copy; also of vectors that are some columns of others."""
    vectors, queries, rows = vectors_of(500, 12), vectors_of(3, 12, seed=4), np.array([0, 7, 7, 499])
    for some, asked in ((vectors, queries), (vectors[:, 2:9], queries[:, 2:9])):
        index = CodedIndex(some, fit_codes(some)[0])
        assert_allclose(index.products(asked, rows), asked @ some[rows].T, rtol=1e-4, atol=1e-5)
    assert index.products(queries[:, 2:9], rows[:0]).shape == (3, 0)
