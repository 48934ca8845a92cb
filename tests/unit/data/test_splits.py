"""Who is held out: drawn from the seed, never overlapping, the same on every machine."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.config.load import load_config
from antiphon.config.sections import SplitConfig
from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.reading import read_catalog
from antiphon.data.splits import MIN_POSITIVES, Split, held_out, make_split, passed_over, training_interactions


def catalog_of(pairs, n_items):
    """A catalog with the positives and negatives that are given, (user, item) -> positive."""
    keys = sorted(pairs)
    user, item = (np.array([key[place] for key in keys], dtype=np.int32) for place in (0, 1))
    # User rows are those of users with an interaction.
    known, user = np.unique(user, return_inverse=True)
    items = pa.table({"item_id": [f"i{row:03}" for row in range(n_items)], "title": ["t"] * n_items})
    made = Interactions(
        tuple(f"u{row:03}" for row in known), user.astype(np.int32), item,
        np.ones(len(keys), np.float32), np.array([pairs[key] for key in keys], dtype=bool),
    )  # fmt: skip
    return Catalog(items, items.select(["item_id"]), {}, made)


PAIRS = st.dictionaries(st.tuples(st.integers(0, 30), st.integers(0, 9)), st.booleans(), min_size=1, max_size=120)
SHARES = st.builds(
    SplitConfig,
    test=st.floats(0, 0.5), validation=st.floats(0, 0.4), profile=st.floats(0.05, 0.95), cold=st.floats(0, 0.9),
)  # fmt: skip


@given(PAIRS, SHARES, st.integers(0, 100))
def test_splits_cover_all_users_once_and_hold_out_only_who_can_be_divided(pairs, shares, seed):
    """Training, validation and test users are apart; the held-out have two positives or more."""
    catalog = catalog_of(pairs, 10)
    split = make_split(catalog, shares, seed)
    together = np.concatenate([split.train, split.validation, split.test])
    assert sorted(together.tolist()) == list(range(catalog.interactions.n_users))
    positives = np.bincount(catalog.interactions.user[catalog.interactions.positive], minlength=len(together))
    assert (positives[np.concatenate([split.validation, split.test])] >= MIN_POSITIVES).all()
    assert len(split.test) <= round(shares.test * len(together))
    for users in (split.train, split.validation, split.test):
        assert users.dtype == np.int64
        assert (np.diff(users) > 0).all()


@given(PAIRS, SHARES, st.integers(0, 100))
def test_profiles_and_truths_divide_the_positives(pairs, shares, seed):
    """Disjoint, neither is empty, together they are all that the user liked."""
    catalog = catalog_of(pairs, 10)
    split = make_split(catalog, shares, seed)
    held = held_out(catalog.interactions, split.test, shares.profile, seed)
    assert held.users.tolist() == split.test.tolist()
    liked = catalog.interactions.select(catalog.interactions.positive)
    for user, profile, truth in zip(held.users, held.profiles, held.truths, strict=True):
        assert len(profile) > 0
        assert len(truth) > 0
        assert not set(profile) & set(truth)
        assert set(profile) | set(truth) == set(liked.item[liked.user == user])
        assert (np.diff(profile) > 0).all()
        assert (np.diff(truth) > 0).all()


@given(PAIRS, SHARES, st.integers(0, 100))
def test_training_sees_no_held_out_user_no_cold_item_and_no_dislike(pairs, shares, seed):
    """And all the rest."""
    catalog = catalog_of(pairs, 10)
    split = make_split(catalog, shares, seed)
    seen = training_interactions(catalog.interactions, split)
    names = catalog.interactions.user_ids
    expected = {
        (names[user], item)
        for user, item, positive in zip(
            catalog.interactions.user, catalog.interactions.item, catalog.interactions.positive, strict=True
        )
        if positive and user in split.train and item not in split.cold_items
    }
    assert {(names[user], item) for user, item in zip(seen.user, seen.item, strict=True)} == expected
    assert len(seen) == len(expected)


@pytest.fixture
def catalog(make_catalog):
    """A generated catalog of 200 users."""
    return read_catalog(load_config(make_catalog(n_items=60, n_users=200)).catalog)


def test_a_seed_gives_the_same_split_and_another_seed_another(catalog):
    """Users, cold items, profiles."""
    shares = SplitConfig(cold=0.2)
    one, again, other = (make_split(catalog, shares, seed) for seed in (1, 1, 2))
    for name in ("train", "validation", "test", "cold_items"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))
        assert getattr(one, name).tolist() != getattr(other, name).tolist()
    first, second, third = (held_out(catalog.interactions, one.test, 0.5, seed) for seed in (1, 1, 2))
    for mine, same in zip(first.profiles, second.profiles, strict=True):
        np.testing.assert_array_equal(mine, same)
    assert any(a.tolist() != b.tolist() for a, b in zip(first.profiles, third.profiles, strict=True))


def test_the_split_is_the_same_on_every_machine(catalog):
    """The draw is pinned: numpy's default generator is stable, and a change here would change every result."""
    split = make_split(catalog, SplitConfig(test=0.02, validation=0.01), 0)
    assert (split.test.tolist(), split.validation.tolist()) == ([38, 133, 149, 161], [112, 152])


