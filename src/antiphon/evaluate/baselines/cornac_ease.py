"""EASE by Cornac: another library's model, fitted by its own code on the same split."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.ease import refuse_large
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform

LIBRARY, NAME = "cornac", "cornac-ease"


class CornacEASE(ScoringSystem):
    """Cornac's `EASE` (Salah, Truong and Lauw, JMLR 2020). It scores the users that it was fitted on.

    The profiles that it is asked about are therefore users of its training set, beside the training users. They are
    known to every system when it answers; here they are also learned from, which is generous to it.
    """

    def __init__(self, data: RunData, penalty: float) -> None:
        refuse_large(data)
        self.name, self.data, self.penalty = NAME, data, penalty
        self.known = data.popularity > 0

    def scores(self, task: Task) -> Floats:
        """What the fitted model gives each profile."""
        training, data = self.data.training, importlib.import_module("cornac.data")
        pairs = [(f"t{user}", int(item), 1.0) for user, item in zip(training.user, training.item, strict=True)]
        pairs += [(f"q{place}", int(item), 1.0) for place, rows in enumerate(task.profiles) for item in rows]
        fitted = data.Dataset.build(pairs)
        model: Any = importlib.import_module("cornac.models").EASE(
            lamb=self.penalty, posB=False, verbose=False, seed=self.data.config.seed
        )
        model.fit(fitted)
        columns = np.array([fitted.iid_map.get(item, -1) for item in range(task.n_items)])
        found = np.full((len(task), task.n_items), -np.inf, dtype=np.float32)
        for place in range(len(task)):
            line = np.asarray(model.score(fitted.uid_map[f"q{place}"]), dtype=np.float32).ravel()
            found[place] = np.where(columns >= 0, line[np.maximum(columns, 0)], -np.inf)
        return np.where(self.known, found, -np.inf).astype(np.float32)


def baselines(data: RunData) -> Sequence[Baseline]:
    """The model, where Cornac is installed and the run has interactions."""
    if data.catalog.interactions is None or importlib.util.find_spec(LIBRARY) is None:
        return []
    return [
        Baseline(
            NAME,
            BY_PROFILE,
            {"penalty": 300.0},
            lambda rng: {"penalty": log_uniform(rng, 10, 20_000)},
            lambda values: CornacEASE(data, **values),
            most=4,
        )
    ]
