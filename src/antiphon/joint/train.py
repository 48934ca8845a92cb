"""Training a JointModel: batches of items, the contrastive loss, checkpoints (torch).

The same seed gives the same weights on the same machine, also when the training is killed and goes on: the order of
the items and the dropout of an epoch are functions of the seed and the epoch's number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from antiphon.base import storage
from antiphon.base.progress import Progress, silent
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.data.synthetic import QueryData
from antiphon.errors import IntegrityError
from antiphon.joint.model import Identity, JointModel
from antiphon.joint.trainer import Trainer, usable


def train(
    features: Sequence[Features],
    joint: JointConfig,
    config: TrainConfig,
    *,
    seed: int = 0,
    queries: QueryData | None = None,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> JointModel:
    """Learn a projection for each modality.

    With one modality there is nothing to join: its vectors are the space. `queries` are trained on as well where
    `query_weight` is above 0. `checkpoint` is a folder that a killed training goes on from.

    Raises:
        ConfigError: there are modalities to join, but fewer than two items that have two of them.
    """
    if len(features) == 1:
        return JointModel({features[0].modality: Identity(features[0].dim)}, {"epochs": 0, "losses": []})
    weights = None
    if joint.weights == "learned" and usable(queries, config):
        weights = _weights(features, joint, config, queries, seed=seed, checkpoint=checkpoint, progress=progress)
    return Trainer(features, joint, config, seed, queries, weights).run(checkpoint, progress)


def _weights(
    features: Sequence[Features],
    joint: JointConfig,
    config: TrainConfig,
    queries: QueryData,
    *,
    seed: int,
    checkpoint: Path | None,
    progress: Progress,
) -> dict[str, float]:
    """The weights of the modalities, kept beside the checkpoints so that they are learned once."""
    from antiphon.joint.weights import learn_weights

    kept = None if checkpoint is None else checkpoint / "weights.json"
    if kept is not None:
        with contextlib.suppress(IntegrityError):  # not learned yet, or damaged from outside
            return storage.read_sealed(kept)
    weights = learn_weights(features, joint, config, queries, seed=seed, progress=progress)
    if kept is not None:
        storage.write_sealed(kept, weights)
    return weights
