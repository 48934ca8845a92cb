"""Pieces of the network that are written out for speed do what torch's own do."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from antiphon.joint.network import Dropout, UnitRows  # noqa: E402  torch is asked for first


def test_unit_rows_equal_torch_and_their_gradient_is_right() -> None:
    """Rows and gradients are those of `normalize`, and the gradient passes the check by finite differences."""
    inputs = torch.randn(6, 5, dtype=torch.float64, requires_grad=True)
    assert torch.allclose(UnitRows.apply(inputs), torch.nn.functional.normalize(inputs, dim=1))
    assert torch.autograd.gradcheck(UnitRows.apply, (inputs,))


def test_a_row_of_zeros_stays_zeros() -> None:
    """Nothing is divided by nothing."""
    assert UnitRows.apply(torch.zeros(2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
def test_dropout_zeros_a_share_and_keeps_the_mean(share: float) -> None:
    """About that share of the numbers is 0, the others are scaled up, and the gradient goes where numbers stayed."""
    torch.manual_seed(0)
    inputs = torch.ones(300, 300, requires_grad=True)
    dropped = Dropout(share)(inputs)
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    dropped.sum().backward()
    assert torch.equal(inputs.grad, dropped.detach())


def test_dropout_is_a_function_of_torchs_seed() -> None:
    """The same seed drops the same numbers, the next call others."""
    layer, inputs = Dropout(0.5), torch.ones(40, 40)
    torch.manual_seed(3)
    first, second = layer(inputs), layer(inputs)
    torch.manual_seed(3)
    assert torch.equal(layer(inputs), first)
    assert not torch.equal(first, second)


def test_nothing_is_dropped_outside_of_training() -> None:
    """In evaluation, and with a share of 0, inputs come back as they are."""
    inputs = torch.ones(4, 4)
    assert Dropout(0.5).eval()(inputs) is inputs
    assert Dropout(0.0)(inputs) is inputs
