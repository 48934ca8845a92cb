"""Pictures of items, and pictures as requests: CLIP and SigLIP through transformers, any backbone of timm.

The models' own files say how a picture is prepared; it is done with Pillow, while the model runs. Files are decoded
in processes that are ended where a decoder hangs or grows.
"""

from __future__ import annotations

import functools
import itertools
import platform
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base.isolated import Isolated
from antiphon.config.sections import ModalityConfig
from antiphon.data.catalog import Media
from antiphon.encoders.base import QueryKind, make_encoder
from antiphon.encoders.files import FINDINGS, MediaFiles, write_findings
from antiphon.encoders.media import SECONDS, MediaEncoder, MediaOptions, MediaQuerySide, Work, prepared_ahead
from antiphon.encoders.pictures.files import (
    DECODER,
    FLAWS,
    MAX_FILE,
    Recipe,
    blank,
    decode_apart,
    read_request,
    suffix_lies,
)
from antiphon.errors import DataError
from antiphon.numbers.engine import Encoding
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
OTHER_SUFFIX = "pictures whose suffix says something else"


class PictureModel(ABC):
    """A network that is loaded: what it wants to see, and vectors of that."""

    recipe: Recipe
    """How pictures are prepared."""

    @abstractmethod
    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures: (n, 3, height, width) float32 to (n, dim) float32."""

    @functools.cached_property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.encode(self.recipe.apply(blank())[None]).shape[1])


class PictureOptions(MediaOptions):
    """What every encoder of pictures can be told."""

    media: str = Field("image", description="the files: NAME of [catalog.media.NAME]")
    batch_size: int = Field(32, ge=1)


O = TypeVar("O", bound=PictureOptions)  # noqa: E741  as in `base`


class PictureQuerySide(MediaQuerySide[Any]):
    """Encodes pictures of requests, and texts where its model reads them."""

    @property
    def reads_text(self) -> bool:
        """Whether texts can be encoded as well, in the space of the pictures."""
        return bool(self.settings.get("text_side"))

    def encode(self, inputs: Sequence[bytes | Path]) -> Floats:
        """Vectors of pictures, (n, dim) float32, unit L2.

        Raises:
            QueryError: a file is no picture, or is one that is too large or damaged.
        """
        pictures = [read_request(value, self.decoder) for value in inputs]
        return unit(self.model.encode(np.stack([self.model.recipe.apply(picture) for picture in pictures])))

    def encode_text(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts in the space of the pictures, (n, dim) float32, unit L2; only where `reads_text`."""
        return unit(self.model.encode_text(list(texts)))


class PictureEncoder(MediaEncoder[O, PictureModel]):
    """What encoders of pictures share."""

    accepts: ClassVar[QueryKind | None] = "image"
    noun, side_file = "picture", "image.json"
    target, max_file, shard_size = DECODER, MAX_FILE, 256
    Side = PictureQuerySide

    def encode_files(self, model: PictureModel, work: Work, keys: Sequence[str]) -> Floats:
        """Vectors of some files, (n, dim); zeros where one has a flaw."""
        result = np.zeros((len(keys), model.dim), dtype=np.float32)
        rows, size = [work.row_of[key] for key in keys], self.options.batch_size
        prepare = functools.partial(_prepared, model.recipe, work)
        prepared = prepared_ahead(prepare, rows, self.options.workers, size)
        for start in range(0, len(rows), size):
            batch = enumerate(itertools.islice(prepared, size), start)
            good = [(place, pixels) for place, pixels in batch if pixels is not None]
            if good:
                result[[place for place, _ in good]] = model.encode(np.stack([pixels for _, pixels in good]))
        return result

    def encoding(self, work: Work) -> Encoding | None:
        """Pictures are decoded where they are encoded: their folder or zip must be there under the same path."""
        options = self.options.model_dump(mode="json")
        settings = {"modality": self.modality, "encoder": self.name, "options": options}
        return Encoding(
            "antiphon.encoders.pictures.encoder:elsewhere", {**settings, "path": str(work.files.path.resolve())}
        )

    def report(self, work: Work, mask: NDArray[np.bool_]) -> None:
        """Keep flaws, and suffixes that lie."""
        names = work.files.names
        rows = [row for row, key in enumerate(work.keys) if key is not None]
        # A picture without a vector is looked at once more: that is rare, and needs no book-keeping in shards.
        found = prepared_ahead(functools.partial(_found, work, mask), rows, self.options.workers, 64)
        kinds = {row: kind for row, kind in zip(rows, found, strict=True) if kind is not None}
        policies = dict.fromkeys(kinds.values(), "no vector") | {OTHER_SUFFIX: "read as what they are"}
        flawed = [(kind, str(names[row])) for row, kind in sorted(kinds.items())]
        write_findings(work.workspace, flawed, policies, work.files.path)

    def kept(self, workspace: Path) -> list[Path]:
        """What was found in the files, which `antiphon inspect` shows."""
        return [workspace / FINDINGS]


def elsewhere(settings: Mapping[str, Any]) -> Callable[[Sequence[str]], Floats]:
    """What encodes pictures by the names of their files in another process, see `Encoding`."""
    config = ModalityConfig(name=settings["modality"], encoder=settings["encoder"], **settings["options"])
    encoder = cast("PictureEncoder[Any]", make_encoder(config))
    path, model = Path(settings["path"]), encoder.load(encoder.settings())
    decoder = Isolated(encoder.target, seconds=SECONDS, keep=encoder.options.workers)

    def encode(names: Sequence[str]) -> Floats:
        wanted = [path / name for name in names] if path.is_dir() else [path]
        gone = next((file for file in wanted if not file.is_file()), None)
        if gone is not None:
            raise DataError(
                f"{gone} is not on {platform.node()}; pictures are read where they are encoded: mount their folder "
                "under the same path on every machine."
            )
        files = MediaFiles(Media(path, "{item_id}", np.ones(len(names), dtype=bool)), names, encoder.max_file)
        return encoder.encode_files(model, Work(files, names, Path(), "", decoder), names)

    return encode


def _prepared(recipe: Recipe, work: Work, row: int) -> Floats | None:
    """What the model sees of an item's file; None where it has a flaw."""
    try:
        image = decode_apart(work.decoder, work.files.read(row)).image
    except DataError:
        return None
    return None if image is None else recipe.apply(image)


def _found(work: Work, mask: NDArray[np.bool_], row: int) -> str | None:
    """What is to be said of an item's file: why it has no vector, or that its suffix lies."""
    try:
        data = work.files.read(row)
    except DataError:
        return "files that cannot be read"
    if mask[row]:
        return OTHER_SUFFIX if suffix_lies(str(work.files.names[row]), data, work.decoder) else None
    flaw = decode_apart(work.decoder, data).flaw
    return "pictures without a vector" if flaw is None else FLAWS[flaw]
