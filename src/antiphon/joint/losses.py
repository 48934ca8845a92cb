"""Contrastive losses over pairs of modalities (torch).

Oramas et al. 2024, section 2.1. With Xi(u, v) = exp(cos(u, v) / temperature), projections a, b of two modalities for
a batch of M items, and z the 2M rows of [a; b]:

    L_ab = sum_i -log( Xi(a_i, b_i) / sum_{k != i} Xi(a_i, z_k) )

The sum over k has 2M - 1 terms: the positive b_i, the other b_k, and the other a_k. The total is the sum over all
unordered pairs of modalities. The mean over i is taken in place of the sum, so the learning rate does not depend on
how many items of a batch have both modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from antiphon.base import runtime

if TYPE_CHECKING:
    pass


from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


MIN_FUSED_TEMPERATURE = 0.025
"""Below it exp(-2 / temperature) is 0 in float32, and with it the sums of the fused loss may be."""


def pair_loss(a: Tensor, b: Tensor, temperature: Tensor | float, *, symmetric: bool = False) -> Tensor:
    """Loss of one pair, the mean over items; 0 for fewer than two.

    `a`, `b`: (M, dim), unit L2. With `symmetric`, the mean of L_ab and L_ba (the paper prints one direction).
    """
    return multimodal_loss([a, b], [None, None], [(0, 1)], temperature, symmetric=symmetric)


def multimodal_loss(
    projections: Sequence[Tensor],
    masks: Sequence[Tensor | None],
    pairs: Sequence[tuple[int, int]],
    temperature: Tensor | float,
    *,
    symmetric: bool = False,
    factors: Sequence[float] | None = None,
) -> Tensor:
    """Sum of the losses of pairs of projections, each times its factor; factors of 1 are the paper's.

    `projections`: each (M, dim), unit L2. `masks`: each (M,) bool, the items that have the modality, or None for all;
    an item that lacks one of a pair takes no part in that pair's loss, not even as a negative.
    """
    total = projections[0].new_zeros(())
    weighed = list(zip(pairs, factors or [1.0] * len(pairs), strict=True))
    # The block of a_i . a_k is the same in every pair of a that no item is missing from: those go together.
    whole: dict[int, list[tuple[int, float]]] = {}
    for (first, second), factor in weighed:
        shared = _both(masks[first], masks[second])
        n_items = len(projections[first]) if shared is None else int(shared.sum())
        if n_items < 2:
            continue  # one item has nothing to be told apart from
        share = factor / 2 if symmetric else factor
        for anchor, other in ((first, second), (second, first)) if symmetric else ((first, second),):
            if shared is None:
                whole.setdefault(anchor, []).append((other, share))
            else:
                total = total + _anchor_loss(
                    projections[anchor][shared], [projections[other][shared]], [share], temperature
                )
    for anchor, others in whole.items():
        opposite = [projections[other] for other, _ in others]
        total = total + _anchor_loss(projections[anchor], opposite, [share for _, share in others], temperature)
    return total


def query_loss(queries: Tensor, items: Tensor, answered: Tensor, temperature: float) -> Tensor:
    """Loss of queries against items, the mean over queries of -log softmax, averaged over the items that answer.

    `queries`: (Q, dim), unit L2. `items`: (M, dim), unit L2. `answered`: (Q, M) bool; a query has one True or more.
    An item that answers a query drawn from another item is a positive and not a negative (Khosla et al. 2020,
    equation 2).
    """
    scores: Tensor = queries @ items.T / temperature
    log_share = scores - scores.logsumexp(dim=1, keepdim=True)
    positives = answered.to(scores.dtype)
    loss: Tensor = -((log_share * positives).sum(dim=1) / positives.sum(dim=1)).mean()
    return loss


def all_pairs(
    views: Mapping[str, Sequence[int]], pairs: Sequence[tuple[str, str]] | None = None
) -> list[tuple[int, int]]:
    """Pairs of projections to compare: every view of one modality with every view of another.

    `views` maps a modality to the positions of its projections; views of one modality are not compared.
    """
    names = list(views)
    chosen = pairs if pairs is not None else [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return [(i, j) for a, b in chosen for i in views[a] for j in views[b]]


def _anchor_loss(a: Tensor, others: Sequence[Tensor], factors: Sequence[float], temperature: Tensor | float) -> Tensor:
    """Sum of factor * L_ab over the others b of one anchor a."""
    learned = not isinstance(temperature, float | int) and temperature.requires_grad
    if not learned and float(temperature) >= MIN_FUSED_TEMPERATURE:
        # A training step is measured against its bare matrix products (benchmarks/speed.py).
        from antiphon.joint.fused_loss import AnchorLoss

        fused: Tensor = AnchorLoss.apply(float(temperature), tuple(factors), a, *others)  # type: ignore[no-untyped-call]
        return fused
    within = (a @ a.T / temperature).fill_diagonal_(float("-inf"))
    losses = [factor * _one_way(a, b, within, temperature) for factor, b in zip(factors, others, strict=True)]
    return runtime.torch().stack(losses).sum()  # type: ignore[no-any-return]


def _one_way(a: Tensor, b: Tensor, within: Tensor, temperature: Tensor | float) -> Tensor:
    """Mean of -log softmax over [a; b] at the positive: b_i stands in column M + i of row i."""
    torch = runtime.torch()
    scores = torch.cat([within, a @ b.T / temperature], dim=1)
    target = torch.arange(len(a), 2 * len(a), device=scores.device)
    loss: Tensor = torch.nn.functional.cross_entropy(scores, target)
    return loss


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first & second


def pair_factors(weights: Mapping[str, float] | None, pairs: Sequence[tuple[str, str]]) -> list[float]:
    """How much each pair of modalities counts in the pair loss: the smaller weight of the two, the best pair 1."""
    if weights is None or not pairs:
        return [1.0] * len(pairs)
    smaller = [min(weights[first], weights[second]) for first, second in pairs]
    return [value / max(smaller) for value in smaller]
