"""Runs the notebooks of docs/notebooks, and keeps what they print and draw in them.

    python scripts/notebooks.py [NAME ...]

Cells run in order, in one namespace, in a folder that is new. A line that begins with ! is a command, as in Jupyter. No
kernel is needed: the notebooks are plain Python and plain commands.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "notebooks"
DPI = 72
_COMMAND = re.compile(r"^!(.+)$", re.MULTILINE)


def executed(document: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The notebook with outputs of its cells, which run in `folder`.

    Raises:
        RuntimeError: a command failed.
    """
    os.environ["MPLBACKEND"] = "Agg"
    names: dict[str, Any] = {"__name__": "__main__", "_command": lambda line: _command(line, folder)}
    number, cells, here = 0, [], Path.cwd()
    os.chdir(folder)
    try:
        for cell in document["cells"]:
            made = dict(cell)
            if cell["cell_type"] == "code":
                number += 1
                made |= {"execution_count": number, "outputs": _outputs("".join(cell["source"]), names, number)}
            cells.append(made)
    finally:
        os.chdir(here)
    return {**document, "cells": cells}


def _outputs(code: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    printed = io.StringIO()
    tree = ast.parse(_COMMAND.sub(lambda match: f"_command({match[1]!r})", code))
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(tree, f"cell {number}", "exec"), names)  # noqa: S102  running cells is what this is for
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"output_type": "stream", "name": "stdout", "text": text})
    return outputs + _figures()


def _figures() -> list[dict[str, Any]]:
    if "matplotlib.pyplot" not in sys.modules:
        return []
    from matplotlib import pyplot as plt

    found = []
    for number in plt.get_fignums():
        picture = io.BytesIO()
        plt.figure(number).savefig(picture, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
        data = base64.b64encode(picture.getvalue()).decode()
        found.append(
            {"output_type": "display_data", "metadata": {}, "data": {"image/png": data, "text/plain": ["plot"]}}
        )
    plt.close("all")
    return found


def _command(line: str, folder: Path) -> None:
    """Run a command; what it prints on both ways goes to the cell, without the lines that tell progress."""
    words = shlex.split(line)
    if words[0] == "antiphon":
        words = [sys.executable, "-m", "antiphon", *words[1:]]
    done = subprocess.run(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{line}\n{done.stdout}")
    print(done.stdout.replace(f"{folder.resolve()}/", ""), end="")


def main() -> None:
    """Run those that are named, or all, and write them."""
    wanted = sys.argv[1:] or [path.stem for path in sorted(FOLDER.glob("*.ipynb"))]
    for name in wanted:
        path = FOLDER / f"{name}.ipynb"
        with tempfile.TemporaryDirectory() as folder:
            made = executed(json.loads(path.read_text(encoding="utf-8")), Path(folder))
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
