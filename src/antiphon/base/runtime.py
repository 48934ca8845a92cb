"""Threads, and the optional heavy libraries, loaded with the settings that they need.

Measured on two cores with any other load: OpenMP threads that spin while they wait made a training step eight times
slower, and OpenBLAS threads inside the threads of `implicit` slow both down. Threads that sleep at once cost an idle
machine a quarter of a step, so they spin for some microseconds first. The settings only count when they are made
before the library is loaded, so the libraries are loaded here.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from antiphon.errors import MissingExtraError

OPENMP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "4000"}
"""How threads wait for each other, where the environment does not say it."""


def set_openmp() -> None:
    """Say how OpenMP threads wait, in the environment of this process; before torch or `implicit` is loaded."""
    for name, value in OPENMP.items():
        os.environ.setdefault(name, value)


def torch() -> Any:
    """The module `torch`, loaded with OpenMP threads that wait briefly and then sleep.

    Raises:
        MissingExtraError: torch is not installed.
    """
    set_openmp()
    return _load("torch", "build", "training a joint model")


def sentence_transformers() -> Any:
    """The module `sentence_transformers`, quiet and without telemetry.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """
    torch()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    logging.getLogger("transformers").setLevel(logging.ERROR)
    module = _load("sentence_transformers", "build", "encoding texts")
    importlib.import_module("transformers").utils.logging.disable_progress_bar()
    return module


def implicit_als() -> Any:
    """The module `implicit.cpu.als`.

    Raises:
        MissingExtraError: implicit is not installed.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    set_openmp()
    with warnings.catch_warnings():
        # numpy has loaded OpenBLAS before; the caller limits its threads with `one_blas_thread`.
        warnings.simplefilter("ignore")
        return _load("implicit.cpu.als", "build", "collaborative filtering")


def one_blas_thread() -> Any:
    """A context in which BLAS uses one thread, as `implicit` wants: its own threads are over rows."""
    return _load("threadpoolctl", "build", "collaborative filtering").threadpool_limits(1, user_api="blas")


def scipy_sparse() -> Any:
    """The module `scipy.sparse`.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    return _load("scipy.sparse", "build", "collaborative filtering")


def has(package: str) -> bool:
    """Whether an optional package is installed."""
    return importlib.util.find_spec(package) is not None


def device() -> str:
    """Where torch computes: a GPU where there is one, else the CPU; ANTIPHON_DEVICE decides otherwise."""
    chosen = os.environ.get("ANTIPHON_DEVICE")
    return chosen or ("cuda" if torch().cuda.is_available() else "cpu")


def bm25s() -> Any:
    """The module `bm25s`.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    return _load("bm25s", "serve", "matching words")


def stemmer() -> Any:
    """An English Snowball stemmer.

    Raises:
        MissingExtraError: PyStemmer is not installed.
    """
    return _load("Stemmer", "serve", "matching words").Stemmer("english")


def cache_folder() -> Path:
    """Where things are kept that every run can use: ANTIPHON_CACHE, else the user's cache folder."""
    chosen = os.environ.get("ANTIPHON_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(chosen or f"{base}/antiphon").expanduser()


def n_cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _load(name: str, extra: str, purpose: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError((error.name or name).split(".", maxsplit=1)[0], extra, purpose) from error
