"""Mixture: how much each channel counts, so that the query decides what an answer is made of.

A channel's scores are brought to standard deviation 1 over the catalog first: for a
block with the covariance C over the items, the scores of a query q have the variance q' C q, so dividing q by its
root is exact and needs no scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.base import Folded
from antiphon.channels.gate import Gate
from antiphon.channels.taste import Taste, TasteChannel, doubt_of, shares_of
from antiphon.data.held_out import few_enough, held_out_score
from antiphon.data.splits import HeldOut
from antiphon.joint.model import Embedded
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
EASE_GRID = (0.0, 0.3, 0.6, 1.0, 1.5, 2.5)
RERANK_GRID = (0.5, 1.0)
RERANK_GAIN = 0.001
"""The nDCG@200 of validation users that a second stage must bring to be followed."""
UNKNOWN_GRID, PASSED_GRID = (0.0, 0.5, 1.0, 2.0), (0.0, 1.0, 2.0, 4.0)
DOUBT_COST = 0.0002
"""The nDCG@200 of validation users that doubts about items that nobody liked may cost."""
JOINT_GRID = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 1.2)


@dataclass(frozen=True)
class Mixture:
    """Weights of the channels, each relative to a standard deviation of its scores.

    `history`: of the blocks for a user or a history, chosen on the validation users. `likes`: of the blocks for items
    that an answer should be like. `rerank`: how far the leading items of a history that stands alone follow the second
    stage, 0 to 1; `reranked`: the weights of its blocks, where it does. `words`: of BM25 beside the joint vector for
    a text. `facets`: what an item gains that surely has what a text asks for; not standardised, so that an unsure
    reading stays quiet. `named`: what it gains for each value that the text names. `alike`: of facets that an item
    shares with liked ones. `unknown`, `passed`: what items lose beside a history that nobody liked, and the more people
    met them (`taste.doubt_of`). `beside`: how much louder a text speaks where a user or a history speaks too. `gate`:
    what weighs the voices of a request with a text, in place of these constants.
    `standardise`: False gives the paper's use, where a query is a weighted sum of unit vectors in the joint space and
    nothing else.
    """

    standardise: bool = True
    words: float = 0.5
    facets: float = 16.0
    alike: float = 0.5
    history: Mapping[str, float] | None = None
    likes: Mapping[str, float] | None = None
    reranked: Mapping[str, float] | None = None
    rerank: float = 0.0
    named: float = 4.0
    unknown: float = 0.0
    passed: float = 0.0
    beside: float = 1.0
    gate: Gate | None = None

    def save(self, path: Path) -> None:
        """Write as JSON."""
        storage.write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Mixture:
        """Read what `save` wrote."""
        values = storage.read_json(path)
        return cls(**{**values, "gate": Gate.load(values["gate"])})


LIKES: Mapping[str, float] = {"joint": 1.0, "ials": 0.3, "ease": 0.1}
"""More like these: mostly what the items are, and some of who likes them."""


def standardised(vectors: Floats, covariance: NDArray[np.float64]) -> Floats:
    """Queries divided by the standard deviation of their scores, (n, dim), where they differ at all.

    `covariance`: (dim, dim), of the block's vectors over the items.
    """
    spread = spread_of(vectors, covariance)
    result: Floats = (vectors / np.where(spread > 1e-12, spread, 1)[:, None]).astype(np.float32)
    return result


def spread_of(vectors: Floats, covariance: NDArray[np.float64]) -> Floats:
    """Standard deviations of the scores of queries over the items, (n,)."""
    variance = np.einsum("nd,nd->n", vectors @ covariance, vectors)
    result: Floats = np.sqrt(np.maximum(variance, 0)).astype(np.float32)
    return result


def covariance_of(vectors: Floats, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Covariance of a block over the searchable items, (dim, dim) float64."""
    block = np.asarray(vectors[rows], dtype=np.float64)
    centred = block - block.mean(axis=0)
    result: NDArray[np.float64] = centred.T @ centred / max(1, len(block))
    return result


def choose_history(scores: Mapping[str, Floats], check: HeldOut) -> tuple[dict[str, float], float]:
    """Weights of the blocks with the best nDCG@200 on the validation users, and that nDCG.

    `scores`: for each block, (n_users, n_items), standardised. iALS counts 1 where it is there; the others are tried
    on a grid. Of equally good ones the first is taken, which has the least of the others.
    """
    if "ials" not in scores or not len(check.users):
        return {"joint": 1.0}, 0.0
    best: tuple[dict[str, float], float] = ({"ials": 1.0}, -1.0)
    for ease, joint in product(EASE_GRID if "ease" in scores else (0.0,), JOINT_GRID):
        total = scores["ials"] + np.float32(joint) * scores["joint"]
        if ease:
            total = total + np.float32(ease) * scores["ease"]
        value = held_out_score(total, check)
        if value > best[1]:
            best = ({"joint": joint, "ials": 1.0, "ease": ease}, value)
    return best


