"""Requests and files that nobody sends on purpose, drawn with fixed seeds: some in `make test`, many in `make fuzz`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

LONG = bool(os.environ.get("ANTIPHON_FUZZ"))
"""Whether this is `make fuzz`: forty times as many examples."""
settings.register_profile("fuzz", settings.get_profile("antiphon"), max_examples=1_000 if LONG else 25)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here is one of the fuzz suite."""
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.fuzz)
