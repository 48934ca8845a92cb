"""Files on disk: atomic writes, checksums, and the few formats in use (JSON, npy, parquet, safetensors).

A file is written beside its final name, flushed to the disk, and renamed. A reader sees the old file or the new one,
never half of one; a full disk leaves the old one.
"""

from __future__ import annotations

import contextlib
import functools
import glob
import hashlib
import json
import os
import shutil
import tomllib
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from antiphon.errors import DataError, IntegrityError, RunError

try:
    import fcntl
except ImportError:  # no advisory locks on this system
    fcntl = None  # type: ignore[assignment]

PART = ".part"
"""Ending of a file that is being written."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    Raises:
        RunError: the folder cannot be written to (read-only, full).
    """
    # Not `tempfile`: its files are for one user only, and a service may run as another.
    beside = path.parent / f".{path.name}.{uuid.uuid4().hex}{PART}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.touch(exist_ok=False)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield beside
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the temporary files below a folder that killed processes left; only for a folder that nobody writes to."""
    for path in folder.rglob(f".*{PART}"):
        path.unlink(missing_ok=True)


def sweep_beside(path: Path) -> None:
    """As `sweep`, of what was meant to become one file; only where nobody else writes that file."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{PART}"):
        left.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path, lock: Path) -> Iterator[None]:
    """Hold a run's folder, which is made where it is missing: one build at a time writes to it.

    Raises:
        RunError: another build holds it, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock)
        held.acquire(timeout=0)
    except Timeout as error:
        raise RunError(f"another build is at work in {folder}; wait for it, or choose another --run.") from error
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror}. Check permissions and free space.") from error
    try:
        yield
    finally:
        held.release()


class Hold:
    """Marks a file as in use until it is closed or forgotten; see `in_use`."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        self.close = weakref.finalize(self, os.close, descriptor)
        if fcntl is not None:
            with contextlib.suppress(OSError):  # a file system without locks
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)


def in_use(path: Path) -> bool:
    """Whether a process on this machine holds the file; False where that cannot be known."""
    if fcntl is None or not path.is_file():
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def is_inside(file: Path, folder: Path) -> bool:
    """Whether a path leads to a file of a folder, also through symbolic links; one that leads elsewhere does not."""
    try:
        return file.is_file() and file.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False


def sync(path: Path) -> None:
    """Flush a file's contents, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document with sorted keys, atomically. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON document.

    Raises:
        IntegrityError: the file is missing or not JSON.
    """
    return _parsed(path, json.loads, "JSON")


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML document that was written here.

    Raises:
        IntegrityError: the file is missing or not TOML.
    """
    found: dict[str, Any] = _parsed(path, tomllib.loads, "TOML")
    return found


def _parsed(path: Path, parse: Callable[[str], Any], kind: str) -> Any:
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing; build the run again.") from error
    except (ValueError, OSError, RecursionError) as error:
        raise IntegrityError(f"{path} is not readable as {kind} ({error}); build the run again.") from error


SEAL = "sha256"
"""Key of a sealed document that holds the digest of the others."""


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object with a checksum of its own, atomically; `read_sealed` checks it."""
    write_json(path, {**value, SEAL: _seal(value)})


def read_sealed(path: Path, unsealed: Iterable[str] = ()) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without its checksum.

    `unsealed`: the keys of a document from before there were checksums, which is taken if it has these and no other.

    Raises:
        IntegrityError: the file is missing, is no JSON object, or is not the one that was written.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise IntegrityError(f"{path} holds no JSON object; build the run again.")
    seal = value.pop(SEAL, None)
    if seal is None and value and set(value) == set(unsealed):
        return value
    if seal is None or seal != _seal(value):
        raise IntegrityError(f"{path} is not the file that was written (its checksum differs); build the run again.")
    return value


def _seal(value: Mapping[str, Any]) -> str | None:
    try:
        return digest("sealed", value)
    except UnicodeEncodeError:  # half a surrogate pair, which nobody wrote
        return None


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write an array as .npy, atomically, without pickle."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


