"""Encoding in shards: each is written when it is done, so a killed job loses one, and only new inputs are encoded.

The division into shards is a function of all inputs. A job that is killed and started again encodes the same batches
as one that was never disturbed, and gets the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.errors import IntegrityError

Vectors = NDArray[np.float32]
Away = Callable[[Sequence[list[int]]], Iterable[tuple[int, Vectors]]]
"""What encodes parts, lists of positions, elsewhere: gives the number of each part with its vectors, in any order."""


def encode_in_shards(
    keys: Sequence[str],
    encode: Callable[[list[int]], Vectors],
    folder: Path,
    progress: Progress,
    *,
    name: str,
    shard_size: int = 512,
    away: Away | None = None,
) -> Vectors:
    """Vectors of inputs that are told apart by `keys`, (n, dim) float32.

    `encode` gets positions into `keys`; `away`, where there is one, gets those of all shards in its place. Order the
    keys so that neighbours cost the same (texts by length). Shards that no input uses any more are removed.
    """
    known = _load(folder)
    found = {key for _, held in known.values() for key in held}
    with progress(name, len(keys)) as advance:
        shards = []
        for start in range(0, len(keys), shard_size):
            part = range(start, min(start + shard_size, len(keys)))
            missing = [position for position in part if keys[position] not in found]
            advance(len(part) - len(missing))
            if missing:
                shards.append(missing)
        made = away(shards) if away is not None else ((number, encode(part)) for number, part in enumerate(shards))
        for number, vectors in made:
            _write(folder, [keys[position] for position in shards[number]], vectors)
            advance(len(shards[number]))
    return _collect(folder, keys)


def _write(folder: Path, keys: list[str], vectors: Vectors) -> None:
    if len(vectors) != len(keys) or not np.isfinite(vectors).all():
        raise IntegrityError(f"an encoder made {len(vectors)} vectors for {len(keys)} inputs, or some are not finite.")
    file = folder / f"{name_of(keys)}.npy"
    storage.write_array(file, vectors.astype(np.float32))
    # The keys come second, with the checksum of the vectors: a shard counts when they are there.
    storage.write_json(file.with_suffix(".json"), {"keys": keys, "sha256": storage.sha256(file)})


def name_of(keys: list[str]) -> str:
    """The name of the files of a shard."""
    return storage.digest(keys)[:16]


def _load(folder: Path) -> dict[str, tuple[Path, list[str]]]:
    shards: dict[str, tuple[Path, list[str]]] = {}
    for path in sorted(folder.glob("*.npy")):
        keys = _keys_of(path)
        if keys is None:  # damaged from outside, or of a killed job: it is encoded again
            path.unlink()
        else:
            shards[path.stem] = (path, keys)
    return shards


def _keys_of(path: Path) -> list[str] | None:
    """The keys of a shard whose two files are those that were written; None for any other."""
    try:
        said = storage.read_json(path.with_suffix(".json"))
        whole = said["sha256"] == storage.sha256(path) and name_of(said["keys"]) == path.stem
    except (IntegrityError, KeyError, TypeError, UnicodeEncodeError):
        return None
    return list(said["keys"]) if whole else None


def _collect(folder: Path, keys: Sequence[str]) -> Vectors:
    position = {key: row for row, key in enumerate(keys)}
    result: Vectors | None = None
    for path, held in _load(folder).values():
        used = [(position[key], row) for row, key in enumerate(held) if key in position]
        if not used:
            path.unlink()
            path.with_suffix(".json").unlink()
            continue
        vectors = storage.read_array(path)
        if result is None:
            result = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        to, rows = np.array(used).T
        result[to] = vectors[rows]
    return np.zeros((0, 1), dtype=np.float32) if result is None else result
