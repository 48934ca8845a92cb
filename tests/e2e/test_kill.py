"""SIGKILL at any moment, then the same build again: the same space as if nothing had happened."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import antiphon

# Runs in a fresh process that loads the libraries once and computes nothing itself: every build is a fork. The child
# kills itself with SIGKILL just before the n-th time that it would flush or rename a file.
DRIVER = """
import os, signal, sys
from pathlib import Path

import scipy.sparse, threadpoolctl
from antiphon.base import runtime
torch, _ = runtime.torch(), runtime.implicit_als()
import safetensors.torch
from antiphon.run.build import build
from antiphon.config.load import load_config
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])  # loads what an optimizer needs, once for all builds

config, out, stride = load_config(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])

def run(folder, dies_at):
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    torch.set_num_threads(1)
    count = 0
    def before(function):
        def wrapped(*args, **options):
            nonlocal count
            count += 1
            if count == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **options)
        return wrapped
    for name in ("fsync", "replace", "rename", "link"):
        setattr(os, name, before(getattr(os, name)))
    code = 1
    try:
        build(config, folder)
        code = 0
    finally:
        os._exit(code)

def current(folder):
    return (folder / "space" / "CURRENT").read_text().strip()

assert run(out / "undisturbed", 0) == 0
expected, killed, n = current(out / "undisturbed"), 0, 1
while True:
    folder = out / f"killed-{n}"
    code = run(folder, n)
    if code == 0:
        break
    assert code == -signal.SIGKILL, code
    killed += 1
    assert run(folder, 0) == 0, f"the build after a kill at step {n} failed"
    assert current(folder) == expected, f"another space after a kill at step {n}"
    left = [str(path) for path in folder.rglob(".*") if path.name != ".lock"]
    assert not left, f"left after a kill at step {n}: {left}"
    n += stride
print(killed, n)
"""


@pytest.fixture(scope="module")
def without_text(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., Path]], Path]:
    """Settings of a project that needs no text model, with a checkpoint after each epoch and trials to lose."""

    def make(project: Callable[..., Path]) -> Path:
        modalities = [
            {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
            {"name": "cf", "encoder": "als", "trials": 3, "factors": [4]},
        ]
        train = {"epochs": 3, "checkpoint_every": 1, "batch_size": 16}
        return project({"modalities": modalities, "train": train, "space": {"taste_trials": 2}}, n_items=30)

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="forks processes")
def test_a_build_that_is_killed_at_any_write_ends_at_the_same_space(
    project: Callable[..., Path], without_text: Any, tmp_path: Path
) -> None:
    """Killed before every eleventh flush or rename from the first file to the published version, nothing is lost."""
    command = [sys.executable, "-c", DRIVER, str(without_text(project)), str(tmp_path / "runs"), "11"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    killed, steps = map(int, done.stdout.split())
    assert killed >= 9
    assert steps > 99


def test_a_build_that_is_killed_at_random_times_ends_at_the_same_space(tiny_run: Any, tmp_path: Path) -> None:
    """The whole build, killed three times at moments of chance and gone on with each time."""
    run = tmp_path / "run"
    chance = random.Random()
    command = [sys.executable, "-m", "antiphon", "build", str(tiny_run.project), "--run", str(run)]
    moments = []
    for _ in range(3):
        moments.append(chance.uniform(0.4, 6.0))
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments[-1])
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"killed after {moments} s: {done.stderr}"
    assert (run / "space" / "CURRENT").read_text(encoding="utf-8").strip() == tiny_run.space_id, f"killed at {moments}"
    assert len(antiphon.load(run).search("dark", k=5)) == 5
