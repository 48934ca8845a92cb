"""How many settings each system tried on validation before it was measured: the other half of an honest table."""

from __future__ import annotations

from antiphon.channels.mixture import EASE_GRID, JOINT_GRID, RERANK_GRID
from antiphon.channels.taste import EASE_PENALTIES
from antiphon.config.sections import Config
from antiphon.encoders.base import make_encoder
from antiphon.evaluate.baselines.base import Baseline

Budget = dict[str, int]


def space_budget(config: Config) -> Budget:
    """Validation evaluations behind a published space, by what they choose.

    Weights that are learned from practice requests, and constants that were set by hand, are not among them.
    """
    budget = {name: n for name, n in modality_budget(config).items() if n > 1}
    if config.space.taste and config.catalog.interactions is not None:
        budget |= {
            "iALS": config.space.taste_trials,
            "EASE": len(EASE_PENALTIES) if config.space.ease_rank else 0,
            "mixture": len(EASE_GRID) * len(JOINT_GRID),
            "second stage": len(RERANK_GRID) * len(JOINT_GRID) if config.space.rerank else 0,
        }
    return {name: n for name, n in budget.items() if n}


def modality_budget(config: Config) -> Budget:
    """Settings that the encoder of each modality tries, 0 where it tries none."""
    tried = {item.name: getattr(make_encoder(item).options, "trials", 0) for item in config.modalities}
    return {name: int(n) for name, n in tried.items()}


def baseline_budget(baseline: Baseline, trials: int) -> Budget:
    """Settings that a baseline tries."""
    return {"own": baseline.trials(trials)} if baseline.tunable else {}
