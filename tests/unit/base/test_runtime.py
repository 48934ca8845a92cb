"""Optional packages: loaded when used, and named when missing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from antiphon.base import runtime
from antiphon.errors import ConfigError, MissingExtraError


def test_importing_antiphon_loads_no_heavy_package():
    """Neither torch nor scipy nor a web framework, until something needs them."""
    heavy = ["torch", "scipy", "sentence_transformers", "implicit", "onnxruntime", "fastapi", "uvicorn", "starlette"]
    code = f"import sys, antiphon; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_threads_of_blas_are_told_to_sleep_before_numpy_is_loaded():
    """What the environment says already counts more."""
    code = "import os, sys, antiphon; print('numpy' in sys.modules, os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    for given, expected in (({}, "16"), ({"OPENBLAS_THREAD_TIMEOUT": "8"}, "8")):
        left = {name: value for name, value in os.environ.items() if name != "OPENBLAS_THREAD_TIMEOUT"}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**left, **given}
        )
        assert done.stdout.split() == ["False", expected]


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    """The top-level name, not the module that was asked for."""
    with pytest.raises(
        MissingExtraError, match=r"reading minds needs the package 'telepathy_of_nobody'.*antiphon\[x\]"
    ):
        runtime.library("telepathy_of_nobody.als", "x", "reading minds")


def test_a_package_that_lacks_another_names_the_other(monkeypatch, tmp_path):
    """Installing the first again would not help."""
    (tmp_path / "needs_another.py").write_text("import dependency_of_nobody\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(MissingExtraError) as caught:
        runtime.library("needs_another", "build", "training")
    assert caught.value.package == "dependency_of_nobody"


def test_the_device_can_be_chosen(monkeypatch):
    """ANTIPHON_DEVICE decides, without loading torch."""
    monkeypatch.setenv("ANTIPHON_DEVICE", "cuda:3")
    assert runtime.device() == "cuda:3"


@pytest.fixture
def gpus(monkeypatch):
    """A function that gives this machine GPUs, and this process a place among those that torchrun started."""
    torch = pytest.importorskip("torch")

    def set_up(count, **environment):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        for name in ("ANTIPHON_DEVICE", "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return set_up


STARTED = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}


def test_a_gpu_is_used_where_there_is_one(gpus):
    """Each process of torchrun has the GPU of its number; WORLD_SIZE alone, as clusters set it, changes nothing."""
    gpus(0, **STARTED)
    assert runtime.device() == "cpu"
    gpus(1)
    assert runtime.device() == "cuda"
    gpus(8, WORLD_SIZE="4", LOCAL_RANK="3")
    assert (runtime.device(), runtime.is_one_of_several()) == ("cuda", False)
    gpus(2, **STARTED)
    assert (runtime.device(), runtime.is_one_of_several()) == ("cuda:1", True)


def test_more_processes_than_gpus_are_refused(gpus):
    """Two cannot share one with nccl; the CPU can be chosen."""
    gpus(1, **STARTED)
    with pytest.raises(ConfigError, match=r"2 processes.*1 GPUs.*nproc-per-node.*ANTIPHON_DEVICE=cpu"):
        runtime.device()
    gpus(1, **STARTED, ANTIPHON_DEVICE="cpu")
    assert runtime.device() == "cpu"


def test_there_is_at_least_one_core(monkeypatch):
    """And no more than the machine has, or than the process was given."""
    assert runtime.n_cores() >= 1
    monkeypatch.setenv("ANTIPHON_CORES", "7")
    assert runtime.n_cores() == 7
    monkeypatch.setenv("ANTIPHON_CORES", "many")
    assert runtime.n_cores() < 4096


def test_has_knows_what_is_installed():
    """Without importing it."""
    assert runtime.has("numpy")
    assert not runtime.has("telepathy_of_nobody")


def test_openmp_threads_wait_briefly_unless_the_environment_says_otherwise(monkeypatch):
    """Spinning for long is eight times slower beside any load, sleeping at once a quarter slower without."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    runtime.set_openmp()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"
    assert os.environ["GOMP_SPINCOUNT"] == runtime.OPENMP["GOMP_SPINCOUNT"]


def test_one_torch_thread_is_for_a_block():
    """Afterwards there are as many as before, also where the block fails."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()

    def fail():
        assert torch.get_num_threads() == 1
        raise KeyError

    with pytest.raises(KeyError), runtime.one_torch_thread():
        fail()
    assert torch.get_num_threads() == before
