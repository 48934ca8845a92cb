"""What ranks: the published space, and systems to hold it against, all found by name.

Every system answers a `Task` with rows of items, best first. Those that make scores share one way from scores to a
ranking: what a profile has is hidden, equal scores go by row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antiphon.data.features import Features
from antiphon.errors import ConfigError, QueryError
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.numbers.exact import ExactIndex, top_k
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
BY_PROFILE: tuple[Kind, ...] = ("recommend", "similar", "cold")
MAX_SCORES = 16_000_000
"""Scores held at once: 64 MB of float32."""


class System(Protocol):
    """Anything that ranks the items of a catalog."""

    name: str
    kinds: Sequence[Kind]

    def scores(self, task: Task) -> Floats:
        """Scores of all items for each query, (n_queries, n_items) float32; -inf where an item is no answer."""
        ...

    def rank(self, task: Task, k: int) -> Rows:
        """The k best rows for each query, (n_queries, k) int64, -1 where there are fewer."""
        ...


def rank(system: System, task: Task, k: int) -> Rows:
    """A system's ranking of the items that may be answers, (n_queries, k) int64.

    Raises:
        ConfigError: the system does not answer tasks of this kind.
    """
    if task.kind not in system.kinds:
        raise ConfigError(
            f"the system {system.name!r} cannot {task.kind}; it answers {' and '.join(system.kinds)}. "
            "Choose another --system or --task."
        )
    if task.allowed is None:
        return system.rank(task, k)
    found = np.full((len(task), k), -1, dtype=np.int64)
    for part in _parts(task):
        for row, line in zip(part, system.rank(task.take(part), task.n_items), strict=True):
            kept = line[line >= 0]
            kept = kept[task.allowed[kept]][:k]
            found[row, : len(kept)] = kept
    return found


class ScoringSystem(ABC):
    """A system that is a function from queries to scores."""

    name: str
    kinds: Sequence[Kind] = BY_PROFILE

    @abstractmethod
    def scores(self, task: Task) -> Floats:
        """Scores of all items for each query, (n_queries, n_items) float32; -inf where an item is no answer."""

    def rank(self, task: Task, k: int) -> Rows:
        """The k best rows for each query, without the items of its profile."""
        found = np.full((len(task), k), -1, dtype=np.int64)
        for part in _parts(task):
            some = task.take(part)
            best, _ = top_k(hide_profiles(self.scores(some), some), min(k, task.n_items))
            found[part, : best.shape[1]] = best
        return found


class SpaceSystem:
    """The published space, by the search that the service calls."""

    kinds: Sequence[Kind] = ("recommend", "similar", "retrieve", "cold")

    def __init__(self, data: RunData, name: str = "joint") -> None:
        self.name, self.space = name, data.space

    def rank(self, task: Task, k: int) -> Rows:
        """What `Space.rank` answers; a query that it refuses, such as of items without a vector, gets nothing.

        Raises:
            QueryError: it refuses all of them.
        """
        return self._answers(task, min(k, task.n_items))[0]

    def scores(self, task: Task) -> Floats:
        """Scores of what `Space.rank` answers when it is asked for everything."""
        rows, values = self._answers(task, task.n_items)
        result = np.full((len(task), task.n_items), -np.inf, dtype=np.float32)
        query, column = np.nonzero(rows >= 0)
        result[query, rows[query, column]] = values[query, column]
        return result

    def _answers(self, task: Task, k: int) -> tuple[Rows, Floats]:
        try:
            return self.space.rank_rows(task.queries, k)
        except QueryError as error:
            rows = np.full((len(task), k), -1, dtype=np.int64)
            values = np.full((len(task), k), -np.inf, dtype=np.float32)
            answered = 0
            for place, query in enumerate(task.queries):
                with suppress(QueryError):
                    found, scores = self.space.rank_rows([query], k)
                    rows[place], values[place] = found[0], scores[0]
                    answered += 1
            if not answered:
                raise QueryError(
                    f"{self.name} answers none of the {len(task):,} queries of {task.name}: {error}"
                ) from error
            return rows, values


class Neighbours(ScoringSystem):
    """Nearest neighbours by cosine of the mean of a profile, or of a text, in one modality's vectors.

    `vectors`: (n_items, dim) float32, unit L2, zeros where an item has none.
    """

    def __init__(self, name: str, vectors: Floats, encode: Callable[[Sequence[str]], Floats] | None = None) -> None:
        self.name, self.vectors, self.encode = name, vectors, encode
        self.present = np.asarray(np.abs(vectors).sum(axis=1) > 0)
        self.kinds = BY_PROFILE if encode is None else (*BY_PROFILE, "retrieve")
        self.index = ExactIndex(vectors)

    def queries(self, task: Task) -> Floats:
        """Vectors of the queries, (n_queries, dim) float32, unit L2; zeros where nothing of a profile has one."""
        if task.kind == "retrieve" and self.encode is not None:
            return self.encode(task.texts)
        return unit(profile_means(self.vectors, task))

    def rank(self, task: Task, k: int) -> Rows:
        """The nearest rows, by the same index that a space uses."""
        hidden = [profile.astype(np.int64) for profile in task.profiles]
        return self.index.search(self.queries(task), k, allowed=self.present, exclude=hidden)[0]

    def scores(self, task: Task) -> Floats:
        """Cosines."""
        return np.where(self.present, self.queries(task) @ self.vectors.T, -np.inf).astype(np.float32)


class Popularity(ScoringSystem):
    """Items by the number of their training users, whoever asks."""

    def __init__(self, data: RunData) -> None:
        self.name, self.popularity = "popularity", data.popularity

    def scores(self, task: Task) -> Floats:
        """The number of training users; a fixed draw decides between equals."""
        draw = np.random.default_rng(7).random(task.n_items)
        return np.tile((self.popularity + draw).astype(np.float32), (len(task), 1))


class Random(ScoringSystem):
    """Items in a random order, another one for each query: what chance gives."""

    kinds: Sequence[Kind] = ("recommend", "similar", "retrieve", "cold")

    def __init__(self, data: RunData) -> None:
        self.name, self.seed = "random", data.config.seed

    def scores(self, task: Task) -> Floats:
        """Uniform draws; those of a query are a function of its id."""
        generators = (np.random.default_rng([self.seed, 8, *name.encode()]) for name in task.ids)
        return np.stack([generator.random(task.n_items, dtype=np.float32) for generator in generators])


def mean_of_views(features: Features, views: Sequence[str] | None = None) -> Floats:
    """One vector per item, (n_items, dim) float32, unit L2: the mean of its views, or of those named.

    Where an item lacks all named views, its other views stand in.
    """
    wanted = [row for row, view in enumerate(features.views) if views is None or view in views]
    other = [row for row in range(len(features.views)) if row not in wanted]
    named, rest = (unit(np.asarray(features.matrix[rows]).sum(axis=0)) for rows in (wanted, other or wanted))
    has_named = np.asarray(features.mask[wanted].any(axis=0))
    return np.where(has_named[:, None], named, rest)


def profile_means(vectors: Floats, task: Task) -> Floats:
    """Mean of the vectors of each profile's items, (n_queries, dim) float32."""
    return np.stack([np.asarray(vectors[rows]).sum(axis=0) / max(1, len(rows)) for rows in task.profiles])


