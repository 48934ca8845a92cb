"""The run of films of the evaluation's tests."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_evaluate = runpy.run_path(str(Path(__file__).parents[1] / "evaluate" / "conftest.py"))
tiny_text_model, exports_once = _evaluate["tiny_text_model"], _evaluate["exports_once"]


@pytest.fixture(scope="session")
def built(tiny_text_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 60 films and 60 users with the usual mixture of channels; only to be read."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    run = tmp_path_factory.mktemp("answered") / "run"
    settings = {"preset": "default", "space": {"ease_rank": 12}, "synthetic": {"per_item": 4}}
    project = _evaluate["film_project"](
        tmp_path_factory.mktemp("project"), tiny_text_model, settings, n_items=60, n_users=60
    )
    build(load_config(project), run)
    return run
