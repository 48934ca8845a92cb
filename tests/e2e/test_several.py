"""A build by several processes: torchrun starts them, one publishes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.joint.model import JointModel


def torchrun(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """`antiphon WORDS` in two processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "-m", "--", "antiphon", *map(str, words)], capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "ANTIPHON_DEVICE": "cpu"},
    )  # fmt: skip


def test_two_processes_train_what_one_trains(own_run: Any) -> None:
    """One of them builds and publishes; the model is that of one process, but for the last bits."""
    before = JointModel.load(own_run.run / "model")
    shutil.rmtree(own_run.run / "model")
    done = torchrun("build", own_run.project, "--run", own_run.run)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("published space") == 1
    stages = {
        stage["name"]: stage["status"] for stage in json.loads((own_run.run / "manifest.json").read_text())["stages"]
    }
    assert stages["train"] == "built"
    assert stages["features.text"] == "cached"
    after = JointModel.load(own_run.run / "model")
    np.testing.assert_allclose(after.info["losses"], before.info["losses"], atol=1e-4)
    assert list(after.projections) == list(before.projections)
    for name, projection in before.projections.items():
        for key, value in vars(projection).items():
            if value is not None:
                np.testing.assert_allclose(getattr(after.projections[name], key), value, atol=1e-4, err_msg=name)


def test_what_the_first_process_refuses_ends_them_all(tmp_path: Path) -> None:
    """The sentence is said once, nothing hangs, and the command fails."""
    done = torchrun("build", tmp_path / "nothing.toml")
    assert done.returncode != 0
    assert done.stderr.count("does not exist") == 1
