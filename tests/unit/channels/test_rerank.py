"""The second stage for histories: what it reads, and what it adds."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.channels.base import Folded
from antiphon.channels.rerank import DEPTH, FEATURES, TENSORS, Reranker, features_of, head_of
from antiphon.channels.taste import TasteChannel
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
def channel() -> TasteChannel:
    """Over items of which the last hundred are known to nobody."""
    rng = np.random.default_rng(1)
    users = rng.integers(1, 1000, N_ITEMS).astype(np.float32)
    users[-100:] = 0
    items = {name: rng.normal(size=(N_ITEMS, 8)).astype(np.float32) for name in BLOCKS}
    taste = SimpleNamespace(users=users, reranker=reranker())
    return TasteChannel(items, taste, {"ials": 1.0, "ease": 0.5, "joint": 0.3})  # type: ignore[arg-type]


@pytest.fixture
def asked() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], list[np.ndarray]]:
    """Vectors, spreads and rows of two histories."""
    rng = np.random.default_rng(2)
    vectors = {name: rng.normal(size=(2, 8)).astype(np.float32) for name in BLOCKS}
    spreads = {name: np.array([2.0, 3.0], dtype=np.float32) for name in BLOCKS}
    return vectors, spreads, [np.array([3, 5], dtype=np.int32), np.array([7], dtype=np.int32)]


def added(channel: TasteChannel, vectors, spreads, rows) -> np.ndarray:
    """What the second stage adds to the scores of each history, over all items."""
    result = np.zeros((len(rows), N_ITEMS), dtype=np.float32)
    for place, history in enumerate(rows):
        mine = {name: part[place] for name, part in vectors.items()}
        moved = channel.ordered(
            Folded(history, mine, {name: float(part[place]) for name, part in spreads.items()}), 1.0
        )
        if moved is not None:
            result[place, moved[0]] = moved[1]
    return result


def first_stage(channel: TasteChannel, vectors, spreads, row: int) -> np.ndarray:
    """Scores of the first stage, by a naive sum."""
    return sum(
        channel.shares[name] * (vectors[name][row] @ channel.items[name].T) / spreads[name][row] for name in BLOCKS
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


def test_the_leading_items_keep_the_mean_and_spread_of_their_scores(channel, asked):
    """So that they can be held against the items behind them, and against other channels."""
    vectors, spreads, rows = asked
    more = added(channel, vectors, spreads, rows)
    for row in range(2):
        first = first_stage(channel, vectors, spreads, row)
        head = np.flatnonzero(more[row])
        assert len(head) == DEPTH
        assert_allclose((first + more[row])[head].mean(), first[head].mean(), atol=1e-4)
        assert_allclose((first + more[row])[head].std(), first[head].std(), rtol=1e-3)


def test_their_order_is_that_of_the_network(channel, asked):
    """The first stage chooses them and says nothing of their order."""
    vectors, spreads, rows = asked
    more = added(channel, vectors, spreads, rows)[0]
    first = first_stage(channel, vectors, spreads, 0)
    head = np.sort(np.flatnonzero(more))
    mine = {name: vectors[name][0] @ channel.items[name].T for name in BLOCKS}
    known = channel.users > 0
    moments = {name: (float(part[known].mean()), float(part[known].std())) for name, part in mine.items()}
    at_head = {name: part[head] for name, part in mine.items()}
    wanted = channel.reranker.scores(features_of(at_head, moments, head, rows[0], channel.users))
    got = (first + more)[head]
    assert_allclose(np.corrcoef(got, wanted)[0, 1], 1, atol=1e-4)


def test_items_of_the_history_and_items_that_nobody_knows_are_left_alone(channel, asked):
    """The network has learned from neither."""
    more = added(channel, *asked)
    assert not more[0, [3, 5]].any()
    assert not more[1, 7]
    assert not more[:, -100:].any()


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


def test_a_history_that_says_nothing_changes_nothing(channel):
    """Zeros in every block, as of items that nobody knows."""
    vectors = {name: np.zeros((1, 8), dtype=np.float32) for name in BLOCKS}
    spreads = {name: np.zeros(1, dtype=np.float32) for name in BLOCKS}
    assert_allclose(added(channel, vectors, spreads, [np.array([N_ITEMS - 1], dtype=np.int32)]), 0, atol=1e-6)


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
