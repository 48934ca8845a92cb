"""Models of other libraries: fitted by their own code, they agree with ours where the model is the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.data.catalog import Interactions
from antiphon.evaluate.baselines import cornac_ease, lenskit_models
from antiphon.evaluate.baselines.ease import EASE
from antiphon.evaluate.protocols import recommend_task
from antiphon.evaluate.rundata import RunData


def test_ease_by_cornac_is_our_ease_on_the_users_that_it_saw(data: RunData) -> None:
    """The same scores, once ours is fitted on the same users: those of training and the profiles."""
    pytest.importorskip("cornac")
    task = recommend_task(data)
    theirs = cornac_ease.CornacEASE(data, 50.0).scores(task)
    matrix = data.matrix.toarray() > 0
    profiles = np.zeros((len(task), task.n_items))
    for row, items in enumerate(task.profiles):
        profiles[row, items] = 1
    seen = np.concatenate([matrix.astype(float), profiles])
    inverse = np.linalg.inv(seen.T @ seen + 50.0 * np.eye(task.n_items))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    known = data.popularity > 0
    assert_allclose(theirs[:, known], (profiles @ weights)[:, known], atol=1e-5)
    assert np.isneginf(theirs[:, ~known]).all()
    assert EASE(data, 50.0).scores(task).shape == theirs.shape


@pytest.mark.parametrize("name", [lenskit_models.KNN, lenskit_models.ALS])
def test_models_of_lenskit_find_who_likes_the_same(data: RunData, name: str) -> None:
    """Users like the even or the odd items: a profile is folded in by the library, and gets the others of its kind.

    Items that nobody has met are never answers.
    """
    pytest.importorskip("lenskit")
    n_items, n_users = data.catalog.n_items, 60
    rng = np.random.default_rng(0)
    liked = [np.sort(rng.choice(np.arange(user % 2, n_items - 4, 2), 12, replace=False)) for user in range(n_users)]
    pairs = Interactions(
        tuple(map(str, range(n_users))), np.repeat(np.arange(n_users), 12).astype(np.int32),
        np.concatenate(liked).astype(np.int32), np.ones(12 * n_users, np.float32), np.ones(12 * n_users, bool),
    )  # fmt: skip
    planted = Planted(data.layout.root, pairs)
    system = {one.name: one for one in lenskit_models.baselines(planted)}[name]
    task = recommend_task(data).take([0, 1])
    task = replace(task, profiles=(np.array([0, 4, 8], dtype=np.int32), np.array([1, 5, 9], dtype=np.int32)))
    scores = system.make(system.usual).scores(task)
    assert np.isneginf(scores[:, planted.popularity == 0]).all()
    ranked = system.make(system.usual).rank(task, 10)
    assert (ranked[0] % 2 == 0).all()
    assert (ranked[1] % 2 == 1).all()


class Planted(RunData):
    """A run whose systems learn from other interactions."""

    def __init__(self, run: Path, training: Interactions) -> None:
        super().__init__(run)
        self.planted = training

    @property
    def training(self) -> Interactions:
        """The planted ones."""
        return self.planted


@pytest.mark.parametrize("module", [cornac_ease, lenskit_models])
def test_without_the_library_there_is_no_such_row(data: RunData, monkeypatch: pytest.MonkeyPatch, module) -> None:
    """Other libraries are optional."""
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    assert module.baselines(data) == []
