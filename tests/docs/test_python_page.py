"""docs/python.md lists every public object, and the public API is typed."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import antiphon

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "python.md"

PROGRAM = """
import antiphon
from typing import assert_type

space = antiphon.load("runs/demo")
assert_type(space, antiphon.Space)
assert_type(antiphon.build("antiphon.toml"), antiphon.Space)
hits = space.search("dark", likes=["a"], where={"year": {"gte": 1980}}, k=3)
assert_type(hits, list[antiphon.Hit])
assert_type(space.recommend("user", k=3), list[antiphon.Hit])
assert_type(space.similar("a"), list[antiphon.Hit])
ids, scores = space.rank([antiphon.Query(text="dark")], 3)
assert_type(ids, list[list[str]])
assert_type(scores, list[list[float]])
assert_type(hits[0].score, float)
"""


def test_every_public_object_is_on_the_page() -> None:
    """The table names what `antiphon.__all__` names, and nothing else."""
    table = PAGE.read_text(encoding="utf-8").partition("## Objects")[2].partition("## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(antiphon.__all__)


def test_every_public_object_loads_and_says_what_it_is() -> None:
    """Names resolve to what they are called, with a docstring."""
    for name in set(antiphon.__all__) - {"__version__"}:
        value = getattr(antiphon, name)
        assert value.__name__ == name
        assert inspect.getdoc(value), name


def test_methods_of_a_space_on_the_page_exist() -> None:
    """The row of Space names its methods."""
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `Space` |"))
    for name in re.findall(r"`(\w+)`", row):
        assert name == "Space" or callable(getattr(antiphon.Space, name))


def test_the_public_api_is_typed(tmp_path: Path) -> None:
    """A program that uses it passes a strict type check."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)
    assert done.returncode == 0, done.stdout
