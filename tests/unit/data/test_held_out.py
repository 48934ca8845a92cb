"""Held-out users, no more of them than can be scored at once."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.data import held_out
from antiphon.data.held_out import few_enough
from antiphon.data.splits import HeldOut

N_USERS = 400
CHECK = HeldOut(
    np.arange(N_USERS),
    tuple(np.array([user % 7], dtype=np.int32) for user in range(N_USERS)),
    tuple(np.array([7 + user % 5], dtype=np.int32) for user in range(N_USERS)),
)


def test_all_users_are_taken_where_they_can_be() -> None:
    """A catalog of today's size loses none."""
    assert few_enough(CHECK, 100_000) is CHECK


def test_fewer_are_taken_of_a_large_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit, each with its own profile and truth, and the same ones each time."""
    monkeypatch.setattr(held_out, "MOST_SCORES", 150_000)
    some = few_enough(CHECK, 1_000)
    assert len(some.users) == 150
    assert len(set(some.users.tolist())) == 150
    for user, profile, truth in zip(some.users.tolist(), some.profiles, some.truths, strict=True):
        assert (profile[0], truth[0]) == (user % 7, 7 + user % 5)
    assert few_enough(CHECK, 1_000).users.tolist() == some.users.tolist()


def test_a_few_are_always_left() -> None:
    """However many items there are."""
    assert len(few_enough(CHECK, 10**9).users) == held_out.LEAST_USERS
