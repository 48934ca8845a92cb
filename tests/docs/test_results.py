"""Tables of results in the pages are those of the kept files, and these name the code that they are valid for."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MARK = ": made by benchmarks/readme.py -->"


@pytest.fixture(scope="module")
def readme() -> dict[str, Any]:
    """What benchmarks/readme.py defines."""
    return runpy.run_path(str(ROOT / "benchmarks" / "readme.py"))


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    """What benchmarks/kept.py defines."""
    return runpy.run_path(str(ROOT / "benchmarks" / "kept.py"))


def test_the_pages_show_the_kept_reports() -> None:
    """No number in a table of README.md or docs/ was changed by hand."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "readme.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run: python benchmarks/readme.py {done.stderr}"


def test_every_table_of_measurements_is_made_by_the_script(readme: dict[str, Any]) -> None:
    """A table with three decimals or more than one, outside of the blocks that the script writes, was typed."""
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        made = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            made = MARK in line or (made and not line.startswith("<!-- end of "))
            cells = [cell.strip(" *+-") for cell in line.split("|")[2:-1]] if line.startswith("|") else []
            measured = [cell for cell in cells if cell[:1] == "." and cell[1:4].isdigit()]
            assert made or len(measured) < 2, f"{page.name}, line {number}: {line}"


def test_every_kept_file_names_its_code(kept: dict[str, Any]) -> None:
    """A hash for each file; one without was written by hand, or by a script of long ago."""
    results = ROOT / "benchmarks" / "results"
    files = {str(path.relative_to(results)) for path in results.rglob("*.json")} | {"speed.md"}
    assert files <= kept["DEPENDS"].keys()
    for file in files:
        found = kept["named"](file)
        assert all(len(one) == 64 for one in found)
        assert found, f"{file} names no code: write it by its script again"


def test_the_hash_is_of_the_code_as_it_is(kept: dict[str, Any]) -> None:
    """Every kept file can be asked for; two that depend on other modules have other hashes."""
    hashes = {file: kept["code_for"](file) for file in ("audio.json", "service.json", "movies/metrics.json")}
    assert len(set(hashes.values())) == 3
    assert kept["origin"]("audio.json")["code"] == hashes["audio.json"]


def report(difference: float, p: float, *, first: bool = True) -> dict[str, Any]:
    """A report with one test per task, of ours against EASE."""
    pair = {"a": "ANTIPHON", "b": "EASE"} if first else {"a": "EASE", "b": "ANTIPHON"}
    tests = [
        {**pair, "task": task, "difference": difference, "p_holm": p} for task in ("recommend", "retrieve", "similar")
    ]
    return {"tests": tests}


@pytest.mark.parametrize(
    ("difference", "p", "first", "said"),
    [
        (0.1, 0.001, True, "Every lead of antiphon is significant"),
        (-0.1, 0.001, False, "Every lead of antiphon is significant"),
        (0.1, 0.001, False, "is behind EASE (movies: users)"),
        (-0.1, 0.001, True, "is behind EASE (movies: users)"),
        (0.1, 0.2, True, "is not told apart from EASE (movies: users)"),
    ],
)
def test_a_lead_is_positive_and_significant(
    readme: dict[str, Any], difference: float, p: float, first: bool, said: str
) -> None:
    """A row that is significantly better than ours is no lead of ours, whichever stands first."""
    found = report(difference, p, first=first)
    assert said in readme["_leads"]({"movies": found, "music": found})
