"""Sounds of items, and sounds as requests: files in, windows through a network, one vector per file.

A vector is the mean of the unit vectors of the file's windows, at unit length again. Files are read and turned into
spectrograms in threads while the model runs, and decoded in processes that are ended where a decoder hangs or grows.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import storage
from antiphon.config.sections import Model
from antiphon.encoders.base import QueryKind
from antiphon.encoders.files import write_findings
from antiphon.encoders.media import MediaEncoder, MediaOptions, MediaQuerySide, Work, prepared_ahead
from antiphon.encoders.shards import name_of
from antiphon.encoders.sounds.files import (
    DECODER,
    FLAWS,
    MAX_FILE,
    REMARKS,
    Hearing,
    Sound,
    listen_apart,
    listen_to_request,
)
from antiphon.encoders.sounds.mel import MelSpec
from antiphon.errors import DataError, IntegrityError
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
UNREADABLE = "unreadable"
KINDS = {**FLAWS, UNREADABLE: "files that cannot be read", **REMARKS}
POLICIES = {**dict.fromkeys((*FLAWS, UNREADABLE), "no vector"), **dict.fromkeys(REMARKS, "heard as they are")}
POLICIES |= {"cut": "heard as far as they go", "loud": "scaled to full scale"}


class SoundModel(ABC):
    """A network that is loaded, with its front end."""

    spec: MelSpec
    """What the network wants to see."""

    @abstractmethod
    def encode(self, mels: Floats) -> Floats:
        """Vectors of windows: (n, n_frames, n_mels) float32 to (n, dim) float32."""

    @functools.cached_property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.encode(self.spec.apply(np.zeros((1, self.spec.window), np.float32))).shape[1])


class AudioOptions(MediaOptions):
    """What every encoder of sounds can be told."""

    model: Model
    media: str = Field("audio", description="the files: NAME of [catalog.media.NAME]")
    windows: int = Field(6, ge=1, le=100, description="of the network's length, at most so many of one file")
    batch_size: int = Field(16, ge=1, description="windows that the network sees at once")


O = TypeVar("O", bound=AudioOptions)  # noqa: E741  as in `base`


class AudioQuerySide(MediaQuerySide[SoundModel]):
    """Encodes sounds of requests, heard as the items were."""

    def encode(self, inputs: Sequence[bytes | Path]) -> Floats:
        """Vectors of sounds, (n, dim) float32, unit L2.

        Raises:
            QueryError: a file is no sound, or is one that is silent, too short or damaged.
        """
        hearing = _hearing(self.model, self.settings["windows"])
        sounds = [listen_to_request(value, hearing, self.decoder) for value in inputs]
        vectors = np.zeros((len(sounds), self.model.dim), dtype=np.float32)
        _run(self.model, [(row, _mels(self.model.spec, sound)) for row, sound in enumerate(sounds)], vectors, 16)
        return vectors


class AudioEncoder(MediaEncoder[O, SoundModel]):
    """What encoders of sounds share; their settings have `windows`."""

    accepts: ClassVar[QueryKind | None] = "audio"
    noun, side_file = "sound", "audio.json"
    target, max_file, shard_size = DECODER, MAX_FILE, 64
    Side = AudioQuerySide

    def encode_files(self, model: SoundModel, work: Work, keys: Sequence[str]) -> Floats:
        """Vectors of some files, (n, dim), zeros where one has a flaw; flaws and remarks of each are noted."""
        vectors = np.zeros((len(keys), model.dim), dtype=np.float32)
        found: dict[str, tuple[str, ...]] = {}
        waiting: list[tuple[int, Floats]] = []
        rows, workers, size = [work.row_of[key] for key in keys], self.options.workers, self.options.batch_size
        prepare = functools.partial(_prepared, model.spec, _hearing(model, self.options.windows), work)
        for place, (kinds, mels) in enumerate(prepared_ahead(prepare, rows, workers, 2 * workers)):
            found[keys[place]] = kinds
            if mels is not None:
                waiting.append((place, mels))
            if sum(len(part) for _, part in waiting) >= size:
                _run(model, waiting, vectors, size)
                waiting = []
        _run(model, waiting, vectors, size)
        # Before the vectors: where a shard is there, so is what was found in its files.
        _write_notes(work, found)
        return vectors

    def settle(self, work: Work) -> None:
        """Where the notes of a shard are damaged, its files are heard again."""
        for path in work.folder("notes").glob("*.json"):
            if _notes_of(path) is None:
                path.unlink()
                (work.shards / f"{path.stem}.npy").unlink(missing_ok=True)
                (work.shards / path.name).unlink(missing_ok=True)

    def report(self, work: Work, mask: NDArray[np.bool_]) -> None:
        """Keep flaws and remarks, as they were noted."""
        notes, names = _read_notes(work), zip(work.files.names, work.keys, strict=True)
        found = [(KINDS[kind], str(name)) for name, key in names for kind in notes.get(key or "", [])]
        policies = {KINDS[kind]: policy for kind, policy in POLICIES.items()}
        write_findings(work.workspace, found, policies, work.files.path)


def _write_notes(work: Work, found: dict[str, tuple[str, ...]]) -> None:
    """Flaws and remarks of files by their keys, under the name of the shard that they were found for."""
    storage.write_sealed(work.folder("notes") / f"{name_of(list(found))}.json", found)


def _read_notes(work: Work) -> dict[str, list[str]]:
    """The notes of files that are still used; the others are forgotten."""
    notes: dict[str, list[str]] = {}
    for path in sorted(work.folder("notes").glob("*.json")):
        held = _notes_of(path) or {}
        if work.row_of.keys().isdisjoint(held):
            path.unlink()
        else:
            notes.update(held)
    return notes


def _notes_of(path: Path) -> dict[str, list[str]] | None:
    """The notes of a file; None where they are not what was written."""
    try:
        held: dict[str, list[str]] = storage.read_sealed(path)
    except IntegrityError:
        return None
    return held


def _hearing(model: SoundModel, n_windows: int) -> Hearing:
    return Hearing(model.spec.sample_rate, model.spec.window, n_windows)


def _mels(spec: MelSpec, sound: Sound) -> Floats:
    assert sound.windows is not None  # noqa: S101  callers look for flaws first
    parts = [spec.filled(row[:size]) for row, size in zip(sound.windows, sound.lengths, strict=True)]
    return spec.apply(np.stack(parts))


def _run(model: SoundModel, waiting: Sequence[tuple[int, Floats]], vectors: Floats, batch_size: int) -> None:
    """Put the pooled unit vectors of the windows of some files into their places."""
    if not waiting:
        return
    mels = np.concatenate([part for _, part in waiting])
    outputs = [model.encode(mels[start : start + batch_size]) for start in range(0, len(mels), batch_size)]
    heard, start = unit(np.concatenate(outputs)), 0
    for place, part in waiting:
        vectors[place] = unit(heard[start : start + len(part)].mean(axis=0))
        start += len(part)


def _prepared(spec: MelSpec, hearing: Hearing, work: Work, row: int) -> tuple[tuple[str, ...], Floats | None]:
    """Flaws and remarks, and spectrograms, of an item's file."""
    try:
        sound = listen_apart(work.decoder, work.files.read(row), hearing)
    except DataError:
        return (UNREADABLE,), None
    return ((str(sound.flaw),), None) if sound.windows is None else (sound.remarks, _mels(spec, sound))
