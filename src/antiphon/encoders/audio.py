"""Sounds of items, and sounds as requests: files in, windows through a network, one vector a file.

A vector is the mean of the unit vectors of the file's windows, at unit length again. Files are read, decoded and turned
into spectrograms in threads, while the model runs.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon import storage
from antiphon.config import CatalogConfig, Section
from antiphon.encoders.audio_files import FLAWS, MAX_FILE, REMARKS, Hearing, Sound, listen, listen_to_request
from antiphon.encoders.audio_mel import MelSpec
from antiphon.encoders.base import Encoder, QueryKind, Source
from antiphon.encoders.files import MediaFiles, check_media, write_findings
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import DataError, IntegrityError, MissingExtraError
from antiphon.features import Features, unit
from antiphon.progress import Progress

Floats = NDArray[np.float32]
SHARD = 64
SIDE_FILE = "audio.json"
UNREADABLE = "unreadable"
KINDS = {**FLAWS, UNREADABLE: "files that cannot be read", **REMARKS}
POLICIES = {**dict.fromkeys((*FLAWS, UNREADABLE), "no vector"), **dict.fromkeys(REMARKS, "heard as they are")}
POLICIES |= {"cut": "heard as far as they go", "loud": "scaled to full scale"}


class SoundModel(Protocol):
    """A network that is loaded, with its front end."""

    @property
    def spec(self) -> MelSpec:
        """What the network wants to see."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, mels: Floats) -> Floats:
        """Vectors of windows: (n, n_frames, n_mels) float32 to (n, dim) float32."""
        ...


class AudioOptions(Section):
    """What every encoder of sounds can be told."""

    model: str
    media: str = Field("audio", description="the files: NAME of [catalog.media.NAME]")
    windows: int = Field(6, ge=1, le=100, description="of the network's length, at most so many of one file")
    batch_size: int = Field(16, ge=1, description="windows that the network sees at once")
    workers: int = Field(2, ge=1, description="threads that read and decode while the model runs")


O = TypeVar("O", bound=AudioOptions)  # noqa: E741  as in `base`


