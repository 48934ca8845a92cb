"""Vectors of a modality on disk, and unit length."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from antiphon.data.features import Features, feature_paths
from antiphon.errors import IntegrityError
from antiphon.numbers.vectors import unit


def two_views():
    """Three items, two views, four dimensions; the second item has one view, the third has none."""
    mask = np.array([[True, True, False], [True, False, False]])
    matrix = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32) * mask[:, :, None]
    return Features("text", ("template", "gen"), matrix, mask)


def test_save_and_load_round_trip(tmp_path):
    """Views, vectors and mask come back; the vectors are memory-mapped."""
    features = two_views()
    assert features.save(tmp_path) == feature_paths(tmp_path, "text")
    loaded = Features.load(tmp_path, "text")
    assert (loaded.modality, loaded.views, loaded.dim, loaded.n_items) == ("text", ("template", "gen"), 4, 3)
    assert isinstance(loaded.matrix, np.memmap)
    np.testing.assert_array_equal(loaded.matrix, features.matrix)
    np.testing.assert_array_equal(loaded.mask, features.mask)


def test_an_item_with_one_of_two_views_is_present():
    """`present` asks for any view."""
    assert two_views().present.tolist() == [True, True, False]


def test_the_file_says_which_share_of_items_has_a_vector(tmp_path):
    """Coverage can be read without the vectors."""
    two_views().save(tmp_path)
    assert json.loads((tmp_path / "text.json").read_text())["coverage"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("views", "matrix", "mask"),
    [
        (("a",), np.zeros((3, 4)), np.zeros(3, bool)),
        (("a",), np.zeros((1, 3, 4)), np.zeros((1, 4), bool)),
        (("a", "b"), np.zeros((1, 3, 4)), np.zeros((1, 3), bool)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(views, matrix, mask):
    """The sentence gives the shapes."""
    with pytest.raises(IntegrityError, match=r"features of 'image': expected .* got \("):
        Features("image", views, matrix, mask)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_file_is_named(tmp_path, place):
    """Each of the three files is needed."""
    path = two_views().save(tmp_path)[place]
    path.unlink()
    with pytest.raises(IntegrityError, match=f"{path.name} is missing"):
        Features.load(tmp_path, "text")


def test_files_of_two_builds_do_not_mix(tmp_path):
    """A mask of another length is noticed."""
    two_views().save(tmp_path)
    np.save(tmp_path / "text.mask.npy", np.ones((2, 5), bool))
    with pytest.raises(IntegrityError, match="features of 'text'"):
        Features.load(tmp_path, "text")
    (tmp_path / "text.json").write_text("{}")
    with pytest.raises(IntegrityError, match="features of 'text'"):
        Features.load(tmp_path, "text")


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=1, max_dims=3), elements=st.floats(-(2.0**100), 2.0**100, width=32)
    )
)
def test_unit_vectors_have_length_one_or_zero(vectors):
    """Very long and very short vectors too, whose squares float32 does not hold."""
    result = unit(vectors)
    assert result.dtype == np.float32
    assert result.shape == vectors.shape
    lengths = np.linalg.norm(result.astype(np.float64), axis=-1)
    nonzero = np.abs(vectors.astype(np.float64)).max(axis=-1) > 1e-37
    np.testing.assert_allclose(lengths[nonzero], 1, rtol=1e-5)
    assert (result[(vectors == 0).all(axis=-1)] == 0).all()


def test_unit_keeps_the_direction_and_leaves_its_argument():
    """Known values; whole numbers are taken too."""
    vectors = np.array([[3, 4], [0, 0]])
    np.testing.assert_allclose(unit(vectors), [[0.6, 0.8], [0, 0]], rtol=1e-6)
    assert vectors.tolist() == [[3, 4], [0, 0]]
