"""A small catalog of films with pictures, built once, and a client of the service over it."""

from __future__ import annotations

import io
import runpy
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w

HERE = Path(__file__).resolve()
TESTS = next(folder for folder in HERE.parents if folder.name == "tests")
tiny_text_model = runpy.run_path(str(TESTS / "support" / "tiny_text.py"))["tiny_text_model"]
films = runpy.run_path(str(TESTS / "conftest.py"))
N_ITEMS = 60


def pictures(path: Path) -> None:
    """A zip with a picture of every second film, one that is no picture, and one that names a file elsewhere."""
    from PIL import Image

    with zipfile.ZipFile(path, "w") as archive:
        for number in range(0, N_ITEMS, 2):
            out = io.BytesIO()
            Image.new("RGB", (200, 300), (number * 4, 80, 160)).save(out, "JPEG")
            archive.writestr(f"film-{number:03}.jpg", out.getvalue())
        archive.writestr("film-001.jpg", b"this is no picture")


def build_films(folder: Path, model: Path, *, seed: int = 0) -> Path:
    """The folder of a run over generated films."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    items, tastes = films["film_table"](rng, N_ITEMS)
    pq.write_table(items, folder / "items.parquet")
    pq.write_table(films["interaction_table"](rng, items, tastes, 40), folder / "interactions.parquet")
    pq.write_table(films["image_table"](rng, items, tastes), folder / "image.parquet")
    pictures(folder / "pictures.zip")
    settings = films["film_settings"]()
    settings["modalities"][0]["model"] = str(model)
    settings["catalog"]["media"] = {"image": {"path": "pictures.zip", "pattern": "{item_id}.jpg"}}
    settings["seed"] = seed + 1
    (folder / "antiphon.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    build(load_config(folder / "antiphon.toml"), folder / "run")
    return folder / "run"


@pytest.fixture(scope="session")
def film_run(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path) -> Path:
    """A run that is only to be read."""
    return build_films(tmp_path_factory.mktemp("served"), tiny_text_model)


@pytest.fixture
def own_run(film_run: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    return Path(shutil.copytree(film_run, tmp_path / "run"))


@pytest.fixture(scope="session")
def space(film_run: Path) -> Any:
    """The space of the run."""
    from antiphon.space.loading import load

    return load(film_run)


@pytest.fixture(scope="session")
def client(film_run: Path) -> Iterator[Any]:
    """A client of the service with its usual settings."""
    from fastapi.testclient import TestClient

    from antiphon.serve import Settings, create_app

    with TestClient(create_app(film_run, Settings(poll=0)), raise_server_exceptions=False) as made:
        yield made
