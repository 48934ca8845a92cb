"""The contrastive loss: equal to slow loops over the paper's formula, closed forms, and finite differences."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from antiphon.joint.losses import all_pairs, multimodal_loss, pair_loss

torch = pytest.importorskip("torch")


def units(seed: int, *shape: int) -> Any:
    """Random unit vectors, float64."""
    values = torch.from_numpy(np.random.default_rng(seed).normal(size=shape))
    return torch.nn.functional.normalize(values, dim=-1)


def slow_pair(a: Any, b: Any, temperature: float) -> float:
    """L_ab, the mean over items: every term of the formula written out."""
    n = len(a)
    rows = [*a, *b]
    total = 0.0
    for i in range(n):
        similarity = [math.exp(float(a[i] @ row) / float(a[i].norm() * row.norm()) / temperature) for row in rows]
        denominator = sum(value for k, value in enumerate(similarity) if k != i)
        total += -math.log(similarity[n + i] / denominator)
    return total / n


def slow(
    projections: list[Any], masks: list[Any], pairs: list[tuple[int, int]], temperature: float, both: bool
) -> float:
    """The sum over pairs, each on the items that have both."""
    total = 0.0
    for i, j in pairs:
        kept = [
            row
            for row in range(len(projections[0]))
            if (masks[i] is None or masks[i][row]) and (masks[j] is None or masks[j][row])
        ]
        if len(kept) < 2:
            continue
        a, b = projections[i][kept], projections[j][kept]
        forward = slow_pair(a, b, temperature)
        total += (forward + slow_pair(b, a, temperature)) / 2 if both else forward
    return total


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("temperature", [0.05, 0.1, 1.0, 7.0])
@pytest.mark.parametrize(("n", "dim"), [(2, 2), (3, 5), (8, 4), (17, 32)])
def test_pair_loss_equals_the_loop(n: int, dim: int, temperature: float, symmetric: bool) -> None:
    """The loss of a pair is the formula with its 2M - 1 terms, for every size and temperature."""
    a, b = units(n, n, dim), units(n + 1, n, dim)
    got = float(pair_loss(a, b, temperature, symmetric=symmetric))
    assert got == pytest.approx(slow([a, b], [None, None], [(0, 1)], temperature, symmetric), rel=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_masked_loss_equals_the_loop(seed: int, symmetric: bool) -> None:
    """Items that lack a modality take no part in its pairs, not even as negatives."""
    rng = np.random.default_rng(seed)
    projections = [units(10 * seed + i, 9, 6) for i in range(4)]
    masks: list[Any] = [None, *(torch.from_numpy(rng.random(9) < 0.6) for _ in range(2)), None]
    pairs = all_pairs({"text": [0, 3], "image": [1], "cf": [2]})
    got = float(multimodal_loss(projections, masks, pairs, 0.2, symmetric=symmetric))
    assert got == pytest.approx(slow(projections, masks, pairs, 0.2, symmetric), rel=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
def test_three_modalities_share_their_inner_sums(symmetric: bool) -> None:
    """The sum over three complete modalities is the sum of its three pairs, each on its own."""
    a, b, c = (units(seed, 7, 5) for seed in range(3))
    pairs = all_pairs({"a": [0], "b": [1], "c": [2]})
    together = multimodal_loss([a, b, c], [None] * 3, pairs, 0.1, symmetric=symmetric)
    alone = sum(pair_loss(x, y, 0.1, symmetric=symmetric) for x, y in ((a, b), (a, c), (b, c)))
    assert float(together) == pytest.approx(float(alone), rel=1e-12)


@pytest.mark.parametrize("n", [2, 3, 50])
@pytest.mark.parametrize("temperature", [0.1, 3.0])
def test_identical_projections_give_log_of_2m_minus_1(n: int, temperature: float) -> None:
    """When nothing can be told apart, each of the 2M - 1 terms is equal: the loss is log(2M - 1)."""
    same = units(0, 1, 6).expand(n, 6)
    assert float(pair_loss(same, same, temperature)) == pytest.approx(math.log(2 * n - 1), rel=1e-12)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_orthogonal_items_have_a_closed_form(temperature: float) -> None:
    """Aligned pairs of M orthogonal items: log(1 + (2M - 2) exp(-1 / temperature))."""
    eye = torch.eye(5, dtype=torch.float64)
    expected = math.log(1 + 8 * math.exp(-1 / temperature))
    assert float(pair_loss(eye, eye, temperature)) == pytest.approx(expected, rel=1e-9)


def test_one_direction_is_not_the_other() -> None:
    """L_ab and L_ba differ; the symmetric loss is their mean."""
    a, b = units(1, 6, 3), units(2, 6, 3)
    forward, backward = float(pair_loss(a, b, 0.1)), float(pair_loss(b, a, 0.1))
    assert forward != pytest.approx(backward, rel=1e-3)
    assert float(pair_loss(a, b, 0.1, symmetric=True)) == pytest.approx((forward + backward) / 2, rel=1e-12)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_equal_finite_differences(symmetric: bool, masked: bool) -> None:
    """Gradients by projections and by temperature are those of finite differences."""
    mask = torch.tensor([True, True, False, True, True]) if masked else None
    raw = [torch.from_numpy(np.random.default_rng(seed).normal(size=(5, 3))).requires_grad_() for seed in range(3)]
    temperature = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)

    def loss(*inputs: Any) -> Any:
        *vectors, scale = inputs
        projections = [torch.nn.functional.normalize(vector, dim=1) for vector in vectors]
        return multimodal_loss(projections, [None, mask, None], [(0, 1), (0, 2), (1, 2)], scale, symmetric=symmetric)

    assert torch.autograd.gradcheck(loss, (*raw, temperature))


def test_an_item_that_lacks_a_modality_changes_nothing_for_the_pair() -> None:
    """Whatever stands in the row of an item without the modality, the loss and the gradients stay."""
    a, b = units(1, 6, 4).requires_grad_(), units(2, 6, 4)
    mask = torch.tensor([True, True, True, True, False, True])
    kept = pair_loss(a[mask], b[mask], 0.1)
    for filler in (0.0, 1e3):
        changed = b.clone()
        changed[4] = filler
        loss = multimodal_loss([a, changed], [None, mask], [(0, 1)], 0.1)
        assert float(loss.detach()) == pytest.approx(float(kept.detach()), rel=1e-12)
        (gradient,) = torch.autograd.grad(loss, a, retain_graph=True)
        assert not gradient[4].any()


def test_a_missing_modality_does_not_touch_other_pairs() -> None:
    """An item without an image still counts, also as a negative, between text and cf."""
    text, image, cf = (units(seed, 5, 4) for seed in range(3))
    mask = torch.tensor([True, False, True, True, False])
    pairs = [(0, 1), (0, 2), (1, 2)]
    whole = float(multimodal_loss([text, image, cf], [None, mask, None], pairs, 0.1))
    pair = float(pair_loss(text, cf, 0.1))
    rest = float(pair_loss(text[mask], image[mask], 0.1) + pair_loss(image[mask], cf[mask], 0.1))
    assert whole == pytest.approx(pair + rest, rel=1e-12)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("n", [0, 1])
def test_fewer_than_two_items_cost_nothing(n: int, symmetric: bool) -> None:
    """One item has nothing to be told apart from: the loss is 0, with or without masks."""
    a, b = units(1, 3, 4)[:n].requires_grad_(), units(2, 3, 4)[:n]
    assert float(pair_loss(a, b, 0.1, symmetric=symmetric)) == 0
    mask = torch.arange(3) < n
    assert float(multimodal_loss([units(1, 3, 4), units(2, 3, 4)], [mask, None], [(0, 1)], 0.1)) == 0


def test_small_temperatures_do_not_overflow() -> None:
    """At temperature 0.001 in float32 the loss is finite and the gradient too."""
    a = units(1, 8, 4).float().requires_grad_()
    loss = pair_loss(a, units(2, 8, 4).float(), 0.001, symmetric=True)
    loss.backward()
    assert math.isfinite(float(loss.detach()))
    assert bool(torch.isfinite(a.grad).all())


def test_all_pairs_compares_modalities_and_not_views() -> None:
    """Every view of a modality meets every view of another; views of one modality do not meet."""
    views = {"text": [0, 1], "image": [2], "cf": [3]}
    assert all_pairs(views) == [(0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
    assert all_pairs(views, [("cf", "text")]) == [(3, 0), (3, 1)]
    assert all_pairs({"text": [0, 1]}) == []
