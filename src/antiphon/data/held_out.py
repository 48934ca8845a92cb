"""Scores of held-out users: the measure by which hyperparameters are chosen."""

from __future__ import annotations

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
"""Scores of held-out users that are held at once, by each model: 800 MB of float32."""
LEAST_USERS = 100
"""Fewer users would say too little, however many items there are."""


def user_item_matrix(interactions: Interactions, n_items: int) -> Any:
    """Weights as a sparse (n_users, n_items) CSR matrix, float32."""
    shape = (interactions.n_users, n_items)
    indices = interactions.item.astype(np.int32)
    return runtime.scipy_sparse().csr_matrix((interactions.weight, indices, interactions.bounds()), shape=shape)


def few_enough(check: HeldOut, n_items: int) -> HeldOut:
    """The held-out users, or as many of them, drawn at random, as can be scored on all items at once."""
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
    return held_out_score(profiles @ vectors.T, check)


def held_out_score(scores: Floats, check: HeldOut) -> float:
    """Mean nDCG@200 of scores, (n_users, n_items), over held-out users; `scores` is changed: profiles are hidden."""
    for row, known in enumerate(check.profiles):
        scores[row, known] = -np.inf
    ranked, _ = top_k(scores, min(K, scores.shape[1]))
    values = evaluate_ranking(ranked, Relevance.from_lists(check.truths), [METRIC], n_items=scores.shape[1])
    return mean_over_queries(values[METRIC])
