"""A small catalog built once through the command line, and ways to call it."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tomli_w

HERE = Path(__file__).parent
support = runpy.run_path(str(HERE.parent / "support" / "tiny_text.py"))
tiny_text_model, exports_once = support["tiny_text_model"], support["exports_once"]
films = runpy.run_path(str(HERE.parent / "conftest.py"))

Called = tuple[int, str, str]
"""Exit code, standard output, standard error."""


@dataclass(frozen=True)
class Built:
    """A project, and the run that was built from it."""

    project: Path
    run: Path

    @property
    def space_id(self) -> str:
        """The id of the published space."""
        return (self.run / "space" / "CURRENT").read_text(encoding="utf-8").strip()

    @property
    def version(self) -> Path:
        """The folder of the published space."""
        return self.run / "space" / self.space_id


def antiphon(*words: str | Path, timeout: float = 300, **options: Any) -> subprocess.CompletedProcess[str]:
    """Call the command line as its users do."""
    command = [sys.executable, "-m", "antiphon", *map(str, words)]
    environment = {**os.environ, **options.pop("env", {})}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=timeout, env=environment, **options
    )


def write_project(folder: Path, settings: Mapping[str, Any], *, n_items: int = 60, n_users: int = 40) -> Path:
    """A catalog of films on disk, with an antiphon.toml."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    items, tastes = films["film_table"](rng, n_items)
    pq.write_table(items, folder / "items.parquet")
    pq.write_table(films["interaction_table"](rng, items, tastes, n_users), folder / "interactions.parquet")
    pq.write_table(films["image_table"](rng, items, tastes), folder / "image.parquet")
    path = folder / "antiphon.toml"
    path.write_text(tomli_w.dumps(films["merged"](films["film_settings"](), settings)), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_project(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path) -> Path:
    """60 films, 40 users, three modalities; the configuration."""
    modalities = films["film_settings"]()["modalities"]
    modalities[0]["model"] = str(tiny_text_model)
    return write_project(tmp_path_factory.mktemp("films"), {"modalities": modalities})


@pytest.fixture(scope="session")
def tiny_run(tiny_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The run of `tiny_project`, built once by a process of its own; only to be read."""
    run = tmp_path_factory.mktemp("runs") / "films"
    done = antiphon("build", tiny_project, "--run", run)
    assert done.returncode == 0, done.stderr
    return Built(tiny_project, run)


@pytest.fixture(scope="session")
def paper_run(tiny_run: Built, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The same catalog with `preset = "paper"`: the paper's model and use, and nothing else."""
    from antiphon.config.load import load_config
    from antiphon.run.build import build

    run = tmp_path_factory.mktemp("runs") / "paper"
    shutil.copytree(tiny_run.run / "features", run / "features")  # nothing to encode or export again
    build(load_config(tiny_run.project, ['preset="paper"']), run)
    return Built(tiny_run.project, run)


@pytest.fixture
def own_run(tiny_run: Built, tmp_path: Path) -> Built:
    """A copy of `tiny_run` that a test may change."""
    shutil.copytree(tiny_run.run, tmp_path / "run")
    return Built(tiny_run.project, tmp_path / "run")


@pytest.fixture
def cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a process of its own."""
    return antiphon


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a catalog of films and returns its configuration's path."""

    def make(settings: Mapping[str, Any] | None = None, folder: str = "project", **sizes: int) -> Path:
        return write_project(tmp_path / folder, settings or {}, **sizes)

    return make


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Called]:
    """The command line in this process: quick, with the same exit codes and streams."""
    from antiphon.cli import main

    def run(*words: str | Path) -> Called:
        monkeypatch.setattr(sys, "argv", ["antiphon", *map(str, words)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        out, err = capsys.readouterr()
        return code, out, err

    return run