def test_shares_are_those_asked_for(catalog):
    """10% for test, 5% for validation, a half of each user's positives."""
    split = make_split(catalog, SplitConfig(), 0)
    assert (len(split.test), len(split.validation), len(split.train)) == (20, 10, 170)
    held = held_out(catalog.interactions, split.test, 0.5, 0)
    for profile, truth in zip(held.profiles, held.truths, strict=True):
        assert len(truth) - len(profile) in (0, 1)


def test_asking_for_cold_items_does_not_change_the_users(catalog):
    """Each draw has its own stream."""
    without, with_cold = (make_split(catalog, SplitConfig(cold=cold), 0) for cold in (0, 0.3))
    np.testing.assert_array_equal(without.test, with_cold.test)
    assert len(without.cold_items) == 0
    used = np.unique(catalog.interactions.item[catalog.interactions.positive])
    assert len(with_cold.cold_items) == round(0.3 * len(used))
    assert set(with_cold.cold_items) <= set(used)


def test_a_profile_does_not_depend_on_who_else_is_held_out(catalog):
    """One user alone has the same profile as among others."""
    split = make_split(catalog, SplitConfig(), 0)
    together = held_out(catalog.interactions, split.test, 0.5, 0)
    for place, user in enumerate(split.test):
        alone = held_out(catalog.interactions, np.array([user]), 0.5, 0)
        np.testing.assert_array_equal(alone.profiles[0], together.profiles[place])


def test_users_who_liked_the_same_have_profiles_of_their_own():
    """Each is drawn apart: not the first half of the same shuffle for everybody."""
    catalog = catalog_of({(user, item): True for user in range(20) for item in range(10)}, 10)
    held = held_out(catalog.interactions, np.arange(20), 0.5, 0)
    assert len({tuple(profile) for profile in held.profiles}) > 10


def test_users_that_cannot_be_divided_are_left_out():
    """One positive is no profile and no truth."""
    catalog = catalog_of({(0, 0): True, (1, 0): True, (1, 1): True, (2, 0): False}, 2)
    held = held_out(catalog.interactions, np.arange(3), 0.5, 0)
    assert held.users.tolist() == [1]
    assert len(held.profiles) == len(held.truths) == 1


def test_a_catalog_without_interactions_has_an_empty_split():
    """And nothing fails."""
    items = pa.table({"item_id": ["a"], "title": ["A"]})
    split = make_split(Catalog(items, items.select(["item_id"]), {}), SplitConfig(), 0)
    assert [len(part) for part in (split.train, split.validation, split.test, split.cold_items)] == [0, 0, 0, 0]


def test_a_single_user_is_trained_on():
    """Ten percent of one is none."""
    split = make_split(catalog_of({(0, 0): True, (0, 1): True}, 2), SplitConfig(), 0)
    assert split.train.tolist() == [0]


def test_who_passed_an_item_over_is_counted_among_training_users_alone():
    """Two users met item 0 and liked neither time; a held-out user's dislike and a cold item's count for nothing."""
    pairs = {(0, 0): False, (1, 0): False, (1, 1): True, (2, 0): False, (0, 2): False}
    catalog = catalog_of(pairs, 3)
    split = Split(np.array([0, 1]), np.array([], dtype=np.int64), np.array([2]), np.array([2]))
    np.testing.assert_array_equal(passed_over(catalog.interactions, split, 3), [2, 0, 0])
