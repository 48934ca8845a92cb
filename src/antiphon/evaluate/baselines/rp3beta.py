"""RP3beta: random walks of three steps over who likes what, held back for popular items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.base import runtime
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.ease import refuse_large
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem


class RP3Beta(ScoringSystem):
    """Paudel et al. 2017: P_iu^alpha P_ui^alpha between items, over the popularity of the second to the power beta."""

    def __init__(self, data: RunData, alpha: float, beta: float) -> None:
        refuse_large(data)
        self.name = "rp3beta"
        matrix = data.matrix.copy()
        matrix.data[:] = 1
        of_user, of_item = _shares(matrix, alpha), _shares(matrix.T.tocsr(), alpha)
        walks = np.asarray((of_item @ of_user).todense(), dtype=np.float32)
        np.fill_diagonal(walks, 0)
        self.known = data.popularity > 0
        self.weights: Floats = walks / np.maximum(data.popularity, 1).astype(np.float32) ** np.float32(beta)

    def scores(self, task: Task) -> Floats:
        """Sum of the walks from the items of a profile."""
        found = np.stack([self.weights[rows].sum(axis=0) for rows in task.profiles])
        return np.where(self.known, found, -np.inf).astype(np.float32)


def _shares(matrix: Any, alpha: float) -> Any:
    """Rows that sum to 1, to the power alpha."""
    sparse = runtime.scipy_sparse()
    rows = sparse.csr_matrix(matrix, dtype=np.float32)
    totals = np.maximum(np.asarray(rows.sum(axis=1)).ravel(), 1)
    result = sparse.diags(1 / totals).dot(rows).tocsr()
    result.data **= np.float32(alpha)
    return result


def baselines(data: RunData) -> Sequence[Baseline]:
    """RP3beta, where the run has interactions."""
    if data.catalog.interactions is None:
        return []
    return [
        Baseline(
            "rp3beta",
            BY_PROFILE,
            {"alpha": 1.0, "beta": 0.6},
            lambda rng: {"alpha": float(rng.uniform(0.3, 2)), "beta": float(rng.uniform(0, 1))},
            lambda values: RP3Beta(data, **values),
        )
    ]
