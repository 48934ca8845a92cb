"""Collaborative filtering: the objective of Hu et al., folding in, and a search that only sees validation users."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base.progress import silent
from antiphon.config.sections import CatalogConfig, SplitConfig
from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.descriptions import Descriptions
from antiphon.data.held_out import knn_score, user_item_matrix
from antiphon.data.splits import HeldOut, make_split
from antiphon.encoders import collaborative
from antiphon.encoders.base import Source
from antiphon.encoders.collaborative import Collaborative, CollaborativeOptions
from antiphon.errors import ConfigError
from antiphon.numbers.factorization import Setting, draw_settings, factorize, fold_in

pytest.importorskip("implicit")

N_USERS, N_ITEMS = 60, 25
SETTING = Setting(factors=4, alpha=3.0, regularization=0.5, iterations=60)
SPLIT = SplitConfig(test=0.2, validation=0.2)


def make_interactions(seed: int = 0) -> Interactions:
    """Users with a taste for one of five groups of items; the last two items nobody has."""
    rng = np.random.default_rng(seed)
    pairs = []
    for user in range(N_USERS):
        likely = np.where(np.arange(N_ITEMS - 2) % 5 == user % 5, 6.0, 0.5)
        items = rng.choice(N_ITEMS - 2, size=int(rng.integers(4, 9)), replace=False, p=likely / likely.sum())
        pairs += [(user, int(item)) for item in sorted(items)]
    user, item = np.array(pairs, dtype=np.int32).T
    weight = rng.integers(1, 5, size=len(user)).astype(np.float32)
    return Interactions(tuple(f"u{i:02}" for i in range(N_USERS)), user, item, weight, np.ones(len(user), bool))


def make_source(interactions: Interactions | None, seed: int = 0, split: SplitConfig = SPLIT) -> Source:
    """Everything that the encoder reads."""
    ids = [f"i{number:02}" for number in range(N_ITEMS)]
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {}, interactions)
    return Source(catalog, Descriptions({}), make_split(catalog, split, seed), split, seed)


def encoder(**options: Any) -> Collaborative:
    """The encoder with a short search."""
    return Collaborative(
        "cf", CollaborativeOptions(**{"trials": 4, "factors": (4, 8), "iterations": (3, 8), **options})
    )


def objective(matrix: np.ndarray, users: np.ndarray, items: np.ndarray, setting: Setting) -> float:
    """Sum c (p - x.y)^2 + reg (|x|^2 + |y|^2), written out densely (Hu et al. 2008, equation 3)."""
    confidence = 1 + setting.alpha * matrix
    residual = (matrix > 0) - users @ items.T
    penalty = setting.regularization * (np.square(users).sum() + np.square(items).sum())
    return float((confidence * residual**2).sum() + penalty)


def best_users(matrix: np.ndarray, items: np.ndarray, setting: Setting) -> np.ndarray:
    """The users that minimise the objective for given items, by dense normal equations (equation 4)."""
    rows = []
    for line in matrix:
        confidence = np.diag(1 + setting.alpha * line)
        left = items.T @ confidence @ items + setting.regularization * np.eye(items.shape[1])
        rows.append(np.linalg.solve(left, items.T @ confidence @ (line > 0)))
    return np.array(rows)


def dense(interactions: Interactions) -> np.ndarray:
    """Weights as a plain matrix."""
    matrix = np.zeros((interactions.n_users, N_ITEMS))
    matrix[interactions.user, interactions.item] = interactions.weight
    return matrix


def test_the_matrix_holds_every_weight() -> None:
    """(n_users, n_items) CSR, float32, equal to the interactions."""
    interactions = make_interactions()
    matrix = user_item_matrix(interactions, N_ITEMS)
    assert matrix.shape == (N_USERS, N_ITEMS)
    assert matrix.dtype == np.float32
    assert_array_equal(matrix.toarray(), dense(interactions))


def test_factors_solve_the_normal_equations() -> None:
    """At the end, items are the least squares solution given the users that they fold in to."""
    interactions = make_interactions()
    items = factorize(user_item_matrix(interactions, N_ITEMS), SETTING, 0).items.astype(np.float64)
    matrix = dense(interactions)
    users = best_users(matrix, items, SETTING)
    assert_allclose(best_users(matrix.T, users, SETTING)[:-2], items[:-2], atol=0.02)


def test_more_iterations_lower_the_objective() -> None:
    """The objective of the paper falls from iteration to iteration and ends below any random start."""
    interactions = make_interactions()
    sparse, matrix = user_item_matrix(interactions, N_ITEMS), dense(interactions)
    values = []
    for iterations in (1, 2, 4, 16, 60):
        setting = Setting(4, 3.0, 0.5, iterations)
        items = factorize(sparse, setting, 0).items.astype(np.float64)
        values.append(objective(matrix, best_users(matrix, items, setting), items, setting))
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9 * values[0]


def test_fold_in_equals_the_dense_solution() -> None:
    """A history becomes the user that minimises the objective."""
    interactions = make_interactions()
    items = np.random.default_rng(1).normal(size=(N_ITEMS, 4)).astype(np.float32)
    matrix = dense(interactions)
    histories = [(np.flatnonzero(line).astype(np.int32), line[line > 0].astype(np.float32)) for line in matrix]
    got = fold_in(items, items.T @ items, SETTING, histories)
    assert got.dtype == np.float32
    assert_allclose(got, best_users(matrix, items.astype(np.float64), SETTING), atol=1e-4)


def test_fold_in_equals_recalculate_user_of_implicit() -> None:
    """`implicit` makes the same user of the same history."""
    from implicit.cpu.als import AlternatingLeastSquares

    interactions = make_interactions()
    sparse = user_item_matrix(interactions, N_ITEMS)
    confidence = sparse.copy()
    confidence.data = 1 + SETTING.alpha * confidence.data
    model = AlternatingLeastSquares(factors=4, regularization=0.5, iterations=10, random_state=0, num_threads=1)
    model.fit(confidence, show_progress=False)
    users = np.arange(10)
    expected = model.recalculate_user(users, confidence[users])
    histories = [(sparse[user].indices, sparse[user].data) for user in users]
    items = np.asarray(model.item_factors)
    assert_allclose(fold_in(items, items.T @ items, SETTING, histories), expected, atol=1e-4)


def test_the_same_seed_gives_the_same_factors() -> None:
    """Factorizations are equal bit by bit, whatever the threads do."""
    matrix = user_item_matrix(make_interactions(), N_ITEMS)
    first, second, other = (factorize(matrix, SETTING, seed).items for seed in (1, 1, 2))
    assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_items_that_no_training_user_has_are_masked(tmp_path: Path) -> None:
    """Known items have unit length; items of nobody, of held-out users only, and cold ones are masked zeros."""
    interactions = make_interactions()
    source = make_source(interactions, split=SplitConfig(test=0.2, validation=0.2, cold=0.2))
    features = encoder().encode(source, tmp_path, silent)
    training = np.isin(interactions.user, source.split.train)
    expected = np.setdiff1d(interactions.item[training], source.split.cold_items)
    assert len(source.split.cold_items) > 0
    assert_array_equal(np.flatnonzero(features.mask[0]), np.unique(expected))
    norms = np.linalg.norm(features.matrix[0], axis=1)
    assert_allclose(norms, features.mask[0].astype(float), atol=1e-6)
    published = np.load(tmp_path / "item_factors.npy")
    assert_array_equal(published.any(axis=1), features.mask[0])


def test_test_users_never_influence_anything(tmp_path: Path) -> None:
    """Giving the test users other items changes neither the fingerprint nor a bit of the factors."""
    interactions = make_interactions()
    source = make_source(interactions)
    theirs = np.isin(interactions.user, source.split.test)
    item = interactions.item.copy()
    item[theirs] = (item[theirs] + 3) % (N_ITEMS - 2)
    order = np.lexsort((item, interactions.user))
    changed = Interactions(
        interactions.user_ids, interactions.user, item[order], interactions.weight[order], interactions.positive
    )
    other = make_source(changed)
    assert_array_equal(other.split.test, source.split.test)
    assert encoder().fingerprint(source) == encoder().fingerprint(other)
    first = encoder().encode(source, tmp_path / "a", silent)
    second = encoder().encode(other, tmp_path / "b", silent)
    assert_array_equal(first.matrix, second.matrix)


@pytest.mark.parametrize("group", ["train", "validation"])
def test_other_users_do_influence_the_fingerprint(group: str) -> None:
    """An interaction more of a training or validation user is another fingerprint."""
    interactions = make_interactions()
    source = make_source(interactions)
    keep = np.ones(len(interactions), bool)
    keep[np.flatnonzero(np.isin(interactions.user, getattr(source.split, group)))[0]] = False
    fewer = Source(
        make_source(interactions.select(keep)).catalog, source.descriptions, source.split, SPLIT, source.seed
    )
    assert encoder().fingerprint(source) != encoder().fingerprint(fewer)


def test_the_search_keeps_its_table_and_takes_the_best(tmp_path: Path) -> None:
    """Each trial is a line with its setting and score; the best line is the published setting."""
    encoder().encode(make_source(make_interactions()), tmp_path, silent)
    (table,) = tmp_path.glob("search-*.jsonl")
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 4
    assert all(0 <= row["ndcg@200"] <= 1 for row in rows)
    best = max(rows, key=lambda row: row["ndcg@200"])
    said = {"ndcg@200": best["ndcg@200"], "check": best["check"]}
    assert {**json.loads((tmp_path / "setting.json").read_text()), **said} == best


@pytest.mark.parametrize("killed_after", [0, 1, 3])
def test_a_killed_search_goes_on_with_its_next_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """Trials that were scored are not run again, and the result is that of an undisturbed search."""
    source = make_source(make_interactions())
    whole = encoder().encode(source, tmp_path / "whole", silent)
    tried: list[Setting] = []

    def counting(items: Any, check: Any) -> float:
        if len(tried) == killed_after and killed_after is not None:
            raise KeyboardInterrupt
        tried.append(check)
        return knn_score(items, check)

    monkeypatch.setattr(collaborative, "knn_score", counting)
    with pytest.raises(KeyboardInterrupt):
        encoder().encode(source, tmp_path / "killed", silent)
    calls: list[int] = []
    monkeypatch.setattr(collaborative, "knn_score", lambda items, check: calls.append(1) or knn_score(items, check))
    resumed = encoder().encode(source, tmp_path / "killed", silent)
    assert len(calls) == 4 - killed_after
    assert_array_equal(whole.matrix, resumed.matrix)
    tables = [next((tmp_path / name).glob("search-*.jsonl")).read_text() for name in ("whole", "killed")]
    assert tables[0] == tables[1]


def test_the_score_is_the_mean_ndcg_of_nearest_neighbours() -> None:
    """Written out: rank by cosine to the mean of the profile without the profile, then nDCG@200."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(12, 3)).astype(np.float32)
    profiles = (np.array([0, 3], np.int32), np.array([7], np.int32))
    truths = (np.array([1, 5], np.int32), np.array([0, 2, 11], np.int32))
    unit_items = items / np.linalg.norm(items, axis=1, keepdims=True)
    expected = []
    for profile, truth in zip(profiles, truths, strict=True):
        scores = unit_items @ unit_items[profile].mean(axis=0)
        ranked = [row for row in np.argsort(-scores) if row not in profile]
        gain = sum(1 / np.log2(rank + 2) for rank, row in enumerate(ranked) if row in truth)
        expected.append(gain / sum(1 / np.log2(rank + 2) for rank in range(len(truth))))
    got = knn_score(items, HeldOut(np.array([0, 1]), profiles, truths))
    assert got == pytest.approx(np.mean(expected), abs=1e-6)


