"""Real posters through a CLIP in the real format: every file is read, and vectors are those of transformers."""

from __future__ import annotations

import io
import runpy
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("transformers")

tiny = runpy.run_path(str(Path(__file__).resolve().parents[1] / "support" / "tiny_clip.py"))
N_POSTERS = 300


def neighbours(vectors: np.ndarray, k: int = 10) -> np.ndarray:
    """The k nearest others of each vector, (n, k)."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    sims = unit @ unit.T
    np.fill_diagonal(sims, -np.inf)
    return np.argsort(-sims, axis=1)[:, :k]


def shared(one: np.ndarray, two: np.ndarray) -> float:
    """Mean share of neighbours that two kinds of vectors have in common."""
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(one.tolist(), two.tolist(), strict=True)]))


@pytest.fixture
def posters(data_dir: Path) -> Path:
    """The zip of posters."""
    path = data_dir / "movies" / "posters.zip"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    return path


@pytest.mark.data
def test_real_posters_are_encoded_as_transformers_does(posters: Path, data_dir: Path, tmp_path: Path) -> None:
    """Each poster has a vector, a sample equals the library's own, and near ones look alike to another model too."""
    import torch
    import transformers
    from PIL import Image

    from antiphon.base.progress import silent
    from antiphon.config.load import load_config
    from antiphon.data.descriptions import Descriptions
    from antiphon.data.reading import read_catalog
    from antiphon.data.splits import make_split
    from antiphon.encoders.base import Source
    from antiphon.encoders.files import read_findings
    from antiphon.encoders.pictures.models import ClipEncoder, ClipOptions

    known = pq.read_table(data_dir / "movies" / "image_efficientnet_lite0.parquet")
    ids = known["item_id"].to_pylist()[:N_POSTERS]
    (tmp_path / "items.csv").write_text("item_id\n" + "\n".join(ids) + "\n", encoding="utf-8")
    config = tmp_path / "antiphon.toml"
    config.write_text(
        f'[catalog]\nitems = "items.csv"\n[catalog.media.image]\npath = "{posters.as_posix()}"\n', encoding="utf-8"
    )
    loaded = load_config(config)
    catalog = read_catalog(loaded.catalog)
    clip = tiny["make_clip"](tmp_path / "clip")
    source = Source(catalog, Descriptions({}), make_split(catalog, loaded.split, 0), loaded.split, 0)
    encoder: Any = ClipEncoder("image", ClipOptions(model=str(clip)))
    features = encoder.encode(source, tmp_path / "work", silent)
    assert features.mask.all()
    assert read_findings(tmp_path / "work") == []
    network = transformers.AutoModel.from_pretrained(clip)
    prepares = transformers.CLIPImageProcessorPil.from_pretrained(clip)
    with zipfile.ZipFile(posters) as archive:
        for row in range(0, N_POSTERS, 29):
            poster = Image.open(io.BytesIO(archive.read(f"{catalog.item_ids[row]}.jpg"))).convert("RGB")
            with torch.no_grad():
                expected = network.get_image_features(**prepares(poster, return_tensors="pt")).pooler_output[0].numpy()
            assert_allclose(features.matrix[0, row], expected / np.linalg.norm(expected), atol=1e-3)
    vectors = dict(zip(ids, known["embedding"].to_pylist()[:N_POSTERS], strict=True))
    theirs = neighbours(np.array([vectors[item_id] for item_id in catalog.item_ids]))
    # A random network still sees colours and layout, so its neighbours are not those of chance (10 of 299).
    assert shared(neighbours(features.matrix[0]), theirs) > 1.5 * 10 / (N_POSTERS - 1)