class AudioEncoder(Encoder[O]):
    """What encoders of sounds share: files in, shards, flaws counted, a query side that hears one file."""

    accepts: ClassVar[QueryKind | None] = "audio"

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What `load` needs, as plain values, with `windows`."""

    @classmethod
    @abstractmethod
    def identity_of(cls, settings: dict[str, Any], folder: Path | None = None) -> str:
        """A hash that changes when a sound's vector may change; `folder` is a published side that has the network."""

    @classmethod
    @abstractmethod
    def load(cls, settings: dict[str, Any], folder: Path | None = None) -> SoundModel:
        """The network that `settings` names."""

    def identity(self) -> str:
        """`identity_of` these options."""
        return self.identity_of(self.settings())

    def check(self, catalog: CatalogConfig) -> None:
        """The files must be named and the model must be there, or be named so that it can be fetched again."""
        check_media(catalog, self.options.media, self.modality)
        self.identity()

    def fingerprint(self, source: Source) -> str:
        """Hash of the model's identity and what the files look like from outside."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        return storage.digest("audio", self.identity(), source.catalog.item_ids, files.stamp())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Unit vectors of the items' sounds; an item without a file, or with one that has a flaw, is masked."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        keys = [files.key(row) for row in range(source.catalog.n_items)]
        row_of = {key: row for row, key in reversed(list(enumerate(keys))) if key is not None}
        unique = list(dict.fromkeys(key for key in keys if key is not None))
        load = functools.cache(lambda: self.load(self.settings()))
        notes = _Notes(workspace / f"notes-{self.identity()[:12]}")

        def encode(positions: list[int]) -> Floats:
            part = [unique[position] for position in positions]
            vectors, found = self._encode_files(load(), files, [row_of[key] for key in part])
            # Before the vectors: where a shard is there, so is what was found in its files.
            notes.write(part, found)
            return vectors

        folder = workspace / f"shards-{self.identity()[:12]}"
        vectors = encode_in_shards(unique, encode, folder, progress, name=f"encoding {self.modality}", shard_size=SHARD)
        place = {key: number for number, key in enumerate(unique)}
        matrix = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        rows = [row for row, key in enumerate(keys) if key is not None]
        matrix[rows] = unit(vectors)[[place[str(keys[row])] for row in rows]]
        mask = np.asarray(matrix.any(axis=1))
        self._report(files, keys, notes.read(set(unique)), workspace)
        return Features(self.modality, ("item",), matrix[None], mask[None])

    def _encode_files(
        self, model: SoundModel, files: MediaFiles, rows: Sequence[int]
    ) -> tuple[Floats, list[tuple[str, ...]]]:
        """Vectors of some items' files, (n, dim), zeros where a file has a flaw; and flaws and remarks of each."""
        vectors = np.zeros((len(rows), model.dim), dtype=np.float32)
        found: list[tuple[str, ...]] = [()] * len(rows)
        waiting: list[tuple[int, Floats]] = []
        hearing = _hearing(model, self.options.windows)
        for place, (kinds, mels) in enumerate(_prepared(model.spec, hearing, files, rows, self.options.workers)):
            found[place] = kinds
            if mels is not None:
                waiting.append((place, mels))
            if sum(len(part) for _, part in waiting) >= self.options.batch_size:
                _run(model, waiting, vectors, self.options.batch_size)
                waiting = []
        _run(model, waiting, vectors, self.options.batch_size)
        return vectors, found

    def _report(
        self, files: MediaFiles, keys: Sequence[str | None], notes: dict[str, list[str]], workspace: Path
    ) -> None:
        flawed: dict[str, list[str]] = {}
        for name, key in zip(files.names, keys, strict=True):
            for kind in notes.get(key or "", []):
                flawed.setdefault(KINDS[kind], []).append(str(name))
        write_findings(workspace, flawed, {KINDS[kind]: policy for kind, policy in POLICIES.items()}, files.path)

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write which model hears the sounds of requests."""
        storage.write_json(folder / SIDE_FILE, {**self.settings(), "identity": self.identity()})

    @classmethod
    def query_side(cls, folder: Path) -> AudioQuerySide:
        """Load what `publish` wrote."""
        return AudioQuerySide(cls, folder)


@dataclass
class AudioQuerySide:
    """Encodes sounds of requests; loads its model at the first one or at `warm`."""

    encoder: type[AudioEncoder[Any]]
    folder: Path

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What was published."""
        settings: dict[str, Any] = storage.read_json(self.folder / SIDE_FILE)
        return settings

    @functools.cached_property
    def model(self) -> SoundModel:
        """The network, which must be the one that the items were encoded with.

        Raises:
            IntegrityError: it is another one.
            MissingExtraError: this machine has not got what it runs on.
        """
        if self.encoder.identity_of(self.settings, self.folder) != self.settings["identity"]:
            raise IntegrityError(
                f"the sound model {self.settings['model']!r} is not the one that this space was built with; "
                "build the run again."
            )
        return self.encoder.load(self.settings, self.folder)

    def warm(self) -> None:
        """Load the model now; where its packages are not installed, other queries are still answered."""
        try:
            _ = self.model
        except MissingExtraError:
            return

    def encode(self, inputs: Sequence[bytes | Path]) -> Floats:
        """Vectors of sounds, (n, dim) float32, unit L2, heard as the items were.

        Raises:
            QueryError: a file is no sound, or is one that is silent, too short or damaged.
        """
        hearing = _hearing(self.model, self.settings["windows"])
        sounds = [listen_to_request(value, hearing) for value in inputs]
        vectors = np.zeros((len(sounds), self.model.dim), dtype=np.float32)
        _run(self.model, [(row, _mels(self.model.spec, sound)) for row, sound in enumerate(sounds)], vectors, 16)
        return vectors


class _Notes:
    """Flaws and remarks of files by their keys, beside the shards that they were found for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, keys: Sequence[str], found: Sequence[tuple[str, ...]]) -> None:
        noted = {key: list(kinds) for key, kinds in zip(keys, found, strict=True)}
        storage.write_json(self.folder / f"{storage.digest(list(keys))[:16]}.json", noted)

    def read(self, used: set[str]) -> dict[str, list[str]]:
        """The notes of files that are still used; the others are forgotten."""
        notes: dict[str, list[str]] = {}
        for path in sorted(self.folder.glob("*.json")):
            held: dict[str, list[str]] = storage.read_json(path)
            if used.isdisjoint(held):
                path.unlink()
            else:
                notes.update(held)
        return notes


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


def _prepared(
    spec: MelSpec, hearing: Hearing, files: MediaFiles, rows: Sequence[int], workers: int
) -> Iterator[tuple[tuple[str, ...], Floats | None]]:
    """Flaws and remarks, and spectrograms, of files in order; a few files are prepared ahead."""

    def prepare(row: int) -> tuple[tuple[str, ...], Floats | None]:
        try:
            sound = listen(files.read(row), hearing)
        except DataError:
            return (UNREADABLE,), None
        return ((str(sound.flaw),), None) if sound.windows is None else (sound.remarks, _mels(spec, sound))

    ahead: deque[Future[tuple[tuple[str, ...], Floats | None]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="antiphon-listen") as pool:
        for row in rows:
            ahead.append(pool.submit(prepare, row))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
