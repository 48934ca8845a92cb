"""Weights of the modalities in an item's vector, learned on items that the layers have not seen.

On the items that it trains on, a network makes any modality look good: vectors of pure noise tell items apart, and are
learned by heart. So a short training leaves some items out, and the weights follow the loss of queries over those. A
modality without which the unseen items are found just as well gets almost no weight, and then has almost no part in
the training proper either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from antiphon.base import runtime
from antiphon.base.progress import Progress
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.numbers.exact import top_k
from antiphon.numbers.metrics import Relevance, evaluate_ranking, mean_over_queries

if TYPE_CHECKING:
    from antiphon.data.synthetic import QueryData
from antiphon.joint.trainer import Trainer

EPOCHS, VISITS = 25, 600_000
"""Epochs of the short training, and the items that all of them look at, at most."""
HELD_OUT = 0.25
MIN_HELD_OUT = 16
STEPS = 4
"""Steps of the weights over the held-out items after each epoch of the layers."""
RATE = 0.05
MIN_GAIN = 0.005
"""A modality without which the nDCG of queries falls by less than this share is left out."""
LEFT_OUT = 1e-3
"""Not 0: an item that has no other modality still has a place."""
LOOKS = 8
METRIC = "ndcg@200"


def learn_weights(
    features: Sequence[Features],
    joint: JointConfig,
    config: TrainConfig,
    queries: QueryData,
    *,
    seed: int,
    progress: Progress,
) -> dict[str, float]:
    """Weight of each modality, summing to 1; equal ones where there are too few items to hold any out."""
    from antiphon.joint.trainer import Trainer

    short = config.model_copy(
        update={"epochs": min(EPOCHS, config.epochs), "visits": VISITS, "validation_items": HELD_OUT, "patience": None}
    )
    trainer = Trainer(features, joint, short, seed, queries)
    if len(trainer.watched_rows) < MIN_HELD_OUT:
        return {item.modality: 1 / len(features) for item in features}
    log_weights = trainer.network.log_weights.requires_grad_()
    optimizer = runtime.torch().optim.Adam([log_weights], lr=RATE)
    with progress("weighing the modalities", trainer.epochs) as advance:
        for epoch in range(trainer.epochs):
            trainer.epoch(epoch)
            trainer.network.eval()
            with _frozen(trainer.network, log_weights):
                parts = [(rows, *trainer.projected(rows)) for rows in trainer.batches(trainer.watched_rows)]
                for batch in parts * STEPS:
                    loss = trainer.query_loss(*batch)
                    if loss.requires_grad:
                        optimizer.zero_grad(set_to_none=True)
                        loss.backward()  # type: ignore[no-untyped-call]
                        optimizer.step()
            advance(1)
    useful = _useful(trainer, queries.modality)
    shares = log_weights.detach().cpu().softmax(dim=0) * runtime.torch().tensor(useful).clamp_min(LEFT_OUT)
    return dict(zip(trainer.network.names, (shares / shares.sum()).tolist(), strict=True))


@contextmanager
def _frozen(network: Any, besides: Any) -> Iterator[None]:
    """No gradients but those of one tensor: the others would cost most of the time, and are not used."""
    learned = [value for value in network.parameters() if value.requires_grad and value is not besides]
    for value in learned:
        value.requires_grad_(False)
    try:
        yield
    finally:
        for value in learned:
            value.requires_grad_(True)


def _useful(trainer: Trainer, reads: str) -> list[float]:
    """1 for each modality that the held-out items are found worse without, 0 for the others."""
    names, log_weights = trainer.network.names, trainer.network.log_weights
    whole = _found(trainer)
    useful = []
    for number, name in enumerate(names):
        before = float(log_weights[number].detach())
        log_weights.data[number] = -1e9
        useful.append(1.0 if name == reads or _found(trainer) < whole * (1 - MIN_GAIN) else 0.0)
        log_weights.data[number] = before
    return useful


def _found(trainer: Trainer) -> float:
    """Mean nDCG of queries over the held-out items, on the same queries each time.

    Not their loss: noise makes scores less sure of themselves, which lowers the loss and finds nothing.
    """
    torch = runtime.torch()
    torch.manual_seed(trainer.seed)
    values = []
    with torch.no_grad():
        for batch in trainer.batches(trainer.watched_rows) * LOOKS:
            if (asked := trainer.ask(batch, *trainer.projected(batch))) is not None:
                queries, items, answered = (tensor.cpu().numpy() for tensor in asked)
                ranked, _ = top_k(queries @ items.T, len(items))
                relevance = Relevance.from_lists([np.flatnonzero(row) for row in answered])
                values.append(evaluate_ranking(ranked, relevance, [METRIC], n_items=len(items))[METRIC])
    return mean_over_queries(np.concatenate(values)) if values else 0.0
