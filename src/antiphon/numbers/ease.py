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

from antiphon.base import runtime

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Product = Callable[[Any], Any]
LONG_HISTORIES, POPULAR_ITEMS, DROPOUT = 0.6, 0.2, 0.33
"""Chosen on validation users of two catalogs; all are flat around these values."""
OVERSAMPLING, POWER_STEPS = 32, 4
"""Of the truncated singular value decomposition: columns beyond the rank, and passes that sharpen the subspace."""
DENSE_ITEMS = 8_000
"""Up to so many items the matrix over the items is inverted: about 512 MB and a minute at the limit."""
INNER_RANK, INNER_STEPS = 256, 2
"""Singular vectors that stand for the Gram matrix where it is not made, and the passes that they are worth."""
STEP = 1_024
"""Users whose products are summed at once."""


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
    return held.scale, _dense(held, dropout, np.float64)(penalty)


def ease_operator(
    matrix: Any, penalty: float, inner: int, *, histories: float = 0.0, items: float = 0.0, dropout: float = 0.0
) -> tuple[Doubles, Operator]:
    """As `ease_weights`, with B as an operator over any number of items; `inner` singular vectors tell X'X.

    With X ~ U S V' and D the diagonal of penalties, the identity of Woodbury gives the inverse of V S^2 V' + D as
    P = D^-1 - Q M Q', Q = D^-1 V, M = (S^-2 + V' D^-1 V)^-1, and so B off its diagonal is Q M Q' diag(1 / diag(P)).
    What V leaves out of the diagonal of X'X is known exactly, and counts among the penalties.
    """
    held = _held_back(matrix, histories, items)
    return held.scale, _low_rank(held, dropout, inner)(penalty)


def ease_fits(matrix: Any, rank: int) -> Callable[[float], tuple[Floats, Floats]]:
    """A function from penalties to the left and right factors of EASE at a rank, each (n_items, rank).

    `matrix`: (n_users, n_items) sparse. Rows of items that nobody has are zeros. A rank that is no less than the number
    of items is cut. What no penalty changes, X'X or what stands for it, is made once.
    """
    n_items = matrix.shape[1]
    used = np.flatnonzero(np.asarray(matrix.getnnz(axis=0)))
    rank = max(0, min(rank, len(used) - 1))
    if not rank:
        return lambda _: (np.zeros((n_items, 0), dtype=np.float32), np.zeros((n_items, 0), dtype=np.float32))
    held = _held_back(matrix[:, used], LONG_HISTORIES, POPULAR_ITEMS)
    dense = _dense(held, DROPOUT, np.float32) if len(used) <= DENSE_ITEMS else None
    weights = _low_rank(held, DROPOUT, INNER_RANK) if dense is None else lambda penalty: Operator.of(dense(penalty))

    def sides(penalty: float) -> tuple[Floats, Floats]:
        left, right = np.zeros((2, n_items, rank), dtype=np.float32)
        first, values, second = truncated_svd(weights(penalty), rank)
        root = np.sqrt(values)
        left[used], right[used] = held.scale[:, None] * first * root, second.T * root
        return left, right

    return sides


def ease_sides(matrix: Any, penalty: float, rank: int) -> tuple[Floats, Floats]:
    """The factors of EASE at one penalty; see `ease_fits`."""
    return ease_fits(matrix, rank)(penalty)


def _dense(held: _Held, dropout: float, dtype: Any) -> Callable[[float], NDArray[Any]]:
    """B by penalty, as an array. float32 takes a fourth of the time, and is off by 5e-7 of B's largest entry."""
    gram = _gram(held.matrix, dtype)

    def weights(penalty: float) -> NDArray[Any]:
        penalized = gram.copy()
        penalized[np.diag_indices(len(gram))] += held.penalties(penalty, dropout)
        found = _inverse(penalized)
        found /= -np.diag(found).copy()
        np.fill_diagonal(found, 0.0)
        return found

    return weights


