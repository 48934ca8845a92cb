"""A second stage for histories: the items that lead by taste, put into order by a small network.

The models of taste are linear, and a weighted sum of them says no more than each. How far either is right depends on
how popular an item is, how popular what the person has is, and how long the history is. A network of a few hundred
weights reads this of each leading item (as in Cheng et al. 2016, "Wide & Deep learning for recommender systems",
section 2: candidates first, then their order), and what it says is added to the scores of the first stage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]
DEPTH = 500
"""Items of the first stage that are put into order."""
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


@dataclass(frozen=True)
class Reranking:
    """A reranker with what it reads of the items, and how its scores are brought to the scale of the first stage.

    `items`: vectors by block of taste, (n_items, length) float32. `users`: (n_items,) float32, the training users of
    each item. `weights`: of the blocks in the first stage.
    """

    reranker: Reranker
    items: Mapping[str, Floats]
    users: Floats
    weights: Mapping[str, float]

    def added(self, vectors: Mapping[str, Floats], spreads: Mapping[str, Floats], histories: Sequence[Rows]) -> Floats:
        """What the second stage adds to the scores of the first, (n_histories, n_items) float32.

        `vectors`: histories by block, (n_histories, length). `spreads`: the standard deviations of their scores,
        (n_histories,). The leading items get the network's scores with the mean and the standard deviation of those
        that they had, so that they can be held against other items and other channels; the others get 0.
        """
        result = np.zeros((len(histories), len(self.users)), dtype=np.float32)
        raw = {name: vectors[name] @ np.asarray(self.items[name]).T for name in self.reranker.blocks}
        for row, history in enumerate(histories):
            mine = {name: scores[row] for name, scores in raw.items()}
            first = self._first(mine, {name: float(spread[row]) for name, spread in spreads.items()})
            head = head_of(first, history, self.users)
            if len(head) > 1:
                found = self.reranker.scores(features_of(mine, head, history, self.users))
                result[row, head] = _alike(found, first[head]) - first[head]
        return result

    def _first(self, scores: Mapping[str, Floats], spreads: Mapping[str, float]) -> Floats:
        total = np.zeros(len(self.users), dtype=np.float32)
        for name, mine in scores.items():
            if spreads[name] > 0:
                total += np.float32(self.weights.get(name, 0.0) / spreads[name]) * mine
        return total


def head_of(scores: Floats, history: Rows, users: Floats) -> NDArray[np.int64]:
    """The `DEPTH` best items that somebody knows and the history does not have, in no order."""
    open_ = np.where(users > 0, scores, -np.inf)
    open_[history] = -np.inf
    depth = min(DEPTH, int(np.isfinite(open_).sum()))
    return np.argpartition(-open_, depth - 1)[:depth] if depth else np.empty(0, dtype=np.int64)


def features_of(scores: Mapping[str, Floats], head: NDArray[np.int64], history: Rows, users: Floats) -> Floats:
    """What the network reads of the items `head`, (n, 2 n_blocks + 3) float32; see `FEATURES`.

    `scores`: of one history by block, (n_items,). Standard scores are taken over the items that somebody knows; users
    and lengths are logarithms of one more.
    """
    known = users > 0
    columns = []
    for mine in scores.values():
        columns += [mine[head], (mine[head] - mine[known].mean()) / max(float(mine[known].std()), 1e-12)]
    constant = [np.log1p(users[history]).mean() if len(history) else 0.0, np.log1p(len(history))]
    columns += [np.log1p(users[head]), *(np.full(len(head), value) for value in constant)]
    return np.stack(columns, axis=1).astype(np.float32)


def _alike(values: Floats, like: Floats) -> Floats:
    """`values` with the mean and the standard deviation of `like`; those of `like` where all values are the same."""
    spread = values.std()
    result: Floats = like if not spread > 0 else (values - values.mean()) * (like.std() / spread) + like.mean()
    return result
