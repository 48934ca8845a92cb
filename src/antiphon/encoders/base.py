"""What an encoder is: it makes the vectors of one modality, and may encode queries of a kind.

To add one, subclass `Encoder`, and name the class in the entry point group `antiphon.encoders`. A new modality is
only the name that the configuration gives it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from antiphon.base.progress import Progress
from antiphon.base.registry import find
from antiphon.config.load import check_section
from antiphon.config.sections import CatalogConfig, ModalityConfig, Section, SplitConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.splits import Split
from antiphon.encoders.shards import Away
from antiphon.errors import DataError
from antiphon.numbers.engine import BuildEngine, Encoding

QueryKind = Literal["text", "history", "image", "audio"]
ADDED = "added"
"""Folder of a workspace where items that are added are encoded."""
O = TypeVar("O", bound=Section)  # noqa: E741  options: the letter is read once, here


@dataclass(frozen=True)
class Source:
    """Everything that an encoder may read."""

    catalog: Catalog
    descriptions: Descriptions
    split: Split
    split_config: SplitConfig
    seed: int


@dataclass(frozen=True)
class Growth:
    """What became of a catalog that items were added to.

    `known`: (n_before,) int64, the rows that the items from before have now. `fresh`: (n,) int64, ascending, those of
    items that are new or were replaced; `source` has these alone. `file`: vectors of theirs, where a file was given.
    """

    n_items: int
    known: NDArray[np.int64]
    fresh: NDArray[np.int64]
    source: Source
    file: Path | None = None


class QuerySide(Protocol):
    """The part of an encoder that stays with a published space."""

    def encode(self, inputs: Sequence[Any]) -> NDArray[np.float32]:
        """Vectors of queries, (n, dim) float32, in the space of the encoder's items."""
        ...


class Encoder(ABC, Generic[O]):
    """Makes the vectors of one modality."""

    name: ClassVar[str]
    """The name that it is registered under."""
    Options: ClassVar[type[Section]]
    accepts: ClassVar[QueryKind | None] = None
    """The kind of query that the encoder can encode as well; None where it only knows items."""
    engine: BuildEngine | None = None
    """Where the heavy work is done; None for this process. What is made must be the same, wherever it is made."""

    def __init__(self, modality: str, options: O) -> None:
        self.modality = modality
        self.options = options

    def check(self, catalog: CatalogConfig) -> None:
        """Refuse what can be seen to be wrong before anything is read or written, such as a file that is missing."""

    @abstractmethod
    def fingerprint(self, source: Source) -> str:
        """A hash of everything that the vectors depend on: options, weights, and what is read of `source`."""

    @abstractmethod
    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of the catalog's items. `workspace` is the encoder's own folder, kept between builds."""

    def extend(self, features: Features, growth: Growth, workspace: Path, progress: Progress) -> Features:
        """Features of a catalog that has grown: those of its items from before, and vectors of the fresh ones.

        Raises:
            DataError: the vectors of the fresh items have another length.
        """
        more = self.encode_fresh(growth, workspace, progress)
        grown = features.placed(growth.known, growth.n_items)
        grown.matrix[:, growth.fresh], grown.mask[:, growth.fresh] = 0, False
        if more.mask.any():
            if more.dim != features.dim:
                raise DataError(
                    f"modality {self.modality!r}: expected vectors of length {features.dim}, as those from "
                    f"before, got {more.dim}."
                )
            grown.matrix[:, growth.fresh], grown.mask[:, growth.fresh] = more.matrix, more.mask
        return grown

    def encode_fresh(self, growth: Growth, workspace: Path, progress: Progress) -> Features:
        """Vectors of the fresh items alone, as `encode` makes them; those from before are not encoded again."""
        apart = workspace / ADDED
        features = self.encode(growth.source, apart, progress)
        # Shards are named by what they hold: the next build finds these beside its own.
        for file in sorted(path for path in apart.glob("*/*") if path.is_file()):
            to = workspace / file.relative_to(apart)
            to.parent.mkdir(parents=True, exist_ok=True)
            file.replace(to)
        return features

    def away(self, encoding: Encoding, inputs: Sequence[str]) -> Away | None:
        """For `encode_in_shards`: what encodes these inputs on the engine; None where there is no engine."""
        engine = self.engine
        if engine is None:
            return None
        return lambda parts: engine.encoded(encoding, [[inputs[position] for position in part] for part in parts])

    def kept(self, workspace: Path) -> list[Path]:
        """Files of the workspace that `publish` reads: where one is missing or changed, `encode` runs again."""
        return []

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write into `folder` what the query side needs; called where `accepts` is not None."""

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote."""
        raise NotImplementedError(f"{cls.__name__} does not encode queries.")


class RequestEncoder(Encoder[O]):
    """An encoder that reads requests in plain words, so that a joint model can be trained on them."""

    @abstractmethod
    def request_identity(self) -> str:
        """A hash of what the vectors of requests depend on beside their texts."""

    @abstractmethod
    def encode_requests(self, texts: Sequence[str], workspace: Path, progress: Progress) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, as the query side makes them."""


def make_encoder(config: ModalityConfig, engine: BuildEngine | None = None) -> Encoder[Any]:
    """The encoder that a [[modalities]] entry names, with its options checked, to work on `engine` if it can.

    Raises:
        ConfigError: no such encoder, or unknown or wrong options.
    """
    kind: type[Encoder[Any]] = find("antiphon.encoders", config.encoder)
    options = check_section(kind.Options, config.options, "antiphon.toml", prefix=f"modalities.{config.name}")
    encoder = kind(config.name, options)
    encoder.engine = engine
    return encoder
