"""A map of the space: two dimensions in which near items stay near.

The layout is UMAP's (McInnes, Healy & Melville, arXiv:1802.03426): a graph of nearest neighbours pulls items together
(gradient of eq. 3 in section 3.2), sampled pairs push apart. Plain numpy, all edges of an epoch at once,
deterministic with a seed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

N_NEIGHBOURS = 12
N_AWAY = 4
EPOCHS = 200
LANDMARKS = 10_000
# The curve 1 / (1 + a d^2b) that fits a minimal distance of 0.1, as in the paper's implementation.
CURVE_A, CURVE_B = 1.577, 0.895


LEAST_GROUP = 12
"""Items that lack the same modalities; a mean of fewer says nothing of what they share."""


def groups_of(present: NDArray[np.bool_]) -> Rows:
    """A number for each combination of modalities, (n,) int64. `present`: (n_modalities, n) bool."""
    return np.unique(present, axis=1, return_inverse=True)[1].reshape(-1).astype(np.int64)


def project_2d(vectors: Floats, groups: Rows | None = None, seed: int = 0) -> Floats:
    """Positions on a map, (n, 2) float32 from 0 to 1. `vectors`: (n, dim) float32; rows of zeros get NaN.

    `groups`: (n,) int64. What all vectors of a group share is taken off them, so that items lie beside those that they
    are like and not beside those that lack the same modality; small groups stay as they are.

    More than `LANDMARKS` items: a sample is laid out, and the others are placed among their nearest ones of it.
    """
    places = np.full((len(vectors), 2), np.nan, dtype=np.float32)
    known = np.flatnonzero(np.abs(vectors).sum(axis=1) > 0)
    if len(known) == 0:
        return places
    rng = np.random.default_rng(seed)
    laid = unit(vectors[known])
    if groups is not None and len(np.unique(groups[known])) > 1:
        laid = _levelled(laid, groups[known])
    marks = np.sort(rng.permutation(len(known))[:LANDMARKS])
    layout = _lay_out(laid[marks], rng)
    found = np.empty((len(known), 2), dtype=np.float32)
    found[marks] = layout
    others = np.setdiff1d(np.arange(len(known)), marks)
    if len(others):
        near, sims = nearest(laid[others], laid[marks], 3)
        weights = np.maximum(sims, 1e-3) ** 4
        weights /= weights.sum(axis=1, keepdims=True)
        jitter = rng.normal(0, 0.003, (len(others), 2)) * np.ptp(layout, axis=0)
        found[others] = (layout[near] * weights[..., None]).sum(axis=1) + jitter
    places[known] = _framed(found)
    return places


def _levelled(vectors: Floats, groups: Rows) -> Floats:
    """Vectors with the mean of all in the place of that of their group, spread as widely as all; (n, dim), unit L2."""
    mean, level = vectors.mean(axis=0), vectors.copy()
    parts = [groups == group for group in np.unique(groups) if (groups == group).sum() >= LEAST_GROUP]
    apart = {place: vectors[rows] - vectors[rows].mean(axis=0) for place, rows in enumerate(parts)}
    wide = max((_spread(part) for part in apart.values()), default=0.0)
    for place, rows in enumerate(parts):
        level[rows] = mean + apart[place] * (wide / max(_spread(apart[place]), 1e-9))
    return unit(level)


def _spread(apart: Floats) -> float:
    return float(np.sqrt((apart**2).sum(axis=1).mean()))


def nearest(queries: Floats, vectors: Floats, k: int) -> tuple[Rows, Floats]:
    """Rows and similarities of the k nearest vectors of each query, (n, k); in blocks, to bound memory."""
    k = min(k, len(vectors))
    rows = np.empty((len(queries), k), dtype=np.int64)
    sims = np.empty((len(queries), k), dtype=np.float32)
    step = max(1, 16_000_000 // max(1, len(vectors)))
    for start in range(0, len(queries), step):
        products = queries[start : start + step] @ vectors.T
        best = np.argpartition(-products, k - 1, axis=1)[:, :k]
        rows[start : start + step] = best
        sims[start : start + step] = np.take_along_axis(products, best, axis=1)
    return rows, sims


def principal(vectors: Floats) -> Floats:
    """The first two principal components, (n, 2) float32; signs are fixed, so that they do not depend on the solver."""
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :2]
    largest = np.argmax(np.abs(axes), axis=0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    flat = np.asarray(centred @ axes, dtype=np.float32)
    return flat if flat.shape[1] == 2 else np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))


def _lay_out(unit: Floats, rng: np.random.Generator) -> Floats:
    start = principal(unit)
    scale = np.abs(start).max()
    places = start / (scale if scale > 0 else 1) * 10 + rng.normal(0, 1e-3, start.shape)
    if len(unit) <= 3:
        return places.astype(np.float32)
    heads, tails = _edges(unit)
    for epoch in range(EPOCHS):
        rate = 1.0 - epoch / EPOCHS
        away = rng.integers(0, len(unit), (N_AWAY, len(unit)))
        places += rate * _step(places, heads, tails, away)
    return places.astype(np.float32)


def _edges(unit: Floats) -> tuple[Rows, Rows]:
    rows, _ = nearest(unit, unit, min(N_NEIGHBOURS + 1, len(unit)))
    heads = np.repeat(np.arange(len(unit)), rows.shape[1])
    tails = rows.ravel()
    pairs = np.sort(np.stack([heads, tails])[:, heads != tails], axis=0)
    both = np.unique(pairs, axis=1)
    return both[0], both[1]


def _step(places: NDArray[np.float64], heads: Rows, tails: Rows, away: Rows) -> NDArray[np.float64]:
    """Movement of every item in one epoch, at most 1 in each direction."""
    apart = places[heads] - places[tails]
    squared = (apart**2).sum(axis=1) + 1e-9
    pull = -2 * CURVE_A * CURVE_B * squared ** (CURVE_B - 1) / (1 + CURVE_A * squared**CURVE_B)
    force = np.clip(pull[:, None] * apart, -4, 4)
    n_items = len(places)
    degree = np.bincount(heads, minlength=n_items) + np.bincount(tails, minlength=n_items)
    move = np.empty_like(places)
    for axis in range(2):
        move[:, axis] = np.bincount(heads, force[:, axis], n_items) - np.bincount(tails, force[:, axis], n_items)
    for others in away:
        gap = places - places[others]
        square = (gap**2).sum(axis=1) + 1e-3
        push = 2 * CURVE_B / (square * (1 + CURVE_A * square**CURVE_B))
        move += np.clip(push[:, None] * gap, -4, 4) * (degree / (2 * N_AWAY))[:, None]
    moved: NDArray[np.float64] = np.clip(move / np.sqrt(np.maximum(degree, 1))[:, None] / 2, -1, 1)
    return moved


def _framed(places: Floats) -> Floats:
    """Scaled to 0..1, the few outermost items drawn to the frame."""
    low, high = np.percentile(places, 0.5, axis=0), np.percentile(places, 99.5, axis=0)
    span = np.maximum(high - low, 1e-9)
    return np.asarray(np.clip(0.03 + 0.94 * (places - low) / span, 0.0, 1.0), dtype=np.float32)
