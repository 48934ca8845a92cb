"""Tasks: what is known, what is asked, and what is left out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antiphon.errors import ConfigError, DataError
from antiphon.evaluate.protocols import (
    VALIDATION_SHARE,
    cold_task,
    recommend_task,
    retrieve_task,
    similar_task,
    wanted_task,
)
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem, rank


def write_pairs(path: Path, pairs: list[tuple[str, str]]) -> Path:
    """A truth file."""
    pq.write_table(pa.table({"item_id": [a for a, _ in pairs], "similar_id": [b for _, b in pairs]}), path)
    return path


def test_profiles_and_truths_share_nothing(data: RunData) -> None:
    """Half of a held-out user's positives is known, the others are asked; together they are all of them."""
    task = recommend_task(data)
    liked = data.interactions.select(data.interactions.positive)
    assert len(task) == len(data.split.test) > 5
    for row, name in enumerate(task.ids):
        user = data.interactions.user_ids.index(name)
        known, asked = set(task.profiles[row].tolist()), set(task.relevance.row(row).tolist())
        assert known
        assert asked
        assert not known & asked
        assert known | asked == set(liked.item[liked.user == user].tolist())


def test_a_query_names_exactly_the_profile(data: RunData) -> None:
    """The query that the space gets has the items of the profile as its history, and no more."""
    task = recommend_task(data)
    for query, profile in zip(task.queries, task.profiles, strict=True):
        assert query.history == tuple(data.item_ids[row] for row in profile)
        assert query.user is None


def test_profile_items_are_never_answers(data: RunData) -> None:
    """No system's ranking has an item of the profile."""
    task = recommend_task(data)
    ranked = rank(SpaceSystem(data), task, task.n_items)
    for row, profile in enumerate(task.profiles):
        assert not set(ranked[row].tolist()) & set(profile.tolist())


def test_validation_and_test_users_differ(data: RunData) -> None:
    """Nobody is in both parts."""
    assert not set(recommend_task(data, "validation").ids) & set(recommend_task(data, "test").ids)


def test_weights_are_those_of_the_profile(data: RunData) -> None:
    """Each profile item has the weight that the user gave it."""
    task = recommend_task(data)
    everything = data.interactions
    user = everything.user_ids.index(task.ids[0])
    for item, weight in zip(task.profiles[0], task.weights[0], strict=True):
        assert everything.weight[(everything.user == user) & (everything.item == item)] == weight


def test_cold_truths_are_cold_and_profiles_warm(data: RunData) -> None:
    """Cold items are asked and in no profile; only they may be answers, unless all may."""
    cold = set(data.split.cold_items.tolist())
    among, everything = cold_task(data, among="cold"), cold_task(data, among="all")
    assert among.ids == everything.ids
    assert all(set(among.relevance.row(row).tolist()) <= cold for row in range(len(among)))
    assert all(not set(profile.tolist()) & cold for profile in among.profiles)
    ranked = rank(SpaceSystem(data), among, 60)
    assert set(ranked[ranked >= 0].tolist()) <= cold
    ranked = rank(SpaceSystem(data), everything, 60)
    assert set(ranked[ranked >= 0].tolist()) - cold


def test_restricted_rankings_keep_their_order(data: RunData) -> None:
    """Ranking some items is ranking all of them and striking out the others."""
    wanted = np.arange(data.catalog.n_items) % 3 == 0
    hidden = np.ones(data.catalog.n_items, dtype=bool)
    hidden[1::3] = False
    task = wanted_task(data, "some", "test", hidden=hidden, wanted=wanted)
    whole = SpaceSystem(data).rank(task, task.n_items)
    for row, line in enumerate(rank(SpaceSystem(data), task, 5)):
        assert line.tolist() == [item for item in whole[row] if item >= 0 and wanted[item]][:5]


def test_requests_outside_the_catalog_are_counted(data: RunData, requests: Path) -> None:
    """An unknown positive is dropped and counted; a request with no other is left out and counted."""
    with requests.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"query_id": "lost", "text": "x", "positives": ["film-998"]}) + "\n")
    task = retrieve_task(data, requests)
    assert len(task) == 12
    assert "lost" not in task.ids
    assert task.ignored_ids == 2
    assert sum(task.ignored.values()) == 1


