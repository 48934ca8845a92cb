"""Requests and files that nobody sends on purpose, drawn with fixed seeds: some in `make test`, many in `make fuzz`.

`make fuzz` ends with a table of what was tried and what failed; `--fuzz-out FILE` keeps it, with commit and machine.
"""

from __future__ import annotations

import json
import os
import runpy
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parents[2]
MANY = int(os.environ.get("ANTIPHON_FUZZ") or 0)
"""Examples of each kind in `make fuzz`."""
settings.register_profile("fuzz", settings.get_profile("antiphon"), max_examples=MANY or 25)
GROUPS = {
    "test_uploads.py": "pictures and sounds: bombs, stumps, lies, damage",
    "test_clients.py": "64 clients and slow ones, at a service",
    "test_fuzz.py": "filters",
    "test_schemathesis.py": "requests to each of the routes",
}
"""What each file tries."""


class Tried:
    """Cases and failures of each group."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.now, self.before = "", 0
        self.began = time.monotonic()

    def add(self, n_cases: int = 1) -> None:
        """Count cases of the test that runs."""
        self.cases[self.now] += n_cases

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        """Know which group runs."""
        self.now = Path(nodeid.split("::", 1)[0]).name
        self.before = self.cases[self.now]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count failures; a test that is no property is a case of its own."""
        if report.failed:
            self.failed[self.now] += 1
        if report.when == "call" and self.cases[self.now] == self.before:
            self.add()

    def table(self) -> dict[str, dict[str, int]]:
        """Group -> cases that were tried, tests that failed."""
        return {
            GROUPS[name]: {"tried": self.cases[name], "failed": self.failed[name]}
            for name in GROUPS
            if self.cases[name] or self.failed[name]
        }


TRIED = Tried()


@pytest.fixture
def tried() -> Tried:
    """Where a test that draws its cases itself counts them."""
    return TRIED


def pytest_addoption(parser: pytest.Parser) -> None:
    """The file for the table."""
    parser.addoption("--fuzz-out", type=Path, default=None, help="JSON with what `make fuzz` tried")


def pytest_configure(config: pytest.Config) -> None:
    """Count in all files that run, not only here; examples of hypothesis also where a test runs them inside."""
    if MANY:
        from hypothesis.internal.observability import add_observability_callback

        config.pluginmanager.register(TRIED)
        add_observability_callback(_example)


def _example(what: Any) -> None:
    if getattr(what, "type", "") == "test_case":
        TRIED.add()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is one of the fuzz suite."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.fuzz)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The table, at the end of `make fuzz`."""
    if not MANY:
        return
    table = TRIED.table()
    lines = [f"| {name} | {row['tried']:,} | {row['failed']} |" for name, row in table.items()]
    terminalreporter.write("\n".join(["", "| what | tried | failed |", "|---|---:|---:|", *lines, ""]))
    if (out := config.getoption("--fuzz-out", default=None)) is not None:
        origin = runpy.run_path(str(ROOT / "benchmarks" / "kept.py"))["origin"]("fuzz.json")
        minutes = round((time.monotonic() - TRIED.began) / 60, 1)
        document = {**origin, "examples": MANY, "minutes": minutes, "tried": table}
        out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
