"""The service as a process of its own."""

from __future__ import annotations

import contextlib
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

TESTS = next(folder for folder in Path(__file__).resolve().parents if folder.name == "tests")
shared = runpy.run_path(str(TESTS / "unit" / "serve" / "conftest.py"))
tiny_text_model = shared["tiny_text_model"]
film_run = shared["film_run"]
own_run = shared["own_run"]


class Service:
    """A process that serves, and its address."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "antiphon", *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self.address = ""
        for line in self.process.stderr or ():
            self.lines.append(line)
            if line.startswith("serving at "):
                self.address = line.split()[-1].rstrip("/")
                break
        # Nobody else reads what it logs; a full pipe would stop it.
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stderr or ():
            self.lines.append(line)

    def stop(self) -> int:
        """End it as an operator does; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def service(film_run: Path) -> Iterator[Callable[..., Any]]:
    """A function that starts the service over a run, on a free port."""
    with contextlib.ExitStack() as stack:

        def start(run: Path = film_run, *words: str) -> Service:
            made = Service("serve", str(run), "--port", "0", *words)
            stack.callback(made.process.kill)
            assert made.address, "".join(made.lines)
            return made

        yield start
