"""Several processes train what one trains: gradients, checkpoints, and who writes."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "several.py"
several = runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, np.ndarray]:
    """What one process finds."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alone")
    found = several["found"](folder) | {f"joined/{key}": value for key, value in several["joined"](folder).items()}
    torch.set_num_threads(before)
    return found


@pytest.fixture(scope="module")
def several_found(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> dict[int, Path]:
    """The folders in which two and three processes did the same, by how many there were."""
    folders = {}
    for count in (2, 3):
        folders[count] = tmp_path_factory.mktemp(f"of-{count}")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
        done = subprocess.run(
            [*command, str(SCRIPT), str(folders[count])], capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    return folders


@pytest.mark.parametrize("count", [2, 3])
def test_gradients_equal_those_of_one_process_at_the_joint_batch(
    alone: Mapping[str, np.ndarray], several_found: dict[int, Path], count: int
) -> None:
    """To 1e-5, with dropout, masks, requests and a learned temperature, also where the batch cannot be divided."""
    found = np.load(several_found[count] / "found.npz")
    names = [name for name in alone if name.split("/")[0] in several["CASES"]]
    assert len(names) > 100
    worst = {}
    for name in names:
        scale = max(float(np.abs(alone[name]).max()), 1e-3)
        worst[name] = float(np.abs(found[name] - alone[name]).max()) / scale
    assert max(worst.values()) < 1e-5, max(worst, key=worst.__getitem__)


@pytest.mark.parametrize("count", [2, 3])
def test_a_whole_training_comes_to_the_weights_of_one_process(
    alone: Mapping[str, np.ndarray], several_found: dict[int, Path], count: int
) -> None:
    """Losses, watched losses and weights, also where it was led, and where the weights of modalities are learned."""
    found = np.load(several_found[count] / "found.npz")
    names = [name for name in alone if name.split("/")[0] in ("whole", "joined")]
    assert sorted(found.files) == sorted(alone)
    for name in names:
        np.testing.assert_allclose(found[name], alone[name], atol=2e-4, err_msg=name)


@pytest.mark.parametrize("count", [2, 3])
def test_a_training_that_was_ended_goes_on_from_the_checkpoint_of_the_first(
    several_found: dict[int, Path], count: int
) -> None:
    """The first process alone has a checkpoint; all go on from it, to the same bits as without an end."""
    found = np.load(several_found[count] / "found.npz")
    assert found["ended"].tolist() == ["state.json"]
    resumed = [name for name in found.files if name.startswith("resumed/")]
    assert len(resumed) > 5
    for name in resumed:
        np.testing.assert_array_equal(found[name], found[name.replace("resumed", "whole")], err_msg=name)


def test_a_process_alone_divides_and_sends_nothing() -> None:
    """What goes in comes out, the very same objects: a training of one process is what it was without others."""
    from antiphon.joint.together import Crew

    crew, rows, value = Crew.here(), torch.arange(5), {"any": "value"}
    assert (crew.leads, crew.alone) == (True, True)
    assert crew.share(rows) is rows
    assert crew.gathered([rows], 5)[0] is rows
    assert crew.told(value)[0] is value
    weight = torch.ones(3, requires_grad=True)
    weight.grad = torch.tensor([1.0, 2.0, 3.0])
    crew.average([weight])
    assert weight.grad.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda:1", "cpu:gloo,cuda:nccl")])
def test_gpus_speak_by_nccl_and_all_else_goes_by_gloo(
    monkeypatch: pytest.MonkeyPatch, device: str, backend: str
) -> None:
    """The device of this process decides, and is the one that torch computes on."""
    from antiphon.run import processes

    chosen: list[object] = []
    monkeypatch.setenv("ANTIPHON_DEVICE", device)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda name, **_: chosen.append(name))
    processes._joined()
    assert chosen == [name for name in (device, backend) if name != "cpu"]
