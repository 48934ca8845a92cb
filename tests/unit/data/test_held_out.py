"""Held-out users, no more of them than can be scored at once."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.data import held_out
from antiphon.data.held_out import compared, few_enough, held_out_score, score_of_vectors
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


def test_users_in_parts_score_what_they_score_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large catalog only some users' scores are held: each way has the mean that it has in one array."""
    rng = np.random.default_rng(3)
    users, items = rng.normal(size=(N_USERS, 4)).astype(np.float32), rng.normal(size=(90, 4)).astype(np.float32)
    whole = [held_out_score(scale * users @ items.T, CHECK) for scale in (1, -1)]
    monkeypatch.setattr(held_out, "AT_ONCE", 90 * 7)
    widths = []

    def ways(some: slice) -> list[np.ndarray]:
        widths.append(len(users[some]))
        return [users[some] @ items.T, -users[some] @ items.T]

    assert compared(CHECK, len(items), ways) == pytest.approx(whole)
    assert score_of_vectors(users, items, CHECK) == pytest.approx(whole[0])
    assert max(widths) == 7
    assert sum(widths) == N_USERS
