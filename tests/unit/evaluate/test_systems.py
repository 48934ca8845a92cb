"""Systems: names, what they answer, and what they never say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.data.features import Features
from antiphon.errors import ConfigError, QueryError
from antiphon.evaluate import systems as systems_module
from antiphon.evaluate.baselines.fitted import baselines_of, fit, make_system, system_names
from antiphon.evaluate.protocols import cold_task, recommend_task, retrieve_task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Neighbours, Popularity, SpaceSystem, mean_of_views, projected, rank, raw_systems
from antiphon.numbers.vectors import unit


def all_systems(data: RunData, folder: Path) -> list[systems_module.System]:
    """Every system, with its usual hyperparameters."""
    return [make_system(data, name, None, table=folder / f"{name}.jsonl") for name in system_names(data)]


def test_every_system_ranks_each_item_once_and_no_profile(data: RunData, requests: Path, tmp_path: Path) -> None:
    """Whatever the system: no repeats, no item of the profile, empty places last, k results where it can."""
    tasks = [recommend_task(data), retrieve_task(data, requests), cold_task(data, among="cold")]
    for system in all_systems(data, tmp_path):
        for task in tasks:
            if task.kind not in system.kinds:
                continue
            ranked = rank(system, task, 20)
            assert ranked.shape == (len(task), 20)
            for line, profile in zip(ranked, task.profiles, strict=True):
                found = line[line >= 0]
                assert len(set(found.tolist())) == len(found)
                assert not set(found.tolist()) & set(profile.tolist())
                assert (line[len(found) :] == -1).all()


def test_scores_and_rankings_agree(data: RunData, requests: Path, tmp_path: Path) -> None:
    """The first item of a ranking has the highest score outside of the profile."""
    for system in all_systems(data, tmp_path):
        task = retrieve_task(data, requests) if "retrieve" in system.kinds else recommend_task(data)
        scores, ranked = system.scores(task), system.rank(task, 1)
        for row, profile in enumerate(task.profiles):
            scores[row, profile] = -np.inf
            if ranked[row, 0] >= 0:
                assert scores[row, ranked[row, 0]] == pytest.approx(scores[row].max(), abs=1e-5)


def test_the_space_is_asked_as_the_service_asks_it(data: RunData, requests: Path) -> None:
    """`joint` is `Space.rank`, query by query, and so is `Space.search`."""
    task = retrieve_task(data, requests)
    ranked = rank(SpaceSystem(data), task, 10)
    for row, text in enumerate(task.texts[:4]):
        assert [data.item_ids[item] for item in ranked[row]] == [hit.item_id for hit in data.space.search(text, k=10)]


def test_an_unanswerable_query_costs_itself_only(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query that the space refuses gets an empty ranking; the others get theirs."""
    task = recommend_task(data)
    usual = SpaceSystem(data).rank(task, 5)
    answer = data.space.rank_rows

    def picky(queries, k):
        if task.queries[1] in queries:
            raise QueryError("nothing is left of the request")
        return answer(queries, k)

    monkeypatch.setattr(data.space, "rank_rows", picky)
    ranked = SpaceSystem(data).rank(task, 5)
    assert (ranked[1] == -1).all()
    assert_array_equal(np.delete(ranked, 1, axis=0), np.delete(usual, 1, axis=0))
    monkeypatch.setattr(data.space, "rank_rows", lambda queries, k: picky([task.queries[1]], k))
    with pytest.raises(QueryError, match="answers none"):
        SpaceSystem(data).rank(task, 5)


