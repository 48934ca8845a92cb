"""Vectors of unit length, how a request of several sentences meets them, and lists that stand one after another."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

AnyInt = TypeVar("AnyInt", np.int32, np.int64)
TOGETHER = 256
"""Rows that are read at once: their copy stays in the processor's own memory."""
BEST = 3
"""Sentences of a request that count beside the whole of it."""


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Divide the last axis by its L2 norm; zero vectors stay zero. float32."""
    # Squares in float64: those of 1e20 overflow float32, and those of 1e-30 vanish in it.
    norms = np.sqrt(np.einsum("...i,...i->...", vectors, vectors, dtype=np.float64))[..., None]
    result: NDArray[np.float32] = np.zeros_like(vectors, dtype=np.float32)
    np.divide(vectors, norms, out=result, where=norms > 0, casting="same_kind")
    return result


def products_at(vectors: NDArray[np.float32], rows: NDArray[Any], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of some rows of a large matrix with queries, (n_queries, n_rows) float32: each row is read once.

    `queries`: (n_queries, length) float32.
    """
    result = np.empty((len(rows), len(queries)), dtype=np.float32)
    turned, whole = np.ascontiguousarray(queries.T), vectors.flags.c_contiguous
    held = np.empty((min(TOGETHER, len(rows)), vectors.shape[1]), dtype=np.float32) if whole else None
    for start in range(0, len(rows), TOGETHER):
        some = rows[start : start + TOGETHER]
        # numpy's `take` copies all of an array that is a part of another's columns.
        read = vectors[some] if held is None else vectors.take(some, axis=0, out=held[: len(some)], mode="clip")
        np.matmul(read, turned, out=result[start : start + TOGETHER])
    return np.ascontiguousarray(result.T)


def best_met(products: NDArray[np.float32]) -> NDArray[np.float32]:
    """A request's best cosines with the passages of items, (1 + n_sentences, n_items): of the whole, and of sentences.

    The mean of the whole and of its `BEST` best sentences, (n_items,) float32; the whole alone where it has none.
    """
    whole: NDArray[np.float32] = products[0]
    if len(products) > 1:
        whole = (whole + np.sort(products[1:], axis=0)[-BEST:].mean(axis=0)) / np.float32(2)
    return whole


def looked_up(known: NDArray[Any], asked: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where the numbers `asked` stand in `known`, which ascend and are not none, and which of them do stand there."""
    # Of one type: else numpy makes a copy of the longer side.
    places = np.minimum(np.searchsorted(known, asked.astype(known.dtype, copy=False)), len(known) - 1)
    return places, known[places] == asked


def once(rows: NDArray[AnyInt]) -> NDArray[AnyInt]:
    """Rows in order, each once. Sorting them takes a third of what numpy's `unique` does."""
    ordered = np.sort(rows)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def without(rows: NDArray[np.int64], others: NDArray[Any]) -> NDArray[np.int64]:
    """Rows, which ascend, but for some others."""
    places, there = looked_up(rows, others) if len(rows) else (others, np.zeros(len(others), dtype=bool))
    return np.delete(rows, places[there])


def lists_of(bounds: NDArray[np.int64], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of lists one after another, list i at bounds[i]:bounds[i + 1], the places of some, and the bounds among these."""
    starts = np.asarray(bounds)[rows]
    lengths = np.asarray(bounds)[np.asarray(rows) + 1] - starts
    found = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return np.arange(found[-1]) + np.repeat(starts - found[:-1], lengths), found
