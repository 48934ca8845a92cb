"""A second stage for histories: the items that lead by taste, put into order by a small network.

The models of taste are linear, and a weighted sum of them says no more than each. How far either is right depends on
how popular an item is, how popular what the person has is, and how long the history is. A network of a few hundred
weights reads this of each leading item (as in Cheng et al. 2016, "Wide & Deep learning for recommender systems",
section 2: candidates first, then their order), and what it says is added to the scores of the first stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
DEPTH = 500
"""Items of the first stage that are put into order."""
HEAD = 4
"""Candidates among which these are found in a large space: this many times as many."""
FEATURES = ("score", "standard score", "users", "users of the history", "length of the history")
"""What the network reads; the first two of each block of taste."""
TENSORS = ("shift", "scale", "w1", "b1", "w2", "b2", "w3")


@dataclass(frozen=True)
class Reranker:
    """Networks of two hidden layers whose scores are averaged.

    `blocks`: the blocks of taste that are read, in order. `tensors`: shift and scale of the features, (n_features,);
    w1 (members, n_features, hidden), b1 (members, 1, hidden), w2 (members, hidden, hidden), b2 (members, 1, hidden),
    w3 (members, hidden, 1); all float32.
    """

    blocks: tuple[str, ...]
    tensors: Mapping[str, Floats]

    def scores(self, features: Floats) -> Floats:
        """Scores of the items of one history, (n,) float32, of their features, (n, n_features)."""
        parts = self.tensors
        hidden = (features - parts["shift"]) / parts["scale"]
        hidden = np.maximum(hidden @ parts["w1"] + parts["b1"], 0)
        hidden = np.maximum(hidden @ parts["w2"] + parts["b2"], 0)
        result: Floats = (hidden @ parts["w3"])[:, :, 0].mean(axis=0)
        return result

    def save(self, folder: Path) -> None:
        """Write the blocks and the tensors."""
        storage.write_tensors(folder / "reranker.safetensors", dict(self.tensors))
        storage.write_json(folder / "reranker.json", {"blocks": list(self.blocks)})

    @staticmethod
    def paths(folder: Path) -> list[Path]:
        """The files that `save` writes."""
        return [folder / "reranker.json", folder / "reranker.safetensors"]

    @classmethod
    def load(cls, folder: Path) -> Reranker | None:
        """Read what `save` wrote; None where nothing was."""
        if not (folder / "reranker.json").is_file():
            return None
        blocks = tuple(storage.read_json(folder / "reranker.json")["blocks"])
        return cls(blocks, storage.read_tensors(folder / "reranker.safetensors", TENSORS))


def head_of(
    scores: Floats, history: Rows, users: Floats, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """The `DEPTH` best items that somebody knows and the history does not have, in no order.

    `allowed`: (n_items,) bool, the items that may be answers; None for all.
    """
    open_ = np.where(users > 0 if allowed is None else (users > 0) & allowed, scores, -np.inf)
    open_[history] = -np.inf
    depth = min(DEPTH, int(np.isfinite(open_).sum()))
    return np.argpartition(-open_, depth - 1)[:depth] if depth else np.empty(0, dtype=np.int64)


def features_of(
    scores: Mapping[str, Floats],
    moments: Mapping[str, tuple[float, float]],
    head: NDArray[np.int64],
    history: Rows,
    users: Floats,
) -> Floats:
    """What the network reads of the items `head`, (n, 2 n_blocks + 3) float32; see `FEATURES`.

    `scores`: of the head for one history, by block, (n,). `moments`: mean and standard deviation of the scores of the
    items that somebody knows, by block. Users and lengths are logarithms of one more.
    """
    columns = []
    for name, mine in scores.items():
        mean, spread = moments[name]
        columns += [mine, (mine - np.float32(mean)) / np.float32(max(spread, 1e-12))]
    constant = [np.log1p(users[history]).mean() if len(history) else 0.0, np.log1p(len(history))]
    columns += [np.log1p(users[head]), *(np.full(len(head), value) for value in constant)]
    return np.stack(columns, axis=1).astype(np.float32)


def spread_alike(values: Floats, like: Floats) -> Floats:
    """`values` with the mean and the standard deviation of `like`; those of `like` where all values are the same."""
    spread = values.std()
    result: Floats = like if not spread > 0 else (values - values.mean()) * (like.std() / spread) + like.mean()
    return result
