"""Taste: item factors that keep their norms, so that a history is answered by inner products.

Cosine over item factors forgets how popular an item is; histories of warm users are answered better by the models'
own scores. Two linear models are kept, each as factors whose inner product is the score:

- iALS (Hu et al. 2008): the user's factors are folded in, the score is x_u . y_i;
- EASE (Steck 2019): the score is (sum of L over the history) . R_i, L and R of low rank (see `numbers.ease`).

Hyperparameters are chosen on the validation users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.channels.base import Allowed, Folded, Passing, Resolved, Rows, at, best_rows
from antiphon.channels.rerank import DEPTH, HEAD, Reranker, features_of, head_of, spread_alike
from antiphon.config.sections import SpaceConfig
from antiphon.data.held_out import few_enough, score_of_vectors, user_item_matrix
from antiphon.data.splits import HeldOut
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import LARGE
from antiphon.numbers.ease import ease_fits
from antiphon.numbers.engine import BuildEngine
from antiphon.numbers.exact import SPARSE
from antiphon.numbers.factorization import (
    History,
    Ranges,
    Setting,
    draw_settings,
    factorize,
    fold_in,
    search_settings,
    to_search,
)
from antiphon.numbers.random_search import uphill
from antiphon.numbers.vectors import looked_up, without

Floats = NDArray[np.float32]
LEADING = "leading"
"""What the first stage says of rows that were read, by which those that the second one orders are found."""
EASE_PENALTIES = (50.0, 100.0, 300.0, 600.0, 1000.0, 2000.0)
USUAL_PENALTY = 500.0
USUAL = Setting(factors=128, alpha=12.0, regularization=100.0, iterations=15)
RANGES: Mapping[str, Any] = {"factors": (64, 96, 128), "alpha": (2.0, 30.0), "regularization": (10.0, 200.0)}
"""Scores that keep their norms want a stronger regularization than neighbours by cosine: the search is near it."""
ARRAYS = ("ials", "ease", "ease_left", "users", "passed")
STEP = 8_192
"""Rows whose products are summed at once."""
NOT_MET = np.float32(-1)
"""In place of how many passed an item over: it came after training, and nobody can have met it."""


@dataclass(frozen=True)
class Taste:
    """Item factors of both models, and what turns a history into vectors of the same length.

    `ials`: (n_items, factors) float32. `ease`: (n_items, rank) float32, the right factors; `ease_left`: (n_items,
    rank) float32. Rows of items without interactions are zeros. `users`: (n_items,) float32, the training users of
    each item. `passed`: (n_items,) float32, the training users who met it and did not like it; `NOT_MET` for items
    that came after training, zeros where not given. `penalty`: that of EASE. `reranker`: the second stage for
    histories, where there is one.
    """

    ials: Floats
    setting: Setting
    ease: Floats
    ease_left: Floats
    users: Floats
    passed: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    penalty: float = USUAL_PENALTY
    reranker: Reranker | None = None

    def __post_init__(self) -> None:
        if not len(self.passed):
            object.__setattr__(self, "passed", np.zeros(len(self.users), dtype=np.float32))

    @cached_property
    def gram(self) -> Floats:
        """Y'Y of the iALS factors, which every folding in needs."""
        gram: Floats = np.asarray(self.ials).T @ np.asarray(self.ials)
        return gram

    def embed(self, histories: Sequence[History]) -> dict[str, Floats]:
        """Vectors of histories by block, each (n, length of the block) float32."""
        return {
            "ials": fold_in(self.ials, self.gram, self.setting, histories),
            "ease": _summed(self.ease_left, [rows for rows, _ in histories]),
        }

    def save(self, folder: Path) -> list[Path]:
        """Write the factors and the setting; returns the paths."""
        for name in ARRAYS:
            storage.write_array(folder / f"{name}.npy", getattr(self, name))
        storage.write_json(folder / "setting.json", {"ials": asdict(self.setting), "ease": {"penalty": self.penalty}})
        for left in Reranker.paths(folder):
            left.unlink(missing_ok=True)
        if self.reranker is not None:
            self.reranker.save(folder)
        return self.paths(folder)

    @staticmethod
    def paths(folder: Path) -> list[Path]:
        """The files that `save` writes; those of a reranker where it has written some."""
        reranker = [path for path in Reranker.paths(folder) if path.is_file()]
        return [*(folder / f"{name}.npy" for name in ARRAYS), folder / "setting.json", *reranker]

    @property
    def lengths(self) -> dict[str, int]:
        """The lengths of the vectors by block."""
        return {"ials": int(self.ials.shape[1]), "ease": int(self.ease.shape[1])}

    def blocks(self) -> dict[str, Floats]:
        """Item vectors by block, those with at least one dimension."""
        both = {"ials": np.asarray(self.ials), "ease": np.asarray(self.ease)}
        return {name: block for name, block in both.items() if block.shape[1]}

    @classmethod
    def load(cls, folder: Path) -> Taste:
        """Read what `save` wrote; the factors are memory-mapped."""
        arrays = {name: storage.read_array(folder / f"{name}.npy", mmap=True) for name in ARRAYS}
        settings = storage.read_json(folder / "setting.json")
        return cls(
            setting=Setting(**settings["ials"]),
            penalty=settings["ease"]["penalty"],
            reranker=Reranker.load(folder),
            **arrays,
        )


