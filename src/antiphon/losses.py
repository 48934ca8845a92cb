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

from antiphon import runtime

if TYPE_CHECKING:
    from torch import Tensor


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
    # The block of a_i . a_k is the same in every pair of a where no item is missing: computed once.
    within: dict[int, Tensor] = {}
    total = projections[0].new_zeros(())
    for (first, second), factor in zip(pairs, factors or [1.0] * len(pairs), strict=True):
        shared = _both(masks[first], masks[second])
        n_items = len(projections[first]) if shared is None else int(shared.sum())
        if n_items < 2:
            continue  # one item has nothing to be told apart from
        for anchor, other in ((first, second), (second, first)) if symmetric else ((first, second),):
            a, b = projections[anchor], projections[other]
            if shared is not None:
                a, b = a[shared], b[shared]
                block = _within(a, temperature)
            else:
                block = within[anchor] if anchor in within else within.setdefault(anchor, _within(a, temperature))
            loss = _one_way(a, b, block, temperature)
            total = total + factor * (loss / 2 if symmetric else loss)
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


def _within(a: Tensor, temperature: Tensor | float) -> Tensor:
    """Scores of the other anchors, (M, M); the anchor itself is not in its own denominator."""
    scores: Tensor = (a / temperature) @ a.T
    return scores.fill_diagonal_(float("-inf"))


def _one_way(a: Tensor, b: Tensor, within: Tensor, temperature: Tensor | float) -> Tensor:
    """Mean of -log softmax over [a; b] at the positive: b_i stands in column M + i of row i."""
    torch = runtime.torch()
    scores = torch.cat([within, (a / temperature) @ b.T], dim=1)
    n_items = len(a)
    target = torch.arange(n_items, 2 * n_items, device=scores.device)
    # The cross entropy is one fused pass; the same by logsumexp takes four, and a step is measured against its
    # bare matrix products (benchmarks/speed.py).
    loss: Tensor = torch.nn.functional.cross_entropy(scores, target)
    return loss


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first & second
