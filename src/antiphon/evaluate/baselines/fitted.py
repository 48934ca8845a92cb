"""Baselines with hyperparameters: each is fitted on validation users or queries, with the same budget.

A trial is scored by mean nDCG@200; test users and queries are never seen. Baselines are found by name through the entry
points `antiphon.baselines`, functions that give those that a run's data allow.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base.progress import Progress, silent
from antiphon.base.registry import every
from antiphon.errors import ConfigError, nearest
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import System, rank, raw_systems
from antiphon.numbers.metrics import METRIC, K, evaluate_ranking, mean_over_queries
from antiphon.numbers.random_search import Settings, best_of

GROUP = "antiphon.baselines"
TRIALS = 12


def baselines_of(data: RunData) -> dict[str, Baseline]:
    """Every baseline with hyperparameters that the run's data allow, by name."""
    return {baseline.name: baseline for maker in every(GROUP).values() for baseline in maker(data)}


def makers_of(data: RunData) -> dict[str, Any]:
    """The function of the entry point that gives each baseline, by the baseline's name: the code that it is."""
    return {baseline.name: maker for maker in every(GROUP).values() for baseline in maker(data)}


def system_names(data: RunData) -> list[str]:
    """Every system that can be evaluated on a run."""
    return [*raw_systems(data), *baselines_of(data)]


def make_system(
    data: RunData, name: str, validation: Task | None, *, table: Path, trials: int = TRIALS, progress: Progress = silent
) -> System:
    """The system of a name; its hyperparameters are those that are best on `validation`, the usual ones without it.

    `table` is where the trials are kept.

    Raises:
        ConfigError: there is no such system.
    """
    raw = raw_systems(data)
    if name in raw:
        return raw[name]()
    baselines = baselines_of(data)
    if name not in baselines:
        raise ConfigError(f"there is no system {name!r}; {nearest(name, [*raw, *baselines])}")
    chosen = baselines[name]
    if validation is None or not len(validation) or not chosen.tunable:
        return chosen.make(chosen.usual)
    return chosen.make(fit(chosen, validation, table, trials=trials, seed=data.config.seed, progress=progress))


def fit(
    baseline: Baseline,
    validation: Task,
    table: Path,
    *,
    trials: int = TRIALS,
    seed: int = 0,
    progress: Progress = silent,
) -> Settings:
    """The settings with the best mean nDCG@200 on `validation`."""
    rng = np.random.default_rng([seed, 9])

    def score(setting: Settings) -> float:
        ranked = rank(baseline.make(setting), validation, min(K, validation.n_items))
        values = evaluate_ranking(ranked, validation.relevance, [METRIC], validation.n_items)[METRIC]
        return mean_over_queries(values)

    settings = [baseline.usual, *(baseline.draw(rng) for _ in range(baseline.trials(trials) - 1))]
    return best_of(settings, score, table, name=f"fitting {baseline.name}", progress=progress)
