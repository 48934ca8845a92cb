"""What the tests of the documents share: a run of the generated catalog, and an `antiphon` command on the path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RunBash = Callable[[str, Path], "subprocess.CompletedProcess[str]"]


def in_bash(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run commands in a folder, stopping at the first that fails; `antiphon` is the one under test."""
    commands = folder / ".bin"
    commands.mkdir(exist_ok=True)
    command = commands / "antiphon"
    command.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "from antiphon.cli import main; main()" "$@"\n', encoding="utf-8"
    )
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), environment.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="session")
def run_bash() -> RunBash:
    """The function that runs commands in a folder."""
    return in_bash


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `runs/demo`, made by the first command of the README."""
    folder = tmp_path_factory.mktemp("demo")
    done = in_bash("antiphon demo --dataset generated --run runs/demo --no-serve", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def page_folder(demo_run: Path, tmp_path: Path) -> Path:
    """A fresh folder that has `runs/demo` already."""
    shutil.copytree(demo_run / "runs", tmp_path / "runs")
    return tmp_path
