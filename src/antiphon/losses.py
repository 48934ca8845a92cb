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
) -> Tensor:
    """Sum of the losses of pairs of projections.

    `projections`: each (M, dim), unit L2. `masks`: each (M,) bool, the items that have the modality, or None for all;
    an item that lacks one of a pair takes no part in that pair's loss, not even as a negative.
    """
    torch = runtime.torch()
    scaled = [projection / temperature for projection in projections]
    # log sum_{k != i} Xi(a_i, a_k) is the same in every pair of a where no item is missing: computed once.
    whole: dict[int, Tensor] = {}
    total = projections[0].new_zeros(())
    for first, second in pairs:
        shared = _both(masks[first], masks[second])
        if shared is None:
            for index in (first, second) if symmetric else (first,):
                if index not in whole:
                    whole[index] = _log_sum_others(scaled[index], projections[index])
            a, b, inside = scaled[first], projections[second], whole
        else:
            if int(shared.sum()) < 2:
                continue  # one item has nothing to be told apart from
            a, b = scaled[first][shared], projections[second][shared]
            inside = {first: _log_sum_others(a, projections[first][shared])}
            if symmetric:
                inside[second] = _log_sum_others(scaled[second][shared], b)
        across = a @ b.T
        positive = across.diagonal()
        loss = torch.logaddexp(inside[first], across.logsumexp(dim=1)) - positive
        if symmetric:
            loss = (loss + torch.logaddexp(inside[second], across.logsumexp(dim=0)) - positive) / 2
        total = total + loss.mean()
    return total


def all_pairs(
    views: Mapping[str, Sequence[int]], pairs: Sequence[tuple[str, str]] | None = None
) -> list[tuple[int, int]]:
    """Pairs of projections to compare: every view of one modality with every view of another.

    `views` maps a modality to the positions of its projections; views of one modality are not compared.
    """
    names = list(views)
    chosen = pairs if pairs is not None else [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return [(i, j) for a, b in chosen for i in views[a] for j in views[b]]


def _log_sum_others(scaled: Tensor, projection: Tensor) -> Tensor:
    within = scaled @ projection.T
    within.fill_diagonal_(float("-inf"))
    return within.logsumexp(dim=1)


def _both(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    if first is None or second is None:
        return second if first is None else first
    return first & second
