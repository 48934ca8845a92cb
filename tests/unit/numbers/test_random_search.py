"""Random search: a table of trials that a killed search goes on from, and that no damage changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from antiphon.base.progress import silent
from antiphon.numbers.random_search import best_of

SETTINGS = [{"factors": 4, "alpha": 1.5, "range": (1, 2)}, {"factors": 8, "alpha": 2.5, "range": (1, 2)}]


def search(table: Path) -> tuple[Any, int]:
    """The best setting, and how many were tried."""
    tried: list[Any] = []

    def score(setting: Any) -> float:
        tried.append(setting)
        return float(setting["factors"])

    return best_of(SETTINGS, score, table, name="x", progress=silent), len(tried)


def test_what_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    """The table has a line for each trial; the second search reads all of them."""
    assert search(tmp_path / "t.jsonl") == (SETTINGS[1], 2)
    assert search(tmp_path / "t.jsonl") == (SETTINGS[1], 0)


@pytest.mark.parametrize("line", [0, 1])
def test_a_damaged_line_is_tried_again(tmp_path: Path, line: int) -> None:
    """Whatever bit of a line is turned, the best setting stays, and no trial of a damaged line counts."""
    table = tmp_path / "t.jsonl"
    search(table)
    lines = table.read_bytes().splitlines(keepends=True)
    for place in range(0, len(lines[line]) - 1, 3):
        broken = bytearray(lines[line])
        broken[place] ^= 1
        table.write_bytes(b"".join([*lines[:line], bytes(broken), *lines[line + 1 :]]))
        assert search(table) == (SETTINGS[1], 2 - line)
