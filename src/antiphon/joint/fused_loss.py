"""The pair loss with its gradients written out (torch): one pass over each block of scores, and nothing kept twice.

With e = exp((cos - 1) / temperature), D_i the sum over the 2M - 1 terms of item i, and n the number of items:

    d L / d cos(a_i, z_k) = (e_ik / D_i - [z_k = b_i]) / (n temperature)

Cosines are at most 1, so the exponents are at most 0 and need no search for a maximum; down to a temperature of 0.025
the sums stay above 0.
"""

from __future__ import annotations

from typing import Any

from antiphon.base import runtime

runtime.torch()  # before torch is loaded anywhere: it sets how its threads wait
import torch  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.autograd import Function  # noqa: E402


class AnchorLoss(Function):
    """Sum over `others` of factor * L_ab for one anchor a; the scores among the anchors are shared by all of them."""

    @staticmethod
    def forward(ctx: Any, temperature: float, factors: tuple[float, ...], a: Tensor, *others: Tensor) -> Tensor:
        """Losses of a (M, dim) against each of `others` (M, dim), all unit L2: their weighted sum, a scalar."""
        within = _exponentials(a, a, temperature)
        within.fill_diagonal_(0)
        own = within.sum(dim=1)
        total = a.new_zeros(())
        shares = torch.zeros_like(own)
        kept = []
        for factor, b in zip(factors, others, strict=True):
            across = _exponentials(a, b, temperature)
            sums = own + across.sum(dim=1)
            total += factor * (sums.log().mean() - ((a * b).sum(dim=1).mean() - 1) / temperature)
            scale = factor / (len(a) * temperature) / sums
            shares += scale
            across *= scale[:, None]  # from here on the gradient by the cosines, but for the positives
            across.diagonal().sub_(factor / (len(a) * temperature))
            kept.append(across)
        within *= shares[:, None]
        # a stands on both sides of its own block: one product with the sum gives both gradients.
        ctx.save_for_backward(a, within + within.T, *others, *kept)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by a and by each of the others."""
        a, within, *rest = ctx.saved_tensors
        others, kept = rest[: len(rest) // 2], rest[len(rest) // 2 :]
        of_a = torch.mm(within, a)
        of_others = []
        for b, across in zip(others, kept, strict=True):
            of_a.addmm_(across, b)
            of_others.append(torch.mm(across.T, a).mul_(gradient))
        return None, None, of_a.mul_(gradient), *of_others


def _exponentials(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """exp((a_i . b_k - 1) / temperature), (M, M)."""
    return torch.mm(a, b.T).sub_(1).div_(temperature).exp_()
