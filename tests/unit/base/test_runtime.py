"""Optional packages: loaded when used, and named when missing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from antiphon.base import runtime
from antiphon.errors import MissingExtraError


def test_importing_antiphon_loads_no_heavy_package():
    """Neither torch nor scipy nor a web framework, until something needs them."""
    heavy = ["torch", "scipy", "sentence_transformers", "implicit", "onnxruntime", "fastapi", "uvicorn", "starlette"]
    code = f"import sys, antiphon; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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


def test_there_is_at_least_one_core():
    """And no more than the machine has."""
    assert runtime.n_cores() >= 1


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
