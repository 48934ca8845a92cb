"""The item-item model of the space by itself: how far the rest of the space goes beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.errors import ConfigError
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, Floats, ScoringSystem


class OwnEASE(ScoringSystem):
    """Inner products with the space's factors of EASE; see `channels.taste`. Its penalty was chosen by the build.

    Raises:
        ConfigError: the space has no factors of taste.
    """

    def __init__(self, data: RunData) -> None:
        taste = data.space.taste
        if taste is None:
            raise ConfigError("the space has no factors of taste; build it with space.taste = true and interactions.")
        self.name = "ease-own"
        self.left, self.right, self.known = np.asarray(taste.ease_left), np.asarray(taste.ease), data.popularity > 0

    def scores(self, task: Task) -> Floats:
        """Sum of the profile's left factors, times the right ones."""
        profiles = np.stack([self.left[rows].sum(axis=0) for rows in task.profiles])
        return np.where(self.known, profiles @ self.right.T, -np.inf).astype(np.float32)


def baselines(data: RunData) -> Sequence[Baseline]:
    """The model, where the space has one; nothing of it is left to choose."""
    taste = data.space.taste
    if taste is None or not taste.ease.shape[1]:
        return []
    return [Baseline("ease-own", BY_PROFILE, {}, lambda _: {}, lambda _: OwnEASE(data))]
