"""What a newcomer asks, in sentences of our own: of generated films, and of real films and artists with the data."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import antiphon
from antiphon.base.progress import silent
from antiphon.base.registry import find
from antiphon.config.load import load_config
from antiphon.run.build import build

SENTENCES = runpy.run_path(str(Path(__file__).parents[1] / "support" / "sentences.py"))
LEAST = 0.9


def nine_of_ten_hold(dataset: str, source: Path | None, folder: Path) -> None:
    """Build a data set's space, and ask it its sentences."""
    project = find("antiphon.datasets", dataset).make_project(folder, source, silent)
    build(load_config(project), folder / "run")
    failing = SENTENCES["failing"](antiphon.load(folder / "run"), dataset)
    total = len(list(SENTENCES["sentences"](dataset)))
    assert len(failing) <= (1 - LEAST) * total, failing


def test_there_are_enough_sentences() -> None:
    """150 of films alone, and each says what must hold."""
    for dataset, least in (("movies", 150), ("music", 80), ("generated", 45)):
        found = list(SENTENCES["sentences"](dataset))
        assert len(found) >= least
        assert all(text and expected and all(expected) for text, expected in found)


def test_generated_films(tmp_path: Path) -> None:
    """Negation, names, moods, decades, countries, misspelt words: what each must bring."""
    nine_of_ten_hold("generated", None, tmp_path)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("dataset", ["movies", "music"])
def test_real_catalogs(data_dir: Path, tmp_path: Path, dataset: str) -> None:
    """People, plots, audiences, two constraints, lists of names, and all of the above."""
    nine_of_ten_hold(dataset, data_dir, tmp_path)
