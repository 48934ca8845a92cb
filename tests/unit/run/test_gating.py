"""How loud a text speaks beside a history: as users' held-out items say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np

from antiphon.data.splits import HeldOut
from antiphon.describe.practice import Practice
from antiphon.query.request import Query
from antiphon.run.gating import BESIDE_GRID, beside_of
from antiphon.space.space import Space

_serve = runpy.run_path(str(Path(__file__).parents[1] / "serve" / "conftest.py"))
tiny_text_model, film_run, space = _serve["tiny_text_model"], _serve["film_run"], _serve["space"]
TEXT = "a tense drama"
NOTHING = np.zeros(0, dtype=np.int32)


def chosen(space: Space, truth: np.ndarray, profile: np.ndarray) -> float:
    """What is chosen where one user has a profile, and what the user likes of what is asked is `truth`."""
    check = HeldOut(np.array([0]), (profile,), (np.sort(truth).astype(np.int32),))
    practice = Practice(
        (TEXT,), ("facets",), (np.arange(space.n_items, dtype=np.int32),), (NOTHING,), (NOTHING,), (-1,)
    )
    vectors = {TEXT: space.resolver.sides["text"][1].encode([TEXT])[0]}
    return beside_of(practice, vectors, space.resolver, space.channels, check, space.item_ids)


def test_the_text_is_as_loud_as_helps(space: Space) -> None:
    """Loud where users like what the words bring, quiet where they like what others like."""
    assert space.users is not None
    profile = np.sort(space.users.known("user-05")[0])
    ids = tuple(space.item_ids[row] for row in profile)
    by_words, _ = space.rank_rows([Query(text=TEXT, exclude=ids)], 5)
    by_taste, _ = space.rank_rows([Query(history=ids)], 5)
    words = np.setdiff1d(by_words[0], by_taste[0])
    taste = np.setdiff1d(by_taste[0], by_words[0])
    assert len(words) >= 3
    assert len(taste) >= 3
    assert chosen(space, words, profile) > chosen(space, taste, profile)


def test_without_users_it_is_neither_louder_nor_quieter(space: Space) -> None:
    """There is nothing to choose by."""
    practice = Practice((), (), (), (), (), ())
    nobody = HeldOut(np.arange(0), (), ())
    assert beside_of(practice, {}, space.resolver, space.channels, nobody, space.item_ids) == 1.0
    assert space.mixture.beside in BESIDE_GRID
