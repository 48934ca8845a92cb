"""Floors against slow and plain computations of the same."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.channels.words import tokens
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.baselines.concatenation import Concatenation
from antiphon.evaluate.baselines.ease import EASE
from antiphon.evaluate.baselines.fusion import RankFusion, ScoreFusion, standardised
from antiphon.evaluate.baselines.ials import IALS
from antiphon.evaluate.baselines.item_knn import ItemNeighbours
from antiphon.evaluate.protocols import Task, recommend_task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Neighbours, Popularity, mean_of_views
from antiphon.numbers.ease import ease_weights
from antiphon.numbers.factorization import Setting
from antiphon.numbers.vectors import unit

TEXTS = [
    "a dark thriller about a conspiracy in space",
    "space robots and robots in space",
    "a tender romance",
    "the dark the darker dark",
    "",
]


@pytest.fixture
def task(data: RunData) -> Task:
    """Test users of the small run."""
    return recommend_task(data)


def binary(data: RunData) -> np.ndarray:
    """The training matrix as zeros and ones, by a loop over interactions."""
    matrix = np.zeros((data.interactions.n_users, data.catalog.n_items))
    cold = set(data.split.cold_items.tolist())
    train = set(data.split.train.tolist())
    everything = data.interactions
    for user, item, positive in zip(everything.user, everything.item, everything.positive, strict=True):
        if positive and user in train and item not in cold:
            matrix[user, item] = 1
    return matrix


def test_ease_minimises_its_objective(data: RunData, task: Task) -> None:
    """Each column of B is the ridge regression of an item on all others (Steck 2019, equations 3 to 5)."""
    x, reg = binary(data), 3.0
    expected = np.zeros((x.shape[1], x.shape[1]))
    for item in range(x.shape[1]):
        others = np.arange(x.shape[1]) != item
        a = x[:, others]
        expected[others, item] = np.linalg.solve(a.T @ a + reg * np.eye(a.shape[1]), a.T @ x[:, item])
    system = EASE(data, reg)
    assert_allclose(system.weights, expected, atol=1e-5)
    scores = system.scores(task)
    known = data.popularity > 0
    for row, profile in enumerate(task.profiles):
        assert_allclose(scores[row][known], expected[profile].sum(axis=0)[known], atol=1e-4)
    assert np.isneginf(scores[:, ~known]).all()


def test_weighed_ease_minimises_its_objective() -> None:
    """With histories and items held back, and dropout as a penalty that grows with an item's weight: item by item."""
    import scipy.sparse as sp

    rng = np.random.default_rng(0)
    x = (rng.random((40, 9)) < rng.uniform(0.1, 0.7, 9)).astype(np.float64)
    histories, items, dropout, penalty = 0.6, 0.2, 0.33, 5.0
    scale, weights = ease_weights(sp.csr_matrix(x), penalty, histories=histories, items=items, dropout=dropout)
    lengths, users = np.maximum(x.sum(axis=1), 1), np.maximum(x.sum(axis=0), 1)
    assert_allclose(scale, users**-items)
    rows = lengths ** (-histories / 2)  # the square root of a user's weight
    a = rows[:, None] * x * users**-items
    squares = (a**2).sum(axis=0)
    mean = squares.sum() / x.sum()
    for item in range(x.shape[1]):
        others = np.arange(x.shape[1]) != item
        ridge = np.diag(penalty * mean + dropout / (1 - dropout) * squares[others])
        expected = np.linalg.solve(a[:, others].T @ a[:, others] + ridge, a[:, others].T @ a[:, item])
        assert_allclose(weights[others, item], expected, atol=1e-10)
        assert weights[item, item] == 0


def test_item_neighbours_are_shrunk_cosines(data: RunData, task: Task) -> None:
    """Similarity by counting users, with the nearest kept."""
    x, shrinkage, neighbours = binary(data), 2.0, 7
    n_items = x.shape[1]
    similar = np.zeros((n_items, n_items))
    for i in range(n_items):
        for j in range(n_items):
            shared = sum(x[:, i] * x[:, j])
            if i != j and shared:
                similar[i, j] = shared / (math.sqrt(sum(x[:, i])) * math.sqrt(sum(x[:, j])) + shrinkage)
        least = sorted(similar[i], reverse=True)[neighbours - 1]
        similar[i] = [value if value >= least - 1e-12 else 0 for value in similar[i]]
    system = ItemNeighbours(data, shrinkage, neighbours)
    assert_allclose(system.similar, similar, atol=1e-6)


