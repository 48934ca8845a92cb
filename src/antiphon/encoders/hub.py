"""Models in a local folder, or on a hub by name and commit: where they are, their identity, and errors of loading them.

Weights are safetensors: other formats can run code when they are loaded.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.errors import ConfigError, MissingExtraError, RunError

READ = (".safetensors", ".json", ".txt", ".model")
"""Endings of the files that vectors depend on."""
FETCH = "fetch the model on a machine that has one, and give its folder as `model`."


def folder_of(name: str) -> Path | None:
    """The local folder that a model's name is; None where it names no folder."""
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else None


def located(noun: str, name: str, revision: str | None) -> Path | None:
    """`folder_of` a model; `noun` says what it reads, in sentences.

    Raises:
        ConfigError: a hub name without a revision.
    """
    folder = folder_of(name)
    if folder is None and not revision:
        raise ConfigError(
            f"the {noun} model {name!r} is no local folder; a model of the hub needs `revision`, the commit to use, "
            "so that a space can be built again and its code cannot change under you."
        )
    return folder


def file_sums(folder: Path, endings: tuple[str, ...] = READ) -> list[tuple[str, str]]:
    """Names and SHA-256 of the files below a folder that have one of the endings, by name."""
    files = sorted(file for file in folder.rglob("*") if file.suffix in endings)
    return [(file.relative_to(folder).as_posix(), storage.cached_sha256(file)) for file in files]


def identity(noun: str, name: str, revision: str | None, *kind: Any) -> str:
    """A hash of `kind` with a folder's files, or with hub name and revision.

    Raises:
        ConfigError: a hub name without a revision, or a folder without weights as safetensors.
    """
    folder = located(noun, name, revision)
    if folder is None:
        return storage.digest(*kind, name, revision)
    sums = file_sums(folder)
    if not any(file.endswith(".safetensors") for file, _ in sums):
        raise ConfigError(
            f"the folder {str(folder)!r} has no .safetensors file; other formats of weights can run code when they "
            "are loaded, and are not read. Save the model again with safetensors."
        )
    return storage.digest(*kind, sums)


def pretrained(name: str, revision: str | None) -> tuple[str, dict[str, Any]]:
    """What `from_pretrained` takes: a path or hub name, and keywords that keep to the folder or to the commit."""
    folder = folder_of(name)
    local = folder is not None
    given = {"revision": None if local else revision, "local_files_only": local, "trust_remote_code": False}
    return str(folder or name), given


def vectors_of(run: Callable[[], Any]) -> NDArray[np.float32]:
    """What a network of torch makes of its input, (n, dim) float32; `run` calls it."""
    with runtime.torch().inference_mode():
        found = run()
        # Older releases of transformers return the vectors, newer ones an output that has them.
        found = getattr(found, "pooler_output", found)
    result: NDArray[np.float32] = found.float().cpu().numpy()
    return result


@contextlib.contextmanager
def explained(noun: str, name: str, instead: str = FETCH) -> Iterator[None]:
    """Errors of loading a model as a sentence: a folder may be broken, and the hub out of reach, in any way.

    Raises:
        RunError: for every error but that of a missing package; `instead` says what to do.
    """
    try:
        yield
    except MissingExtraError:
        raise
    except Exception as error:
        raise RunError(
            f"the {noun} model {name!r} cannot be loaded ({reason(error, None)}). With no connection to the "
            f"hub, {instead}"
        ) from error


def library(name: str, extra: str, purpose: str) -> Any:
    """A library over torch, `transformers` or `timm`, quiet and without telemetry.

    Raises:
        MissingExtraError: it is not installed, or torch is not.
        RunError: it does not fit the torch that is installed.
    """
    if not runtime.has("torch"):
        raise MissingExtraError("torch", extra, purpose)
    runtime.torch()
    runtime.set_quiet()
    try:
        found = runtime.library(name, extra, purpose)
    except MissingExtraError:
        raise
    except Exception as error:  # libraries of torch fail in their own ways where they do not fit it
        raise RunError(
            f"the package {name!r} cannot be loaded ({reason(error, None)}). Its version must fit that of torch: "
            "install both again from one place."
        ) from error
    if name == "transformers":
        found.utils.logging.disable_progress_bar()
        found.utils.logging.set_verbosity_error()
    return found


def reason(error: Exception, longest: int | None = 200) -> str:
    """The first line of a library's error, at most so long, for a sentence."""
    return storage.first_line(error)[:longest]
