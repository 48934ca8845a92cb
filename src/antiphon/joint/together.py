"""Several processes that train one model: who does what, and what all must know (torch distributed).

Each process projects its share of a batch, all gather the projections, and each computes the loss of the whole batch:
the negatives are those of the joint batch, whatever the number of processes. Back through the gathering go the
gradients by the own share, times the number of processes. So the mean over the processes is the gradient of one process
at the joint batch, both of what is behind the shares and of what every process has whole, such as a temperature.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime

runtime.torch()  # before torch is loaded anywhere: it sets how its threads wait
import torch  # noqa: E402
from torch import Tensor, distributed  # noqa: E402
from torch.autograd import Function  # noqa: E402

Bytes = NDArray[np.uint8]
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Crew:
    """The processes of a training, `count` of them, and the `number` of this one. The first leads: it alone writes."""

    number: int = 0
    count: int = 1

    @classmethod
    def here(cls) -> Crew:
        """The crew that this process has joined; a crew of one where it has joined none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def leads(self) -> bool:
        """Whether this process is the one that reads and writes."""
        return self.number == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody else: then nothing is divided, and nothing is sent."""
        return self.count == 1

    def share(self, rows: Tensor) -> Tensor:
        """This process's share of a batch (M,): as many rows for each process, the last one again where one lacks."""
        if self.alone:
            return rows
        size = -(-len(rows) // self.count)
        places = torch.arange(self.number * size, (self.number + 1) * size, device=rows.device)
        return rows.index_select(0, places.clamp_max_(len(rows) - 1))

    def gathered(self, shares: Sequence[Tensor], n: int) -> list[Tensor]:
        """Of each tensor that all have a share of, the `n` rows of the whole batch; gradients reach the own share."""
        if self.alone:
            return list(shares)
        whole: Sequence[Tensor] = Gather.apply(self.number, self.count, n, *shares)  # type: ignore[no-untyped-call]
        return list(whole)

    def average(self, parameters: Iterable[Tensor]) -> None:
        """Replace gradients by their means over the processes."""
        gradients = [value.grad for value in parameters if value.grad is not None]
        if self.alone or not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        distributed.all_reduce(flat)
        flat /= self.count
        start = 0
        for gradient in gradients:
            gradient.copy_(flat[start : start + gradient.numel()].view_as(gradient))
            start += gradient.numel()

    def told(self, value: Any = None, arrays: Arrays | None = None) -> tuple[Any, Arrays]:
        """What the leader says to all: a value of JSON, and arrays by name."""
        arrays = arrays or {}
        if self.alone:
            return value, arrays
        shapes = {name: [array.dtype.str, array.shape] for name, array in arrays.items()}
        text = np.frombuffer(json.dumps([value, shapes]).encode(), dtype=np.uint8)
        value, shapes = json.loads(self._sent(text).tobytes())
        return value, {
            name: self._sent(_bytes(arrays[name]) if self.leads else None).view(kind).reshape(shape)
            for name, (kind, shape) in shapes.items()
        }

    def _sent(self, data: Bytes | None) -> Bytes:
        """The leader's bytes, on every process; sent between the machines' memories, also where GPUs compute."""
        size = torch.tensor([0 if data is None else len(data)])
        distributed.broadcast(size, 0)
        given = data if self.leads and data is not None else np.empty(int(size), dtype=np.uint8)
        sent = torch.from_numpy(given if given.flags.writeable else given.copy())
        if int(size):
            distributed.broadcast(sent, 0)
        return np.asarray(sent.numpy())


class Gather(Function):
    """The rows of all processes, one after another; the gradient by the own rows, times the number of processes."""

    @staticmethod
    def forward(ctx: Any, number: int, count: int, n: int, *shares: Tensor) -> tuple[Tensor, ...]:
        """Shares (m, dim) to the first `n` of (count * m, dim) rows, all sent at once."""
        size = len(shares[0])
        ctx.start, ctx.size, ctx.count = number * size, size, count
        ctx.set_materialize_grads(False)  # what takes no part in a loss has no gradient, as in one process
        stacked = torch.stack(shares, dim=1)
        whole = stacked.new_empty((count * size, *stacked.shape[1:]))
        distributed.all_gather(list(whole.chunk(count)), stacked)
        return tuple(part.clone() for part in whole[:n].unbind(dim=1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        """Every process has the gradient of the same loss by all rows: its own rows are all that it needs."""
        found: list[Tensor | None] = []
        for gradient in gradients:
            if gradient is None:
                found.append(None)
                continue
            own = gradient[ctx.start : ctx.start + ctx.size]
            mine = gradient.new_zeros((ctx.size, *gradient.shape[1:]))
            mine[: len(own)] = own * ctx.count
            found.append(mine)
        return None, None, None, *found


def _bytes(array: NDArray[Any]) -> Bytes:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
