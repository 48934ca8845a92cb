"""The second stage for histories: what it reads, and what it adds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.channels.rerank import DEPTH, FEATURES, TENSORS, Reranker, Reranking, features_of, head_of
from antiphon.errors import IntegrityError

N_ITEMS = DEPTH + 200
BLOCKS = ("ials", "ease")
N_FEATURES = 2 * len(BLOCKS) + len(FEATURES) - 2


def reranker(seed: int = 0) -> Reranker:
    """Networks with random weights."""
    rng = np.random.default_rng(seed)
    shapes = {
        "shift": (N_FEATURES,), "scale": (N_FEATURES,), "w1": (2, N_FEATURES, 4), "b1": (2, 1, 4), "w2": (2, 4, 4),
        "b2": (2, 1, 4), "w3": (2, 4, 1),
    }  # fmt: skip
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    return Reranker(BLOCKS, {**tensors, "scale": np.ones(N_FEATURES, dtype=np.float32)})


@pytest.fixture
def reranking() -> Reranking:
    """Over items of which the last hundred are known to nobody."""
    rng = np.random.default_rng(1)
    users = rng.integers(1, 1000, N_ITEMS).astype(np.float32)
    users[-100:] = 0
    items = {name: rng.normal(size=(N_ITEMS, 8)).astype(np.float32) for name in BLOCKS}
    return Reranking(reranker(), items, users, {"ials": 1.0, "ease": 0.5, "joint": 0.3})


@pytest.fixture
def asked() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[np.ndarray]]:
    """Vectors, spreads and rows of two histories."""
    rng = np.random.default_rng(2)
    vectors = {name: rng.normal(size=(2, 8)).astype(np.float32) for name in BLOCKS}
    spreads = {name: np.array([2.0, 3.0], dtype=np.float32) for name in BLOCKS}
    return vectors, spreads, [np.array([3, 5], dtype=np.int32), np.array([7], dtype=np.int32)]


def first_stage(reranking: Reranking, vectors, spreads, row: int) -> np.ndarray:
    """Scores of the first stage, by a naive sum."""
    return sum(
        reranking.weights[name] * (vectors[name][row] @ reranking.items[name].T) / spreads[name][row] for name in BLOCKS
    )


def test_the_scores_are_the_mean_of_the_networks():
    """Each is two hidden layers of rectified sums."""
    model, features = reranker(), np.random.default_rng(3).normal(size=(5, N_FEATURES)).astype(np.float32)
    parts, expected = model.tensors, np.zeros(5)
    for member in range(2):
        hidden = np.maximum((features - parts["shift"]) @ parts["w1"][member] + parts["b1"][member], 0)
        hidden = np.maximum(hidden @ parts["w2"][member] + parts["b2"][member], 0)
        expected += (hidden @ parts["w3"][member])[:, 0] / 2
    assert_allclose(model.scores(features), expected, rtol=1e-4, atol=1e-5)


def test_the_leading_items_keep_the_mean_and_spread_of_their_scores(reranking, asked):
    """So that they can be held against the items behind them, and against other channels."""
    vectors, spreads, rows = asked
    added = reranking.added(vectors, spreads, rows)
    for row in range(2):
        first = first_stage(reranking, vectors, spreads, row)
        head = np.flatnonzero(added[row])
        assert len(head) == DEPTH
        assert_allclose((first + added[row])[head].mean(), first[head].mean(), atol=1e-4)
        assert_allclose((first + added[row])[head].std(), first[head].std(), rtol=1e-3)


def test_their_order_is_that_of_the_network(reranking, asked):
    """The first stage chooses them and says nothing of their order."""
    vectors, spreads, rows = asked
    added = reranking.added(vectors, spreads, rows)[0]
    first = first_stage(reranking, vectors, spreads, 0)
    head = np.sort(np.flatnonzero(added))
    mine = {name: vectors[name][0] @ reranking.items[name].T for name in BLOCKS}
    wanted = reranking.reranker.scores(features_of(mine, head, rows[0], reranking.users))
    got = (first + added)[head]
    assert_allclose(np.corrcoef(got, wanted)[0, 1], 1, atol=1e-4)


def test_items_of_the_history_and_items_that_nobody_knows_are_left_alone(reranking, asked):
    """The network has learned from neither."""
    added = reranking.added(*asked)
    assert not added[0, [3, 5]].any()
    assert not added[1, 7]
    assert not added[:, -100:].any()


def test_the_head_is_the_best_of_the_others():
    """As a full sort says; fewer where there are fewer."""
    rng = np.random.default_rng(4)
    scores, users = rng.normal(size=N_ITEMS), np.ones(N_ITEMS, dtype=np.float32)
    users[:50] = 0
    history = np.array([60, 61], dtype=np.int32)
    order = [item for item in np.argsort(-scores) if item >= 50 and item not in (60, 61)]
    assert set(head_of(scores, history, users)) == set(order[:DEPTH])
    few = np.zeros(N_ITEMS, dtype=np.float32)
    few[[1, 2, 60]] = 1
    assert set(head_of(scores, history, few)) == {1, 2}
    assert len(head_of(scores, history, np.zeros(N_ITEMS, dtype=np.float32))) == 0


def test_a_history_that_says_nothing_changes_nothing(reranking):
    """Zeros in every block, as of items that nobody knows."""
    vectors = {name: np.zeros((1, 8), dtype=np.float32) for name in BLOCKS}
    spreads = {name: np.zeros(1, dtype=np.float32) for name in BLOCKS}
    assert_allclose(reranking.added(vectors, spreads, [np.array([N_ITEMS - 1], dtype=np.int32)]), 0, atol=1e-6)


def test_what_is_saved_is_loaded(tmp_path: Path):
    """And nothing where nothing was saved."""
    assert Reranker.load(tmp_path) is None
    model = reranker()
    model.save(tmp_path)
    loaded = Reranker.load(tmp_path)
    assert loaded is not None
    assert loaded.blocks == BLOCKS
    for name in TENSORS:
        assert_array_equal(loaded.tensors[name], model.tensors[name])


def test_a_damaged_file_is_named(tmp_path: Path):
    """Not a traceback of a library."""
    reranker().save(tmp_path)
    (tmp_path / "reranker.safetensors").write_bytes(b"nonsense")
    with pytest.raises(IntegrityError, match=r"reranker\.safetensors"):
        Reranker.load(tmp_path)
