"""Scores of held-out users: the measure by which hyperparameters are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.data.catalog import Interactions
from antiphon.data.splits import HeldOut
from antiphon.numbers.exact import top_k
from antiphon.numbers.metrics import METRIC, K, Relevance, evaluate_ranking, mean_over_queries
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
MOST_SCORES = 200_000_000
"""Scores of held-out users that a model is judged by."""
AT_ONCE = 16_000_000
"""Scores that are held at once: 64 MB of float32."""
LEAST_USERS = 100
"""Fewer users would say too little, however many items there are."""


def user_item_matrix(interactions: Interactions, n_items: int) -> Any:
    """Weights as a sparse (n_users, n_items) CSR matrix, float32."""
    shape = (interactions.n_users, n_items)
    indices = interactions.item.astype(np.int32)
    return runtime.scipy_sparse().csr_matrix((interactions.weight, indices, interactions.bounds()), shape=shape)


def few_enough(check: HeldOut, n_items: int) -> HeldOut:
    """The held-out users, or as many of them, drawn at random, as say enough of a large catalog."""
    most = max(LEAST_USERS, MOST_SCORES // max(1, n_items))
    if len(check.users) <= most:
        return check
    kept = np.sort(np.random.default_rng(23).permutation(len(check.users))[:most])
    return HeldOut(
        check.users[kept], tuple(check.profiles[row] for row in kept), tuple(check.truths[row] for row in kept)
    )


def knn_score(items: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of nearest neighbours by cosine to the mean of a profile's items, over held-out users."""
    vectors = unit(items)
    profiles = unit(np.stack([vectors[rows].mean(axis=0) for rows in check.profiles]))
    return score_of_vectors(profiles, vectors, check)


def score_of_vectors(users: Floats, items: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of inner products, `users` (n_users, length) and `items` (n_items, length), over held-out users."""
    return compared(check, len(items), lambda some: [users[some] @ items.T])[0]


def compared(check: HeldOut, n_items: int, ways: Callable[[slice], Iterable[Floats]]) -> list[float]:
    """Mean nDCG@200 over held-out users of each of several ways to score the items.

    `ways`: gives for some users their scores by each way, (n, n_items) float32, which are changed. Users are taken in
    parts, so that of a large catalog only `AT_ONCE` scores are held at once, and one array of them at a time.
    """
    parts = [[_values(scores, part) for scores in ways(some)] for some, part in _parts(check, n_items)]
    return [mean_over_queries(np.concatenate(values)) for values in zip(*parts, strict=True)]


def held_out_score(scores: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of scores, (n_users, n_items), over held-out users; `scores` is changed: profiles are hidden."""
    return mean_over_queries(_values(scores, check))


def _parts(check: HeldOut, n_items: int) -> Iterator[tuple[slice, HeldOut]]:
    step = max(1, AT_ONCE // max(1, n_items))
    for start in range(0, len(check.users), step):
        some = slice(start, start + step)
        yield some, HeldOut(check.users[some], check.profiles[some], check.truths[some])


def _values(scores: Floats, check: HeldOut) -> NDArray[np.float64]:
    """nDCG@200 of each user, (n_users,); profiles are hidden in `scores`."""
    for row, known in enumerate(check.profiles):
        scores[row, known] = -np.inf
    ranked, _ = top_k(scores, min(K, scores.shape[1]))
    found: NDArray[np.float64] = evaluate_ranking(
        ranked, Relevance.from_lists(check.truths), [METRIC], n_items=scores.shape[1]
    )[METRIC]
    return found
