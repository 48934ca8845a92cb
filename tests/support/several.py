"""What each process does in tests of training by several: run by torchrun, the first writes what it found.

Alone, `found` gives what one process finds with the same data; the tests compare both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.data.synthetic import QueryData, SyntheticQueries
from antiphon.joint.together import Crew
from antiphon.joint.train import follow, train
from antiphon.joint.trainer import Trainer
from antiphon.numbers.vectors import unit

N, DIM, FACETS = 61, 12, 8
JOINT = JointConfig(hidden=24, dim=10, dropout=0.3)
CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "no dropout": {"dropout": 0.0},
    "the paper's loss": {"query_weight": 0.0, "pair_weight": 1.0, "symmetric": True},
    "a learned temperature": {"learn_temperature": True, "query_weight": 0.5},
}
BATCHES = (24, 25, 2)
"""One that two processes divide, one that they do not, and one with hardly anything in it."""
WHOLE = TrainConfig(epochs=6, batch_size=17, checkpoint_every=2, validation_items=0.3, patience=3)


def data(seed: int = 0) -> tuple[list[Features], QueryData]:
    """Texts of two views, pictures that some items lack, and requests for one or two facets of the items."""
    rng = np.random.default_rng(seed)
    facets = np.sort([rng.choice(FACETS, 2, replace=False) for _ in range(N)], axis=1).astype(np.int32)
    has = np.zeros((N, FACETS))
    np.put_along_axis(has, facets, 1.0, axis=1)

    def of(modality: str, views: int, share: float, dim: int) -> Features:
        made = has @ rng.normal(size=(FACETS, dim)) + rng.normal(scale=0.3, size=(views, N, dim))
        mask = rng.random((views, N)) < share
        vectors = np.where(mask[..., None], unit(made.astype(np.float32)), 0).astype(np.float32)
        return Features(modality, tuple(map(str, range(views))), vectors, mask)

    features = [of("text", 2, 0.95, DIM), of("image", 1, 0.7, 7), of("cf", 1, 1.0, 5)]
    owner = np.sort(rng.integers(0, N, size=90)).astype(np.int32)  # some items have no request
    wanted = np.full((90, 3), -1, dtype=np.int32)
    wanted[:, :2] = facets[owner]
    wanted[::3, 1] = -1
    queries = SyntheticQueries(
        tuple(map(str, range(90))), owner, wanted, np.arange(0, 2 * N + 1, 2), facets.ravel(), (), ()
    )
    vectors = unit(rng.normal(size=(90, DIM)).astype(np.float32))
    return features, QueryData("text", queries, vectors, vectors[:0], vectors[:0])


def found(folder: Path) -> dict[str, Any]:
    """Gradients and losses of each case and batch, and the weights of a whole training, also of one that was ended."""
    features, queries = data()
    result: dict[str, Any] = {}
    for case, changes in CASES.items():
        joint = JOINT.model_copy(update={"dropout": changes.get("dropout", JOINT.dropout)})
        config = TrainConfig(**{key: value for key, value in changes.items() if key != "dropout"})
        trainer = Trainer(features, joint, config, 3, queries, {"text": 0.5, "image": 0.3, "cf": 0.2})
        for size in BATCHES:
            torch.manual_seed(size)
            trainer.optimizer.zero_grad()
            rows = torch.from_numpy(trainer.train_rows[:size])
            loss = trainer.loss(rows)
            loss.backward()
            trainer.crew.average(trainer.network.parameters())
            result[f"{case}/{size}/loss"] = loss.detach().numpy()
            for name, value in trainer.network.named_parameters():
                if value.grad is not None:
                    result[f"{case}/{size}/{name}"] = value.grad.numpy().copy()
    for name, checkpoint in (("whole", None), ("resumed", folder / "checkpoint")):
        weights = {"text": 0.5, "image": 0.3, "cf": 0.2}
        if checkpoint is not None:
            leads = Crew.here().leads
            try:
                Trainer(features, JOINT, WHOLE, 1, queries, weights).run(checkpoint if leads else None, ending)
            except KeyboardInterrupt:
                result["ended"] = np.array(sorted(path.name for path in folder.rglob("*.json")))
        trainer = Trainer(features, JOINT, WHOLE, 1, queries, weights)
        model = trainer.run(checkpoint if Crew.here().leads else None, lambda *_: nothing())
        result[f"{name}/losses"] = np.array(model.info["losses"] + model.info["validation_losses"])
        result |= {f"{name}/{key}": value.detach().numpy() for key, value in trainer.network.named_parameters()}
    return result


def joined(folder: Path) -> dict[str, Any]:
    """The weights that `train` learns where the first process asks for it and the others follow."""
    crew = Crew.here()
    if not crew.leads:
        follow(crew)
        return {}
    features, queries = data()
    model = train(features, JOINT, WHOLE, seed=2, queries=queries, checkpoint=folder / "led")
    crew.told(None)
    return {"weights": np.array([model.weight(item.modality) for item in features])} | {
        f"{name}/{key}": value for name, one in model.projections.items() for key, value in vars(one).items()
        if value is not None
    }  # fmt: skip


@contextmanager
def ending(name: str, total: int) -> Iterator[Any]:
    """Ends a training in its fifth epoch."""
    done = 0

    def advance(n: int) -> None:
        nonlocal done
        done += n
        if done == 5:
            raise KeyboardInterrupt

    yield advance


@contextmanager
def nothing() -> Iterator[Any]:
    """Shows nothing."""
    yield lambda _: None


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo")
    results = found(Path(sys.argv[1])) | {f"joined/{key}": value for key, value in joined(Path(sys.argv[1])).items()}
    if Crew.here().leads:
        np.savez(Path(sys.argv[1]) / "found.npz", **results)
    torch.distributed.destroy_process_group()
    os._exit(0)  # as `antiphon.run.processes` does: torch may abort at the usual end