def doubt_of(taste: Taste, unknown: float, passed: float) -> Floats:
    """What items that nobody liked lose beside a history, (n_items,) float32, 0 or more.

    What is predicted for such an item is unsure, and the less likely the more people met it and did not like it:
    unknown + passed * log(1 + n), n people who passed it over. Items that came after training lose nothing.
    """
    doubted = (np.asarray(taste.users) == 0) & (np.asarray(taste.passed) != NOT_MET)
    lost = unknown + passed * np.log1p(np.maximum(taste.passed, 0))
    result: Floats = np.where(doubted, lost, 0).astype(np.float32)
    return result


def popularity_of(users: Floats) -> Floats:
    """How many know each item, on a log scale, in standard deviations, (n_items,) float32."""
    known = np.log1p(np.asarray(users))
    spread = known.std()
    result: Floats = ((known - known.mean()) / (spread or 1)).astype(np.float32)
    return result


def shares_of(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Weights of blocks as a vector of length 1; the joint block alone if there are none."""
    weights = weights or {"joint": 1.0}
    size = float(np.sqrt(sum(weight**2 for weight in weights.values())))
    return {name: weight / size for name, weight in weights.items()}


class TasteChannel:
    """Inner products with the factors of taste; where a history stands alone, a second stage orders the leading items.

    `items`: vectors by block, (n_items, length) float32, those of unknown items predicted. `shares`: weights of the
    blocks in the first stage, by which the leading items are found. `coded`: what finds rows by codes of all blocks in
    a large space, and `columns`: the columns of each, [start, stop).
    """

    name = "taste"
    voices: tuple[str, ...] = ("taste", "rerank", "popularity", "doubt")

    def __init__(
        self,
        items: Mapping[str, Floats],
        taste: Taste,
        shares: Mapping[str, float],
        doubt: Floats | None = None,
        coded: CodedIndex | None = None,
        columns: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self.items, self.users, self.reranker, self.shares = items, np.asarray(taste.users), taste.reranker, shares
        self.coded, self.columns = coded, columns or {}
        self.doubt = np.zeros(len(taste.users), dtype=np.float32) if doubt is None else doubt

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with factors of taste."""
        items = {name: block for name, block in space.items.items() if name != "joint"}
        if not items or space.taste is None:
            return None
        doubt = doubt_of(space.taste, space.mixture.unknown, space.mixture.passed)
        shares = shares_of(space.mixture.reranked)
        return cls(items, space.taste, shares, doubt, space.coded, space.manifest["blocks"])

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Items that somebody likes, (n_items,) bool."""
        return np.asarray(self.users > 0)

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest scores."""
        return best_rows(self.scores(resolved, None), n, allowed)

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """Sums of inner products over the blocks, and what the second stage changes. `rows` ascend."""
        n_rows = len(self.users) if rows is None else len(rows)
        result = np.zeros((len(resolved), n_rows), dtype=np.float32)
        if (known := resolved.at_hand(self.name, rows)) is not None:
            result += known
        else:
            for name, items in self.items.items():
                if resolved.vectors[name].any():
                    result += resolved.vectors[name] @ at(items, rows).T
        if resolved.weights["popularity"].any():
            result += self._known_to_many(resolved, rows)
        if resolved.weights["doubt"].any():
            result -= resolved.weights["doubt"][:, None] * at(self.doubt, rows)
        for line, moved in zip(result, resolved.kept(self.name, lambda: self.second(resolved)), strict=True):
            if moved is None:
                continue
            head, added = moved
            if rows is None:
                line[head] += added
            else:
                places, there = looked_up(rows, head) if len(rows) else (head, np.zeros(len(head), dtype=bool))
                line[places[there]] += added[there]
        return result

    def leaning(self, resolved: Resolved, place: int) -> Floats | None:
        """What popularity counts in one request, (n_items,) float32; None where it counts for nothing."""
        weight = resolved.weights["popularity"][place]
        return weight * self._popularity if weight else None

    def explain(self, resolved: Resolved, row: int) -> Mapping[str, float]:
        """The share of taste."""
        rows = np.array([row])
        score, known = float(self.scores(resolved, rows)[0, 0]), float(self._known_to_many(resolved, rows)[0, 0])
        shares = {self.name: score - known} if resolved.weights[self.name].any() else {}
        return {**shares, "popularity": known} if resolved.weights["popularity"].any() else shares

    def _known_to_many(self, resolved: Resolved, rows: Rows | None) -> Floats:
        known = self._popularity if rows is None else self._popularity[rows]
        result: Floats = resolved.weights["popularity"][:, None] * known
        return result

    def second(self, resolved: Resolved, near: Sequence[Rows] | None = None) -> list[tuple[Rows, Floats] | None]:
        """For each request the rows that the second stage orders and what it adds to them; None where it has no say.

        They lead among the items that the request's filter lets through. `near`: for each request rows that they are
        among, where these are known already.
        """
        result: list[tuple[Rows, Floats] | None] = []
        for place, (history, weight) in enumerate(zip(resolved.histories, resolved.weights["rerank"], strict=True)):
            if history is None or not weight:
                result.append(None)
            else:
                leading = self.leading_of(resolved, place, None if near is None else near[place])
                result.append(self.ordered(history, weight, leading))
        return result

    def ordered(
        self, history: Folded, weight: float, leading: tuple[Rows, Floats] | None = None
    ) -> tuple[Rows, Floats] | None:
        """Rows of the items that the second stage orders, and what it adds to their scores; None for fewer than two.

        The leading items get the network's scores with the mean and the standard deviation of those that they had:
        so they can be held against other items and other channels. Only these items are scored by the network.

        `leading`: as `TasteChannel.leading`; of all items where not given.
        """
        assert self.reranker is not None  # noqa: S101  its weight is 0 without one
        head, first = self.leading(history) if leading is None else leading
        if len(head) < 2:
            return None
        scores = self.scores_at(history, head, self.reranker.blocks)
        moments = {name: self._moments_of(name, history.vectors[name]) for name in self.reranker.blocks}
        found = self.reranker.scores(features_of(scores, moments, head, history.rows, self.users))
        return head, np.float32(weight) * (spread_alike(found, first) - first)

    def leading_of(self, resolved: Resolved, place: int, near: Rows | None) -> tuple[Rows, Floats]:
        """As `leading`, for one request and what its filter lets through; among `near`, where these were read."""
        history = resolved.histories[place]
        assert history is not None  # noqa: S101  asked for requests with one
        if near is None or (first := resolved.at_hand(LEADING, near)) is None:
            return self.leading(history, resolved.passing_at(place))
        open_ = self.known[near]
        places, there = looked_up(near, history.rows) if len(near) else (near, open_)
        open_[places[there]] = False
        return _best_of(near[open_], first[open_])

    def leading(self, history: Folded, passing: Passing | None = None) -> tuple[Rows, Floats]:
        """The rows that lead by the first stage and their scores, (n,) float32; `passing`: those that they may be."""
        allowed = None if passing is None else passing.mask
        if self.coded is None and passing is not None and passing.n <= SPARSE * len(self.users):
            rows = without(passing.rows[self.known[passing.rows]], history.rows)
            return _best_of(rows, self._first(history, rows))
        if self.coded is None:
            first = self._first(history, None)
            head = head_of(first, history.rows, self.users, allowed)
            return head, first[head]
        known = allowed if self.known.all() else self.known if allowed is None else self.known & allowed
        asked = self.first_stage(history, self.coded.width)
        rows, scores = self.coded.search(asked[None], HEAD * DEPTH + len(history.rows), allowed=known)
        open_ = (rows[0] >= 0) & ~np.isin(rows[0], history.rows)
        return _best_of(rows[0][open_], scores[0][open_])

    def _first(self, history: Folded, rows: Rows | None) -> Floats:
        """What the first stage says of some rows, or of all items."""
        first = np.zeros(len(self.users) if rows is None else len(rows), dtype=np.float32)
        for name, scale in self.scales(history).items():
            first += scale * (at(self.items[name], rows) @ history.vectors[name])
        return first

    def first_stage(self, history: Folded, width: int) -> Floats:
        """What the first stage counts of a history, over the columns of all blocks: a query of the codes, (width,)."""
        result = np.zeros(width, dtype=np.float32)
        for name, scale in self.scales(history).items():
            result[slice(*self.columns[name])] = scale * history.vectors[name]
        return result

    def scales(self, history: Folded) -> dict[str, np.float32]:
        """What each block counts in the first stage, over the spread of its scores."""
        spreads = {name: history.spreads[name] for name in history.vectors if history.spreads[name] > 0}
        return {name: np.float32(self.shares.get(name, 0.0) / spread) for name, spread in spreads.items()}

    def scores_at(self, history: Folded, rows: Rows, blocks: Sequence[str]) -> dict[str, Floats]:
        """Inner products of some rows with a history, by block."""
        return {name: at(self.items[name], rows) @ history.vectors[name] for name in blocks}

    @cached_property
    def _popularity(self) -> Floats:
        """How many know each item, on a log scale, in standard deviations, (n_items,) float32."""
        return popularity_of(self.users)

    @property
    def prior(self) -> Floats:
        """What is known of items before anything is asked: how many know each, minus its doubt, (n_items, 2)."""
        return np.stack([self._popularity, -np.asarray(self.doubt)], axis=1).astype(np.float32)

    def _moments_of(self, name: str, vector: Floats) -> tuple[float, float]:
        """Mean and standard deviation of a history's scores over the items that somebody knows."""
        mean, covariance = self.known_moments[name]
        return float(vector @ mean), float(np.sqrt(max(float(vector @ covariance @ vector), 0.0)))

    @cached_property
    def known_moments(self) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Mean and covariance of the vectors of items that somebody knows, by block."""
        met = np.asarray(self.users > 0)
        return {name: _moments(items, met) for name, items in self.items.items()}


def _best_of(rows: Rows, scores: Floats) -> tuple[Rows, Floats]:
    """The rows that the second stage orders, and their scores."""
    best = np.argpartition(-scores, DEPTH - 1)[:DEPTH] if len(rows) > DEPTH else np.arange(len(rows))
    return rows[best], scores[best]


def _moments(items: Floats, met: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of some rows, float64; of many rows in steps, which hold no copy of them."""
    if len(items) <= LARGE:
        known = np.asarray(items[met], dtype=np.float64)
        centred = known - known.mean(axis=0)
        return known.mean(axis=0), centred.T @ centred / max(1, len(known))
    length, n_rows = items.shape[1], max(1, int(met.sum()))
    total, products = np.zeros(length), np.zeros((length, length))
    for start in range(0, len(items), STEP):
        part = np.asarray(items[start : start + STEP][met[start : start + STEP]])
        total += part.sum(axis=0, dtype=np.float64)
        products += part.T @ part  # of some thousand rows float32 is enough
    mean = total / n_rows
    return mean, products / n_rows - np.outer(mean, mean)


def fit_taste(
    interactions: Any,
    check: HeldOut,
    n_items: int,
    config: SpaceConfig,
    *,
    seed: int,
    table: Path,
    progress: Progress,
    engine: BuildEngine | None = None,
) -> Taste:
    """Fit both models on training interactions, with the settings that are best on the held-out users `check`.

    `engine`: where iALS is fitted, this process where None.
    """
    matrix, check = user_item_matrix(interactions, n_items), few_enough(check, n_items)
    known, tried = np.asarray(matrix.getnnz(axis=0) > 0), to_search(matrix, seed)

    def score(setting: Setting) -> float:
        items = factorize(tried, setting, seed, engine).items
        return score_of_vectors(fold_in(items, items.T @ items, setting, _histories(check)), items, check)

    settings = draw_settings(Ranges(config.taste_trials, **RANGES), seed, USUAL)
    best = settings[0]
    if len(check.users):
        best = search_settings(settings, score, table, name="searching taste", progress=progress)
    penalty, left, right = _fit_ease(matrix, check, config.ease_rank, progress)
    # Exactly zero, not by rounding: that is how an item that nobody has met is told from the others.
    items = np.where(known[:, None], factorize(matrix, best, seed, engine).items, 0).astype(np.float32)
    users = np.asarray(matrix.getnnz(axis=0)).astype(np.float32)
    return Taste(items, best, right, left, users, penalty=penalty)


def _fit_ease(matrix: Any, check: HeldOut, rank: int, progress: Progress) -> tuple[float, Floats, Floats]:
    """The best penalty on the held-out users, and its factors."""
    penalties = EASE_PENALTIES if len(check.users) else (USUAL_PENALTY,)
    with progress("fitting EASE", len(penalties)) as advance:
        fits = ease_fits(matrix, rank)

        def fitted(penalty: float) -> tuple[float, tuple[float, Floats, Floats]]:
            left, right = fits(penalty)
            score = score_of_vectors(_summed(left, check.profiles), right, check) if len(check.users) else 0.0
            advance(1)
            return score, (penalty, left, right)

        return uphill(penalties, fitted)


def _summed(left: Floats, histories: Sequence[NDArray[np.int32]]) -> Floats:
    rows = [np.asarray(left[items]).sum(axis=0) for items in histories]
    return np.stack(rows) if rows else np.zeros((0, left.shape[1]), dtype=np.float32)


def _histories(check: HeldOut) -> list[History]:
    return [(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles]
