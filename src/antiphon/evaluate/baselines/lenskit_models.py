"""Item neighbours and weighted factorization by LensKit: another library's models, fitted by its own code."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform

LIBRARY = "lenskit"
KNN, ALS = "lenskit-knn", "lenskit-ials"


class LensKit(ScoringSystem):
    """A scorer of LensKit (Ekstrand, CIKM 2020), fitted on the training interactions; a profile is folded in by it."""

    def __init__(self, name: str, data: RunData, scorer: Any) -> None:
        self.name, self.known = name, data.popularity > 0
        logging.getLogger("lenskit").setLevel(logging.WARNING)
        self.lenskit = importlib.import_module("lenskit.data")
        pandas, training = importlib.import_module("pandas"), importlib.import_module("lenskit.training")
        table = pandas.DataFrame({"user_id": data.training.user, "item_id": data.training.item})
        self.scorer = scorer
        fitted = self.lenskit.from_interactions_df(table, class_name="like")
        self.scorer.train(fitted, training.TrainingOptions(rng=data.config.seed))
        self.items = self.lenskit.ItemList(item_ids=np.flatnonzero(self.known))

    def scores(self, task: Task) -> Floats:
        """What the scorer gives each profile; 0 where it has nothing to say."""
        found = np.tile(np.where(self.known, 0, -np.inf).astype(np.float32), (len(task), 1))
        for place, rows in enumerate(task.profiles):
            profile = rows[self.known[rows]].astype(np.int64)  # of others the scorers have never heard
            if not len(profile):
                continue
            asked = self.lenskit.RecQuery(history_items=self.lenskit.ItemList(item_ids=profile))
            scored = self.scorer(asked, self.items)
            values = np.nan_to_num(np.asarray(scored.scores(), dtype=np.float32), nan=0.0)
            found[place, np.asarray(scored.ids(), dtype=np.int64)] = values
        return found


def baselines(data: RunData) -> Sequence[Baseline]:
    """Both models, where LensKit is installed and the run has interactions."""
    if data.catalog.interactions is None or importlib.util.find_spec(LIBRARY) is None:
        return []

    def neighbours(max_nbrs: int) -> LensKit:
        knn = importlib.import_module("lenskit.knn")
        return LensKit(KNN, data, knn.ItemKNNScorer(feedback="implicit", max_nbrs=max_nbrs))

    def factors(embedding_size: int, regularization: float, weight: float) -> LensKit:
        als = importlib.import_module("lenskit.als")
        config = {"embedding_size": embedding_size, "regularization": regularization, "weight": weight}
        return LensKit(ALS, data, als.ImplicitMFScorer(**config, epochs=15))

    def draw(rng: np.random.Generator) -> dict[str, float]:
        return {
            "embedding_size": int(rng.choice([32, 64, 128])), "regularization": log_uniform(rng, 0.01, 30),
            "weight": log_uniform(rng, 1, 60),
        }  # fmt: skip

    return [
        Baseline(
            KNN,
            BY_PROFILE,
            {"max_nbrs": 20},
            lambda rng: {"max_nbrs": int(np.exp(rng.uniform(np.log(5), np.log(1000))))},
            lambda values: neighbours(**values),
            most=4,
        ),
        Baseline(
            ALS,
            BY_PROFILE,
            {"embedding_size": 64, "regularization": 0.1, "weight": 40.0},
            draw,
            lambda values: factors(**values),
            most=4,
        ),
    ]
