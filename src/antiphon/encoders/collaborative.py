"""Collaborative filtering: item factors of weighted matrix factorization, found by random search.

Hu, Koren, Volinsky 2008: minimise sum_ui c_ui (p_ui - x_u . y_i)^2 + reg (|x|^2 + |y|^2), p = 1 where the user has the
item, with the confidence c = 1 + alpha * weight there and 1 elsewhere. `implicit` solves it. The hyperparameters are
those with the best kNN nDCG@200 on the validation users; test users are never read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from antiphon import runtime, storage
from antiphon.catalog import Interactions
from antiphon.config import CatalogConfig, Section
from antiphon.encoders.base import Encoder, Growth, QueryKind, QuerySide, Source
from antiphon.errors import ConfigError, DataError
from antiphon.features import Features, unit
from antiphon.index.exact import top_k
from antiphon.metrics import Relevance, evaluate_ranking, mean_over_queries
from antiphon.progress import Progress
from antiphon.splits import HeldOut, held_out, training_interactions

METRIC = "ndcg@200"
K = 200
Floats = NDArray[np.float32]
History = tuple[NDArray[np.int32], NDArray[np.float32]]
"""Item rows and their weights."""


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


@dataclass(frozen=True)
class Setting:
    """Hyperparameters of one factorization."""

    factors: int
    alpha: float
    regularization: float
    iterations: int


@dataclass(frozen=True)
class Factors:
    """A fitted factorization: `items` (n_items, factors) float32, and what folding in a user needs."""

    items: Floats
    setting: Setting

    def fold_in(self, histories: Sequence[History]) -> Floats:
        """User factors of new histories, (n, factors) float32: the least squares step of the paper (equation 4)."""
        return fold_in(self.items, self.items.T @ self.items, self.setting, histories)


def fold_in(items: Floats, gram: Floats, setting: Setting, histories: Sequence[History]) -> Floats:
    """User factors x = (Y'Y + Y'(C - I)Y + reg I)^-1 Y'C p for each history (Hu et al. 2008, equation 4)."""
    base = gram.astype(np.float64) + setting.regularization * np.eye(len(gram))
    users = np.zeros((len(histories), len(gram)))
    for row, (rows, weights) in enumerate(histories):
        vectors = np.asarray(items[rows], dtype=np.float64)
        confidence = 1 + setting.alpha * weights.astype(np.float64)
        matrix = base + (vectors * (confidence - 1)[:, None]).T @ vectors
        users[row] = np.linalg.solve(matrix, vectors.T @ confidence)
    return users.astype(np.float32)


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
        factors = factorize(matrix, best, source.seed)
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
        def score(setting: Setting) -> float:
            return knn_score(factorize(matrix, setting, seed).items, check)

        settings = draw_settings(self.options, seed)
        name = f"searching {self.modality}"
        return search_settings(settings, score, table, name=name, progress=progress, skip=not len(check.users))


class CollaborativeQuerySide:
    """Folds histories into unit vectors of the factors' space."""

    def __init__(self, folder: Path) -> None:
        self.items: Floats = storage.read_array(folder / "item_factors.npy", mmap=True)
        self.gram = np.asarray(self.items).T @ np.asarray(self.items)
        self.setting = Setting(**storage.read_json(folder / "setting.json"))

    def encode(self, inputs: Sequence[History]) -> Floats:
        """Vectors of histories, (n, factors) float32, unit L2."""
        return unit(fold_in(self.items, self.gram, self.setting, inputs))


def user_item_matrix(interactions: Interactions, n_items: int) -> Any:
    """Weights as a sparse (n_users, n_items) CSR matrix, float32."""
    shape = (interactions.n_users, n_items)
    indices = interactions.item.astype(np.int32)
    return runtime.scipy_sparse().csr_matrix((interactions.weight, indices, interactions.bounds()), shape=shape)


def factorize(matrix: Any, setting: Setting, seed: int) -> Factors:
    """Fit item factors to a (n_users, n_items) matrix of weights; the same seed gives the same factors."""
    confidence = matrix.copy()
    confidence.data = (1 + setting.alpha * confidence.data).astype(np.float32)
    als = runtime.implicit_als()
    with runtime.one_blas_thread():
        model = als.AlternatingLeastSquares(
            factors=setting.factors,
            regularization=setting.regularization,
            iterations=setting.iterations,
            random_state=seed,
            num_threads=runtime.n_cores(),
        )
        model.fit(confidence, show_progress=False)
    return Factors(np.asarray(model.item_factors, dtype=np.float32), setting)


def draw_settings(options: CollaborativeOptions, seed: int, usual: Setting | None = None) -> list[Setting]:
    """The settings that a search tries: the usual one first (the default inside the ranges), then random ones."""
    rng = np.random.default_rng([seed, 4])

    def log_uniform(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    usual = usual or Setting(
        factors=min(options.factors, key=lambda value: abs(value - 128)),
        alpha=float(np.clip(5.0, *options.alpha)),
        regularization=float(np.clip(1.0, *options.regularization)),
        iterations=int(np.clip(15, *options.iterations)),
    )
    drawn = [
        Setting(
            factors=int(rng.choice(np.asarray(options.factors))),
            alpha=log_uniform(*options.alpha),
            regularization=log_uniform(*options.regularization),
            iterations=int(rng.integers(options.iterations[0], options.iterations[1] + 1)),
        )
        for _ in range(options.trials - 1)
    ]
    return [usual, *drawn]


def search_settings(
    settings: Sequence[Setting],
    score: Callable[[Setting], float],
    table: Path,
    *,
    name: str,
    progress: Progress,
    skip: bool = False,
) -> Setting:
    """The setting with the best score; `table` keeps each score, so a killed search goes on with its next trial.

    With `skip` (nobody to score on) it is the first one.
    """
    if skip:
        return settings[0]
    scores = _read_scores(table, settings)
    with progress(name, len(settings)) as advance:
        advance(len(scores))
        for setting in settings[len(scores) :]:
            scores.append(score(setting))
            rows = [{**asdict(tried), METRIC: got} for tried, got in zip(settings, scores, strict=False)]
            storage.write_text(table, "".join(json.dumps(row) + "\n" for row in rows))
            advance(1)
    return settings[int(np.argmax(scores))]


def knn_score(items: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of nearest neighbours by cosine to the mean of a profile's items, over held-out users."""
    vectors = unit(items)
    profiles = unit(np.stack([vectors[rows].mean(axis=0) for rows in check.profiles]))
    return held_out_score(profiles @ vectors.T, check)


def held_out_score(scores: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of scores, (n_users, n_items), over held-out users; `scores` is changed: profiles are hidden."""
    for row, known in enumerate(check.profiles):
        scores[row, known] = -np.inf
    ranked, _ = top_k(scores, min(K, scores.shape[1]))
    values = evaluate_ranking(ranked, Relevance.from_lists(check.truths), [METRIC], n_items=scores.shape[1])
    return mean_over_queries(values[METRIC])


def _read_scores(table: Path, settings: Sequence[Setting]) -> list[float]:
    if not table.is_file():
        return []
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    return [float(row[METRIC]) for row in rows[: len(settings)]]
