"""A short part of `make chaos`, with a fixed seed, in a process of its own: it forks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parent / "chaos.py"
SHORT = (
    "kill -9 of an add", "kill -9 while publishing", "a full disk", "too many open files", "two builds of one run",
    "a clock that jumps", "a file damaged",
)  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="forks processes")
def test_nothing_is_lost_and_nothing_is_mixed(tmp_path: Path) -> None:
    """A few tries of each attack that takes no service; every one ends at the space of an undisturbed run."""
    out = tmp_path / "table.json"
    command = [sys.executable, str(CHAOS), "--seed", "16", "--share", "0.03", "--minutes", "6", "--out", str(out)]
    for name in SHORT:
        command += ["--only", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    table = json.loads(out.read_text(encoding="utf-8"))["attacks"]
    assert set(table) == set(SHORT)
    assert all(line["tried"] >= 1 and line["failed"] == 0 for line in table.values())
