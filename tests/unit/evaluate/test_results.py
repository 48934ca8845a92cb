"""Results: values kept and read back, means with intervals, stages that go on, and numbers about bias."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.evaluate.outcomes import Outcome, Outcomes
from antiphon.evaluate.protocols import recommend_task
from antiphon.evaluate.results import METRICS, Result, evaluate, load_results, mean_over_seeds, measured, save_results
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Popularity, Random, rank
from antiphon.reproduce.bias import bias_document, shares, terciles
from antiphon.reproduce.comparisons import compare
from antiphon.reproduce.reproduce import strip_paths
from antiphon.reproduce.rows import Row


def result(values: list[float], *, system: str = "a", task: str = "t", seed: int | None = None) -> Result:
    """A result of one metric."""
    ids = tuple(f"q{i}" for i in range(len(values)))
    return Result(system, task, ids, {"ndcg@200": np.array(values)}, seed)


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    """Systems, tasks, seeds, order and values survive the file, NaN as well."""
    kept = [result([0.5, float("nan"), 1.0], seed=0), result([0.1, 0.2, 0.3], seed=1), result([1.0], system="b")]
    save_results(tmp_path / "r.parquet", kept)
    for before, after in zip(kept, load_results(tmp_path / "r.parquet"), strict=True):
        assert (before.system, before.task, before.ids, before.seed) == (
            after.system,
            after.task,
            after.ids,
            after.seed,
        )
        np.testing.assert_array_equal(before.values["ndcg@200"], after.values["ndcg@200"])


def test_a_mean_over_seeds_is_taken_query_by_query() -> None:
    """Each query's value is the mean of its values with each seed."""
    mean = mean_over_seeds([result([0.0, 1.0], seed=0), result([1.0, 0.5], seed=1)])
    assert mean.values["ndcg@200"].tolist() == [0.5, 0.75]
    assert mean.seed is None


def test_every_metric_has_an_interval_around_its_mean(data: RunData) -> None:
    """The document of a result has all metrics, and each mean lies in its interval."""
    document = evaluate(Popularity(data), recommend_task(data)).document()
    assert tuple(document) == METRICS
    for value in document.values():
        assert value["low"] <= value["mean"] <= value["high"]
    assert result([float("nan")]).document() == {"ndcg@200": {"mean": None, "low": None, "high": None}}


def test_a_measurement_says_how_many_queries_it_has_and_how_it_differs() -> None:
    """NaN is no query; the difference to a reference is the mean over the same queries, in its interval."""
    ours, theirs = result([0.5, float("nan"), 1.0]), result([0.25, float("nan"), 0.5])
    alone, beside = measured(ours), measured(ours, theirs)
    assert (alone["n"], alone["mean"]) == (2, 0.75)
    assert "difference" not in alone
    assert {name: beside[name] for name in alone} == alone
    assert beside["difference"] == pytest.approx(0.375)
    assert beside["ci"][0] <= beside["difference"] <= beside["ci"][1]
    assert 0 < beside["p"] <= 1


def test_a_stage_is_done_once_and_again_when_what_it_depends_on_changes(tmp_path: Path) -> None:
    """Outcomes are kept; other dependencies, other common settings or a lost file mean doing it again."""
    done = []

    def work() -> Outcome:
        done.append(1)
        return Outcome([result([0.5])], {"n": len(done)})

    stages = Outcomes(tmp_path, ["data"])
    assert stages.run("s", 1, work).facts == {"n": 1}
    again = Outcomes(tmp_path, ["data"]).run("s", 1, work)
    assert again.facts == {"n": 1}
    assert again.results[0].values["ndcg@200"].tolist() == [0.5]
    assert stages.run("s", 2, work).facts == {"n": 2}
    assert Outcomes(tmp_path, ["other data"]).run("s", 2, work).facts == {"n": 3}
    (tmp_path / "s.parquet").unlink()
    assert Outcomes(tmp_path, ["other data"]).run("s", 2, work).facts == {"n": 4}


def test_a_stage_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """What was not finished is done again."""
    stages = Outcomes(tmp_path, [])
    with pytest.raises(ZeroDivisionError):
        stages.run("s", 1, lambda: Outcome(facts={"x": 1 // 0}))
    assert stages.run("s", 1, lambda: Outcome(facts={"x": 1})).facts == {"x": 1}


def test_other_code_means_another_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other code found is not taken for what this one would find."""
    outcomes = Outcomes(tmp_path, [])
    assert outcomes.run("s", 1, lambda: Outcome(facts={"x": 1})).facts == {"x": 1}
    monkeypatch.setattr("antiphon.evaluate.outcomes.code_of", lambda *code: "other")
    assert outcomes.run("s", 1, lambda: Outcome(facts={"x": 2})).facts == {"x": 2}


def test_a_win_needs_a_test_that_passes() -> None:
    """A clear difference is a win of the better row; one that noise makes is none."""
    rng = np.random.default_rng(0)
    base = rng.random(100)
    rows = [
        Row("low", "retrieve", [result((base - 0.2).tolist())]),
        Row("high", "retrieve", [result(base.tolist())]),
        Row("noisy", "retrieve", [result((base + rng.normal(0, 0.3, 100)).tolist())]),
    ]
    tests = {(test["a"], test["b"]): test for test in compare(rows)}
    assert len(tests) == 3
    assert tests["high", "low"]["win"]
    assert tests["high", "low"]["difference"] == pytest.approx(0.2)
    assert all(test["p_holm"] >= test["p"] for test in tests.values())
    close = next(test for pair, test in tests.items() if set(pair) == {"high", "noisy"})
    assert not close["win"]


def test_columns_are_compared_apart() -> None:
    """Rows of different tasks are never tested against each other."""
    rows = [Row("a", "retrieve", [result([0.1, 0.2])]), Row("b", "similar", [result([0.1, 0.2, 0.3])])]
    assert compare(rows) == []


def test_terciles_have_equal_sizes() -> None:
    """A third of the values each, by rank, whatever their distribution."""
    assert terciles(np.array([5, 1, 1, 1, 100, 7])).tolist() == [1, 0, 0, 1, 2, 2]
    assert np.bincount(terciles(np.zeros(10))).tolist() == [4, 3, 3]


def test_shares_add_up(data: RunData) -> None:
    """The shares of the groups add up to 1, small groups under `other`."""
    task = recommend_task(data)
    ranked = rank(Popularity(data), task, 30)
    document = bias_document(ranked, task, data)
    assert set(document["shares"]) == {"decade", "country"}
    for groups in document["shares"].values():
        for key in ("recommended", "truth", "catalog"):
            assert sum(group[key] for group in groups) == pytest.approx(1)
    labels = np.arange(task.n_items) % 2
    even = shares(ranked, task, labels, ["even", "odd"])
    assert {row["group"]: row["catalog"] for row in even} == {"even": 0.5, "odd": 0.5}


def test_popularity_is_more_biased_than_chance(data: RunData) -> None:
    """Its lists cover less of the catalog, are less equal and more popular than random ones."""
    task = recommend_task(data)
    popular, random = (bias_document(rank(system, task, 30), task, data) for system in (Popularity(data), Random(data)))
    assert popular["coverage@20"] < random["coverage@20"]
    assert popular["gini@20"] > random["gini@20"]
    assert popular["mean_popularity@20"] > random["mean_popularity@20"]


def test_configurations_are_told_apart_by_content_not_by_place() -> None:
    """Files count by their last name: another folder is the same configuration."""
    assert strip_paths({"a": ["/x/y/items.parquet", "b/c", 3]}) == {"a": ["items.parquet", "b/c", 3]}
