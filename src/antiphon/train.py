"""Training a JointModel: batches of items, the contrastive loss, checkpoints (torch).

The same seed gives the same weights on the same machine, also when the training is killed and goes on: the order of
the items and the dropout of an epoch are functions of the seed and the epoch's number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon import runtime, storage
from antiphon.config import JointConfig, TrainConfig
from antiphon.errors import ConfigError
from antiphon.features import Features
from antiphon.joint import Identity, JointModel, Projection
from antiphon.losses import all_pairs, multimodal_loss
from antiphon.progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

MIN_TEMPERATURE = 0.01


@dataclass
class State:
    """Where a training is: everything that a checkpoint holds."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def train(
    features: Sequence[Features],
    joint: JointConfig,
    config: TrainConfig,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: Progress = silent,
) -> JointModel:
    """Learn a projection for each modality.

    With one modality there is nothing to join: its vectors are the space. `checkpoint` is a folder that a killed
    training goes on from.

    Raises:
        ConfigError: there are modalities to join, but fewer than two items that have two of them.
    """
    if len(features) == 1:
        return JointModel({features[0].modality: Identity(features[0].dim)}, {"epochs": 0, "losses": []})
    return Trainer(features, joint, config, seed).run(checkpoint, progress)


class Trainer:
    """One training: data as tensors, parameters, and the loop over epochs."""

    def __init__(self, features: Sequence[Features], joint: JointConfig, config: TrainConfig, seed: int) -> None:
        self.torch = runtime.torch()
        self.config, self.seed = config, seed
        self.device = runtime.device()
        self.inputs, self.masks, self.owner = self._tensors(features)
        views = {item.modality: [i for i, name in enumerate(self.owner) if name == item.modality] for item in features}
        self.pairs = all_pairs(views, config.pairs)
        self.train_rows, self.watched_rows = self._divide(features)
        self.modules = self._modules({item.modality: item.dim for item in features}, joint)
        temperature = self.torch.tensor(math.log(config.temperature), device=self.device)
        self.log_temperature = self.torch.nn.Parameter(temperature, requires_grad=config.learn_temperature)
        self.optimizer = self._optimizer()

    def run(self, checkpoint: Path | None, progress: Progress) -> JointModel:
        """Train to the end, or until the watched loss stops falling."""
        state = State()
        if checkpoint is not None and (checkpoint / "state.json").is_file():
            state = self._resume(checkpoint)
        with progress("training", self.config.epochs) as advance:
            advance(state.epoch)
            while state.epoch < self.config.epochs and not self._out_of_patience(state):
                state.losses.append(self.epoch(state.epoch))
                self._refuse_divergence(state)
                self._watch(state)
                state.epoch += 1
                if checkpoint is not None and state.epoch % self.config.checkpoint_every == 0:
                    self._save(checkpoint, state)
                advance(1)
        if state.best:
            self.modules.load_state_dict(state.best)
        return self._model(state)

    def epoch(self, number: int) -> float:
        """One pass over the items; returns the mean loss of its batches."""
        self.torch.manual_seed(self.seed * 1_000_003 + number)
        order = self.train_rows[np.random.default_rng([self.seed, 5, number]).permutation(len(self.train_rows))]
        self._set_learning_rate(number)
        self.modules.train()
        return float(np.mean([self.step(batch) for batch in self._batches(order)]))

    def step(self, rows: Tensor) -> float:
        """One batch: loss, gradients, update; returns the loss."""
        loss = self.loss(rows)
        if not loss.requires_grad:
            return 0.0  # no pair of modalities had two items in this batch
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return float(loss.detach())

    def loss(self, rows: Tensor) -> Tensor:
        """The loss of the items `rows`, (M,) int64."""
        normalise = self.torch.nn.functional.normalize
        projections = [
            normalise(self.modules[name](inputs.index_select(0, rows)), dim=1)
            for name, inputs in zip(self.owner, self.inputs, strict=True)
        ]
        masks = [None if mask is None else mask.index_select(0, rows) for mask in self.masks]
        temperature = self.log_temperature.exp().clamp_min(MIN_TEMPERATURE)
        return multimodal_loss(projections, masks, self.pairs, temperature, symmetric=self.config.symmetric)

    def _tensors(self, features: Sequence[Features]) -> tuple[list[Tensor], list[Tensor | None], list[str]]:
        inputs, masks, owner = [], [], []
        for item in features:
            for matrix, mask in zip(item.matrix, item.mask, strict=True):
                inputs.append(self.torch.from_numpy(np.array(matrix)).to(self.device))
                masks.append(None if mask.all() else self.torch.from_numpy(np.array(mask)).to(self.device))
                owner.append(item.modality)
        return inputs, masks, owner

    def _divide(self, features: Sequence[Features]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows with two modalities or more, as (trained on, watched)."""
        count = np.sum([item.present for item in features], axis=0)
        rows = np.random.default_rng([self.seed, 6]).permutation(np.flatnonzero(count >= 2))
        if len(rows) < 2:
            raise ConfigError(
                f"only {len(rows)} items have two modalities or more, so there is nothing to join; add items."
            )
        share = self.config.validation_items
        n_watched = max(2, round(share * len(rows))) if share else 0  # the loss of one item is 0
        if len(rows) - n_watched < 2:
            raise ConfigError(
                f"train.validation_items = {share} leaves {max(0, len(rows) - n_watched)} of {len(rows)} items to train "
                "on; expected two or more. Make it smaller, or add items."
            )
        return np.sort(rows[n_watched:]), np.sort(rows[:n_watched])

    def _modules(self, dims: Mapping[str, int], joint: JointConfig) -> Any:
        nn = self.torch.nn
        self.torch.manual_seed(self.seed)

        def encoder(dim: int) -> Any:
            return nn.Sequential(
                nn.Linear(dim, joint.hidden), nn.ReLU(), nn.Dropout(joint.dropout), nn.Linear(joint.hidden, joint.dim)
            )

        return nn.ModuleDict({name: encoder(dim) for name, dim in dims.items()}).to(self.device)

    def _optimizer(self) -> Any:
        parameters = [*self.modules.parameters()] + [self.log_temperature] * self.config.learn_temperature
        return self.torch.optim.AdamW(
            parameters, lr=self.config.learning_rate, weight_decay=self.config.weight_decay, fused=True
        )

    def _batches(self, rows: NDArray[np.int64]) -> list[Tensor]:
        size = self.config.batch_size
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        # A last batch of one item has no negatives.
        return [self.torch.from_numpy(part).to(self.device) for part in parts if len(part) > 1]

    def _set_learning_rate(self, number: int) -> None:
        scale = 1.0
        if self.config.schedule == "cosine":
            scale = 0.5 * (1 + math.cos(math.pi * number / self.config.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * scale

    def _watch(self, state: State) -> None:
        if not len(self.watched_rows):
            return
        self.modules.eval()
        with self.torch.no_grad():
            losses = [float(self.loss(batch)) for batch in self._batches(self.watched_rows)]
        state.validation.append(float(np.mean(losses)))
        if self.config.patience is not None and state.validation[-1] <= min(state.validation):
            state.best = {name: value.clone() for name, value in self.modules.state_dict().items()}

    def _refuse_divergence(self, state: State) -> None:
        if not math.isfinite(state.losses[-1]):
            raise ConfigError(
                f"the training loss of epoch {state.epoch + 1} is {state.losses[-1]}: the training diverged. Lower "
                f"train.learning_rate (now {self.config.learning_rate}) or raise train.temperature."
            )

    def _out_of_patience(self, state: State) -> bool:
        patience = self.config.patience
        if patience is None or not state.validation:
            return False
        return len(state.validation) - 1 - int(np.argmin(state.validation)) >= patience

    def _model(self, state: State) -> JointModel:
        weights = {name: value.detach().cpu().numpy() for name, value in self.modules.state_dict().items()}
        projections: dict[str, Projection | Identity] = {
            name: Projection(
                np.ascontiguousarray(weights[f"{name}.0.weight"].T), weights[f"{name}.0.bias"],
                np.ascontiguousarray(weights[f"{name}.3.weight"].T), weights[f"{name}.3.bias"],
            )
            for name in self.modules
        }  # fmt: skip
        info = {
            "epochs": state.epoch,
            "losses": state.losses,
            "validation_losses": state.validation,
            "temperature": float(self.log_temperature.detach().exp()),
            "items": len(self.train_rows),
        }
        return JointModel(projections, info)

    def _save(self, folder: Path, state: State) -> None:
        from safetensors.torch import save

        tensors = {f"model/{name}": value for name, value in self.modules.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in state.best.items()}
        tensors["temperature"] = self.log_temperature.detach()
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
        blob = save({name: value.clone().contiguous() for name, value in tensors.items()})
        name = f"epoch-{state.epoch}.safetensors"
        with storage.replacing(folder / name) as beside:
            beside.write_bytes(blob)
        numbers = {"epoch": state.epoch, "losses": state.losses, "validation": state.validation, "tensors": name}
        storage.write_json(folder / "state.json", numbers)
        for old in folder.glob("epoch-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _resume(self, folder: Path) -> State:
        from safetensors.torch import load_file

        numbers = storage.read_json(folder / "state.json")
        tensors = load_file(folder / numbers["tensors"])
        self.modules.load_state_dict(_under(tensors, "model/"))
        with self.torch.no_grad():
            self.log_temperature.copy_(tensors["temperature"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            moments.setdefault(int(index), {})[key] = value
        restored = {**self.optimizer.state_dict(), "state": moments}
        self.optimizer.load_state_dict(restored)
        return State(numbers["epoch"], numbers["losses"], numbers["validation"], _under(tensors, "best/"))


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