def _low_rank(held: _Held, dropout: float, inner: int) -> Callable[[float], Operator]:
    """B by penalty, as an operator; see `ease_operator`."""
    inner = max(1, min(inner, *held.matrix.shape))
    turned = held.matrix.T.tocsr()
    histories_of = Operator(held.matrix.shape, lambda x: held.matrix @ x, lambda x: turned @ x)
    _, values, right = truncated_svd(histories_of, inner, steps=INNER_STEPS)
    kept = values > values[0] * 1e-9
    vectors, values = right[kept].T, values[kept]
    left_out = np.maximum(held.diagonal - (vectors**2 @ values**2), 0)

    def weights(penalty: float) -> Operator:
        penalties = held.penalties(penalty, dropout) + left_out
        sides = vectors / penalties[:, None]
        told = sides @ np.linalg.inv(np.diag(values**-2) + vectors.T @ sides)
        diagonal = np.einsum("nr,nr->n", told, sides)
        inverse_diagonal = 1 / penalties - diagonal

        def product(x: Doubles) -> Doubles:
            scaled = x / inverse_diagonal[:, None]
            result: Doubles = told @ (sides.T @ scaled) - diagonal[:, None] * scaled
            return result

        def transposed(x: Doubles) -> Doubles:
            result: Doubles = (told @ (sides.T @ x) - diagonal[:, None] * x) / inverse_diagonal[:, None]
            return result

        return Operator((len(penalties), len(penalties)), product, transposed)

    return weights


def _gram(matrix: Any, dtype: Any) -> NDArray[Any]:
    """X'X, (n_items, n_items): dense products of some users at a time are faster than sparse ones of all."""
    gram = np.zeros((matrix.shape[1], matrix.shape[1]), dtype=dtype)
    for start in range(0, matrix.shape[0], STEP):
        part = matrix[start : start + STEP].astype(dtype).toarray()
        gram += part.T @ part
    return gram


def _inverse(gram: NDArray[Any]) -> NDArray[Any]:
    """That of a symmetric matrix with positive eigenvalues, in its place: by Cholesky, half of the work of any other.

    Raises:
        LinAlgError: an eigenvalue is not positive.
    """
    potrf, potri = runtime.lapack().get_lapack_funcs(("potrf", "potri"), (gram,))
    # LAPACK counts columns first: the lower triangle that it sees is the upper one here.
    factor, failed = potrf(gram.T, lower=1, clean=0, overwrite_a=1)
    inverse, undone = potri(factor, lower=1, overwrite_c=1)
    if failed or undone:
        msg = f"the Gram matrix of EASE has no inverse (LAPACK: {failed or undone}); a penalty above 0 gives it one"
        raise np.linalg.LinAlgError(msg)
    result: NDArray[Any] = inverse.T
    for start in range(0, len(result), STEP):
        stop = start + STEP
        block = np.triu(result[start:stop, start:stop])
        result[start:stop, start:stop] = block + np.triu(block, 1).T
        result[stop:, start:stop] = result[start:stop, stop:].T
    return result


@dataclass(frozen=True)
class Operator:
    """A matrix that is only known by its products with (columns, n) and, transposed, with (rows, n) arrays."""

    shape: tuple[int, int]
    product: Product
    transposed: Product
    dtype: Any = np.float64

    @classmethod
    def of(cls, matrix: Any) -> Operator:
        """That of an array."""
        return cls((matrix.shape[0], matrix.shape[1]), lambda x: matrix @ x, lambda x: matrix.T @ x, matrix.dtype)


def truncated_svd(matrix: Operator, rank: int, *, steps: int = POWER_STEPS) -> tuple[Doubles, Doubles, Doubles]:
    """The leading singular vectors and values, (n, rank), (rank,), (rank, m): Halko et al. 2011, algorithm 5.1.

    The subspace comes from their algorithm 4.4 with a fixed start. scipy's `svds` starts again from random vectors of
    its own, whatever seed it is given, and gave other factors in each process.
    """
    size = min(*matrix.shape, rank + OVERSAMPLING)
    start = matrix.product(np.random.default_rng(0).normal(size=(matrix.shape[1], size)).astype(matrix.dtype))
    basis = np.linalg.qr(start)[0]
    for _ in range(steps):
        basis = np.linalg.qr(matrix.product(np.linalg.qr(matrix.transposed(basis))[0]))[0]
    left, values, right = np.linalg.svd(matrix.transposed(basis).T, full_matrices=False)
    return (basis @ left)[:, :rank], values[:rank], right[:rank]


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