def test_large_tasks_are_ranked_in_portions(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ranking, however many scores are held at once."""
    task = recommend_task(data)
    whole = Popularity(data).rank(task, 9)
    monkeypatch.setattr(systems_module, "MAX_SCORES", task.n_items * 2)
    assert_array_equal(Popularity(data).rank(task, 9), whole)


def test_popularity_counts_training_users_only(data: RunData) -> None:
    """Neither held-out users nor cold items have any weight."""
    assert data.popularity.sum() == len(data.training)
    assert set(data.training.user.tolist()) <= set(data.split.train.tolist())
    assert (data.popularity[data.split.cold_items] == 0).all()


def test_random_lists_do_not_depend_on_company(data: RunData) -> None:
    """A query's random list is a function of its id, not of the queries beside it."""
    task, system = recommend_task(data), raw_systems(data)["random"]()
    assert_array_equal(system.rank(task, 5)[3], system.rank(task.take([3]), 5)[0])


def test_views_stand_in_for_each_other() -> None:
    """A named view is taken where an item has it, else its others; no view is a zero."""
    matrix = unit(np.random.default_rng(0).standard_normal((2, 3, 4)))
    mask = np.array([[True, True, False], [True, False, False]])
    features = Features("text", ("template", "gen"), np.where(mask[..., None], matrix, 0).astype(np.float32), mask)
    assert_allclose(mean_of_views(features, ["gen"]), [matrix[1, 0], matrix[0, 1], np.zeros(4)], atol=1e-6)
    assert_allclose(mean_of_views(features)[0], unit(matrix[:, 0].sum(axis=0)), atol=1e-6)


def test_projected_vectors_are_the_parts_of_the_space(data: RunData) -> None:
    """What `text-projected` searches is the part of the published vectors that the text makes."""
    assert_allclose(projected(data, "text"), data.space.parts[data.space.modalities.index("text")], atol=1e-5)


def test_a_profile_without_vectors_gets_no_favourites(data: RunData) -> None:
    """Where nothing of a profile has a vector, all cosines are 0: no error, no NaN."""
    vectors = np.zeros((data.catalog.n_items, 3), dtype=np.float32)
    vectors[-1, 0] = 1
    task = recommend_task(data)
    scores = Neighbours("bare", vectors).scores(task)
    assert not np.isnan(scores).any()


def test_what_a_system_cannot_do_is_refused(data: RunData) -> None:
    """Popularity has no answer to words."""
    with pytest.raises(ConfigError, match="cannot retrieve; it answers recommend and similar and cold"):
        rank(Popularity(data), retrieve_stub(data), 5)


def test_unknown_names_get_the_nearest(data: RunData, tmp_path: Path) -> None:
    """A misspelt system is told what was meant."""
    with pytest.raises(ConfigError, match="did you mean 'ease'"):
        make_system(data, "eese", None, table=tmp_path / "t.jsonl")


def test_a_search_has_one_budget_keeps_its_table_and_goes_on(data: RunData, tmp_path: Path) -> None:
    """Each trial is a line with its score; a search that was cut short does only what is left, with the same end."""
    baseline, validation = baselines_of(data)["ease"], recommend_task(data, "validation")
    table = tmp_path / "ease.jsonl"
    best = fit(baseline, validation, table, trials=5)
    lines = table.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    table.write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    made = []
    counted = type(baseline)(
        baseline.name, baseline.kinds, baseline.usual, baseline.draw, lambda v: made.append(v) or baseline.make(v)
    )
    assert fit(counted, validation, table, trials=5) == best
    assert len(made) == 3
    assert table.read_text(encoding="utf-8").splitlines() == lines


def test_trials_of_other_settings_are_not_taken_over(data: RunData, tmp_path: Path) -> None:
    """A table that was made by another draw is done again from where it differs."""
    baseline, validation = baselines_of(data)["ease"], recommend_task(data, "validation")
    table = tmp_path / "ease.jsonl"
    fit(baseline, validation, table, trials=3)
    first = table.read_text(encoding="utf-8").splitlines()
    fit(baseline, validation, table, trials=3, seed=5)
    second = table.read_text(encoding="utf-8").splitlines()
    assert first[0] == second[0]
    assert first[1:] != second[1:]


def test_the_best_trial_on_validation_is_taken(data: RunData, tmp_path: Path) -> None:
    """No trial of the table is better than the one that is used."""
    import json

    baseline, validation = baselines_of(data)["item-knn"], recommend_task(data, "validation")
    table = tmp_path / "knn.jsonl"
    best = fit(baseline, validation, table, trials=6)
    tried = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    scores = [trial.pop("ndcg@200") for trial in tried]
    assert all(trial.pop("check") for trial in tried)
    assert tried[int(np.argmax(scores))] == best


def retrieve_stub(data: RunData):
    """A task of words."""
    from dataclasses import replace

    return replace(recommend_task(data), kind="retrieve")