def choose_rerank(
    scores: Mapping[str, Floats], added: Floats, history: Mapping[str, float], least: float, check: HeldOut
) -> tuple[float, dict[str, float]]:
    """How far to follow the second stage, and the weights of a history with it.

    `added`: what the second stage adds to `scores` at the weights of `history`, (n_users, n_items). It is followed
    where the nDCG@200 of the validation users is above that without it, `least`, by `RERANK_GAIN`.
    """
    taste = np.sum(
        [np.float32(weight) * scores[name] for name, weight in history.items() if name in scores and name != "joint"],
        axis=0,
    )
    best, least = (0.0, dict(history)), least + RERANK_GAIN
    for share, joint in product(RERANK_GRID, JOINT_GRID):
        value = held_out_score(taste + np.float32(share) * added + np.float32(joint) * scores["joint"], check)
        if value > least:
            least, best = value, (share, {**history, "joint": joint})
    return best


def choose_doubt(scores: Floats, taste: Taste, check: HeldOut) -> tuple[float, float]:
    """How far to doubt what is predicted for items that nobody liked: the most that costs validation users nothing.

    `scores`: of histories, (n_users, n_items), as they are answered. Where held-out users do like such items, as with
    cold items that are hidden on purpose, doubts cost, and there are none.
    """
    if not (np.asarray(taste.users) == 0).any() or not len(check.users):
        return 0.0, 0.0
    values = {
        doubts: held_out_score(scores - doubt_of(taste, *doubts), check)
        for doubts in product(UNKNOWN_GRID, PASSED_GRID)
    }
    least = max(values.values()) - DOUBT_COST
    return max((doubts for doubts, value in values.items() if value >= least), key=lambda doubts: (sum(doubts), doubts))


def fit_mixture(embedded: Embedded, taste: Taste, vectors: Mapping[str, Floats], check: HeldOut) -> Mixture:
    """The mixture of a space with taste: the weights of a history are chosen on the validation users.

    `vectors`: the items' in each block of taste, (n_items, length) float32.
    """
    check = few_enough(check, len(embedded.vectors))
    blocks = {"joint": embedded.vectors, **vectors}
    histories = [(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles]
    queries = {"joint": _means(embedded.vectors, check.profiles), **taste.embed(histories)}
    scores, spreads = {}, {}
    for name, block in blocks.items():
        covariance = covariance_of(block, embedded.searchable)
        spreads[name] = spread_of(queries[name], covariance)
        scores[name] = standardised(queries[name], covariance) @ block.T
    history, value = choose_history(scores, check)
    likes = {name: weight for name, weight in LIKES.items() if name in blocks}
    mixture = Mixture(history=history, likes=likes)
    if not len(check.users):
        return mixture
    if taste.reranker is None:
        return _doubting(mixture, scores, np.zeros(1, dtype=np.float32), taste, check)
    channel = TasteChannel(vectors, taste, history)
    added = np.zeros((len(check.users), len(embedded.vectors)), dtype=np.float32)
    for row, rows in enumerate(check.profiles):
        folded = Folded(
            rows, {name: queries[name][row] for name in vectors}, {name: float(spreads[name][row]) for name in vectors}
        )
        if (moved := channel.ordered(folded, 1.0)) is not None:
            added[row, moved[0]] = moved[1]
    share, reranked = choose_rerank(scores, added, history, value, check)
    mixture = replace(mixture, rerank=share, reranked=reranked) if share else mixture
    return _doubting(mixture, scores, added, taste, check)


def _doubting(mixture: Mixture, scores: Mapping[str, Floats], added: Floats, taste: Taste, check: HeldOut) -> Mixture:
    """The mixture with its doubts, chosen on histories as it answers them."""
    weights = mixture.reranked if mixture.rerank else mixture.history
    total = np.sum([np.float32(weight) * scores[name] for name, weight in shares_of(weights).items()], axis=0)
    size = np.sqrt(sum(weight**2 for weight in (weights or {}).values())) or 1
    unknown, passed = choose_doubt(total + np.float32(mixture.rerank / size) * added, taste, check)
    return replace(mixture, unknown=unknown, passed=passed)


def _means(vectors: Floats, profiles: Sequence[NDArray[np.int32]]) -> Floats:
    if not profiles:
        return np.zeros((0, vectors.shape[1]), dtype=np.float32)
    return unit(np.stack([vectors[rows].mean(axis=0) for rows in profiles]))
