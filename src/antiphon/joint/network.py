"""Network: the joint model while it learns (torch). `train.py` runs it; `to_model` gives what is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from antiphon.base import runtime
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.joint.model import JointModel, Projection

runtime.torch()  # before torch is loaded anywhere: it sets how its threads wait
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.autograd import Function  # noqa: E402
from torch.nn.functional import normalize  # noqa: E402

MIN_TEMPERATURE = 0.01
MIN_WEIGHT = 1e-6
MIN_NORM = 1e-12


class Network(nn.Module):
    """An encoder per modality, the temperature, and the weights of the modalities in an item's vector.

    `owner` names the modality of each view. `weights` are those of the modalities, equal where not given. `reads` is
    the modality that encodes requests: with `residual` it has a linear path around its layers, which keeps what the
    text encoder knows of words that no description has. `place`: which share of a batch this network sees, of how many.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        owner: Sequence[str],
        joint: JointConfig,
        config: TrainConfig,
        reads: str | None,
        weights: Mapping[str, float] | None = None,
        place: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__()
        self.names, self.owner = list(dims), list(owner)
        self.layers = nn.ModuleDict({name: _encoder(dim, joint, place) for name, dim in dims.items()})
        bypassed = {reads: dims[reads]} if joint.residual and reads is not None else {}
        self.around = nn.ModuleDict({name: nn.Linear(dim, joint.dim, bias=False) for name, dim in bypassed.items()})
        self.log_temperature = nn.Parameter(
            torch.tensor(math.log(config.temperature)), requires_grad=config.learn_temperature
        )
        self.weights = weights
        shares = [1.0 if weights is None else max(weights[name], MIN_WEIGHT) for name in dims]
        self.log_weights = nn.Parameter(torch.tensor(shares).log(), requires_grad=False)

    def project(self, modality: str, inputs: Tensor) -> Tensor:
        """Project (M, in) inputs of a modality to (M, dim), unit L2."""
        output = self.layers[modality](inputs)
        if modality in self.around:
            output = output + self.around[modality](inputs)
        unit: Tensor = UnitRows.apply(output)  # type: ignore[no-untyped-call]
        return unit

    def temperature(self) -> Tensor:
        """The temperature of the pair loss, never so small that the loss is all about one negative."""
        return self.log_temperature.exp().clamp_min(MIN_TEMPERATURE)

    def item_vectors(self, projections: Sequence[Tensor], masks: Sequence[Tensor | None]) -> Tensor:
        """Item embeddings as `joint.embed_items` makes them, (M, dim), unit L2, of projections by view."""
        weights = self.log_weights.softmax(dim=0)
        total = torch.zeros_like(projections[0])
        for number, name in enumerate(self.names):
            views = [
                projection if mask is None else projection * mask[:, None]
                for projection, mask, owner in zip(projections, masks, self.owner, strict=True)
                if owner == name
            ]
            part = views[0] if len(views) == 1 else normalize(torch.stack(views).sum(dim=0), dim=1)
            total = total + weights[number] * part
        return normalize(total, dim=1)

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Parameters by learning rate, for the optimizer."""
        groups: list[dict[str, Any]] = [{"params": [*self.layers.parameters(), *self.around.parameters()], "lr": rate}]
        if self.log_temperature.requires_grad:
            groups.append({"params": [self.log_temperature], "lr": rate, "weight_decay": 0.0})
        return groups

    def to_model(self, info: Mapping[str, Any]) -> JointModel:
        """The projections and weights as numpy arrays."""
        state = {name: value.detach().cpu().numpy() for name, value in self.state_dict().items()}

        def transposed(name: str) -> Any:
            return np.ascontiguousarray(state[name].T)

        projections = {
            name: Projection(
                transposed(f"layers.{name}.0.weight"),
                state[f"layers.{name}.0.bias"],
                transposed(f"layers.{name}.3.weight"),
                state[f"layers.{name}.3.bias"],
                residual=transposed(f"around.{name}.weight") if name in self.around else None,
            )
            for name in self.names
        }
        return JointModel(projections, {**info, "temperature": float(self.temperature().detach())}, self.weights)


class UnitRows(Function):
    """Rows divided by their L2 norms, with the gradient written out: (g - y (y . g)) / norm."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor) -> Tensor:
        """Unit rows of (n, dim) inputs; zeros stay zeros."""
        scale = torch.linalg.vector_norm(inputs, dim=1, keepdim=True).clamp_min_(MIN_NORM).reciprocal_()
        outputs: Tensor = inputs * scale
        ctx.save_for_backward(outputs, scale)
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> Tensor | None:
        """The gradient by the inputs; None where the outputs took no part in the loss."""
        if gradient is None:
            return None
        outputs, scale = ctx.saved_tensors
        along = (gradient * outputs).sum(dim=1, keepdim=True)
        moved: Tensor = torch.addcmul(gradient, outputs, along, value=-1).mul_(scale)
        return moved


class Dropout(nn.Module):
    """Dropout (Srivastava et al. 2014) by comparing random numbers of 16 bits, which is faster on a CPU.

    `place`: the number of this share of a batch, and how many shares there are. Numbers are drawn for the whole batch,
    so that each item loses what it would lose in one process.
    """

    def __init__(self, share: float, place: tuple[int, int] = (0, 1)) -> None:
        super().__init__()
        self.share, self.place = share, place

    def forward(self, inputs: Tensor) -> Tensor:
        """Zero a share of the inputs in training, and scale the rest up."""
        if not self.training or self.share == 0:
            return inputs
        (number, count), n = self.place, len(inputs)
        shape = (count * n, *inputs.shape[1:])
        if inputs.device.type == "cpu":
            # Seeded by torch, so that an epoch is a function of its seed; torch's own numbers come one by one.
            draw = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, ()))))
            limit = np.uint16(self.share * 65_536)
            kept = torch.from_numpy(draw.integers(0, 65_536, size=shape, dtype=np.uint16) >= limit)
        else:
            kept = torch.rand(shape, device=inputs.device, dtype=inputs.dtype) >= self.share
        return inputs * (kept[number * n : (number + 1) * n].to(inputs.dtype).mul_(1 / (1 - self.share)))


def _encoder(dim: int, joint: JointConfig, place: tuple[int, int]) -> nn.Module:
    return nn.Sequential(
        nn.Linear(dim, joint.hidden), nn.ReLU(), Dropout(joint.dropout, place), nn.Linear(joint.hidden, joint.dim)
    )