def hide_profiles(scores: Floats, task: Task) -> Floats:
    """The scores with those of each profile's items at -inf; changes them in place."""
    for row, profile in enumerate(task.profiles):
        scores[row, profile] = -np.inf
    return scores


def projected(data: RunData, modality: str) -> Floats:
    """A modality's part of the joint space, (n_items, dim) float32, unit L2, zeros where an item lacks it."""
    features = data.features(modality)
    views = [
        np.where(mask[:, None], data.space.model.project(modality, np.asarray(matrix)), 0)
        for matrix, mask in zip(features.matrix, features.mask, strict=True)
    ]
    return unit(np.sum(views, axis=0))


def raw_systems(data: RunData) -> Mapping[str, Callable[[], System]]:
    """Systems without hyperparameters, by name: each modality as it is, its projection, and the plain floors."""
    systems: dict[str, Callable[[], System]] = {
        "joint": lambda: SpaceSystem(data),
        "random": lambda: Random(data),
        "popularity": lambda: Popularity(data),
        "text-lsa": lambda: Neighbours("text-lsa", data.lsa.vectors, data.lsa.encode),
    }
    for modality in data.modalities:
        accepts = data.space.manifest["modalities"][modality]["accepts"]
        is_text = accepts == "text" and modality == data.text_modality
        systems[modality] = lambda m=modality, t=is_text: Neighbours(  # type: ignore[misc]
            m, mean_of_views(data.features(m)), data.encode_texts if t else None
        )
        systems[f"{modality}-projected"] = lambda m=modality, t=is_text: _projected_system(data, m, t)  # type: ignore[misc]
        views = data.features(modality).views
        for view in views if len(views) > 1 else ():
            systems[f"{modality}-{view}"] = lambda m=modality, v=view, t=is_text: Neighbours(  # type: ignore[misc]
                f"{m}-{v}", mean_of_views(data.features(m), [v]), data.encode_texts if t else None
            )
    return systems


def _projected_system(data: RunData, modality: str, is_text: bool) -> Neighbours:
    def encode(texts: Sequence[str]) -> Floats:
        return data.space.model.project(modality, data.encode_texts(texts))

    return Neighbours(f"{modality}-projected", projected(data, modality), encode if is_text else None)


def _parts(task: Task) -> list[list[int]]:
    """Queries in portions whose scores fit in memory."""
    step = max(1, MAX_SCORES // max(1, task.n_items))
    return [list(range(start, min(start + step, len(task)))) for start in range(0, len(task), step)]
