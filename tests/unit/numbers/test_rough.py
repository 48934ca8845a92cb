"""Eight bits a number: nearly the exact products, and no further off than is said."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import IntegrityError
from antiphon.numbers.rough import NETWORK, NUMBERS, Rough, write_rough

pytest.importorskip("onnxruntime")
shapes = given(
    st.integers(1, 60),
    st.sampled_from([1, 7, 127, 128, 130, 384]),
    st.integers(1, 20),
    st.sampled_from([1e-6, 1.0, 300.0]),
    st.integers(0, 999),
)


@settings(max_examples=60, deadline=None)
@shapes
def test_no_product_is_further_off_than_is_said(n_rows: int, length: int, n: int, size: float, seed: int) -> None:
    """Whatever the vectors: long and short ones, empty ones, some with one number that is much higher."""
    rng = np.random.default_rng(seed)
    vectors = (size * rng.standard_t(2, (n_rows, length))).astype(np.float32)
    queries = rng.standard_t(2, (n, length)).astype(np.float32)
    vectors[0] = 0
    queries[-1] *= rng.integers(0, 2)
    with tempfile.TemporaryDirectory() as folder:
        write_rough(Path(folder), vectors)
        rough = Rough(Path(folder), len(vectors))
        found, most_off = rough.products(queries), rough.most_off(queries)
    exact = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    assert found.shape == (n, n_rows)
    assert (np.abs(found - exact) <= most_off[:, None] + 1e-30).all()
    lengths = np.linalg.norm(queries, axis=1) * np.linalg.norm(vectors, axis=1).max()
    assert (most_off <= 0.13 * lengths + 1e-30).all(), "a bound that is never wrong because it is wide helps nobody"


def test_vectors_of_unit_length_are_off_by_little(tmp_path: Path) -> None:
    """A fortieth of a cosine at most, and mostly a tenth of that."""
    vectors = np.random.default_rng(0).standard_normal((500, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    write_rough(tmp_path, vectors)
    rough = Rough(tmp_path, 500)
    found = rough.products(vectors[:20])
    assert rough.most_off(vectors[:20]).max() < 0.025
    assert np.abs(found - vectors[:20] @ vectors.T).max() < 0.005
    assert (rough.n_rows, rough.length) == (500, 384)


@pytest.mark.parametrize("name", [NETWORK, NUMBERS])
def test_a_file_that_is_cut_short_is_refused(tmp_path: Path, name: str) -> None:
    """With a sentence that names the folder."""
    write_rough(tmp_path, np.eye(300, 64, dtype=np.float32))
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(IntegrityError, match="build the run again"):
        Rough(tmp_path, 300)
