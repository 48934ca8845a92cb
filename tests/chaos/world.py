"""What attacks are made on: a small project, its run, and what undisturbed work makes of both."""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import random
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

TESTS = Path(__file__).resolve().parents[1]
films = runpy.run_path(str(TESTS / "conftest.py"))
SETTINGS = {
    "modalities": [
        {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
        {"name": "cf", "encoder": "als", "trials": 2, "factors": [4]},
    ],
    "train": {"epochs": 3, "checkpoint_every": 1, "batch_size": 16},
    "space": {"taste_trials": 2},
}
LONGEST = 300.0
"""Seconds after which a process hangs."""
TRIALS = 3
"""Of a search of settings."""
INSIDE = "ANTIPHON_CHAOS_MOUNTS"
"""Says that this process has mounts of its own."""
MODEL = """
import runpy, sys, time
support = runpy.run_path(sys.argv[1])
def behave(body, number):
    open(sys.argv[2], "a").write("x")
    return support["Answer"](support["faithful"](body), delay=0.05)
print(support["ChatServer"](behave).url, flush=True)
sys.stdin.read()
"""
"""A language model's server, which notes each request, until nobody listens any more."""


class FailedError(AssertionError):
    """A try after which something was lost or mixed."""


class NotHereError(Exception):
    """The attack cannot be made on this machine."""


@dataclass
class World:
    """A project, files to add to its run, and what undisturbed work makes of both."""

    folder: Path
    chance: random.Random

    def __post_init__(self) -> None:
        from antiphon.config.load import load_config

        rng = np.random.default_rng(0)
        self.folder.mkdir(parents=True, exist_ok=True)
        items, tastes = films["film_table"](rng, 30)
        pq.write_table(items, self.folder / "items.parquet")
        pq.write_table(films["interaction_table"](rng, items, tastes, 20), self.folder / "interactions.parquet")
        pq.write_table(films["image_table"](rng, items, tastes), self.folder / "image.parquet")
        settings = films["merged"](films["film_settings"](), SETTINGS)
        self.project = self.folder / "antiphon.toml"
        self.project.write_text(tomli_w.dumps(settings), encoding="utf-8")
        self.config = load_config(self.project)
        new = items.slice(0, 2)
        place = new.schema.get_field_index("item_id")
        self.more = self.folder / "more.parquet"
        pq.write_table(new.set_column(place, "item_id", pa.array(["film-901", "film-902"])), self.more)
        vectors = pa.table({"item_id": ["film-901", "film-902"], "embedding": rng.normal(size=(2, 8)).tolist()})
        self.vectors = self.folder / "more-image.parquet"
        pq.write_table(vectors, self.vectors)
        self.base = self.folder / "base"
        self.seconds: dict[str, float] = {}
        self.expect(self.child(self._noting(self.build), self.base), 0)
        self.built_id = current(self.base)
        self.grown = self.copy("grown")
        self.expect(self.child(self._noting(self.add), self.grown), 0)
        self.grown_id = current(self.grown)
        self._preload()
        self.timed("build", self.build, self.fresh("timed"))
        self.timed("add", self.add, self.copy("timed"))

    def _noting(self, work: Callable[[Path], None]) -> Callable[[Path], None]:
        """Work that notes which modules it has loaded."""

        def noted(run: Path) -> None:
            work(run)
            with (self.folder / "modules").open("a", encoding="utf-8") as file:
                file.writelines(f"{name}\n" for name in list(sys.modules))

        return noted

    def _preload(self) -> None:
        """Load what the work loads, here and once: then what is disturbed is the work, and there is time for more."""
        for name in dict.fromkeys((self.folder / "modules").read_text(encoding="utf-8").splitlines()):
            if name not in sys.modules and not name.startswith("_"):
                with contextlib.suppress(Exception):
                    importlib.import_module(name)

    def timed(self, name: str, work: Callable[[Path], None], run: Path) -> None:
        """Undisturbed work, and how long it takes."""
        started = time.monotonic()
        self.expect(self.child(work, run), 0)
        self.seconds[name] = time.monotonic() - started

    # ------------------------------------------------------------------------------------------------------ the work

    def build(self, run: Path) -> None:
        """Build the project."""
        from antiphon.run.build import build

        build(self.config, run)

    def add(self, run: Path) -> None:
        """Add two items."""
        from antiphon.run.growing import add_items

        add_items(run, self.more, vectors={"image": self.vectors}, replace=True)

    def load(self, run: Path) -> None:
        """Load the space, and ask it."""
        from antiphon.space.loading import load

        load(run).search(likes=["film-001"], k=3)

    def tune(self, run: Path) -> None:
        """Look for better settings."""
        from antiphon.evaluate.tune import search_config

        search_config(self.config, run, trials=TRIALS)

    def describe(self, run: Path) -> None:
        """Let a model describe the items, by the command line."""
        from antiphon.cli import cli

        words = ["describe", self.project, "--out", run / "gen.parquet", "--cache", run / "cache", "--words", 10, 100]
        words += ["--model", "tiny", "--base-url", self.model, "--key-env", "CHAOS_KEY", "--workers", 2, "--json"]
        os.environ["CHAOS_KEY"] = "sk-0123456789"
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        cli.main([str(word) for word in words], standalone_mode=False)

    @functools.cached_property
    def model(self) -> str:
        """The address of a language model; its requests are counted in the file `asked`."""
        command = [sys.executable, "-c", MODEL, str(TESTS / "support" / "chat_server.py"), str(self.folder / "asked")]
        self.server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return str(self.server.stdout.readline().strip()) if self.server.stdout else ""

    @functools.cached_property
    def described(self) -> list[dict[str, Any]]:
        """Descriptions that nothing disturbed."""
        run = self.fresh("described")
        run.mkdir()
        self.timed("describe", self._noting(self.describe), run)
        self._preload()
        return descriptions(run)

    @functools.cached_property
    def tuned(self) -> list[dict[str, Any]]:
        """A search that nothing disturbed."""
        run = self.copy("tuned")
        self.timed("tune", self._noting(self.tune), run)
        self._preload()
        return history(run)

    @property
    def asked(self) -> int:
        """Requests that the model has had."""
        file = self.folder / "asked"
        return file.stat().st_size if file.is_file() else 0

    # --------------------------------------------------------------------------------------------------- the folders

    def copy(self, name: str) -> Path:
        """A copy of the undisturbed run, of its own files."""
        return Path(shutil.copytree(self.base, self.fresh(name)))

    def fresh(self, name: str) -> Path:
        """A folder where there is no run yet."""
        target = self.folder / "tries" / name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        return target

    # ------------------------------------------------------------------------------------------------- the processes

    def child(
        self, work: Callable[[Path], None], run: Path, *, before: Callable[[], None] = lambda: None,
        dies_after: float | None = None,
    ) -> int:  # fmt: skip
        """Work in a process: 0 where it is done, 2 where it ends with an error of ours, -9 where it was killed."""
        pid = self.start(work, run, before)
        if dies_after is not None:
            time.sleep(dies_after)
            os.kill(pid, signal.SIGKILL)
        return self.end(pid)

    def end(self, pid: int) -> int:
        """How a process ended; one that hangs is killed, which is a failure."""
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise FailedError(f"a process did not end in {LONGEST:.0f} seconds")

    def start(self, work: Callable[[Path], None], run: Path, before: Callable[[], None] = lambda: None) -> int:
        """The id of a process that does some work."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            from antiphon.base import runtime
            from antiphon.errors import AntiphonError

            runtime.torch().set_num_threads(1)
            before()
            try:
                work(run)
                code = 0
            except AntiphonError as error:
                code = 2
                self._note(error)
        except BaseException as error:  # noqa: BLE001  the parent hears of it
            self._note(error)
        finally:
            os._exit(code)

    def _note(self, error: BaseException) -> None:
        """Tell the parent what was not expected, as far as that can be written."""
        import traceback

        try:
            last = traceback.extract_tb(error.__traceback__)[-1]
            with open(self.folder / "unexpected", "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{type(error).__name__}: {error} ({last.filename}, {last.lineno})\n")
        except OSError:
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))

    def expect(self, code: int, *codes: int) -> None:
        """Refuse any other end of a process."""
        if code not in codes:
            file = self.folder / "unexpected"
            said = file.read_text(encoding="utf-8").splitlines()[-1:] if file.is_file() else []
            raise FailedError(f"ended with {code}: {said}")

    def whole(self, run: Path, expected: str, work: Callable[[Path], None]) -> None:
        """Undisturbed work has to end at the expected space, and leave nothing lying about."""
        self.expect(self.child(work, run), 0)
        self.is_now(run, expected)
        nothing_left(run)

    def is_now(self, run: Path, expected: str) -> None:
        """Refuse another space than the one that is expected."""
        if current(run) != expected:
            raise FailedError(f"another space: {current(run)}, expected {expected}")

    def close(self) -> None:
        """End the model."""
        if "model" in self.__dict__:
            self.server.terminate()
            self.server.wait(60)


def nothing_left(run: Path) -> None:
    """Refuse files that somebody was at."""
    left = [path.name for path in run.rglob("*") if path.name.endswith(".part") or path.name.startswith(".new-")]
    if left:
        raise FailedError(f"left behind: {left[:3]}")


def current(run: Path) -> str:
    """The id of a run's space."""
    return (run / "space" / "CURRENT").read_text(encoding="ascii").strip()


def descriptions(run: Path) -> list[dict[str, Any]]:
    """What `describe` wrote."""
    rows: list[dict[str, Any]] = pq.read_table(run / "gen.parquet").to_pylist()
    return rows


def history(run: Path) -> list[dict[str, Any]]:
    """The trials of a search, without what differs from one time to the next."""
    lines = (run / "tune" / "history.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{name: value for name, value in row.items() if name not in ("seconds", "check")} for row in rows]


def with_mounts() -> None:
    """Start this program again with mounts of its own, where the system lets it; they go when it ends."""
    tool = shutil.which("unshare")
    if INSIDE in os.environ or tool is None:
        return
    for more in ([], ["--map-root-user"]):
        words = [tool, "--mount", *more]
        tried = [*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            os.environ[INSIDE] = "yes"
            os.execv(tool, [*words, sys.executable, *sys.argv])


def mount(*words: object) -> None:
    """Mount something, where that can be done.

    Raises:
        NotHereError: it cannot.
    """
    if INSIDE not in os.environ:
        raise NotHereError
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True)


def unmount(path: Path) -> None:
    """End a mount, also while something reads there."""
    subprocess.run(["umount", "--lazy", str(path)], check=True, capture_output=True)
