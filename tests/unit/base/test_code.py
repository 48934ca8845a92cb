"""The hash of the code that a function runs: what changes it, and what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.base.code import code_of
from antiphon.numbers import metrics

FILES = {
    "__init__.py": "",
    "top.py": "from madeup.middle import half\n\ndef work():\n    from madeup.inside import late\n    return late\n",
    "middle.py": "import madeup.low\n\ndef half(x):\n    return x / madeup.low.TWO\n",
    "low.py": "TWO = 2\n",
    "inside.py": "late = 1\n",
    "beside.py": "OTHER = 1\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of a few modules that import each other."""
    folder = tmp_path / "madeup"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "madeup"]:
        del sys.modules[name]


def hashed() -> str:
    """The hash of the function at the top."""
    return code_of(importlib.import_module("madeup.top").work)


@pytest.mark.parametrize("file", ["top.py", "middle.py", "low.py", "inside.py"])
def test_whatever_it_imports_counts(package: Path, file: str) -> None:
    """Directly, by way of others, as a module, and inside a function."""
    before = hashed()
    (package / file).write_text(FILES[file] + "MORE = 1\n", encoding="utf-8")
    assert hashed() != before


def test_what_it_does_not_import_does_not_count(package: Path) -> None:
    """A file beside them."""
    before = hashed()
    (package / "beside.py").write_text("OTHER = 2\n", encoding="utf-8")
    assert hashed() == before


def test_comments_docstrings_and_types_do_not_count(package: Path) -> None:
    """They change no number."""
    before = hashed()
    (package / "low.py").write_text(
        '"""A number."""\n\nTWO = 2  # as ever\n"""Says what it is."""\nfrom typing import TYPE_CHECKING\n'.replace(
            "from typing import TYPE_CHECKING\n", ""
        ),
        encoding="utf-8",
    )
    assert hashed() == before
    types = "if TYPE_CHECKING:\n    from madeup.beside import OTHER\n"
    (package / "inside.py").write_text(f"{types}late = 1\n", encoding="utf-8")
    assert hashed() == before


def test_other_values_are_another_hash(package: Path) -> None:
    """And values together are one hash, in any order."""
    top, low = importlib.import_module("madeup.top"), importlib.import_module("madeup.low")
    assert code_of(top.work) != code_of(low)
    assert code_of(top.work, low) == code_of(low, top.work)


def test_modules_of_the_package_are_followed() -> None:
    """The same for a module and for what stands in it."""
    assert code_of(metrics) == code_of(metrics.evaluate_ranking) != code_of(code_of)
