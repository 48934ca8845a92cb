"""Personalised search: who asks what, and what counts as an answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from antiphon.errors import ConfigError
from antiphon.evaluate.protocols import recommend_task
from antiphon.evaluate.rundata import RunData
from antiphon.reproduce.personal import MIN_TRUTHS, PARTS, personal_tasks


@pytest.fixture
def broad(data: RunData, tmp_path: Path) -> Path:
    """Forty requests that half of the catalog satisfies, another half each."""
    rng = np.random.default_rng(0)
    half = len(data.item_ids) // 2
    lines = [
        {
            "query_id": str(number),
            "text": f"request {number}",
            "positives": list(rng.choice(data.item_ids, half, False)),
        }
        for number in range(40)
    ]
    path = tmp_path / "broad.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_the_truth_is_what_the_user_likes_of_what_is_asked_for(data: RunData, broad: Path) -> None:
    """Each truth is within the user's held-out positives and the request's, and has enough of them."""
    users = recommend_task(data, "test")
    liked = {name: set(users.relevance.row(row).tolist()) for row, name in enumerate(users.ids)}
    lines = [json.loads(line) for line in broad.read_text(encoding="utf-8").splitlines()]
    asked = {line["query_id"]: {data.row_of[item] for item in line["positives"]} for line in lines}
    task = personal_tasks(data, broad)[PARTS[0]]
    assert len(task) > 0
    for row, name in enumerate(task.ids):
        user, _, request = name.rpartition(":")
        truth = set(task.relevance.row(row).tolist())
        assert truth == liked[user] & asked[request]
        assert len(truth) >= MIN_TRUTHS


def test_the_three_ways_of_asking_differ_in_nothing_else(data: RunData, broad: Path) -> None:
    """Texts and histories are in the queries that should have them; what is known is never an answer."""
    both, text, history = (personal_tasks(data, broad)[part] for part in PARTS)
    assert both.ids == text.ids == history.ids
    for first, second, third in zip(both.queries, text.queries, history.queries, strict=True):
        assert first.text == second.text is not None
        assert first.history == third.history == second.exclude
        assert not second.history
        assert third.text is None
    rows, _ = data.space.rank_rows(text.queries, 20)
    assert all(not set(found) & set(profile) for found, profile in zip(rows, both.profiles, strict=True))


def test_nobody_to_ask_is_a_sentence(data: RunData, tmp_path: Path) -> None:
    """Requests that no user likes enough answers of are refused."""
    path = tmp_path / "narrow.jsonl"
    line = {"query_id": "a", "text": "x", "positives": data.item_ids[:1]}
    path.write_text("\n".join(json.dumps({**line, "query_id": str(i)}) for i in range(30)), encoding="utf-8")
    with pytest.raises(ConfigError, match="no test user"):
        personal_tasks(data, path)