@functools.lru_cache(maxsize=1024)
def _sha256_of(path: Path, size: int, modified: int) -> str:
    """`size` and `modified` are only there to be part of the key."""
    return sha256(path)


def cached_sha256(path: Path) -> str:
    """The SHA-256 of a file that does not change often: asked again, it is read again only when it was modified."""
    status = path.stat()
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


def read_array(path: Path, *, mmap: bool = False) -> np.ndarray[Any, Any]:
    """Read a .npy file; with `mmap` its pages are loaded as they are used.

    Raises:
        IntegrityError: the file is missing, truncated, or holds pickled objects.
    """
    try:
        array: np.ndarray[Any, Any] = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except FileNotFoundError as error:
        raise IntegrityError(f"{path} is missing; build the run again.") from error
    except (ValueError, OSError, EOFError) as error:
        raise IntegrityError(f"{path} is not a complete .npy file ({error}); build the run again.") from error
    if not isinstance(array, np.ndarray):
        raise IntegrityError(f"{path} holds several arrays, expected a .npy file with one; build the run again.")
    return array


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray[Any, Any]]) -> None:
    """Write named arrays as safetensors, atomically."""
    whole = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    with replacing(path) as beside:
        beside.write_bytes(save(whole))


def read_tensors(path: Path, names: Iterable[str] = ()) -> dict[str, np.ndarray[Any, Any]]:
    """Read a safetensors file, which must have the tensors `names`.

    Raises:
        IntegrityError: the file is missing or incomplete, or lacks one of them.
    """
    try:
        tensors: dict[str, np.ndarray[Any, Any]] = load_file(path)
        return tensors | {name: tensors[name] for name in names}
    except (OSError, SafetensorError, KeyError) as error:
        raise IntegrityError(f"{path} cannot be read ({error}); build the run again.") from error


def write_table(path: Path, table: pa.Table) -> None:
    """Write a parquet file, atomically."""
    with replacing(path) as beside:
        pq.write_table(table, beside, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None, *, coded: bool = False) -> pa.Table:
    """Read a parquet file. `coded`: texts as numbers of a dictionary, which takes a third of the memory.

    Raises:
        DataError: the file is missing or is not a complete parquet file.
    """
    try:
        return pq.read_table(path, columns=columns, read_dictionary=_texts_of(path) if coded else None)
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a complete parquet file ({first_line(error)}).") from error


def _texts_of(path: Path) -> list[str]:
    schema = pq.read_metadata(path).schema
    columns = [schema.column(number) for number in range(len(schema))]
    return [column.path for column in columns if column.physical_type == "BYTE_ARRAY"]


def sha256(path: Path) -> str:
    """The SHA-256 of a file's contents, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder of finished files; on one file system they are hard links, which cost no space.

    A file that is there already is replaced, not written into: it may be a link to another copy.

    Raises:
        RunError: the target cannot be written to (read-only, full).
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(source.rglob("*")):
            to = target / file.relative_to(source)
            if file.is_dir():
                to.mkdir(parents=True, exist_ok=True)
                continue
            to.unlink(missing_ok=True)
            try:
                os.link(file, to)
            except OSError:
                shutil.copy2(file, to)
    except OSError as error:
        raise _unwritable(target, error) from error


def digest(*parts: Any) -> str:
    """The SHA-256 of values that JSON can hold, in hex: the fingerprint of a stage or a configuration."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(*arrays: np.ndarray[Any, Any]) -> str:
    """The SHA-256 over dtype, shape and bytes of arrays, in hex."""
    state = hashlib.sha256()
    for array in arrays:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return state.hexdigest()


def _unwritable(path: Path, error: OSError) -> RunError:
    reason = error.strerror or first_line(error)
    return RunError(f"cannot write {path}: {reason}. Check the folder's permissions and free space.")


def first_line(error: Exception) -> str:
    """The first line of a library's error, for a sentence; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
