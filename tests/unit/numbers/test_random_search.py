"""Random search: a table of trials that a killed search goes on from, and that no damage changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.base.progress import silent
from antiphon.numbers.factorization import Setting, search_settings
from antiphon.numbers.random_search import best_of, uphill

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


@given(n=st.integers(1, 9), top=st.integers(0, 8), steepness=st.floats(0.1, 3.0), left=st.floats(0.1, 3.0))
def test_uphill_finds_the_top_of_a_hill(n: int, top: int, steepness: float, left: float) -> None:
    """Wherever the top lies, it is found, and no value is tried twice."""
    top, asked = min(top, n - 1), list[float]()

    def tried(value: float) -> tuple[float, str]:
        asked.append(value)
        away = value - 10 * top
        return -away * (steepness if away > 0 else -left), f"what comes with {value}"

    assert uphill([10.0 * place for place in range(n)], tried) == f"what comes with {10.0 * top}"
    assert len(asked) == len(set(asked))
    assert len(asked) <= abs(top - (n - 1) / 2) + 3


def test_a_search_tries_the_leading_settings_in_full(tmp_path: Path) -> None:
    """All are tried with a third of their iterations, three of them with all; the best of those three wins."""
    settings = [Setting(factors, 1.0, 1.0, 15) for factors in (1, 2, 3, 4, 5, 6, 7)]
    tried: list[Setting] = []

    def score(setting: Setting) -> float:
        tried.append(setting)
        early = setting.iterations < 15
        return setting.factors if early else {5: 0.5, 6: 0.9, 7: 0.1}[setting.factors]

    table = tmp_path / "t.jsonl"
    best = search_settings(settings, score, table, name="x", progress=silent)
    assert best == settings[5]
    assert [setting.iterations for setting in tried] == [5] * 7 + [15] * 3
    assert [setting.factors for setting in tried[7:]] == [5, 6, 7]
    assert search_settings(settings, score, table, name="x", progress=silent) == best
    assert len(tried) == 10, "a search that goes on tries nothing again"


def test_few_settings_are_tried_in_full_at_once(tmp_path: Path) -> None:
    """Where no more are drawn than would be left, there is nothing to leave out."""
    settings = [Setting(factors, 1.0, 1.0, 15) for factors in range(1, 7)]
    tried: list[Setting] = []

    def score(setting: Setting) -> float:
        tried.append(setting)
        return -setting.factors

    assert search_settings(settings, score, tmp_path / "t.jsonl", name="x", progress=silent) == settings[0]
    assert tried == settings
