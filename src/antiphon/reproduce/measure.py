"""What a system got on a task, by how right its lists are and by what they are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.evaluate.protocols import Task
from antiphon.evaluate.results import Result, evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import System, mean_of_views
from antiphon.numbers.metrics import mean_popularity

NEAR = 20
NOVELTY, DIVERSITY, POPULARITY = f"novelty@{NEAR}", f"diversity@{NEAR}", f"popularity@{NEAR}"
BEYOND = (NOVELTY, DIVERSITY, POPULARITY)
Floats = NDArray[np.float64]


def measure(system: System, task: Task, data: RunData, *, seed: int | None = None) -> Result:
    """The values of every query, right answers and what is beyond them; `data` says what is popular, and what alike."""
    return evaluate(system, task, seed=seed, beside=lambda ranked: beyond(ranked, data))


def beyond(ranked: NDArray[np.int64], data: RunData) -> dict[str, Floats]:
    """Novelty, diversity and popularity of the first items of each list, {name: (n_queries,) float64}.

    `ranked`: (n_queries, k) item rows, -1 where there are fewer. Novelty is the mean of -log2 of the share of training
    users that know an item, at least one (self-information; Vargas and Castells, RecSys 2011). Diversity is one less
    the mean cosine between the raw text vectors of two items of a list (Ziegler et al., WWW 2005); NaN below two such
    items. Popularity is the mean number of training users.
    """
    first = ranked[:, :NEAR]
    there = first >= 0
    users = max(1, len(np.unique(data.training.user)))
    surprise = -np.log2(np.maximum(data.popularity, 1) / users)
    found = np.where(there, surprise[np.maximum(first, 0)], 0.0).sum(axis=1)
    counts = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        novelty = np.where(counts > 0, found / counts, np.nan)
    vectors = mean_of_views(data.features(data.text_modality)).astype(np.float64)
    return {
        NOVELTY: novelty,
        DIVERSITY: np.array([_spread(vectors[line[line >= 0]]) for line in first]),
        POPULARITY: mean_popularity(ranked, data.popularity, NEAR),
    }


def truth_popularity(task: Task, data: RunData) -> float:
    """Mean over queries of the mean number of training users of what is right."""
    means = [data.popularity[task.relevance.row(row)].mean() for row in range(len(task))]
    return float(np.mean(means))


def _spread(vectors: Floats) -> float:
    """One less the mean cosine between two of some unit vectors; zeros are no vectors."""
    known = vectors[np.abs(vectors).sum(axis=1) > 0]
    n = len(known)
    if n < 2:
        return float("nan")
    total = float(np.square(known.sum(axis=0)).sum())
    return 1 - (total - n) / (n * (n - 1))
