"""A small run of films, built once: held-out users, cold items, two modalities and collaborative filtering."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from antiphon.evaluate.rundata import RunData

e2e = runpy.run_path(str(Path(__file__).parents[2] / "e2e" / "conftest.py"))
tiny_text_model, exports_once = e2e["tiny_text_model"], e2e["exports_once"]


def film_project(folder: Path, model: Path, settings: dict[str, Any] | None = None, **sizes: int) -> Path:
    """A project of films whose text encoder is the tiny one; returns its configuration's path."""
    modalities = e2e["films"]["film_settings"]()["modalities"]
    modalities[0]["model"] = str(model)
    usual = {
        "preset": "paper",
        "modalities": modalities,
        "split": {"test": 0.3, "validation": 0.2, "cold": 0.2},
        "describe": {"mode": "template+gen"},
    }
    return e2e["write_project"](folder, e2e["films"]["merged"](usual, settings or {}), **sizes)


@pytest.fixture(scope="session")
def built(tiny_text_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 60 films and 60 users; only to be read."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    run = tmp_path_factory.mktemp("evaluated") / "run"
    project = film_project(tmp_path_factory.mktemp("project"), tiny_text_model, n_items=60, n_users=60)
    build(load_config(project), run)
    return run


@pytest.fixture(scope="session")
def data(built: Path) -> RunData:
    """The run as an evaluation sees it."""
    return RunData(built)


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """A file of twelve requests, some with items that the catalog lacks."""
    lines = [
        {
            "query_id": f"q{i}",
            "text": text,
            "positives": [f"film-{j:03}" for j in range(i, 50, 7)] + ["film-999"] * (i == 3),
        }
        for i, text in enumerate(["a drama", "witty comedy", "dark thriller", "eerie horror", "space", "tender"] * 2)
    ]
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path
