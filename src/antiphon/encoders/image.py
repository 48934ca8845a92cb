"""Pictures of items, and pictures as requests: CLIP and SigLIP through transformers, any backbone of timm.

The models' own files say how a picture is prepared; it is done here with Pillow, in threads, while the model runs.
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
from antiphon.encoders.base import Encoder, QueryKind, Source
from antiphon.encoders.files import FINDINGS, MediaFiles, check_media, write_findings
from antiphon.encoders.pictures import FLAWS, MAX_FILE, Recipe, decode, read_request, suffix_lies
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import DataError, IntegrityError, MissingExtraError
from antiphon.features import Features, unit
from antiphon.progress import Progress

Floats = NDArray[np.float32]
SHARD = 256
LEFT_OUT = "no vector"


class PictureModel(Protocol):
    """A network that is loaded: what it wants to see, and vectors of that."""

    @property
    def recipe(self) -> Recipe:
        """How pictures are prepared."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures: (n, 3, height, width) float32 to (n, dim) float32."""
        ...


class PictureOptions(Section):
    """What every encoder of pictures can be told."""

    media: str = Field("image", description="the files: NAME of [catalog.media.NAME]")
    batch_size: int = Field(32, ge=1)
    workers: int = Field(2, ge=1, description="threads that read and decode while the model runs")


O = TypeVar("O", bound=PictureOptions)  # noqa: E741  as in `base`


