"""What encoders of files share, pictures and sounds alike: shards, places of vectors, and the model of a query side.

A file is known by a hash of what it holds: items with the same file share a vector, and a file that was encoded once
is encoded again only by another model.
"""

from __future__ import annotations

import contextlib
import functools
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import storage
from antiphon.base.isolated import Isolated
from antiphon.base.progress import Progress
from antiphon.config.sections import CatalogConfig, Model, Section
from antiphon.data.features import Features
from antiphon.encoders import hub
from antiphon.encoders.base import Encoder, QuerySide, Source
from antiphon.encoders.files import MediaFiles, check_media
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import IntegrityError, MissingExtraError, RunError
from antiphon.numbers.engine import Encoding
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
T = TypeVar("T")
M = TypeVar("M")


class MediaOptions(Section):
    """What every encoder of files can be told."""

    media: str
    workers: int = Field(2, ge=1, description="files that are read and decoded at once, each in a process of its own")


class HubOptions(Section):
    """Options of encoders whose model may be of a hub."""

    model: Model = Field(description="a local folder, or a hub name with `revision`")
    revision: str | None = Field(None, description="commit of the hub model")


SECONDS = 30.0
"""For a file of an item: more than for one of a request, as a build may share its machine with anything."""


O = TypeVar("O", bound=MediaOptions)  # noqa: E741  as in `base`


@dataclass(frozen=True)
class Work:
    """The files of a catalog while they are encoded.

    `keys`: a hash of what each item's file holds, None where it has none. `identity`: of the model, for names.
    `decoder`: processes that decode the files, and nothing else.
    """

    files: MediaFiles
    keys: Sequence[str | None]
    workspace: Path
    identity: str
    decoder: Isolated

    @functools.cached_property
    def row_of(self) -> dict[str, int]:
        """The first item with each file, in the order of items."""
        rows: dict[str, int] = {}
        for row, key in enumerate(self.keys):
            if key is not None:
                rows.setdefault(key, row)
        return rows

    def folder(self, kind: str) -> Path:
        """A folder of the workspace for what this model made, or found."""
        return self.workspace / f"{kind}-{self.identity[:12]}"

    @property
    def shards(self) -> Path:
        """The folder of the vectors, see `antiphon.encoders.shards`."""
        return self.folder("shards")


