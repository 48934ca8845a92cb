"""Which requests have the catalog's words, and what rows find of each kind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from antiphon.evaluate.baselines.facet_lookup import is_literal
from antiphon.evaluate.results import Result
from antiphon.reproduce.wordings import by_wording, literal_requests


@pytest.mark.parametrize(
    ("text", "values", "literal"),
    [
        ("synth pop bands worth listening to", ["synth pop"], True),
        ("Looking for cult films", ["tag: cult film"], True),  # by stems
        ("a French comedy", ["genre: Comedy", "country: France"], False),
        ("french comedies from France", ["genre: Comedy", "country: France"], True),
        ("something funny", ["genre: Comedy"], False),
        ("anything", [], False),
    ],
)
def test_a_literal_request_has_the_words_of_its_values(text: str, values: list[str], literal: bool) -> None:
    """All of them, whatever field they are of."""
    assert is_literal(text, values) == literal


def test_a_file_of_requests_may_have_no_values(tmp_path: Path) -> None:
    """Such a request is worded as nobody words it."""
    lines = [{"query_id": "a", "text": "dark", "tags": ["dark"]}, {"query_id": "b", "text": "dark", "positives": ["1"]}]
    (tmp_path / "queries.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    assert literal_requests(tmp_path / "queries.jsonl") == {"a": True, "b": False}


def test_each_kind_has_its_means_and_its_difference() -> None:
    """Over the seeds, whose requests may be others."""
    rng = np.random.default_rng(0)
    ids = [tuple(f"{part}{number}" for part in "ab" for number in range(20)) for _ in range(2)]
    low = [rng.random(40) * 0.2 for _ in range(2)]
    lookup = [Result("x", "retrieve", names, {"ndcg@200": values}) for names, values in zip(ids, low, strict=True)]
    ours = [
        Result("y", "retrieve", names, {"ndcg@200": values + np.repeat([0.0, 0.5], 20)})
        for names, values in zip(ids, low, strict=True)
    ]
    literal = {name: name.startswith("a") for name in ids[0]}
    rows = {
        (row["system"], row["worded"]): row for row in by_wording({"ours": ours, "lookup": lookup}, literal, "lookup")
    }
    assert rows["ours", "the catalog's words"]["difference"] == pytest.approx(0)
    assert rows["ours", "other words"]["difference"] == pytest.approx(0.5)
    assert rows["ours", "other words"]["n"] == 40
    assert rows["ours", "other words"]["p"] < 0.05
    assert rows["lookup", "other words"]["mean"] == pytest.approx(np.mean([values[20:].mean() for values in low]))


def test_a_kind_that_nobody_asks_is_left_out() -> None:
    """No row is made of no requests."""
    result = [Result("x", "retrieve", ("a", "b"), {"ndcg@200": np.array([0.1, 0.2])})]
    assert {row["worded"] for row in by_wording({"x": result}, {"a": True, "b": True}, "x")} == {"the catalog's words"}
