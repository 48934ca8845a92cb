"""Training the second stage for histories on users whose own interactions the first stage has not seen (torch)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.progress import Progress, silent
from antiphon.channels.rerank import DEPTH, Reranker, features_of, head_of
from antiphon.channels.taste import Taste
from antiphon.numbers.ease import ease_sides
from antiphon.numbers.engine import BuildEngine
from antiphon.numbers.factorization import factorize

Floats = NDArray[np.float32]
FOLDS = 3
DRAWS = 3
"""Ways in which each user's items are halved."""
FEWEST_USERS, MOST_USERS = 500, 6_000
"""Below, a network learns noise; above, nothing is gained."""
MEMBERS, HIDDEN, EPOCHS, BATCH, RATE, DECAY = 3, 32, 12, 64, 3e-3, 1e-3
MOST_SCORES = 32_000_000
"""Scores that are held at once by each model: 128 MB of float32."""
SAMPLED = 100
"""Of the items that lead, how many a step looks at."""
FIRST = {"ials": 0.5, "ease": 1.0}
"""Weights of standard scores that choose the items to learn from; near those that validation chooses."""


def fit_reranker(
    matrix: Any, taste: Taste, *, seed: int = 0, progress: Progress = silent, engine: BuildEngine | None = None
) -> Reranker | None:
    """Learn the second stage of `taste`; None where there are too few users or items for it.

    `matrix`: (n_users, n_items) sparse, the training interactions. The users are dealt into folds. Both models are
    fitted again without each fold, at the settings of `taste`, and score half of each of its users' items: the network
    learns from scores as they are for people whom the models do not know. The loss is the cross entropy between the
    softmax over a user's leading items and equal shares of those in the other half. `engine`: where iALS is fitted.
    """
    rng = np.random.default_rng([seed, 14])
    lengths = np.diff(matrix.indptr)
    users = rng.permutation(np.flatnonzero(lengths >= 2))[:MOST_USERS]
    if len(users) < FEWEST_USERS or int((taste.users > 0).sum()) < 2 * DEPTH or len(taste.blocks()) < 2:
        return None
    features, wanted = [], []
    with progress("reading taste without each fold", FOLDS) as advance:
        for fold in np.array_split(users, FOLDS):
            for found in _fold(matrix, fold, taste, rng, seed, engine):
                features.append(found[0])
                wanted.append(found[1])
            advance(1)
    if len(features) < FEWEST_USERS:
        return None
    with runtime.one_torch_thread():
        return _fit(np.stack(features), np.stack(wanted), tuple(taste.blocks()), seed, progress)


def _fold(
    matrix: Any,
    fold: NDArray[np.int64],
    taste: Taste,
    rng: np.random.Generator,
    seed: int,
    engine: BuildEngine | None = None,
) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Features, (DEPTH, n_features), and what is wanted, (DEPTH,), of each user of a fold."""
    others = np.setdiff1d(np.arange(matrix.shape[0]), fold)
    rest = matrix[others]
    counts = np.asarray(rest.getnnz(axis=0)).astype(np.float32)
    items = factorize(rest, taste.setting, seed, engine).items
    left, right = ease_sides(rest, taste.penalty, taste.ease.shape[1])
    # As many users as there are in the end, so that counts mean the same.
    filled = int((np.diff(matrix.indptr) > 0).sum())
    known = counts * np.float32(filled / max(1, filled - len(fold)))
    without = Taste(np.where(counts[:, None] > 0, items, 0), taste.setting, right, left, known, penalty=taste.penalty)
    halves = [
        np.split(rng.permutation(matrix[user].indices), [matrix[user].nnz // 2]) for user in fold for _ in range(DRAWS)
    ]
    step = max(1, MOST_SCORES // matrix.shape[1])
    for start in range(0, len(halves), step):
        yield from _looked_at(without, halves[start : start + step], known)


def _looked_at(
    without: Taste, halves: Sequence[Sequence[NDArray[np.int32]]], known: Floats
) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Features of the leading items for one half of each user's items, and which of them are in the other half."""
    vectors = without.embed([(given, np.ones(len(given), dtype=np.float32)) for given, _ in halves])
    scores = {name: vectors[name] @ block.T for name, block in without.blocks().items()}
    for row, (given, asked) in enumerate(halves):
        mine = {name: part[row] for name, part in scores.items()}
        first = np.sum([FIRST[name] * part / max(float(part.std()), 1e-12) for name, part in mine.items()], axis=0)
        head = head_of(first, given, known)
        if len(head) == DEPTH:
            met = known > 0
            moments = {name: (float(part[met].mean()), float(part[met].std())) for name, part in mine.items()}
            at_head = {name: part[head] for name, part in mine.items()}
            yield features_of(at_head, moments, head, given, known), np.isin(head, asked)


