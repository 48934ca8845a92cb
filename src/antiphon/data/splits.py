"""Who is held out: deterministic functions of the seed and the catalog's content.

Paper, section 3.2: 10% of the users are reserved for evaluation, collaborative filtering is trained on the others,
and a random half of a held-out user's positive items is the profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.config.sections import SplitConfig
from antiphon.data.catalog import Catalog, Interactions

MIN_POSITIVES = 2


@dataclass(frozen=True)
class Split:
    """Rows of users for training, validation and test (sorted int64), and rows of cold items."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    cold_items: NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """What is known of held-out users and what is asked for, one entry per user.

    `profiles`, `truths`: item rows, sorted and disjoint, each with at least one item.
    """

    users: NDArray[np.int64]
    profiles: tuple[NDArray[np.int32], ...]
    truths: tuple[NDArray[np.int32], ...]


def make_split(catalog: Catalog, config: SplitConfig, seed: int) -> Split:
    """Draw test users, validation users and cold items. Only users with two positives or more are held out."""
    nobody = np.empty(0, dtype=np.int64)
    interactions = catalog.interactions
    if interactions is None:
        return Split(nobody, nobody, nobody, nobody)
    positives = np.bincount(interactions.user[interactions.positive], minlength=interactions.n_users)
    eligible = np.flatnonzero(positives >= MIN_POSITIVES)
    drawn = np.random.default_rng([seed, 1]).permutation(eligible)
    n_test = min(round(config.test * interactions.n_users), len(drawn))
    n_validation = min(round(config.validation * interactions.n_users), len(drawn) - n_test)
    test, validation = drawn[:n_test], drawn[n_test : n_test + n_validation]
    train = np.setdiff1d(np.arange(interactions.n_users), drawn[: n_test + n_validation])
    return Split(train, np.sort(validation), np.sort(test), _cold_items(interactions, config.cold, seed))


def held_out(interactions: Interactions, users: NDArray[np.int64], profile_share: float, seed: int) -> HeldOut:
    """Divide the positives of held-out users into a profile and a truth, both of at least one item.

    Users with fewer than two positives cannot be divided and are left out: `users` of the answer says who is in it.
    """
    positives = interactions.select(interactions.positive)
    bounds = positives.bounds()
    profiles, truths = [], []
    users = users[np.diff(bounds)[users] >= MIN_POSITIVES]
    for user in users:
        items = positives.item[bounds[user] : bounds[user + 1]]
        # A generator for each user: a user's profile does not depend on who else is held out.
        order = np.random.default_rng([seed, 2, int(user)]).permutation(len(items))
        n_profile = min(max(1, int(len(items) * profile_share)), len(items) - 1)
        profiles.append(np.sort(items[order[:n_profile]]))
        truths.append(np.sort(items[order[n_profile:]]))
    return HeldOut(users, tuple(profiles), tuple(truths))


def training_interactions(interactions: Interactions, split: Split) -> Interactions:
    """What collaborative filtering may see: positives of the training users, without cold items."""
    return interactions.select(_may_be_seen(interactions, split) & interactions.positive)


def passed_over(interactions: Interactions, split: Split, n_items: int) -> NDArray[np.float32]:
    """How many training users met each item and did not like it, (n_items,) float32; 0 for cold items."""
    met = interactions.item[_may_be_seen(interactions, split) & ~interactions.positive]
    return np.bincount(met, minlength=n_items).astype(np.float32)


def _may_be_seen(interactions: Interactions, split: Split) -> NDArray[np.bool_]:
    """Which interactions are of training users with items that are not cold."""
    allowed = np.zeros(interactions.n_users, dtype=bool)
    allowed[split.train] = True
    return np.asarray(allowed[interactions.user] & ~np.isin(interactions.item, split.cold_items))


def _cold_items(interactions: Interactions, share: float, seed: int) -> NDArray[np.int64]:
    used = np.unique(interactions.item[interactions.positive])
    n_cold = round(share * len(used))
    return np.sort(np.random.default_rng([seed, 3]).permutation(used)[:n_cold]).astype(np.int64)
