"""Leaks: held-out users change nothing that is learned. Each check is shown to fail when the leak is put in.

Two catalogs differ only in what the test users like. Everything that is learned must be the same in both, bit by bit.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antiphon.base import storage
from antiphon.channels import rerank, rerank_training
from antiphon.config.load import load_config
from antiphon.config.sections import Config
from antiphon.data import splits
from antiphon.data.reading import read_catalog
from antiphon.data.splits import Split, make_split
from antiphon.evaluate import protocols, rundata
from antiphon.evaluate.baselines.fitted import baselines_of, fit
from antiphon.evaluate.protocols import recommend_task, retrieve_task, similar_task
from antiphon.evaluate.results import evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Popularity, ScoringSystem, rank
from antiphon.run.build import build
from antiphon.run.stages import taste

film_project = runpy.run_path(str(Path(__file__).parent / "conftest.py"))["film_project"]
Projects = tuple[Config, Config]


def other_likes(config: Config, users: str) -> None:
    """Rewrite the interactions of a part of the users: as many, of other items; nobody else's."""
    catalog = read_catalog(config.catalog)
    split = make_split(catalog, config.split, config.seed)
    names = {catalog.interactions.user_ids[user] for user in getattr(split, users)}
    path = config.catalog.interactions.file
    rows = pq.read_table(path).to_pylist()
    rng = np.random.default_rng(1)
    for name in sorted(names):
        own = [row for row in rows if row["user_id"] == name]
        for row, item in zip(own, rng.permutation(catalog.n_items), strict=False):
            row["item_id"] = catalog.item_ids[item]
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def projects(tmp_path: Path, tiny_text_model: Path, monkeypatch: pytest.MonkeyPatch) -> Projects:
    """Two projects that differ in the test users' interactions, with few enough users for a second stage to learn."""
    for module in (rerank, rerank_training):
        monkeypatch.setattr(module, "DEPTH", 10)
    monkeypatch.setattr(rerank_training, "FEWEST_USERS", 5)
    monkeypatch.setattr(rerank_training, "EPOCHS", 2)
    settings = {"preset": "default", "split": {"cold": 0.0}}
    paths = [film_project(tmp_path / name, tiny_text_model, settings) for name in ("one", "two")]
    one, two = (load_config(path) for path in paths)
    other_likes(two, "test")
    return one, two


def learned(config: Config, folder: Path) -> dict[str, Any]:
    """Digests of all that is learned or written from interactions."""
    build(config, folder)
    data = RunData(folder)
    table = folder / "tuning.jsonl"
    fit(baselines_of(data)["ease"], recommend_task(data, "validation"), table, trials=3)
    return {
        "factors": storage.array_digest(np.asarray(data.features("cf").matrix)),
        "search": [path.read_text() for path in (folder / "features" / "cf.work").glob("search-*.jsonl")],
        "tuning": table.read_text(),
        "popularity": data.popularity.tolist(),
        "descriptions": data.descriptions.views,
        "model": storage.sha256(folder / "model" / "model.safetensors"),
        "vectors": storage.array_digest(np.asarray(data.space.vectors)),
        "taste": [(folder / "taste" / f"{name}.npy").read_bytes() for name in ("ials", "ease", "ease_left")],
        "reranker": (folder / "taste" / "reranker.safetensors").read_bytes(),
        "facets": [path.read_bytes() for path in sorted((folder / "facets").iterdir())],
        "mixture": (folder / "space" / data.space.space_id / "mixture.json").read_text(),
    }


def test_test_users_change_nothing_that_is_learned(projects: Projects, tmp_path: Path) -> None:
    """Factors, taste, tuning tables, texts, the joint model and the vectors are the same whatever test users like."""
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert first == second
    truths = [recommend_task(RunData(tmp_path / f"run-{n}")).relevance.indices.tolist() for n in range(2)]
    assert truths[0] != truths[1]


def leak_all(interactions: Any, split: Split) -> Any:
    """A wrong `training_interactions`: everybody's positives."""
    return interactions.select(interactions.positive)


