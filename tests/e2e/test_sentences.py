"""What a newcomer asks of real films, in 172 sentences of our own."""

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


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.timeout(1800)
def test_nine_of_ten_requests_hold(data_dir: Path, tmp_path: Path) -> None:
    """Negation, names, people, plots, moods, decades, countries, audiences, misspelt words: what each must bring."""
    project = find("antiphon.datasets", "movies").make_project(tmp_path, data_dir, silent)
    build(load_config(project), tmp_path / "run")
    failing = SENTENCES["failing"](antiphon.load(tmp_path / "run"))
    total = len(list(SENTENCES["sentences"]()))
    assert total >= 150
    assert len(failing) <= (1 - LEAST) * total, failing
