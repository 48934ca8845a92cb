"""JointModel: the projection of the paper in plain numpy, the mean that makes an item, and its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.data.features import Features
from antiphon.errors import IntegrityError, MismatchError
from antiphon.joint.model import Identity, JointModel, Projection, embed_items, mean_of_parts
from antiphon.numbers.vectors import unit


def random_projection(rng: np.random.Generator, n_in: int, hidden: int = 7, dim: int = 4) -> Projection:
    """A projection with random weights."""
    shapes = [(n_in, hidden), (hidden,), (hidden, dim), (dim,)]
    return Projection(*(rng.normal(size=shape).astype(np.float32) for shape in shapes))


def random_features(rng: np.random.Generator, modality: str, dim: int, views: int = 1, n_items: int = 6) -> Features:
    """Features whose items lack some views; their vectors are zeros there."""
    mask = rng.random((views, n_items)) < 0.7
    matrix = np.where(mask[..., None], rng.normal(size=(views, n_items, dim)), 0).astype(np.float32)
    return Features(modality, tuple(f"view {i}" for i in range(views)), matrix, mask)


@pytest.fixture
def model() -> JointModel:
    """Two projected modalities and the weights of both."""
    rng = np.random.default_rng(0)
    return JointModel({"text": random_projection(rng, 5), "cf": random_projection(rng, 3)}, {"epochs": 3})


def test_a_projection_equals_two_dense_layers() -> None:
    """A projection is torch's Linear, ReLU, Linear, brought to unit length."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Linear(5, 7), torch.nn.ReLU(), torch.nn.Dropout(0.3), torch.nn.Linear(7, 4)
    ).eval()
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    projection = Projection(weights["0.weight"].T, weights["0.bias"], weights["3.weight"].T, weights["3.bias"])
    vectors = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    with torch.no_grad():
        expected = torch.nn.functional.normalize(net(torch.from_numpy(vectors)), dim=1).numpy()
    assert_allclose(projection(vectors), expected, atol=1e-6)


def test_an_item_is_the_normalised_mean_of_the_modalities_that_it_has(model: JointModel) -> None:
    """Each projection has unit length first, then the mean of what is there has; written out item by item."""
    rng = np.random.default_rng(1)
    features = [random_features(rng, "text", 5), random_features(rng, "cf", 3)]
    embedded = embed_items(model, features)
    for row in range(6):
        there = [item for item in features if item.mask[0, row]]
        vectors = [model.projections[item.modality](item.matrix[0, row : row + 1])[0] for item in there]
        mean = np.mean(vectors, axis=0) if vectors else np.zeros(4)
        assert_allclose(embedded.vectors[row], mean / max(np.linalg.norm(mean), 1e-12), atol=1e-6)
    assert_array_equal(embedded.present, [item.mask[0] for item in features])
    assert embedded.vectors.dtype == embedded.parts.dtype == np.float32


def test_two_views_share_a_projection_and_count_as_one_modality(model: JointModel) -> None:
    """TEMPLATE and GEN: the text part is the unit mean of the two projections that an item has."""
    rng = np.random.default_rng(2)
    text, cf = random_features(rng, "text", 5, views=2), random_features(rng, "cf", 3)
    embedded = embed_items(model, [text, cf])
    for row in range(6):
        views = [model.project("text", text.matrix[view, row : row + 1])[0] for view in (0, 1) if text.mask[view, row]]
        expected = unit(np.sum(views, axis=0)) if views else np.zeros(4)
        assert_allclose(embedded.parts[0, row], expected, atol=1e-6)
        assert embedded.present[0, row] == bool(views)
    assert_allclose(embedded.vectors, mean_of_parts(embedded.parts), atol=1e-7)


def test_an_item_without_any_modality_is_zeros_and_not_searchable(model: JointModel) -> None:
    """Nothing known gives no direction, although the biases of a projection would."""
    features = [
        Features("text", ("template",), np.zeros((1, 2, 5), np.float32), np.array([[True, False]])),
        Features("cf", ("item",), np.zeros((1, 2, 3), np.float32), np.array([[False, False]])),
    ]
    embedded = embed_items(model, features)
    assert_array_equal(embedded.searchable, [True, False])
    assert not embedded.vectors[1].any()
    assert not embedded.parts[1].any()
    assert np.linalg.norm(embedded.vectors[0]) == pytest.approx(1, abs=1e-6)


def test_save_and_load_give_the_same_model(model: JointModel, tmp_path: Path) -> None:
    """Weights come back bit by bit, and so do order, identities and what was recorded."""
    mixed = JointModel({**model.projections, "image": Identity(4)}, model.info)
    mixed.save(tmp_path)
    loaded = JointModel.load(tmp_path)
    assert list(loaded.projections) == ["text", "cf", "image"]
    assert loaded.projections["image"] == Identity(4)
    assert loaded.info == {"epochs": 3}
    vectors = np.random.default_rng(3).normal(size=(4, 5)).astype(np.float32)
    assert_array_equal(loaded.project("text", vectors), mixed.project("text", vectors))


def test_the_same_model_gives_the_same_bytes(model: JointModel, tmp_path: Path) -> None:
    """Files are a function of the weights: checksums tell whether a model changed."""
    model.save(tmp_path / "a")
    JointModel.load(tmp_path / "a").save(tmp_path / "b")
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_weights_and_linear_paths_come_back(tmp_path: Path) -> None:
    """Learned weights of the modalities and the path around the layers survive the files, and they count."""
    rng = np.random.default_rng(4)
    shapes = [(5, 7), (7,), (7, 4), (4,), (5, 4)]
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in shapes]
    straight, around = Projection(*arrays[:4]), Projection(*arrays)
    vectors = rng.normal(size=(3, 5)).astype(np.float32)
    hidden = np.maximum(vectors @ arrays[0] + arrays[1], 0) @ arrays[2] + arrays[3]
    assert_allclose(around(vectors), unit(hidden + vectors @ arrays[4]), atol=1e-6)
    model = JointModel({"text": around, "cf": straight}, {}, {"text": 0.8, "cf": 0.2})
    model.save(tmp_path)
    loaded = JointModel.load(tmp_path)
    assert loaded.weights == {"text": 0.8, "cf": 0.2}
    assert_array_equal(loaded.project("text", vectors), around(vectors))
    features = [Features(name, ("item",), vectors[None], np.ones((1, 3), bool)) for name in ("text", "cf")]
    expected = unit(np.float32(0.8) * around(vectors) + np.float32(0.2) * straight(vectors))
    assert_allclose(embed_items(loaded, features).vectors, expected, atol=1e-6)


@pytest.mark.parametrize("cut", [0, 7, 200])
def test_a_truncated_model_is_refused(model: JointModel, tmp_path: Path, cut: int) -> None:
    """A broken weights file is an IntegrityError that names it."""
    model.save(tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(IntegrityError, match=r"model\.safetensors"):
        JointModel.load(tmp_path)


def test_vectors_of_another_length_are_refused(model: JointModel) -> None:
    """The error says which modality, what it expected and what it got."""
    with pytest.raises(MismatchError, match=r"'text'.*5.*4"):
        model.project("text", np.zeros((1, 4), np.float32))
    with pytest.raises(MismatchError, match="image"):
        model.project("image", np.zeros((1, 4), np.float32))


def test_an_identity_only_brings_to_unit_length() -> None:
    """A space with one modality keeps its vectors; zeros stay zeros."""
    vectors: Any = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    assert_allclose(Identity(2)(vectors), [[0.6, 0.8], [0, 0]], atol=1e-7)
