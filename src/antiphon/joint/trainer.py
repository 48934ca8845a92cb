"""Trainer: one training of the joint model, batch by batch, with checkpoints.

Where several processes train (`joint.together`), each has a Trainer, and all make the same steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.base.progress import Progress
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.data.synthetic import QueryData
from antiphon.errors import ConfigError, IntegrityError
from antiphon.joint.losses import all_pairs, multimodal_loss, pair_factors, query_loss
from antiphon.joint.model import JointModel

if TYPE_CHECKING:
    from torch import Tensor

    from antiphon.joint.network import Network
    from antiphon.joint.together import Crew


@dataclass
class State:
    """Where a training is: everything that a checkpoint holds."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)


def usable(queries: QueryData | None, config: TrainConfig) -> TypeGuard[QueryData]:
    """Whether there are queries to train on, and the configuration asks for it."""
    return queries is not None and config.query_weight > 0 and len(queries.queries.texts) > 0


class Trainer:
    """One training: data as tensors, parameters, and the loop over epochs."""

    def __init__(
        self,
        features: Sequence[Features],
        joint: JointConfig,
        config: TrainConfig,
        seed: int,
        queries: QueryData | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.torch = runtime.torch()
        self.crew = _crew()
        self.config, self.seed, self.weights = config, seed, weights
        self.epochs = config.passes(features[0].n_items)
        self.queries = queries if usable(queries, config) else None
        self.device = runtime.device()
        self.inputs, self.masks, self.owner = self._tensors(features)
        views = {item.modality: [i for i, name in enumerate(self.owner) if name == item.modality] for item in features}
        self.pairs = all_pairs(views, config.pairs)
        self.factors = pair_factors(weights, [(self.owner[first], self.owner[second]) for first, second in self.pairs])
        self.train_rows, self.watched_rows = self._divide(features)
        self.network = self._network({item.modality: item.dim for item in features}, joint)
        if self.queries is not None:
            self.query_vectors = self.torch.from_numpy(np.array(self.queries.vectors)).to(self.device)
            self.query_starts = self.queries.queries.starts()
        self.optimizer = self._optimizer()

    def run(self, checkpoint: Path | None, progress: Progress) -> JointModel:
        """Train to the end, or until the watched loss stops falling."""
        state = State()
        if checkpoint is not None and (checkpoint / "state.json").is_file():
            state = self._resume(checkpoint)
        state = self._agreed(state)
        with progress("training", self.epochs) as advance:
            advance(state.epoch)
            while state.epoch < self.epochs and not self._out_of_patience(state):
                state.losses.append(self.epoch(state.epoch))
                self._refuse_divergence(state)
                self._watch(state)
                state.epoch += 1
                if checkpoint is not None and state.epoch % self.config.checkpoint_every == 0:
                    self._save(checkpoint, state)
                advance(1)
        if state.best:
            self.network.load_state_dict(state.best)
        return self._model(state)

    def epoch(self, number: int) -> float:
        """One pass over the items; returns the mean loss of its batches."""
        self.torch.manual_seed(self.seed * 1_000_003 + number)
        order = self.train_rows[np.random.default_rng([self.seed, 5, number]).permutation(len(self.train_rows))]
        self._set_learning_rate(number)
        self.network.train()
        return self._mean([self.step(batch) for batch in self.batches(order)])

    def step(self, rows: Tensor) -> float:
        """One batch: loss, gradients, update; returns the loss."""
        loss = self.loss(rows)
        if not loss.requires_grad:
            return 0.0  # no pair of modalities had two items in this batch
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.crew.average(self.network.parameters())
        self.optimizer.step()
        return float(loss.detach())

    def loss(self, rows: Tensor) -> Tensor:
        """The loss of the items `rows`, (M,) int64."""
        projections, masks = self.projected(rows)
        temperature = self.network.temperature()
        total: Tensor = projections[0].new_zeros(())
        if self.config.pair_weight > 0:
            pairs = multimodal_loss(
                projections, masks, self.pairs, temperature, symmetric=self.config.symmetric, factors=self.factors
            )
            total = total + self.config.pair_weight * pairs
        if self.queries is not None:
            total = total + self.config.query_weight * self.query_loss(rows, projections, masks)
        return total

    def projected(self, rows: Tensor) -> tuple[list[Tensor], list[Tensor | None]]:
        """Projections of the items `rows` by view, each (M, dim), and their masks."""
        share = self.crew.share(rows)
        shares = [
            self.network.project(name, inputs.index_select(0, share))
            for name, inputs in zip(self.owner, self.inputs, strict=True)
        ]
        projections = self.crew.gathered(shares, len(rows))
        return projections, [None if mask is None else mask.index_select(0, rows) for mask in self.masks]

    def ask(
        self, rows: Tensor, projections: Sequence[Tensor], masks: Sequence[Tensor | None]
    ) -> tuple[Tensor, Tensor, Tensor] | None:
        """One synthetic query for each of the items that has some; None where none has.

        Returns the queries (Q, dim), the items (M, dim), and which items answer which queries, (Q, M) bool.
        """
        assert self.queries is not None  # noqa: S101  the caller asked
        places = rows.cpu().numpy()
        counts = self.query_starts[places + 1] - self.query_starts[places]
        drawn = (self.torch.rand(len(places)).numpy() * counts).astype(np.int64)
        chosen = (self.query_starts[places] + drawn)[counts > 0]
        if not len(chosen):
            return None
        answered = self.torch.from_numpy(self.queries.queries.answered(chosen, places)).to(self.device)
        share = self.crew.share(self.torch.from_numpy(chosen).to(self.device))
        vectors = self.query_vectors.index_select(0, share)
        [asked] = self.crew.gathered([self.network.project(self.queries.modality, vectors)], len(chosen))
        return asked, self.network.item_vectors(projections, masks), answered

    def query_loss(self, rows: Tensor, projections: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """The part of the loss of the items `rows` that synthetic queries have, from what `projected` gives."""
        asked = self.ask(rows, projections, masks)
        if asked is None:
            return projections[0].new_zeros(())
        return query_loss(*asked, self.config.query_temperature)

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
                f"train.validation_items = {share} leaves {max(0, len(rows) - n_watched)} of {len(rows)} items to "
                "train on; expected two or more. Make it smaller, or add items."
            )
        return np.sort(rows[n_watched:]), np.sort(rows[:n_watched])

    def _network(self, dims: Mapping[str, int], joint: JointConfig) -> Network:
        from antiphon.joint.network import Network

        self.torch.manual_seed(self.seed)
        reads = None if self.queries is None else self.queries.modality
        place = (self.crew.number, self.crew.count)
        return Network(dims, self.owner, joint, self.config, reads, self.weights, place).to(self.device)

    def _optimizer(self) -> Any:
        groups = self.network.groups(self.config.learning_rate)
        for group in groups:
            group["full_lr"] = group["lr"]
        return self.torch.optim.AdamW(groups, weight_decay=self.config.weight_decay, fused=True)

    def batches(self, rows: NDArray[np.int64]) -> list[Tensor]:
        """Rows in batches, each (M,) int64; the last one may be smaller."""
        size = self.config.batch_size
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        # A last batch of one item has no negatives.
        return [self.torch.from_numpy(part).to(self.device) for part in parts if len(part) > 1]

    def _set_learning_rate(self, number: int) -> None:
        scale = 1.0
        if self.config.schedule == "cosine":
            scale = 0.5 * (1 + math.cos(math.pi * number / self.epochs))
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_lr"] * scale

    def _watch(self, state: State) -> None:
        if not len(self.watched_rows):
            return
        self.network.eval()
        with self.torch.no_grad():
            losses = [float(self.loss(batch)) for batch in self.batches(self.watched_rows)]
        state.validation.append(self._mean(losses))
        if self.config.patience is not None and state.validation[-1] <= min(state.validation):
            state.best = {name: value.clone() for name, value in self.network.state_dict().items()}

    def _mean(self, losses: Sequence[float]) -> float:
        """The mean loss as the leader has it: all go on, or stop, together."""
        return float(self.crew.told(float(np.mean(losses)))[0])

    def _agreed(self, state: State) -> State:
        """The state, the weights and the optimizer's moments of the leader, which alone reads checkpoints."""
        if self.crew.alone:
            return state
        kept = {name: value.numpy(force=True) for name, value in self._kept(state).items()}
        numbers, arrays = self.crew.told([state.epoch, state.losses, state.validation], kept)
        return self._taken(numbers, {name: self.torch.from_numpy(array) for name, array in arrays.items()})

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
        return self.network.to_model(
            {
                "epochs": state.epoch,
                "losses": state.losses,
                "validation_losses": state.validation,
                "items": len(self.train_rows),
            }
        )

    def _save(self, folder: Path, state: State) -> None:
        from safetensors.torch import save

        blob = save({name: value.clone().contiguous() for name, value in self._kept(state).items()})
        name = f"epoch-{state.epoch}.safetensors"
        with storage.replacing(folder / name) as beside:
            beside.write_bytes(blob)
        numbers = {"epoch": state.epoch, "losses": state.losses, "validation": state.validation, "tensors": name}
        storage.write_sealed(folder / "state.json", {**numbers, "tensors_sha256": hashlib.sha256(blob).hexdigest()})
        for old in folder.glob("epoch-*.safetensors"):
            if old.name != name:
                old.unlink()

    def _kept(self, state: State) -> dict[str, Tensor]:
        """The tensors of a state by name: weights, the best ones, the optimizer's moments."""
        tensors = {f"model/{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in state.best.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items()}
        return tensors

    def _resume(self, folder: Path) -> State:
        from safetensors.torch import load_file

        try:
            numbers = storage.read_sealed(folder / "state.json")
            file = folder / numbers["tensors"]
            if storage.sha256(file) != numbers["tensors_sha256"]:
                return State()
        except (IntegrityError, OSError):
            return State()  # damaged from outside: the training begins again
        return self._taken([numbers["epoch"], numbers["losses"], numbers["validation"]], load_file(file))

    def _taken(self, numbers: Sequence[Any], tensors: Mapping[str, Tensor]) -> State:
        """The state of these numbers, after the weights and moments of `_kept` have taken their places."""
        self.network.load_state_dict(_under(tensors, "model/"))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _under(tensors, "optimizer/").items():
            index, _, key = name.partition("/")
            moments.setdefault(int(index), {})[key] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        epoch, losses, validation = numbers
        return State(epoch, losses, validation, _under(tensors, "best/"))


def _crew() -> Crew:
    from antiphon.joint.together import Crew

    return Crew.here()


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
