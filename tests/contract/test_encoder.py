"""What every registered encoder promises, on a small catalog."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.config import ModalityConfig, load_config
from antiphon.describe.descriptions import describe
from antiphon.encoders.base import Encoder, Source, make_encoder
from antiphon.errors import ConfigError
from antiphon.features import Features
from antiphon.progress import silent
from antiphon.reading import read_catalog
from antiphon.registry import find, names
from antiphon.splits import make_split

ENCODERS = names("antiphon.encoders")


@pytest.fixture
def source(make_catalog: Callable[..., Path]) -> Source:
    """A catalog of 21 films, described twice, in which each kind of vector is missing somewhere."""
    config = load_config(make_catalog(n_items=21, settings={"describe": {"mode": "template+gen"}}))
    catalog = read_catalog(config.catalog)
    split = make_split(catalog, config.split, config.seed)
    return Source(catalog, describe(catalog, config.describe), split, config.split, config.seed)


@pytest.fixture
def make(tiny_text_model: Path, tmp_path: Path, source: Source) -> Callable[[str], Encoder[Any]]:
    """A function that makes an encoder by its registered name, with options that fit the catalog."""
    options: dict[str, dict[str, Any]] = {
        "als": {"trials": 2, "factors": [4]},
        "precomputed": {"file": str(tmp_path / "films" / "image.parquet")},
        "sentence-transformers": {"model": str(tiny_text_model)},
    }

    def one(name: str) -> Encoder[Any]:
        if name not in options:
            pytest.fail(f"a new encoder {name!r} is registered: say here how to make one, so that it is tested")
        return make_encoder(ModalityConfig(name="some", encoder=name, **options[name]))

    return one


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_registered_under_its_own_name(name: str) -> None:
    """The manifest of a space names the encoder by `name`; the registry must find it there."""
    kind = find("antiphon.encoders", name)
    assert issubclass(kind, Encoder)
    assert kind.name == name
    assert kind.accepts in (None, "text", "history", "image", "audio")


@pytest.mark.parametrize("name", ENCODERS)
def test_features_are_well_formed(
    name: str, make: Callable[[str], Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Vectors are (n_views, n_items, dim) float32, finite, of unit length where there are some, else zeros."""
    features = make(name).encode(source, tmp_path / "work", silent)
    assert features.modality == "some"
    assert features.matrix.dtype == np.float32
    assert features.matrix.shape[:2] == features.mask.shape == (len(features.views), source.catalog.n_items)
    assert features.mask.dtype == bool
    assert features.mask.any()
    assert np.isfinite(features.matrix).all()
    assert_allclose(np.linalg.norm(features.matrix, axis=2), features.mask.astype(float), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_deterministic(name: str, make: Callable[[str], Encoder[Any]], source: Source, tmp_path: Path) -> None:
    """Two encodings from nothing are equal bit by bit, and so are their fingerprints."""
    first, second = (make(name).encode(source, tmp_path / work, silent) for work in ("a", "b"))
    assert_array_equal(first.matrix, second.matrix)
    assert_array_equal(first.mask, second.mask)
    assert make(name).fingerprint(source) == make(name).fingerprint(source)


@pytest.mark.parametrize("name", ENCODERS)
def test_it_goes_on_in_its_workspace(
    name: str, make: Callable[[str], Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Encoding again in the same workspace gives the same bits and the same files."""
    first = make(name).encode(source, tmp_path / "work", silent)
    files = sorted(path.name for path in (tmp_path / "work").rglob("*"))
    second = make(name).encode(source, tmp_path / "work", silent)
    assert_array_equal(first.matrix, second.matrix)
    assert sorted(path.name for path in (tmp_path / "work").rglob("*")) == files


@pytest.mark.parametrize("name", ENCODERS)
def test_features_come_back_from_disk(
    name: str, make: Callable[[str], Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """What an encoder made survives the files."""
    features = make(name).encode(source, tmp_path / "work", silent)
    features.save(tmp_path / "features")
    loaded = Features.load(tmp_path / "features", "some")
    assert loaded.views == features.views
    assert_array_equal(loaded.matrix, features.matrix)
    assert_array_equal(loaded.mask, features.mask)


@pytest.mark.parametrize("name", ENCODERS)
def test_unknown_options_are_refused(name: str, make: Callable[[str], Encoder[Any]]) -> None:
    """A misspelt option is an error that names the modality."""
    given = make(name).options.model_dump(mode="json", exclude_none=True)
    with pytest.raises(ConfigError, match=r"modalities\.some\.no_such_option"):
        make_encoder(ModalityConfig(name="some", encoder=name, **given, no_such_option=1))


QUERIES: dict[str, Any] = {
    "text": ["a dark thriller", "東京 🎬", "x " * 5000],
    "history": [
        (np.array([0, 1, 2], np.int32), np.array([1, 2, 1], np.float32)),
        (np.array([3], np.int32), np.array([1], np.float32)),
        (np.array([4, 5], np.int32), np.array([1, 9], np.float32)),
    ],
}


@pytest.mark.parametrize("name", [name for name in ENCODERS if find("antiphon.encoders", name).accepts is not None])
def test_the_query_side_survives_publishing(
    name: str, make: Callable[[str], Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Published and loaded from the folder alone, it makes unit vectors of the items' length, alone or in a batch."""
    encoder = make(name)
    features = encoder.encode(source, tmp_path / "work", silent)
    kept = encoder.kept(tmp_path / "work")
    assert all(path.is_file() for path in kept)
    encoder.publish(tmp_path / "work", tmp_path / "side")
    shutil.rmtree(tmp_path / "work")
    side = type(encoder).query_side(tmp_path / "side")
    inputs = QUERIES[encoder.accepts or ""]
    vectors = side.encode(inputs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(inputs), features.dim)
    assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    again = type(encoder).query_side(tmp_path / "side")
    for one, expected in zip(inputs, vectors, strict=True):
        assert_allclose(again.encode([one])[0], expected, atol=1e-5)
