"""The scripts of examples/ run, and print answers."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RunBash = Callable[[str, Path], "subprocess.CompletedProcess[str]"]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_prints_answers(example: Path, tmp_path: Path, run_bash: RunBash) -> None:
    """An example needs no arguments and no network, and prints at least five lines."""
    done = run_bash(f'"{sys.executable}" "{example}"', tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 5


def test_the_page_registers_the_encoder_of_the_example() -> None:
    """The entry point in docs/adding.md is the one that the example's docstring shows."""
    line = 'era = "own_encoder:Era"'
    assert line in (ROOT / "docs" / "adding.md").read_text(encoding="utf-8")
    assert line in (ROOT / "examples" / "own_encoder.py").read_text(encoding="utf-8")


def test_versions_agree() -> None:
    """CITATION.cff names the version of the package."""
    from antiphon import __version__

    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"] == "Apache-2.0"
