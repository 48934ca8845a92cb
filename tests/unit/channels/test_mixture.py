"""Mixture: channels of one scale, and weights chosen on validation users."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from antiphon.channels.mixture import (
    UNKNOWN_GRID,
    Histories,
    Mixture,
    choose_doubt,
    choose_history,
    choose_rerank,
    covariance_of,
    standardised,
)
from antiphon.channels.taste import NOT_MET, Taste, doubt_of
from antiphon.data.splits import HeldOut
from antiphon.numbers.factorization import Setting


@given(st.integers(2, 40), st.integers(1, 6), st.floats(0.01, 100), st.integers(0, 1000))
def test_standardised_queries_score_with_deviation_one(n_items: int, dim: int, scale: float, seed: int) -> None:
    """Whatever the scale of a block, the scores of a standardised query have the standard deviation 1."""
    rng = np.random.default_rng(seed)
    block = (rng.normal(size=(n_items, dim)) * scale + rng.normal(size=dim)).astype(np.float32)
    queries = rng.normal(size=(3, dim)).astype(np.float32)
    rows = np.ones(n_items, dtype=bool)
    scores = standardised(queries, covariance_of(block, rows)).astype(np.float64) @ block.T.astype(np.float64)
    assert_allclose(scores.std(axis=1), 1, rtol=1e-3)


def test_a_zero_query_stays_zero() -> None:
    """A part that a query does not have adds nothing."""
    covariance = np.eye(3)
    assert not standardised(np.zeros((2, 3), dtype=np.float32), covariance).any()


def test_items_that_cannot_be_found_do_not_count() -> None:
    """The covariance is over the rows of the mask."""
    block = np.array([[1, 0], [-1, 0], [100, 100]], dtype=np.float32)
    assert_allclose(covariance_of(block, np.array([True, True, False])), [[1, 0], [0, 0]])


def scored(check: HeldOut, **scores: Any) -> Histories:
    """Histories whose scores are given, (n_users, n_items): each item is a vector of its own."""
    apart = np.eye(scores["joint"].shape[1], dtype=np.float32)
    return Histories(check, scores, dict.fromkeys(scores, apart))


def test_the_channel_that_knows_gets_the_weight() -> None:
    """Where iALS scores at random and the joint space knows the truth, the joint space counts most, and back."""
    rng = np.random.default_rng(0)
    truths = tuple(np.sort(rng.permutation(50)[:5]).astype(np.int32) for _ in range(40))
    profiles = tuple(np.array([item for item in range(50) if item not in set(truth)][:2], np.int32) for truth in truths)
    check = HeldOut(np.arange(40), profiles, truths)
    noise = rng.normal(size=(40, 50)).astype(np.float32)
    knows = np.zeros((40, 50), dtype=np.float32)
    for row, truth in enumerate(truths):
        knows[row, truth] = 3
    good = choose_history(scored(check, joint=knows, ials=noise, ease=noise))[0]
    bad = choose_history(scored(check, joint=noise, ials=knows, ease=noise))[0]
    assert good["joint"] >= 0.6
    assert bad == {"joint": 0.0, "ials": 1.0, "ease": 0.0}


def test_without_users_or_taste_the_joint_space_answers() -> None:
    """There is nothing to choose from."""
    nobody = HeldOut(np.arange(0), (), ())
    assert choose_history(scored(nobody, joint=np.zeros((0, 3), np.float32)))[0] == {"joint": 1.0}


def held_out_rows(n_users: int = 40, n_items: int = 50) -> HeldOut:
    """Users with two items given and five asked for."""
    rng = np.random.default_rng(0)
    orders = [rng.permutation(n_items).astype(np.int32) for _ in range(n_users)]
    return HeldOut(
        np.arange(n_users), tuple(np.sort(o[:2]) for o in orders), tuple(np.sort(o[2:7]) for o in orders)
    )  # fmt: skip


def test_a_second_stage_is_followed_where_it_helps_and_left_where_it_does_not() -> None:
    """It counts when the nDCG of the validation users says so."""
    check = held_out_rows()
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(40, 50)).astype(np.float32)
    knows = np.zeros_like(noise)
    for row, truth in enumerate(check.truths):
        knows[row, truth] = 9
    without = scored(check, joint=np.zeros_like(noise), ials=noise)
    weights, value = choose_history(without)
    helps, harms = (replace(without, moved=[(np.arange(50), line) for line in lines]) for lines in (knows, -knows))
    assert choose_rerank(helps, weights, value)[0] > 0
    assert choose_rerank(harms, weights, value) == (0.0, weights)


def test_round_trip(tmp_path: Path) -> None:
    """What is saved is loaded."""
    mixture = Mixture(history={"joint": 0.3, "ials": 1.0}, likes={"joint": 1.0}, words=0.8)
    mixture.save(tmp_path / "mixture.json")
    assert Mixture.load(tmp_path / "mixture.json") == mixture


def test_doubts_about_what_nobody_liked_are_as_large_as_they_are_free() -> None:
    """Where held-out users like items that training users did not, doubts cost, and there are none."""
    check, rng = held_out_rows(), np.random.default_rng(2)
    scores = rng.normal(size=(40, 50)).astype(np.float32)
    for row, truth in enumerate(check.truths):
        scores[row, truth] += 2
    nothing, setting = np.zeros((50, 0), dtype=np.float32), Setting(1, 1.0, 1.0, 1)
    asked = np.unique(np.concatenate(check.truths))
    wanted, unwanted = np.ones(50, dtype=np.float32), np.ones(60, dtype=np.float32)
    wanted[asked[:10]] = 0
    assert (
        choose_doubt(
            scored(check, joint=scores), {"joint": 1.0}, 0.0, Taste(nothing, setting, nothing, nothing, wanted)
        )[0]
        == 0.0
    )
    # Ten more items that nobody asks for, and that seem to fit everybody.
    unwanted[50:] = 0
    wider = np.concatenate([scores, np.full((40, 10), 5, dtype=np.float32)], axis=1)
    taste = Taste(*([np.zeros((60, 0), np.float32), setting, *[np.zeros((60, 0), np.float32)] * 2]), unwanted)
    unknown, _ = choose_doubt(scored(check, joint=wider), {"joint": 1.0}, 0.0, taste)
    assert unknown == UNKNOWN_GRID[-1]


def test_what_came_after_training_is_not_doubted() -> None:
    """Nobody can have met it."""
    nothing = np.zeros((3, 0), dtype=np.float32)
    users, passed = np.array([4, 0, 0], dtype=np.float32), np.array([0, 7, NOT_MET], dtype=np.float32)
    found = doubt_of(Taste(nothing, Setting(1, 1.0, 1.0, 1), nothing, nothing, users, passed), 1.0, 2.0)
    assert_allclose(found, [0, 1 + 2 * np.log(8), 0], rtol=1e-6)
