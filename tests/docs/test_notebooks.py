"""The notebooks run, draw, and keep what they printed."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
executed = runpy.run_path(str(ROOT / "scripts" / "notebooks.py"))["executed"]
PICTURE = "image/png"


def read(path: Path) -> dict[str, Any]:
    """A notebook as it is kept."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def printed(document: dict[str, Any]) -> str:
    """What all cells of a notebook printed."""
    outputs = [output for cell in document["cells"] for output in cell.get("outputs", ())]
    return "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


def pictures(document: dict[str, Any]) -> int:
    """How many plots a notebook has."""
    return sum(PICTURE in output.get("data", ()) for cell in document["cells"] for output in cell.get("outputs", ()))


def test_there_are_two() -> None:
    """From a file to a space, and from a space to what it is worth."""
    assert [path.stem for path in NOTEBOOKS] == ["evaluate-and-tune", "from-a-csv-to-a-space"]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(path: Path, tmp_path: Path) -> None:
    """In an empty folder, without a network; it prints answers, and draws as many plots as it keeps."""
    kept = read(path)
    made = executed({**kept, "cells": [{**cell, "outputs": []} for cell in kept["cells"]]}, tmp_path)
    assert pictures(made) == pictures(kept) >= 1
    assert len(printed(made).splitlines()) > 5
    assert str(tmp_path) not in printed(made)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_what_it_printed_and_is_small(path: Path) -> None:
    """Every cell has been run, in order; no error, and no path of the machine that ran it, is kept."""
    cells = [cell for cell in read(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 120_000
    assert "/tmp" not in printed(read(path))
    assert "Traceback" not in printed(read(path))


def test_a_command_that_fails_fails_the_notebook(tmp_path: Path) -> None:
    """What a cell calls and what goes wrong there is not passed over."""
    cell = {"cell_type": "code", "source": ["!antiphon inspect nowhere\n"], "metadata": {}}
    with pytest.raises(RuntimeError, match="nowhere"):
        executed({"cells": [cell]}, tmp_path)
