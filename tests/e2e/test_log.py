"""A log of real requests teaches the weights of the channels, and repeats nothing else of a build."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from antiphon.base import storage
from antiphon.base.layout import RunLayout
from antiphon.config.load import load_config
from antiphon.query.request import Query
from antiphon.run.build import build
from antiphon.space.loading import load

_serve = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "serve" / "conftest.py"))
tiny_text_model, film_run = _serve["tiny_text_model"], _serve["film_run"]
ASKED = [f"{word} number {place}" for place in range(60) for word in ("zogging", "whimbled")]


@pytest.fixture
def project(film_run: Path, tmp_path: Path) -> Path:
    """A copy of the project of films that a test may change."""
    return Path(shutil.copytree(film_run.parent, tmp_path / "project"))


def test_what_people_chose_counts(project: Path) -> None:
    """People who ask in words that nobody wrote choose what many know: popularity then speaks for such requests."""
    before = load(project / "run")
    assert before.taste is not None
    known = np.argsort(-np.asarray(before.taste.users), kind="stable")[:5]
    chosen = [before.item_ids[row] for row in known]
    lines = [json.dumps({"text": text, "chosen": chosen}) for text in ASKED]
    (project / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    build(load_config(project / "antiphon.toml", ['train.requests="log.jsonl"']), project / "run")

    stages = {
        stage["name"]: stage["status"] for stage in storage.read_json(RunLayout(project / "run").manifest)["stages"]
    }
    # The catalog is read again because its files have moved with the copy.
    assert {name for name, status in stages.items() if status == "built"} == {"catalog", "practice", "publish"}
    after = load(project / "run")
    query = Query(text="a zogging thing")
    places = []
    for space in (before, after):
        rows, _ = space.rank_rows([query], space.n_items)
        places.append(np.mean([rows[0].tolist().index(row) for row in known]))
    assert places[1] < places[0]
