"""Training the second stage: on users that the first stage has not seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from antiphon.base import runtime
from antiphon.base.progress import silent
from antiphon.base.runtime import scipy_sparse
from antiphon.channels import rerank_training
from antiphon.channels.rerank import DEPTH, TENSORS
from antiphon.channels.rerank_training import fit_reranker
from antiphon.channels.taste import Taste, fit_taste
from antiphon.config.sections import SpaceConfig
from antiphon.numbers.factorization import Setting

pytest.importorskip("implicit")
pytest.importorskip("torch")
N_USERS, N_ITEMS = 560, 2 * DEPTH + 50


@pytest.fixture(scope="module")
def matrix():
    """Users of three groups, who like items of their group, the first ones most."""
    rng = np.random.default_rng(0)
    chance = np.tile(0.5 / (1 + np.arange(N_ITEMS) / 60), (N_USERS, 1))
    chance[np.arange(N_USERS)[:, None] % 3 != np.arange(N_ITEMS)[None, :] % 3] *= 0.2
    return scipy_sparse().csr_matrix((rng.random(chance.shape) < chance).astype(np.float32))


@pytest.fixture(scope="module")
def taste(matrix) -> Taste:
    """Random factors: only settings and counts are read of it."""
    rng = np.random.default_rng(1)
    users = np.asarray(matrix.getnnz(axis=0)).astype(np.float32)
    ials, ease = (rng.normal(size=(N_ITEMS, 4)).astype(np.float32) for _ in range(2))
    return Taste(ials, Setting(4, 1.0, 1.0, 3), ease, ease, users)


def test_it_learns_what_people_want(matrix, taste, monkeypatch):
    """Of the leading items, those that a user has score higher than those that nobody of the group takes."""
    monkeypatch.setattr(rerank_training, "EPOCHS", 3)
    found = fit_reranker(matrix, taste)
    assert found is not None
    rng = np.random.default_rng(2)
    fold = np.arange(30)
    gains = []
    for features, wanted in rerank_training._fold(matrix, fold, taste, rng, 0):
        scores = found.scores(features)
        gains.append(scores[wanted].mean() - scores[~wanted].mean())
    assert np.mean(np.array(gains) > 0) > 0.9


def test_the_same_seed_gives_the_same_networks(matrix, taste, monkeypatch):
    """Another one gives others."""
    monkeypatch.setattr(rerank_training, "EPOCHS", 1)
    first, again, other = (fit_reranker(matrix, taste, seed=seed) for seed in (0, 0, 1))
    assert first is not None
    assert again is not None
    assert other is not None
    for name in TENSORS:
        assert_array_equal(first.tensors[name], again.tensors[name])
    assert not np.array_equal(first.tensors["w1"], other.tensors["w1"])


def test_with_few_users_or_items_there_is_none(matrix, taste):
    """A network would learn noise."""
    assert fit_reranker(matrix[:400], taste) is None
    few = np.where(np.arange(N_ITEMS) < DEPTH, taste.users, 0)
    assert fit_reranker(matrix, replace(taste, users=few)) is None
    assert fit_reranker(matrix, replace(taste, ease=np.zeros((N_ITEMS, 0), np.float32))) is None


def test_a_user_is_scored_by_models_without_the_user(matrix, taste, monkeypatch):
    """No interaction of a fold reaches the models whose scores of it are learned from."""
    seen = []
    whole = rerank_training.factorize

    def spy(rest, *args):
        seen.append(rest.shape[0])
        return whole(rest, *args)

    monkeypatch.setattr(rerank_training, "factorize", spy)
    list(rerank_training._fold(matrix, np.arange(100), taste, np.random.default_rng(0), 0))
    assert seen == [N_USERS - 100]


def test_taste_keeps_its_second_stage(matrix, taste, tmp_path: Path, monkeypatch):
    """It is saved and loaded with the factors, and gone with those of a fit without it."""
    monkeypatch.setattr(rerank_training, "EPOCHS", 1)
    found = fit_reranker(matrix, taste)
    paths = replace(taste, reranker=found).save(tmp_path)
    assert all(path.is_file() for path in paths)
    loaded = Taste.load(tmp_path)
    assert loaded.reranker is not None
    assert loaded.penalty == taste.penalty
    assert len(taste.save(tmp_path)) == len(paths) - 2
    assert Taste.load(tmp_path).reranker is None


def test_the_penalty_of_ease_is_kept(matrix, tmp_path: Path):
    """The folds are fitted with it."""
    from antiphon.data.catalog import Interactions
    from antiphon.data.splits import HeldOut

    rows, items = matrix.nonzero()
    ones = np.ones(len(items), dtype=np.float32)
    given = Interactions(tuple(map(str, range(N_USERS))), rows.astype(np.int32), items.astype(np.int32), ones, ones > 0)
    check = HeldOut(np.arange(1), (np.array([0, 3], np.int32),), (np.array([6, 9], np.int32),))
    fitted = fit_taste(
        given, check, N_ITEMS, SpaceConfig(taste_trials=1, ease_rank=4), seed=0, table=tmp_path / "t", progress=silent
    )
    assert fitted.penalty in (50.0, 100.0, 300.0, 600.0, 1000.0, 2000.0)
    assert_array_equal(fitted.users, matrix.getnnz(axis=0))


def test_users_are_scored_in_blocks(matrix, taste, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learned from does not depend on how many are scored at once."""

    def looked_at() -> list[np.ndarray]:
        found = rerank_training._fold(matrix, np.arange(40), taste, np.random.default_rng(3), 0)
        return [features for features, _ in found]

    whole = looked_at()
    monkeypatch.setattr(rerank_training, "MOST_SCORES", 5 * N_ITEMS)
    assert len(whole) > 10
    np.testing.assert_allclose(looked_at(), whole, atol=1e-4)


def test_members_trained_together_are_those_that_are_trained_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each member's first step is that of a network of its own with the same start and the same users."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(40, rerank_training.DEPTH, 5)).astype(np.float32)
    wanted = rng.random((40, rerank_training.DEPTH)) < 0.02
    wanted[:, 0] = True
    monkeypatch.setattr(rerank_training, "EPOCHS", 1)
    monkeypatch.setattr(rerank_training, "BATCH", 40)
    together = rerank_training._fit(features, wanted, ("ials",), 7, silent)

    draws, torch = np.random.default_rng([7, 15]), runtime.torch()
    inputs = torch.from_numpy((features - features.mean(axis=(0, 1))) / features.std(axis=(0, 1)))
    shares = torch.from_numpy((wanted / wanted.sum(axis=1, keepdims=True)).astype(np.float32))
    orders = [draws.permutation(40) for _ in range(rerank_training.MEMBERS)]
    parts = [draws.permutation(rerank_training.DEPTH)[: rerank_training.SAMPLED] for _ in orders]
    for member, (order, part) in enumerate(zip(orders, parts, strict=True)):
        torch.manual_seed(7 * 1_000_003 + member)
        layers = [torch.nn.Linear(5, 32), torch.nn.Linear(32, 32), torch.nn.Linear(32, 1)]
        network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
        optimizer = torch.optim.AdamW(network.parameters(), lr=rerank_training.RATE, weight_decay=rerank_training.DECAY)
        logs = network(inputs[order][:, part])[:, :, 0].log_softmax(dim=1)
        (-(logs * shares[order][:, part]).sum(dim=1).mean()).backward()
        optimizer.step()
        for number, layer in enumerate(layers, 1):
            assert together.tensors[f"w{number}"][member] == pytest.approx(layer.weight.detach().numpy().T, abs=1e-5)
