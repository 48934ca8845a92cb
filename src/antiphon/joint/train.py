"""Training a JointModel: batches of items, the contrastive loss, checkpoints (torch).

The same seed gives the same weights on the same machine, also when the training is killed and goes on: the order of
the items and the dropout of an epoch are functions of the seed and the epoch's number. They are the same for several
processes (`joint.together`), which come to the same weights but for the last bits of sums.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.base import storage
from antiphon.base.progress import Progress, silent
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.data.synthetic import QueryData, SyntheticQueries
from antiphon.errors import IntegrityError
from antiphon.joint.model import Identity, JointModel
from antiphon.joint.trainer import Trainer, usable

if TYPE_CHECKING:
    from antiphon.joint.together import Arrays, Crew

QUERY_ARRAYS = ("owner", "wanted", "bounds", "facets")
"""What a training reads of synthetic queries beside their vectors."""


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
    `query_weight` is above 0. `checkpoint` is a folder that a killed training goes on from. Where this process leads
    others, they are told what to train, and take part (`follow`).

    Raises:
        ConfigError: there are modalities to join, but fewer than two items that have two of them.
    """
    if len(features) == 1:
        return JointModel({features[0].modality: Identity(features[0].dim)}, {"epochs": 0, "losses": []})
    from antiphon.joint.together import Crew

    if not usable(queries, config):
        queries = None
    crew = Crew.here()
    if not crew.alone:
        crew.told(*_packed(features, joint, config, seed, queries))
    return _trained(crew, features, joint, config, seed, queries, checkpoint, progress)


def follow(crew: Crew) -> None:
    """Take part in every training of the process that leads, until it says that there are no more."""
    while (told := crew.told())[0] is not None:
        features, joint, config, seed, queries = _unpacked(*told)
        _trained(crew, features, joint, config, seed, queries, None, silent)


def _trained(
    crew: Crew,
    features: Sequence[Features],
    joint: JointConfig,
    config: TrainConfig,
    seed: int,
    queries: QueryData | None,
    checkpoint: Path | None,
    progress: Progress,
) -> JointModel:
    weights = None
    if joint.weights == "learned" and usable(queries, config):
        weights = _weights(crew, features, joint, config, queries, seed=seed, checkpoint=checkpoint, progress=progress)
    return Trainer(features, joint, config, seed, queries, weights).run(checkpoint, progress)


def _weights(
    crew: Crew,
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
    known = None
    if kept is not None:
        with contextlib.suppress(IntegrityError):  # not learned yet, or damaged from outside
            known = storage.read_sealed(kept)
    weights: dict[str, float] | None = crew.told(known)[0]
    if weights is None:
        weights = learn_weights(features, joint, config, queries, seed=seed, progress=progress)
        weights = dict(crew.told(weights)[0])
        if kept is not None:
            storage.write_sealed(kept, weights)
    return weights


def _packed(
    features: Sequence[Features], joint: JointConfig, config: TrainConfig, seed: int, queries: QueryData | None
) -> tuple[Any, Arrays]:
    """A training as a value of JSON and arrays, for the processes that take part: all but the words of requests."""
    arrays = {f"{n}/{key}": getattr(item, key) for n, item in enumerate(features) for key in ("matrix", "mask")}
    asked = None
    if queries is not None:
        asked = queries.modality
        arrays |= {key: getattr(queries.queries, key) for key in QUERY_ARRAYS}
        arrays["vectors"] = queries.vectors
    views = [[item.modality, item.views] for item in features]
    return [views, joint.model_dump(mode="json"), config.model_dump(mode="json"), seed, asked], arrays


def _unpacked(value: Any, arrays: Arrays) -> tuple[list[Features], JointConfig, TrainConfig, int, QueryData | None]:
    """What `_packed` made a value and arrays of."""
    views, joint, config, seed, asked = value
    features = [
        Features(modality, tuple(names), arrays[f"{n}/matrix"], arrays[f"{n}/mask"])
        for n, (modality, names) in enumerate(views)
    ]
    queries = None
    if asked is not None:
        texts = ("",) * len(arrays["owner"])
        owner, wanted, bounds, facets = (arrays[key] for key in QUERY_ARRAYS)
        drawn = SyntheticQueries(texts, owner, wanted, bounds, facets, (), ())
        none = np.zeros((0, arrays["vectors"].shape[1]), dtype=np.float32)
        queries = QueryData(asked, drawn, arrays["vectors"], none, none)
    return features, JointConfig.model_validate(joint), TrainConfig.model_validate(config), seed, queries