class MediaEncoder(Encoder[O], Generic[O, M]):
    """An encoder of files by a model `M` that is loaded when there is something to encode, or a request."""

    noun: ClassVar[str]
    """What the files are, in sentences."""
    max_file: ClassVar[int]
    """Bytes of a file."""
    shard_size: ClassVar[int]
    """Files that are encoded before their vectors are written."""
    side_file: ClassVar[str]
    """What `publish` writes."""
    target: ClassVar[str]
    """The function that decodes a file; see `antiphon.base.isolated`."""
    Side: ClassVar[type[MediaQuerySide[Any]]]
    """What `query_side` makes."""

    keys: ClassVar[Sequence[str]] = ("model", "revision")
    """Options that `load` needs, `model` among them."""

    def settings(self) -> dict[str, Any]:
        """What `load` needs, as plain values, with `model`."""
        return self.options.model_dump(mode="json", include=set(self.keys))

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """A hash that changes when a file's vector may change, of what `settings` names as it is on this machine."""
        return hub.identity(cls.noun, settings["model"], settings["revision"], cls.name)

    @classmethod
    @abstractmethod
    def load(cls, settings: dict[str, Any]) -> M:
        """The network that `settings` names."""

    @abstractmethod
    def encode_files(self, model: M, work: Work, keys: Sequence[str]) -> Floats:
        """Vectors of some files, (n, dim); zeros where a file has a flaw."""

    def encoding(self, work: Work) -> Encoding | None:
        """How another process makes vectors of the files, by their names; None where only this one can."""
        return None

    def settle(self, work: Work) -> None:
        """Forget shards that lack something which was kept beside them, so that their files are encoded again."""

    @abstractmethod
    def report(self, work: Work, mask: NDArray[np.bool_]) -> None:
        """Keep what was found in the files; `mask`: items with a vector, (n_items,) bool."""

    @classmethod
    def published(cls, settings: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003  others have it there
        """The settings of a query side in `folder`, where its model may be."""
        return settings

    def identity(self) -> str:
        """`identity_of` these options."""
        return self.identity_of(self.settings())

    def check(self, catalog: CatalogConfig) -> None:
        """The files must be named and the model must be there, or be named so that it can be fetched again."""
        check_media(catalog, self.options.media, self.modality)
        self.identity()

    def fingerprint(self, source: Source) -> str:
        """Hash of the model's identity and what the files look like from outside."""
        return storage.digest(self.accepts, self.identity(), source.catalog.item_ids, self._files(source).stamp())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Unit vectors of the items' files; an item without a file, or with one that has a flaw, is masked.

        Files are decoded in as many processes as there are `workers`; a file that a decoder hangs, grows or crashes
        on has a flaw.
        """
        files = self._files(source)
        keys = [files.key(row) for row in range(source.catalog.n_items)]
        decoder = Isolated(self.target, seconds=SECONDS, keep=self.options.workers)
        try:
            return self._encoded(Work(files, keys, workspace, self.identity(), decoder), progress)
        finally:
            decoder.close()

    def _encoded(self, work: Work, progress: Progress) -> Features:
        keys = work.keys
        self.settle(work)
        unique = list(work.row_of)
        load = functools.cache(lambda: self.load(self.settings()))

        def encode(positions: list[int]) -> Floats:
            return self.encode_files(load(), work, [unique[position] for position in positions])

        name, size = f"encoding {self.modality}", self.shard_size
        names = [str(work.files.names[row]) for row in work.row_of.values()]
        away = self.away(encoding, names) if (encoding := self.encoding(work)) is not None else None
        vectors = encode_in_shards(unique, encode, work.shards, progress, name=name, shard_size=size, away=away)
        place = {key: number for number, key in enumerate(unique)}
        matrix = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        rows = [row for row, key in enumerate(keys) if key is not None]
        matrix[rows] = unit(vectors)[[place[str(keys[row])] for row in rows]]
        mask = np.asarray(matrix.any(axis=1))
        self.report(work, mask)
        return Features(self.modality, ("item",), matrix[None], mask[None])

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write which model encodes the files of requests."""
        storage.write_json(folder / self.side_file, {**self.settings(), "identity": self.identity()})

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote."""
        return cls.Side(cls, folder)

    def _files(self, source: Source) -> MediaFiles:
        return MediaFiles.of(source.catalog, self.options.media, self.max_file)


@dataclass
class MediaQuerySide(ABC, Generic[M]):
    """Encodes files of requests; loads its model at the first one or at `warm`."""

    encoder: type[MediaEncoder[Any, M]]
    folder: Path

    @functools.cached_property
    def decoder(self) -> Isolated:
        """Processes that decode the files of requests, and nothing else."""
        return Isolated(self.encoder.target)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What was published."""
        settings: dict[str, Any] = storage.read_json(self.folder / self.encoder.side_file)
        return settings

    @functools.cached_property
    def model(self) -> M:
        """The network, which must be the one that the items were encoded with.

        Raises:
            IntegrityError: it is another one.
            MissingExtraError: this machine has not got what it runs on.
        """
        settings = self.encoder.published(self.settings, self.folder)
        if self.encoder.identity_of(settings) != self.settings["identity"]:
            raise IntegrityError(
                f"the {self.encoder.noun} model {self.settings['model']!r} is not the one that this space was built "
                "with; build the run again."
            )
        return self.encoder.load(settings)

    def warm(self) -> None:
        """Load the model now; where its packages are not installed, other queries are still answered."""
        try:
            _ = self.model
        except MissingExtraError:
            return
        with contextlib.suppress(RunError):
            self.decoder.warm()

    @abstractmethod
    def encode(self, inputs: Sequence[bytes | Path]) -> Floats:
        """Vectors of files, (n, dim) float32, unit L2, encoded as the items' were.

        Raises:
            QueryError: a file has a flaw.
        """


def prepared_ahead(prepare: Callable[[int], T], rows: Sequence[int], workers: int, ahead: int) -> Iterator[T]:
    """What `prepare` makes of rows, in order; threads go on with so many rows `ahead` while one is used."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="antiphon-media") as pool:
        for row in rows:
            waiting.append(pool.submit(prepare, row))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
