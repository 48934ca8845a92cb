"""A catalog with sounds from files to answers: built, inspected, and asked by sound, also where there is no torch."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

TESTS = Path(__file__).resolve().parents[1]
sounds = runpy.run_path(str(TESTS / "support" / "tiny_sound.py"))
N_ITEMS = 24
BLOCKER = """
import importlib.machinery, sys


class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        hidden = ("torch", "transformers", "sentence_transformers", "implicit", "onnx")
        return None if name.partition(".")[0] in hidden else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
"""


def sound_of(genres: list[str], number: int) -> np.ndarray:
    """Dramas hum, comedies hiss, the others rise."""
    if "drama" in genres:
        return sounds["tone"](200 + number)
    return sounds["noise"](number) if "comedy" in genres else sounds["chirp"](300 + 5 * number, 3000)


def film_rows(run: Path) -> list[dict[str, Any]]:
    """The items of a run."""
    rows: list[dict[str, Any]] = pq.read_table(run / "catalog" / "items.parquet").to_pylist()
    return rows


@pytest.fixture
def sounding(project: Callable[..., Path], tiny_text_model: Path, tmp_path: Path) -> Path:
    """The run of films with sounds, of which one is silent and one is no sound."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    network = sounds["make_log_mel"](tmp_path / "network")
    modalities = [
        {"name": "text", "encoder": "sentence-transformers", "model": str(tiny_text_model)},
        {"name": "audio", "encoder": "log-mel", "model": str(network)},
    ]
    media = {"audio": {"path": "clips", "pattern": "{item_id}.flac"}}
    path = project({"modalities": modalities, "catalog": {"media": media}, "train": {"epochs": 20}}, n_items=N_ITEMS)
    clips = path.parent / "clips"
    clips.mkdir()
    for number, row in enumerate(pq.read_table(path.parent / "items.parquet").to_pylist()):
        data = sounds["as_file"](sound_of(row["genres"], number), kind="FLAC")
        (clips / f"{row['item_id']}.flac").write_bytes(data)
    (clips / "film-003.flac").write_bytes(sounds["as_file"](np.zeros(16_000), kind="FLAC"))
    (clips / "film-004.flac").write_bytes(b"no sound")
    build(load_config(path), tmp_path / "run")
    return tmp_path / "run"


def test_a_sound_is_answered_with_and_without_torch(
    sounding: Path, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hiss asks for items that hiss; by library and command line, beside torch and without it, the same answer."""
    from antiphon.space.loading import load

    space = load(sounding)
    request = tmp_path / "hiss.wav"
    request.write_bytes(sounds["as_file"](sounds["noise"](99, 2.5, 44_100), 44_100))
    hits = space.search(audio=request, k=5)
    # By the sound alone, items that hiss stand before the others.
    order = [hit.item_id for hit in space.search(audio=request, k=N_ITEMS)]
    genres = {row["item_id"]: set(row["genres"]) for row in film_rows(sounding)}
    hisses = np.array(["comedy" in genres[item] and "drama" not in genres[item] for item in order])
    places = np.arange(len(order))
    assert 2 <= hisses.sum() < len(order) / 2
    assert places[hisses].mean() < places[~hisses].mean() - 2
    (tmp_path / "sitecustomize.py").write_text(BLOCKER, encoding="utf-8")
    plain = cli("search", sounding, "--audio", request, "-k", "5", "--json")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{TESTS.parent / 'src'}")
    bare = cli("search", sounding, "--audio", request, "-k", "5", "--json")
    both = cli("search", sounding, "a dark film", "--audio", request, "-k", "5", "--json")
    for done in (plain, bare, both):
        assert done.returncode == 0, done.stderr
    answers = [json.loads(done.stdout) for done in (plain, bare)]
    ids = [[hit["item_id"] for hit in (said["hits"] if isinstance(said, dict) else said)] for said in answers]
    assert ids[0] == ids[1] == [hit.item_id for hit in hits]


def test_what_could_not_be_heard_is_said(sounding: Path, cli: Callable[..., Any], tmp_path: Path) -> None:
    """The silent item and the one whose file is no sound are masked and in the findings; a request is refused."""
    from antiphon.base.layout import RunLayout
    from antiphon.data.features import Features
    from antiphon.encoders.files import read_findings

    layout = RunLayout(sounding)
    features = Features.load(layout.features, "audio")
    assert np.flatnonzero(~features.present).tolist() == [3, 4]
    kinds = {finding.kind: finding.examples for finding in read_findings(layout.workspace("audio"))}
    assert kinds == {"silent sounds": ("film-003.flac",), "files that are no sounds": ("film-004.flac",)}
    refused = tmp_path / "request.wav"
    refused.write_bytes(b"no sound either")
    done = cli("search", sounding, "--audio", refused)
    assert done.returncode == 2
    assert "send WAV, FLAC, MP3 or OGG" in done.stderr