def test_ials_scores_solve_the_normal_equations(data: RunData, task: Task) -> None:
    """A user's factors minimise the weighted squared error over all items (Hu et al. 2008, equation 3)."""
    setting = Setting(factors=6, alpha=3.0, regularization=0.5, iterations=5)
    system = IALS(data, setting)
    items = system.factors.items.astype(np.float64)
    scores = system.scores(task)
    known = data.popularity > 0
    for row, (profile, weights) in enumerate(zip(task.profiles, task.weights, strict=True)):
        confidence, wanted = np.ones(len(items)), np.zeros(len(items))
        confidence[profile] += setting.alpha * weights
        wanted[profile] = 1
        left = np.diag(confidence) @ items
        user = np.linalg.solve(items.T @ left + setting.regularization * np.eye(6), items.T @ (confidence * wanted))
        assert_allclose(scores[row][known], (items @ user)[known], atol=1e-4)


def test_bm25_is_the_formula() -> None:
    """Lucene's BM25 by a loop: idf = ln(1 + (N - n + .5) / (n + .5)), tf / (tf + k1 (1 - b + b length / average))."""
    k1, b = 1.2, 0.6
    words = tokens(TEXTS)
    system = BM25(words, k1=k1, b=b)
    queries = ["dark space", "robot conspiracies", "nothing of this"]
    task = text_task(queries, len(TEXTS))
    average = np.mean([len(line) for line in words])
    for query, scores in zip(queries, system.scores(task), strict=True):
        for item, line in enumerate(words):
            counts, total = Counter(line), 0.0
            for word in tokens([query])[0]:
                n = sum(word in other for other in words)
                if counts[word]:
                    idf = math.log(1 + (len(words) - n + 0.5) / (n + 0.5))
                    tf = counts[word]
                    total += idf * tf / (tf + k1 * (1 - b + b * len(line) / average))
            assert scores[item] == pytest.approx(total, rel=1e-5)


def test_words_are_stemmed_and_stop_words_left_out() -> None:
    """Plural and singular are one word, and `the` is none."""
    assert tokens(["The robots", "a Robot"]) == [["robot"], ["robot"]]


def test_reciprocal_rank_fusion_is_the_sum_of_reciprocals(data: RunData, task: Task) -> None:
    """1 / (k + rank), ranks from 1, items that a system does not rank add nothing (Cormack et al. 2009)."""
    systems = [Popularity(data), Neighbours("image", mean_of_views(data.features("image")))]
    fused = RankFusion("both", systems, k=10.0).scores(task)
    for row in range(len(task)):
        expected = np.zeros(task.n_items)
        for system in systems:
            for place, item in enumerate(system.rank(task, task.n_items)[row]):
                if item >= 0:
                    expected[item] += 1 / (10 + place + 1)
        assert_allclose(fused[row], expected, rtol=1e-5)


def test_fused_scores_have_equal_scale(data: RunData, task: Task) -> None:
    """Each system's finite scores have mean 0 and variance 1 for a query; what it cannot score gets its least."""
    scores = np.array([[1.0, 2.0, 3.0, -np.inf], [5.0, 5.0, 5.0, 5.0], [-np.inf] * 4], dtype=np.float32)
    result = standardised(scores)
    assert_allclose(result[0, :3], np.array([-1, 0, 1]) / math.sqrt(2 / 3), rtol=1e-6)
    assert result[0, 3] == result[0, 0]
    assert_allclose(result[1:], 0)
    one, two = Popularity(data), Neighbours("image", mean_of_views(data.features("image")))
    alone = ScoreFusion("one", [one, two], [1.0, 0.0]).rank(task, 5)
    np.testing.assert_array_equal(alone, one.rank(task, 5))


def test_concatenation_is_a_weighted_sum_of_cosines(data: RunData, task: Task) -> None:
    """With all modalities present, the inner product of concatenated vectors is the weighted sum of the blocks'."""
    rng = np.random.default_rng(0)
    blocks = {name: unit(rng.standard_normal((task.n_items, dim))) for name, dim in (("a", 5), ("b", 9))}
    system = Concatenation("both", blocks, {"a": 0.7, "b": 0.3})
    means = {name: np.stack([block[rows].mean(axis=0) for rows in task.profiles]) for name, block in blocks.items()}
    expected = 0.7 * means["a"] @ blocks["a"].T + 0.3 * means["b"] @ blocks["b"].T
    length = np.sqrt(0.7 * (means["a"] ** 2).sum(axis=1) + 0.3 * (means["b"] ** 2).sum(axis=1))
    assert_allclose(system.scores(task), expected / length[:, None], atol=1e-5)


def text_task(texts: list[str], n_items: int) -> Task:
    """A retrieval task without truths."""
    from antiphon.numbers.metrics import Relevance
    from antiphon.query.request import Query

    nothing = np.empty(0, dtype=np.int32)
    n = len(texts)
    ids = tuple(map(str, range(n)))
    return Task(
        "retrieve-all", "retrieve", ids, tuple(Query(text=text) for text in texts), (nothing,) * n,
        (nothing.astype(np.float32),) * n, tuple(texts), Relevance.from_lists([[]] * n), n_items,
    )  # fmt: skip