class PictureEncoder(Encoder[O]):
    """What encoders of pictures share: files in, shards, flaws counted, a query side that reads one picture."""

    accepts: ClassVar[QueryKind | None] = "image"

    @abstractmethod
    def identity(self) -> str:
        """A hash that changes when the vectors of a picture may change."""

    @classmethod
    @abstractmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network that `settings` names."""

    @classmethod
    @abstractmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """`identity` of what `settings` names, as it is on this machine."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What `load` needs, as plain values."""

    def check(self, catalog: CatalogConfig) -> None:
        """The files must be named and the model must be there, or be named so that it can be fetched again."""
        check_media(catalog, self.options.media, self.modality)
        self.identity()

    def fingerprint(self, source: Source) -> str:
        """Hash of the model's identity and what the files look like from outside."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        return storage.digest("image", self.identity(), source.catalog.item_ids, files.stamp())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Unit vectors of the items' pictures; an item without a file, or with one that has a flaw, is masked."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        keys = [files.key(row) for row in range(source.catalog.n_items)]
        row_of = {key: row for row, key in reversed(list(enumerate(keys))) if key is not None}
        unique = list(dict.fromkeys(key for key in keys if key is not None))
        load = functools.cache(lambda: self.load(self.settings()))

        def encode(positions: list[int]) -> Floats:
            return self._encode_files(load(), files, [row_of[unique[position]] for position in positions])

        folder = workspace / f"shards-{self.identity()[:12]}"
        vectors = unit(
            encode_in_shards(unique, encode, folder, progress, name=f"encoding {self.modality}", shard_size=SHARD)
        )
        place = {key: number for number, key in enumerate(unique)}
        matrix = np.zeros((len(keys), vectors.shape[1]), dtype=np.float32)
        rows = [row for row, key in enumerate(keys) if key is not None]
        matrix[rows] = vectors[[place[str(keys[row])] for row in rows]]
        mask = np.asarray(matrix.any(axis=1))
        self._report(files, rows, mask, workspace)
        return Features(self.modality, ("item",), matrix[None], mask[None])

    def _encode_files(self, model: PictureModel, files: MediaFiles, rows: Sequence[int]) -> Floats:
        """Vectors of some items' files, (n, dim); zeros where a file has a flaw."""
        result = np.zeros((len(rows), model.dim), dtype=np.float32)
        for batch in _prepared(model.recipe, files, rows, self.options.batch_size, self.options.workers):
            good = [(place, pixels) for place, pixels in batch if pixels is not None]
            if good:
                result[[place for place, _ in good]] = model.encode(np.stack([pixels for _, pixels in good]))
        return result

    def _report(self, files: MediaFiles, rows: Sequence[int], mask: NDArray[np.bool_], workspace: Path) -> None:
        flawed: dict[str, list[str]] = {}
        for row in rows:
            name = str(files.names[row])
            # A picture without a vector is looked at once more: that is rare, and needs no book-keeping in shards.
            kind = _other_suffix(files, row) if mask[row] else _flaw(files, row)
            if kind is not None:
                flawed.setdefault(kind, []).append(name)
        policies = dict.fromkeys(flawed, LEFT_OUT) | {OTHER_SUFFIX: "read as what they are"}
        write_findings(workspace, flawed, policies, files.path)

    def kept(self, workspace: Path) -> list[Path]:
        """What was found in the files, which `antiphon inspect` shows."""
        return [workspace / FINDINGS]

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write which model reads the pictures of requests; its weights stay where they are."""
        storage.write_json(folder / "image.json", {**self.settings(), "identity": self.identity()})

    @classmethod
    def query_side(cls, folder: Path) -> PictureQuerySide:
        """Load what `publish` wrote."""
        return PictureQuerySide(cls, folder)


OTHER_SUFFIX = "pictures whose suffix says something else"


@dataclass
class PictureQuerySide:
    """Encodes pictures of requests; loads its model at the first one or at `warm`."""

    encoder: type[PictureEncoder[Any]]
    folder: Path

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What was published."""
        settings: dict[str, Any] = storage.read_json(self.folder / "image.json")
        return settings

    @functools.cached_property
    def model(self) -> Any:
        """The network, which must be the one that the items were encoded with.

        Raises:
            IntegrityError: it is another one.
            MissingExtraError: this machine has not got what it runs on.
        """
        if self.encoder.identity_of(self.settings) != self.settings["identity"]:
            raise IntegrityError(
                f"the picture model {self.settings['model']!r} is not the one that this space was built with; "
                "build the run again."
            )
        return self.encoder.load(self.settings)

    @property
    def reads_text(self) -> bool:
        """Whether texts can be encoded as well, in the space of the pictures."""
        return bool(self.settings.get("text_side"))

    def warm(self) -> None:
        """Load the model now; where its packages are not installed, other queries are still answered."""
        try:
            _ = self.model
        except MissingExtraError:
            return

    def encode(self, inputs: Sequence[bytes | Path]) -> Floats:
        """Vectors of pictures, (n, dim) float32, unit L2.

        Raises:
            QueryError: a file is no picture, or is one that is too large or damaged.
        """
        pictures = [read_request(value) for value in inputs]
        return unit(self.model.encode(np.stack([self.model.recipe.apply(picture) for picture in pictures])))

    def encode_text(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts in the space of the pictures, (n, dim) float32, unit L2; only where `reads_text`."""
        return unit(self.model.encode_text(list(texts)))


def _prepared(
    recipe: Recipe, files: MediaFiles, rows: Sequence[int], batch_size: int, workers: int
) -> Iterator[list[tuple[int, Floats | None]]]:
    """Batches of (place, what the model sees), in order; the next one is read and decoded while one is used."""

    def prepare(row: int) -> Floats | None:
        try:
            image = decode(files.read(row)).image
        except DataError:
            return None
        return None if image is None else recipe.apply(image)

    ahead: deque[tuple[int, Future[Floats | None]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="antiphon-decode") as pool:
        places = iter(enumerate(rows))
        for place, row in places:
            ahead.append((place, pool.submit(prepare, row)))
            if len(ahead) == 2 * batch_size:
                yield [(first, future.result()) for first, future in (ahead.popleft() for _ in range(batch_size))]
        while ahead:
            size = min(batch_size, len(ahead))
            yield [(first, future.result()) for first, future in (ahead.popleft() for _ in range(size))]


def _flaw(files: MediaFiles, row: int) -> str | None:
    try:
        flaw = decode(files.read(row)).flaw
    except DataError:
        return "files that cannot be read"
    return "pictures without a vector" if flaw is None else FLAWS[flaw]


def _other_suffix(files: MediaFiles, row: int) -> str | None:
    return OTHER_SUFFIX if suffix_lies(str(files.names[row]), files.read(row)) else None
