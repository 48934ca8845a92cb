"""Collaborative filtering: item factors of weighted matrix factorization, found by random search.

Hu, Koren, Volinsky 2008: minimise sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|x|^2 + |y|^2), p = 1 where the user has the
item, with the confidence c = 1 + alpha * weight there and 1 elsewhere. `implicit` solves it. The hyperparameters are
those with the best kNN nDCG@200 on the validation users; test users are never read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import CatalogConfig, Section
from antiphon.data.catalog import Interactions
from antiphon.data.features import Features
from antiphon.data.held_out import few_enough, knn_score, user_item_matrix
from antiphon.data.splits import HeldOut, held_out, training_interactions
from antiphon.encoders.base import Encoder, Growth, QueryKind, QuerySide, Source
from antiphon.errors import ConfigError, DataError
from antiphon.numbers.factorization import (
    History,
    Ranges,
    Setting,
    draw_settings,
    factorize,
    fold_in,
    search_settings,
    to_search,
)
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]


class CollaborativeOptions(Section):
    """Options of the encoder `als`. A range that is one value is not searched."""

    trials: int = Field(12, ge=1, description="settings tried; the first is the default one")
    factors: Sequence[int] = Field((32, 64, 96, 128), min_length=1, description="choices")
    alpha: tuple[float, float] = Field((1.0, 40.0), description="range, drawn on a log scale")
    regularization: tuple[float, float] = Field((0.01, 30.0), description="range, drawn on a log scale")
    iterations: tuple[int, int] = (8, 20)

    @model_validator(mode="after")
    def _ranges_are_ordered(self) -> CollaborativeOptions:
        for name in ("alpha", "regularization", "iterations"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} is a range [low, high] with 0 < low <= high, got [{low}, {high}]")
        if min(self.factors) < 1:
            raise ValueError("factors must be 1 or more")
        return self


class Collaborative(Encoder[CollaborativeOptions]):
    """Item factors as a modality; an item that no training user has is masked."""

    name: ClassVar[str] = "als"
    Options: ClassVar[type[Section]] = CollaborativeOptions
    accepts: ClassVar[QueryKind | None] = "history"

    def check(self, catalog: CatalogConfig) -> None:
        """There must be interactions."""
        if catalog.interactions is None:
            raise ConfigError(
                f"modality {self.modality!r} needs interactions; add [catalog.interactions] to antiphon.toml, "
                "or leave the modality out."
            )

    def fingerprint(self, source: Source) -> str:
        """Hash of options, seed, training interactions, and the validation users' profiles and truths."""
        interactions = self._interactions(source)
        train = training_interactions(interactions, source.split)
        check = held_out(interactions, source.split.validation, source.split_config.profile, source.seed)
        arrays = [train.user, train.item, train.weight, *check.profiles, *check.truths]
        return storage.digest(
            "als",
            self.options.model_dump(mode="json"),
            source.seed,
            source.catalog.n_items,
            storage.array_digest(*arrays),
            *([self.engine.name] if self.engine else []),
        )

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Search, then unit-length item factors of the best setting.

        `workspace` keeps `search-*.jsonl`, the table of the search: a killed search goes on with its next trial.
        """
        interactions = self._interactions(source)
        train = training_interactions(interactions, source.split)
        check = held_out(interactions, source.split.validation, source.split_config.profile, source.seed)
        matrix = user_item_matrix(train, source.catalog.n_items)
        table = workspace / f"search-{self.fingerprint(source)[:12]}.jsonl"
        best = self._search(matrix, check, table, source.seed, progress)
        factors = factorize(matrix, best, source.seed, self.engine)
        known = np.asarray(matrix.getnnz(axis=0) > 0)
        items_file, setting_file = self.kept(workspace)
        storage.write_array(items_file, np.where(known[:, None], factors.items, 0))
        storage.write_json(setting_file, asdict(best))
        items = np.where(known[:, None], unit(factors.items), 0).astype(np.float32)
        return Features(self.modality, ("item",), items[None], known[None])

    def extend(self, features: Features, growth: Growth, workspace: Path, progress: Progress) -> Features:
        """The factors stay: an item that nobody has met has none."""
        items_file = self.kept(workspace)[0]
        factors = storage.read_array(items_file)
        grown = np.zeros((growth.n_items, factors.shape[1]), dtype=np.float32)
        grown[growth.known] = factors
        storage.write_array(items_file, grown)
        return features.placed(growth.known, growth.n_items)

    def kept(self, workspace: Path) -> list[Path]:
        """The factors with their norms, and the setting."""
        return [workspace / "item_factors.npy", workspace / "setting.json"]

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write the factors with their norms, and the setting: what folding in a history needs."""
        storage.write_array(folder / "item_factors.npy", storage.read_array(workspace / "item_factors.npy"))
        storage.write_json(folder / "setting.json", storage.read_json(workspace / "setting.json"))

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote."""
        return CollaborativeQuerySide(folder)

    def _interactions(self, source: Source) -> Interactions:
        if source.catalog.interactions is None:
            raise DataError(
                f"modality {self.modality!r} needs interactions; add [catalog.interactions] to antiphon.toml, "
                "or leave the modality out."
            )
        return source.catalog.interactions

    def _search(self, matrix: Any, check: HeldOut, table: Path, seed: int, progress: Progress) -> Setting:
        tried, asked = to_search(matrix, seed), few_enough(check, matrix.shape[1])

        def score(setting: Setting) -> float:
            return knn_score(factorize(tried, setting, seed, self.engine).items, asked)

        options = self.options
        ranges = Ranges(options.trials, options.factors, options.alpha, options.regularization, options.iterations)
        settings = draw_settings(ranges, seed)
        name = f"searching {self.modality}"
        if not len(check.users):
            return settings[0]
        return search_settings(settings, score, table, name=name, progress=progress)


class CollaborativeQuerySide:
    """Folds histories into unit vectors of the factors' space."""

    def __init__(self, folder: Path) -> None:
        self.items: Floats = storage.read_array(folder / "item_factors.npy", mmap=True)
        self.gram = np.asarray(self.items).T @ np.asarray(self.items)
        self.setting = Setting(**storage.read_json(folder / "setting.json"))

    def encode(self, inputs: Sequence[History]) -> Floats:
        """Vectors of histories, (n, factors) float32, unit L2."""
        return unit(fold_in(self.items, self.gram, self.setting, inputs))
