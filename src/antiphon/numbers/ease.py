"""EASE (Steck 2019): a linear model from items to items, as two factors whose inner product is the score.

Scores of a history are the user's row times B. A truncated singular value decomposition B ~ L R^T turns them into
(sum of L over the history) . R_i. Users with long histories and popular items are held back while it is fitted, and a
dropout is part of it. The low rank is no loss: it leaves out noise, and scores higher than the full matrix.

B of few items is computed as it is written. B of many is never made: the Gram matrix of the items is told by the
leading singular vectors of the user-item matrix, its inverse by the identity of Woodbury, and B is an operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Product = Callable[[Doubles], Doubles]
LONG_HISTORIES, POPULAR_ITEMS, DROPOUT = 0.6, 0.2, 0.33
"""Chosen on validation users of two catalogs; all are flat around these values."""
OVERSAMPLING, POWER_STEPS = 32, 4
"""Of the truncated singular value decomposition: columns beyond the rank, and passes that sharpen the subspace."""
DENSE_ITEMS = 8_000
"""Up to so many items the matrix over the items is inverted: about 512 MB and a minute at the limit."""
INNER_RANK, INNER_STEPS = 256, 2
"""Singular vectors that stand for the Gram matrix where it is not made, and the passes that they are worth."""


def ease_weights(
    matrix: Any, penalty: float, *, histories: float = 0.0, items: float = 0.0, dropout: float = 0.0
) -> tuple[Doubles, Doubles]:
    """EASE as the weights of items in a history, (n_items,), and the item-item weights B, (n_items, n_items).

    A history h scores (h * item weights) B. With the zeros as they are it is plain EASE: B = I - P diag(1 / diag(P)),
    P = (X'X + penalty I)^-1 (Steck 2019, equation 8). `histories`: a user with n items counts n ** -histories.
    `items`: an item with n users is scaled by n ** -items, in the histories that B is fitted on and in those that it
    scores. `dropout`: the share of a history that is left out at random when B is fitted, in closed form: the penalty
    gains dropout / (1 - dropout) diag(X'X) (Steck 2020, "Autoencoders that don't overfit towards the identity").
    `penalty` counts in interactions of mean weight.
    """
    held = _held_back(matrix, histories, items)
    gram = np.asarray((held.matrix.T @ held.matrix).todense())
    gram[np.diag_indices(len(gram))] += held.penalties(penalty, dropout)
    inverse = np.linalg.inv(gram)
    weights: Doubles = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return held.scale, weights


def ease_operator(
    matrix: Any, penalty: float, inner: int, *, histories: float = 0.0, items: float = 0.0, dropout: float = 0.0
) -> tuple[Doubles, Operator]:
    """As `ease_weights`, with B as an operator over any number of items; `inner` singular vectors tell X'X.

    With X ~ U S V' and D the diagonal of penalties, the identity of Woodbury gives the inverse of V S^2 V' + D as
    P = D^-1 - Q M Q', Q = D^-1 V, M = (S^-2 + V' D^-1 V)^-1, and so B off its diagonal is Q M Q' diag(1 / diag(P)).
    What V leaves out of the diagonal of X'X is known exactly, and counts among the penalties.
    """
    held = _held_back(matrix, histories, items)
    inner = max(1, min(inner, *held.matrix.shape))
    turned = held.matrix.T.tocsr()
    histories_of = Operator(held.matrix.shape, lambda x: held.matrix @ x, lambda x: turned @ x)
    _, values, right = truncated_svd(histories_of, inner, steps=INNER_STEPS)
    kept = values > values[0] * 1e-9
    vectors, values = right[kept].T, values[kept]
    left_out = np.maximum(held.diagonal - (vectors**2 @ values**2), 0)
    penalties = held.penalties(penalty, dropout) + left_out
    sides = vectors / penalties[:, None]
    middle = np.linalg.inv(np.diag(values**-2) + vectors.T @ sides)
    told = sides @ middle
    diagonal = np.einsum("nr,nr->n", told, sides)
    inverse_diagonal = 1 / penalties - diagonal

    def product(x: Doubles) -> Doubles:
        scaled = x / inverse_diagonal[:, None]
        result: Doubles = told @ (sides.T @ scaled) - diagonal[:, None] * scaled
        return result

    def transposed(x: Doubles) -> Doubles:
        result: Doubles = (told @ (sides.T @ x) - diagonal[:, None] * x) / inverse_diagonal[:, None]
        return result

    return held.scale, Operator((len(penalties), len(penalties)), product, transposed)


@dataclass(frozen=True)
class Operator:
    """A matrix that is only known by its products with (columns, n) and, transposed, with (rows, n) arrays."""

    shape: tuple[int, int]
    product: Product
    transposed: Product

    @classmethod
    def of(cls, matrix: Doubles) -> Operator:
        """That of an array."""
        return cls((matrix.shape[0], matrix.shape[1]), lambda x: matrix @ x, lambda x: matrix.T @ x)


def truncated_svd(matrix: Operator, rank: int, *, steps: int = POWER_STEPS) -> tuple[Doubles, Doubles, Doubles]:
    """The leading singular vectors and values, (n, rank), (rank,), (rank, m): Halko et al. 2011, algorithm 5.1.

    The subspace comes from their algorithm 4.4 with a fixed start. scipy's `svds` starts again from random vectors of
    its own, whatever seed it is given, and gave other factors in each process.
    """
    size = min(*matrix.shape, rank + OVERSAMPLING)
    start = matrix.product(np.random.default_rng(0).normal(size=(matrix.shape[1], size)))
    basis = np.linalg.qr(start)[0]
    for _ in range(steps):
        basis = np.linalg.qr(matrix.product(np.linalg.qr(matrix.transposed(basis))[0]))[0]
    left, values, right = np.linalg.svd(matrix.transposed(basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank], right[:rank]


def ease_sides(matrix: Any, penalty: float, rank: int) -> tuple[Floats, Floats]:
    """Left and right factors of EASE at a rank, each (n_items, rank); zeros for items that nobody has.

    `matrix`: (n_users, n_items) sparse. A rank that is no less than the number of items is cut.
    """
    n_items = matrix.shape[1]
    used = np.flatnonzero(np.asarray(matrix.getnnz(axis=0)))
    rank = max(0, min(rank, len(used) - 1))
    left, right = np.zeros((2, n_items, rank), dtype=np.float32)
    if rank:
        scale, weights = _weights(matrix[:, used], penalty)
        sides, values, others = truncated_svd(weights, rank)
        root = np.sqrt(values)
        left[used], right[used] = scale[:, None] * sides * root, others.T * root
    return left, right


def _weights(matrix: Any, penalty: float) -> tuple[Doubles, Operator]:
    held: dict[str, float] = {"histories": LONG_HISTORIES, "items": POPULAR_ITEMS, "dropout": DROPOUT}
    if matrix.shape[1] > DENSE_ITEMS:
        return ease_operator(matrix, penalty, INNER_RANK, **held)
    scale, weights = ease_weights(matrix, penalty, **held)
    return scale, Operator.of(weights)


@dataclass(frozen=True)
class _Held:
    """Histories with long ones and popular items held back.

    `matrix`: (n_users, n_items) sparse, the roots of the weights of users times those of items. `scale`: the weights
    of items, (n_items,). `diagonal`: that of the Gram matrix, (n_items,). `mean`: the mean weight of an interaction.
    """

    matrix: Any
    scale: Doubles
    diagonal: Doubles
    mean: float

    def penalties(self, penalty: float, dropout: float) -> Doubles:
        """What is added to the diagonal of the Gram matrix, (n_items,)."""
        result: Doubles = penalty * self.mean + dropout / (1 - dropout) * self.diagonal
        return result


def _held_back(matrix: Any, histories: float, items: float) -> _Held:
    binary = (matrix > 0).astype(np.float64).tocsr()
    lengths, users = (np.maximum(np.asarray(binary.sum(axis=axis)).ravel(), 1) for axis in (1, 0))
    scale = users**-items
    weighted = binary.multiply((lengths ** (-histories / 2))[:, None]).multiply(scale[None]).tocsr()
    diagonal = np.asarray(weighted.multiply(weighted).sum(axis=0)).ravel()
    return _Held(weighted, scale, diagonal, float(diagonal.sum() / max(1, binary.nnz)))