def _fit(
    features: Floats, wanted: NDArray[np.bool_], blocks: tuple[str, ...], seed: int, progress: Progress
) -> Reranker:
    """All members at once, each with its own start and its own order of the users."""
    torch = runtime.torch()
    shift, scale = features.mean(axis=(0, 1)), np.maximum(features.std(axis=(0, 1)), 1e-6)
    inputs = torch.from_numpy((features - shift) / scale)
    shares = torch.from_numpy(wanted / np.maximum(wanted.sum(axis=1, keepdims=True), 1)).to(inputs.dtype)
    rng = np.random.default_rng([seed, 15])
    members = _members(torch, inputs.shape[2], seed)
    optimizer = torch.optim.AdamW(members.values(), lr=RATE, weight_decay=DECAY, fused=True)
    steps = max(1, len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * steps)
    with progress("learning to rerank", EPOCHS) as advance:
        for _ in range(EPOCHS):
            orders = np.stack([rng.permutation(len(inputs)) for _ in range(MEMBERS)])
            for batch in np.array_split(orders, steps, axis=1):
                looked_at = np.stack([rng.permutation(DEPTH)[:SAMPLED] for _ in range(MEMBERS)])
                rows, part = torch.from_numpy(batch[:, :, None]), torch.from_numpy(looked_at[:, None])
                logs = _scores(torch, members, inputs[rows, part]).log_softmax(dim=2)
                # The sum over the members: each has the gradient that it would have alone.
                loss = -(logs * shares[rows, part]).sum(dim=2).mean(dim=1).sum()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                schedule.step()
            advance(1)
    tensors = {name: value.detach().numpy() for name, value in members.items()}
    tensors |= {"shift": shift, "scale": scale.astype(np.float32)}
    return Reranker(blocks, {name: np.ascontiguousarray(value) for name, value in tensors.items()})


def _members(torch: Any, n_features: int, seed: int) -> dict[str, Any]:
    """Weights (members, in, out) and biases (members, 1, out) of three layers, each member as torch starts one."""
    layers: list[list[Any]] = [[], [], []]
    for member in range(MEMBERS):
        drawn = torch.Generator().manual_seed(seed * 1_000_003 + member)  # torch's own belongs to other threads too
        for layer, (n_in, n_out) in zip(layers, ((n_features, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)), strict=True):
            bound = 1 / math.sqrt(n_in)
            layer.append(
                [torch.empty(size).uniform_(-bound, bound, generator=drawn) for size in ((n_out, n_in), n_out)]
            )
    tensors = {}
    for number, layer in enumerate(layers, 1):
        tensors[f"w{number}"] = torch.stack([weight.T for weight, _ in layer]).requires_grad_()
        if number < 3:  # a constant does not change an order
            tensors[f"b{number}"] = torch.stack([bias[None] for _, bias in layer]).requires_grad_()
    return tensors


def _scores(torch: Any, members: dict[str, Any], features: Any) -> Any:
    """Scores (members, n, n_items) of features (members, n, n_items, n_features)."""
    n_members, n, n_items, n_features = features.shape
    hidden = features.reshape(n_members, n * n_items, n_features)
    hidden = torch.baddbmm(members["b1"], hidden, members["w1"]).relu()
    hidden = torch.baddbmm(members["b2"], hidden, members["w2"]).relu()
    return (hidden @ members["w3"]).reshape(n_members, n, n_items)
