"""What an evaluation reads of a run: its catalog, split, features and published space, each loaded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base.layout import RunLayout
from antiphon.base.registry import find
from antiphon.channels.lsa import LSA
from antiphon.channels.words import tokens
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.held_out import user_item_matrix
from antiphon.data.splits import Split, make_split, training_interactions
from antiphon.describe.passages import lexical_texts, texts_of
from antiphon.errors import ConfigError, RunError, nearest
from antiphon.run.mending import check_stages, config_of
from antiphon.space.loading import load
from antiphon.space.space import Space


class RunData:
    """A run as an evaluation sees it.

    Raises:
        RunError: there is no finished run in the folder.
    """

    def __init__(self, run: Path) -> None:
        self.layout = RunLayout(run)
        if not self.layout.current.is_file() or not self.layout.config.is_file():
            raise RunError(
                f"there is no finished run at {run}; build one with: antiphon build antiphon.toml --run {run}"
            )

    @cached_property
    def config(self) -> Config:
        """The configuration that the run was built with."""
        return config_of(self.layout)

    @cached_property
    def space(self) -> Space:
        """The published space: the search path of the service."""
        return load(self.layout.root, store={"kind": "memory"})  # every channel is looked at as a whole

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog of the run."""
        check_stages(self.layout, "catalog")
        return Catalog.load(self.layout.catalog)

    @cached_property
    def item_ids(self) -> list[str]:
        """Ids of the items, in order."""
        return self.catalog.item_ids

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each item id."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def descriptions(self) -> Descriptions:
        """Texts of the items."""
        check_stages(self.layout, "describe")
        return Descriptions.load(self.layout.descriptions)

    @cached_property
    def split(self) -> Split:
        """Who is held out, and which items are cold."""
        return make_split(self.catalog, self.config.split, self.config.seed)

    @property
    def interactions(self) -> Interactions:
        """All interactions; only protocols read those of held-out users.

        Raises:
            ConfigError: the catalog has none.
        """
        if self.catalog.interactions is None:
            raise ConfigError("the run's catalog has no interactions; add [catalog.interactions] to antiphon.toml.")
        return self.catalog.interactions

    @cached_property
    def training(self) -> Interactions:
        """What systems may learn from: positives of the training users, without cold items."""
        return training_interactions(self.interactions, self.split)

    @cached_property
    def matrix(self) -> Any:
        """`training` as a sparse (n_users, n_items) CSR matrix of weights, float32."""
        return user_item_matrix(self.training, self.catalog.n_items)

    @cached_property
    def popularity(self) -> NDArray[np.int64]:
        """Training users of each item, (n_items,) int64; zeros without interactions."""
        if self.catalog.interactions is None:
            return np.zeros(self.catalog.n_items, dtype=np.int64)
        return np.bincount(self.training.item, minlength=self.catalog.n_items)

    @cached_property
    def _bounds(self) -> NDArray[np.int64]:
        return self.interactions.bounds()

    def weights(self, user: int, items: NDArray[np.int32]) -> NDArray[np.float32]:
        """Weights of some of a user's items, (n,) float32; interactions are ordered by user and item."""
        start, end = self._bounds[user], self._bounds[user + 1]
        at = np.searchsorted(self.interactions.item[start:end], items)
        return self.interactions.weight[start:end][at]

    @cached_property
    def _words(self) -> dict[str | None, list[list[str]]]:
        return {}

    def words(self, view: str | None = None) -> list[list[str]]:
        """Words of the items for lexical search, all that a space reads; of the descriptions one view, or all views."""
        if view not in self._words:
            described = self.descriptions
            if view is not None:
                described = Descriptions({view: described.views[view]})
            written = list(texts_of(self.catalog, self.config.describe).values())
            self._words[view] = tokens(lexical_texts(self.catalog, described, written), self.space.language)
        return self._words[view]

    @cached_property
    def lsa(self) -> LSA:
        """A text encoder fitted on the items' descriptions."""
        return LSA(self.descriptions.best(), self.config.seed)

    @cached_property
    def text_modality(self) -> str:
        """The first modality that encodes requests in plain words.

        Raises:
            ConfigError: the run has none.
        """
        for name, info in self.space.manifest["modalities"].items():
            if info["accepts"] == "text":
                return str(name)
        raise ConfigError(f"none of the run's modalities ({', '.join(self.modalities)}) encodes requests in words.")

    @cached_property
    def _encoded(self) -> dict[str, NDArray[np.float32]]:
        return {}

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of requests by the text modality's own query side, (n, dim) float32, unit L2."""
        new = list(dict.fromkeys(text for text in texts if text not in self._encoded))
        if new:
            encoder = find("antiphon.encoders", self.encoder_of(self.text_modality))
            side = encoder.query_side(self.space.layout.query_side(self.text_modality))
            self._encoded.update(zip(new, side.encode(new), strict=True))
        return np.stack([self._encoded[text] for text in texts])

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities, in the order of the configuration."""
        return [modality.name for modality in self.config.modalities]

    def encoder_of(self, modality: str) -> str:
        """Name of a modality's encoder."""
        return {item.name: item.encoder for item in self.config.modalities}[modality]

    def modality_of(self, encoder: str) -> str:
        """The first modality that an encoder makes.

        Raises:
            ConfigError: the run has none.
        """
        for item in self.config.modalities:
            if item.encoder == encoder:
                return item.name
        raise ConfigError(f"the run has no modality of the encoder {encoder!r}; it has {', '.join(self.modalities)}.")

    def features(self, modality: str) -> Features:
        """Raw vectors of a modality.

        Raises:
            ConfigError: the run does not have it.
        """
        if modality not in self.modalities:
            raise ConfigError(f"the run has no modality {modality!r}; {nearest(modality, self.modalities)}")
        check_stages(self.layout, f"features.{modality}")
        return Features.load(self.layout.features, modality)
