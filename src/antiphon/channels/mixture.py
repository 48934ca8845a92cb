"""Mixture: how much each channel counts, so that the query decides what an answer is made of.

A channel's scores are brought to standard deviation 1 over the catalog first: for a
block with the covariance C over the items, the scores of a query q have the variance q' C q, so dividing q by its
root is exact and needs no scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.base import Folded, Rows
from antiphon.channels.gate import Gate
from antiphon.channels.taste import Taste, TasteChannel, doubt_of, shares_of
from antiphon.data.held_out import compared, few_enough
from antiphon.data.splits import HeldOut
from antiphon.joint.model import Embedded
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
Way = TypeVar("Way")
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


@dataclass(frozen=True)
class Histories:
    """What the models say of held-out users, scored for some of them at a time.

    `queries`: standardised, by block, (n_users, length); `items`: (n_items, length). `moved`: rows that the second
    stage orders, and what it adds to each, per user; None where it has no say.
    """

    check: HeldOut
    queries: Mapping[str, Floats]
    items: Mapping[str, Floats]
    moved: Sequence[tuple[Rows, Floats] | None] = ()

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items["joint"])

    def scores(self, some: slice) -> dict[str, Floats]:
        """Standard scores of some users by block, (n, n_items) each."""
        return {name: self.queries[name][some] @ items.T for name, items in self.items.items()}

    def added(self, some: slice) -> Floats:
        """What the second stage adds to the scores of some users, (n, n_items)."""
        result = np.zeros((len(self.check.users[some]), self.n_items), dtype=np.float32)
        for line, moved in zip(result, self.moved[some], strict=False):
            if moved is not None:
                line[moved[0]] = moved[1]
        return result


def choose_history(histories: Histories) -> tuple[dict[str, float], float]:
    """Weights of the blocks with the best nDCG@200 on the validation users, and that nDCG.

    iALS counts 1 where it is there; the others are tried on a grid. Of equally good ones the first is taken, which has
    the least of the others.
    """
    if "ials" not in histories.items or not len(histories.check.users):
        return {"joint": 1.0}, 0.0
    tried = list(product(EASE_GRID if "ease" in histories.items else (0.0,), JOINT_GRID))

    def ways(some: slice) -> Iterator[Floats]:
        scores = histories.scores(some)
        for ease, joint in tried:
            total = scores["ials"] + np.float32(joint) * scores["joint"]
            yield total + np.float32(ease) * scores["ease"] if ease else total

    value, (ease, joint) = _first_of_the_best(compared(histories.check, histories.n_items, ways), tried)
    return {"joint": joint, "ials": 1.0, "ease": ease}, value


def choose_rerank(histories: Histories, history: Mapping[str, float], least: float) -> tuple[float, dict[str, float]]:
    """How far to follow the second stage, and the weights of a history with it.

    It is followed where the nDCG@200 of the validation users is above that without it at the weights of `history`,
    `least`, by `RERANK_GAIN`.
    """
    tried = list(product(RERANK_GRID, JOINT_GRID))
    models = {name: weight for name, weight in history.items() if name in histories.items and name != "joint"}

    def ways(some: slice) -> Iterator[Floats]:
        scores, added = histories.scores(some), histories.added(some)
        taste = np.sum([np.float32(weight) * scores[name] for name, weight in models.items()], axis=0)
        for share, joint in tried:
            yield taste + np.float32(share) * added + np.float32(joint) * scores["joint"]

    value, (share, joint) = _first_of_the_best(compared(histories.check, histories.n_items, ways), tried)
    return (share, {**history, "joint": joint}) if value > least + RERANK_GAIN else (0.0, dict(history))


def choose_doubt(
    histories: Histories, weights: Mapping[str, float], rerank: float, taste: Taste
) -> tuple[float, float]:
    """How far to doubt what is predicted for items that nobody liked: the most that costs validation users nothing.

    `weights`, `rerank`: of the blocks and of the second stage, as histories are answered. Held-out users may like such
    items, too: doubts are what is best for the whole of their lists, where what is known is surer.
    """
    check = histories.check
    if not (np.asarray(taste.users) == 0).any() or not len(check.users):
        return 0.0, 0.0
    tried = list(product(UNKNOWN_GRID, PASSED_GRID))

    def ways(some: slice) -> Iterator[Floats]:
        scores = histories.scores(some)
        total = np.sum([np.float32(weight) * scores[name] for name, weight in weights.items()], axis=0)
        if rerank:
            total = total + np.float32(rerank) * histories.added(some)
        yield from (total - doubt_of(taste, *doubts) for doubts in tried)

    values = dict(zip(tried, compared(check, histories.n_items, ways), strict=True))
    least = max(values.values()) - DOUBT_COST
    return max((doubts for doubts, value in values.items() if value >= least), key=lambda doubts: (sum(doubts), doubts))


def fit_mixture(embedded: Embedded, taste: Taste, vectors: Mapping[str, Floats], check: HeldOut) -> Mixture:
    """The mixture of a space with taste: the weights of a history are chosen on the validation users.

    `vectors`: the items' in each block of taste, (n_items, length) float32.
    """
    check = few_enough(check, len(embedded.vectors))
    blocks = {"joint": embedded.vectors, **vectors}
    profiles = [(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles]
    queries = {"joint": _means(embedded.vectors, check.profiles), **taste.embed(profiles)}
    covariances = {name: covariance_of(block, embedded.searchable) for name, block in blocks.items()}
    spreads = {name: spread_of(queries[name], covariance) for name, covariance in covariances.items()}
    standard = {name: standardised(queries[name], covariance) for name, covariance in covariances.items()}
    histories = Histories(check, standard, blocks)
    history, value = choose_history(histories)
    mixture = Mixture(history=history, likes={name: weight for name, weight in LIKES.items() if name in blocks})
    if not len(check.users):
        return mixture
    if taste.reranker is not None:
        channel = TasteChannel(vectors, taste, history)
        folded = [
            Folded(
                rows,
                {name: queries[name][user] for name in vectors},
                {name: float(spreads[name][user]) for name in vectors},
            )
            for user, rows in enumerate(check.profiles)
        ]
        histories = replace(histories, moved=[channel.ordered(one, 1.0) for one in folded])
        share, reranked = choose_rerank(histories, history, value)
        mixture = replace(mixture, rerank=share, reranked=reranked) if share else mixture
    weights = (mixture.reranked if mixture.rerank else mixture.history) or {}
    size = np.sqrt(sum(weight**2 for weight in weights.values())) or 1
    unknown, passed = choose_doubt(histories, shares_of(weights), mixture.rerank / size, taste)
    return replace(mixture, unknown=unknown, passed=passed)


def _first_of_the_best(values: Sequence[float], tried: Sequence[Way]) -> tuple[float, Way]:
    """The highest value, and the first of the ways that have it."""
    best = max(range(len(values)), key=lambda place: values[place])
    return values[best], tried[best]


def _means(vectors: Floats, profiles: Sequence[NDArray[np.int32]]) -> Floats:
    if not profiles:
        return np.zeros((0, vectors.shape[1]), dtype=np.float32)
    return unit(np.stack([vectors[rows].mean(axis=0) for rows in profiles]))