def test_a_request_never_changes_sides(data: RunData, tmp_path: Path) -> None:
    """Validation and test share nothing, together they are all, and other requests in the file change nothing."""
    lines = [json.dumps({"query_id": str(i), "text": "a", "positives": ["film-001"]}) for i in range(200)]
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    parts = [set(retrieve_task(data, path, part).ids) for part in ("validation", "test", "all")]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == parts[2]
    assert abs(len(parts[0]) / 200 - VALIDATION_SHARE["retrieve"]) < 0.12
    path.write_text("\n".join(lines[:100]), encoding="utf-8")
    assert set(retrieve_task(data, path, "test").ids) == {name for name in parts[1] if int(name) < 100}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not json", "not JSON"),
        ("[1]", "expected"),
        ('{"query_id": "1", "text": "x"}', "'positives'"),
        ('{"query_id": "1", "text": 3, "positives": []}', "'text'"),
        ('{"query_id": true, "text": "x", "positives": []}', "'query_id'"),
        ('{"query_id": "1", "text": " ", "positives": []}', "empty"),
        ('{"query_id": "1", "text": "x", "positives": [null]}', "None"),
    ],
)
def test_a_malformed_line_is_refused_with_its_number(data: RunData, requests: Path, line: str, said: str) -> None:
    """The sentence names the file, the line and what is wrong."""
    with requests.open("a", encoding="utf-8") as file:
        file.write("\n" + line + "\n")
    with pytest.raises(DataError, match=r"queries\.jsonl, line 14") as error:
        retrieve_task(data, requests)
    assert said in str(error.value)


def test_ids_may_be_numbers_and_lines_may_have_odd_signs(data: RunData, tmp_path: Path) -> None:
    """A numeric query_id counts as text, and a line separator inside a text ends no line."""
    path = tmp_path / "odd.jsonl"
    value = {"query_id": 7, "text": "one\u2028two", "positives": ["film-001"]}
    path.write_text("\ufeff" + json.dumps(value, ensure_ascii=False) + "\n\n", encoding="utf-8")
    task = retrieve_task(data, path)
    assert task.ids == ("7",)
    assert task.texts == ("one\u2028two",)


def test_repeated_requests_and_empty_files_are_refused(data: RunData, tmp_path: Path) -> None:
    """A query_id stands for one request, and there has to be one."""
    path = tmp_path / "queries.jsonl"
    path.write_text('{"query_id": "1", "text": "x", "positives": ["film-001"]}\n' * 2, encoding="utf-8")
    with pytest.raises(DataError, match="'1' is there more than once"):
        retrieve_task(data, path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="no request"):
        retrieve_task(data, path)
    with pytest.raises(DataError, match="cannot be read"):
        retrieve_task(data, tmp_path / "missing.jsonl")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="UTF-8"):
        retrieve_task(data, path)


def test_similar_items_outside_the_catalog_are_dropped_and_counted(data: RunData, tmp_path: Path) -> None:
    """Only pairs inside the catalog count, each once, and an item is not similar to itself."""
    pairs = [("film-001", "film-002"), ("film-001", "film-002"), ("film-001", "film-001")]
    pairs += [("film-003", "nowhere"), ("nowhere", "film-003")]
    task = similar_task(data, write_pairs(tmp_path / "truth.parquet", pairs))
    assert task.ids == ("film-001",)
    assert task.relevance.row(0).tolist() == [data.row_of["film-002"]]
    assert task.ignored_ids == 2
    assert sorted(task.ignored.values()) == [1, 1]
    assert task.queries[0].likes == ("film-001",)


def test_a_truth_of_another_catalog_is_refused(data: RunData, tmp_path: Path) -> None:
    """The sentence shows an id of each side."""
    with pytest.raises(DataError, match=r"none of its 1 pairs .*'a'.*'film-000'"):
        similar_task(data, write_pairs(tmp_path / "truth.parquet", [("a", "b")]))


def test_a_run_without_cold_items_says_how_to_get_them(data: RunData) -> None:
    """The sentence names the setting."""
    bare = RunData(data.layout.root)
    bare.__dict__["split"] = replace(data.split, cold_items=np.empty(0, dtype=np.int64))
    with pytest.raises(ConfigError, match=r"split\.cold"):
        cold_task(bare)


def test_a_run_without_held_out_users_says_so(data: RunData) -> None:
    """There is nobody to recommend to."""
    bare = RunData(data.layout.root)
    bare.__dict__["split"] = replace(data.split, test=np.empty(0, dtype=np.int64))
    with pytest.raises(ConfigError, match=r"holds out no test users"):
        recommend_task(bare)