def test_drawn_settings_stay_inside_their_ranges() -> None:
    """The first is the usual one, clipped; the others are drawn inside; the same seed draws the same."""
    options = CollaborativeOptions(
        trials=40, factors=(8, 16), alpha=(6.0, 9.0), regularization=(0.1, 0.2), iterations=(2, 3)
    )
    settings = draw_settings(options, 5)
    assert settings[0] == Setting(16, 6.0, 0.2, 3)
    assert len(settings) == 40
    for setting in settings:
        assert setting.factors in (8, 16)
        assert 6 <= setting.alpha <= 9
        assert 0.1 <= setting.regularization <= 0.2
        assert setting.iterations in (2, 3)
    assert settings == draw_settings(options, 5) != draw_settings(options, 6)


def test_without_validation_users_the_usual_setting_is_taken(tmp_path: Path) -> None:
    """Nobody to validate on: no search, no table."""
    source = make_source(make_interactions(), split=SplitConfig(test=0.2, validation=0.0))
    encoder().encode(source, tmp_path, silent)
    assert not list(tmp_path.glob("search-*"))
    expected = draw_settings(encoder().options, 0)[0]
    assert json.loads((tmp_path / "setting.json").read_text()) == vars(expected)


def test_a_catalog_without_interactions_is_refused() -> None:
    """The sentence says what to add."""
    with pytest.raises(ConfigError, match=r"'cf' needs interactions.*\[catalog.interactions\]"):
        encoder().check(CatalogConfig(items=Path("items.parquet")))


@pytest.mark.parametrize(
    "options", [{"alpha": (5, 1)}, {"alpha": (0, 1)}, {"factors": ()}, {"factors": (0,)}, {"iterations": (3, 2)}]
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """Ranges are ordered and positive, and there is something to choose from."""
    with pytest.raises(ValueError, match=r"range|1 or more|at least 1"):
        encoder(**options)