def test_the_check_sees_held_out_users_in_collaborative_filtering(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With test users let into the factorization, factors, model and vectors differ."""
    monkeypatch.setattr("antiphon.encoders.collaborative.training_interactions", leak_all)
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert {key for key in first if first[key] != second[key]} >= {"factors", "search", "model", "vectors"}
    assert first["popularity"] == second["popularity"]


def test_the_check_sees_held_out_users_in_taste(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With test users let into taste, its factors differ, and nothing that is learned without them."""
    monkeypatch.setattr("antiphon.run.stages.taste.training_interactions", leak_all)
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert first["taste"] != second["taste"]
    assert first["factors"] == second["factors"]


def test_the_check_sees_held_out_users_in_the_second_stage(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With test users let into what the second stage learns from, it differs, and taste without it does not."""
    usual, everybody = taste.user_item_matrix, {}

    def remember(interactions: Any, split: Split) -> Any:
        everybody["all"] = leak_all(interactions, split)
        return splits.training_interactions(interactions, split)

    monkeypatch.setattr(taste, "training_interactions", remember)
    monkeypatch.setattr(taste, "user_item_matrix", lambda _, n_items: usual(everybody["all"], n_items))
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert first["reranker"] != second["reranker"]
    assert first["taste"] == second["taste"]


def test_floors_see_no_test_request(data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A floor's table of trials is the same whatever answers the test requests; fitted on these it is another."""

    def table(name: str, *, shifted: bool) -> str:
        queries = tmp_path / f"{name}.jsonl"
        ids = [f"q{number}" for number in range(40)]
        rng = np.random.default_rng(0)
        lines = []
        for query_id in ids:
            rows = rng.choice(data.catalog.n_items - 1, 6, replace=False)
            rows += int(shifted and protocols._is_in("test", "retrieve", query_id, data.config.seed))
            positives = [data.item_ids[row] for row in rows]
            lines.append(json.dumps({"query_id": query_id, "text": "dark drama in space", "positives": positives}))
        queries.write_text("\n".join(lines), encoding="utf-8")
        trials = tmp_path / f"{name}-trials.jsonl"
        fit(baselines_of(data)["bm25"], retrieve_task(data, queries, "validation"), trials, trials=3)
        return trials.read_text(encoding="utf-8")

    assert table("one", shifted=False) == table("two", shifted=True)
    real = protocols._is_in
    monkeypatch.setattr(protocols, "_is_in", lambda part, kind, query_id, seed: real("test", kind, query_id, seed))
    assert table("leaky-one", shifted=False) != table("leaky-two", shifted=True)


def test_the_check_sees_held_out_users_in_the_floors(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With test users let into what floors learn from, popularity and the tuning table differ."""
    monkeypatch.setattr(rundata, "training_interactions", leak_all)
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert {key for key in first if first[key] != second[key]} >= {"popularity", "tuning"}


def test_the_check_sees_tuning_on_test_users(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With test users in the place of validation users, the search and tuning tables differ."""
    usual = splits.make_split

    def swapped(*args: Any) -> Split:
        split = usual(*args)
        return Split(split.train, split.test, split.test, split.cold_items)

    monkeypatch.setattr("antiphon.run.outputs.make_split", swapped)
    monkeypatch.setattr(rundata, "make_split", swapped)
    first, second = (learned(config, tmp_path / f"run-{n}") for n, config in enumerate(projects))
    assert {key for key in first if first[key] != second[key]} >= {"search", "tuning"}


def test_the_check_sees_interactions_in_descriptions(
    projects: Projects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a count of listeners written into the template, the descriptions differ."""
    from antiphon.describe import descriptions

    def counted(fill: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(items: Any, config: Any) -> list[str]:
            counts = dict.fromkeys(items["item_id"].to_pylist(), 0)
            for row in pq.read_table(source[0]).to_pylist():
                counts[row["item_id"]] += 1
            return [f"{text} {counts[name]}" for name, text in zip(counts, fill(items, config), strict=True)]

        return wrong

    monkeypatch.setattr(descriptions, "fill_template", counted(descriptions.fill_template))
    found = []
    for number, config in enumerate(projects):
        source = [config.catalog.interactions.file]
        found.append(learned(config, tmp_path / f"run-{number}"))
    assert found[0]["descriptions"] != found[1]["descriptions"]


class Peeking(ScoringSystem):
    """A system that answers with the profile first, if it is let."""

    name = "peeking"

    def scores(self, task: Any) -> Any:
        """The profile's items are the best."""
        scores = np.zeros((len(task), task.n_items), dtype=np.float32)
        for row, profile in enumerate(task.profiles):
            scores[row, profile] = 1
        return scores


def profile_hits(system: Any, task: Any) -> int:
    """How many items of profiles are in the rankings."""
    ranked = rank(system, task, 10)
    return sum(
        len(set(line.tolist()) & set(profile.tolist())) for line, profile in zip(ranked, task.profiles, strict=True)
    )


def test_profile_items_never_count(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that scores the profile highest has none of it in its ranking; without the hiding it has."""
    task = recommend_task(data)
    assert profile_hits(Peeking(), task) == 0
    monkeypatch.setattr("antiphon.evaluate.systems.hide_profiles", lambda scores, task: scores)
    assert profile_hits(Peeking(), task) > 0


def test_profile_items_are_no_truths(data: RunData, monkeypatch: pytest.MonkeyPatch) -> None:
    """No truth is in its query's profile; with a split that lets both share, some are."""

    def shared(task: Any) -> int:
        return sum(len(set(task.relevance.row(row).tolist()) & set(p.tolist())) for row, p in enumerate(task.profiles))

    assert shared(recommend_task(data)) == 0
    usual = splits.held_out

    def wrong(*args: Any) -> Any:
        held = usual(*args)
        both = tuple(np.union1d(a, b).astype(np.int32) for a, b in zip(held.profiles, held.truths, strict=True))
        return splits.HeldOut(held.users, held.profiles, both)

    monkeypatch.setattr("antiphon.evaluate.protocols.held_out", wrong)
    assert shared(recommend_task(data)) > 0


class Everything(dict[str, int]):
    """A wrong table of rows, which takes an id that the catalog lacks for its last item."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> int:
        return len(self) - 1


def test_truth_outside_the_catalog_does_not_count(data: RunData, requests: Path, tmp_path: Path) -> None:
    """Unknown truths change no metric; counted as truths they would make every recall smaller."""
    known = evaluate(Popularity(data), recommend_task(data))
    assert np.isfinite(known.values["recall@20"]).all()
    pairs = {"item_id": ["film-001"] * 3, "similar_id": ["film-002", "x1", "x2"]}
    pq.write_table(pa.table(pairs), tmp_path / "truth.parquet")
    task = similar_task(data, tmp_path / "truth.parquet")
    assert task.relevance.counts.tolist() == [1]
    assert task.ignored_ids == 2
    assert retrieve_task(data, requests).ignored_ids == 1
    leaky = RunData(data.layout.root)
    vars(leaky)["row_of"] = Everything(data.row_of)
    assert similar_task(leaky, tmp_path / "truth.parquet").relevance.counts.tolist() == [2]
    assert retrieve_task(leaky, requests).relevance.counts.sum() > retrieve_task(data, requests).relevance.counts.sum()


def test_cold_items_reach_neither_factors_nor_popularity(data: RunData, tmp_path: Path) -> None:
    """A cold item has no factors; without the split's cold items it has some."""
    cold = data.split.cold_items
    assert not data.features("cf").mask[0, cold].any()
    assert not data.matrix[:, cold].nnz
    everything = splits.training_interactions(
        data.interactions, Split(data.split.train, data.split.validation, data.split.test, cold[:0])
    )
    assert np.isin(everything.item, cold).any()


def test_the_check_sees_cold_items_in_collaborative_filtering(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With cold items let into the factorization, they have factors."""

    def leak_cold(interactions: Any, split: Split) -> Any:
        return splits.training_interactions(
            interactions, Split(split.train, split.validation, split.test, split.cold_items[:0])
        )

    monkeypatch.setattr("antiphon.encoders.collaborative.training_interactions", leak_cold)
    build(load_config(film_project(tmp_path / "films", tiny_text_model)), tmp_path / "run")
    leaky = RunData(tmp_path / "run")
    assert leaky.features("cf").mask[0, leaky.split.cold_items].any()
