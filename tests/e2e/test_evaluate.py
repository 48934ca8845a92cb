"""antiphon evaluate: own judgements, any system, and what bad input gets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Thirty requests; one positive is unknown."""
    lines = [
        {
            "query_id": f"q{i}",
            "text": f"something {word}",
            "positives": [f"film-{(i * 7 + j) % 60:03}" for j in range(4)],
        }
        for i, word in enumerate(["dark", "tender", "witty", "eerie", "quiet"] * 6)
    ]
    lines[0]["positives"].append("film-999")
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """Pairs of alike films, and one unknown."""
    pairs = {
        "item_id": [f"film-{i:03}" for i in range(20)],
        "similar_id": [f"film-{i + 20:03}" for i in range(19)] + ["x"],
    }
    pq.write_table(pa.table(pairs), tmp_path / "truth.parquet")
    return tmp_path / "truth.parquet"


def document(called: tuple[int, str, str]) -> dict[str, Any]:
    """The one JSON document on standard output."""
    code, out, err = called
    assert code == 0, err
    return json.loads(out)


@pytest.fixture
def run(tiny_run: Any, tmp_path: Path) -> Path:
    """A run that may be written to."""
    shutil.copytree(tiny_run.run, tmp_path / "run")
    return tmp_path / "run"


def test_the_document_has_the_agreed_shape(call: Call, run: Path, queries: Path) -> None:
    """Task, system, number of queries, ignored ids, and each metric with its interval."""
    found = document(call("evaluate", run, "--task", "retrieve", "--queries", queries, "--json"))
    assert {"task", "system", "n_queries", "ignored_ids", "metrics"} <= found.keys()
    assert (found["task"], found["system"], found["n_queries"], found["ignored_ids"]) == ("retrieve", "joint", 30, 1)
    for metric in ("ndcg@200", "recall@20", "recall@200", "mrr@200"):
        value = found["metrics"][metric]
        assert 0 <= value["low"] <= value["mean"] <= value["high"] <= 1


def test_the_task_follows_from_the_files(call: Call, run: Path, queries: Path, truth: Path) -> None:
    """Without --task, requests are for retrieval, pairs for similar items, and held-out users for neither."""
    assert document(call("evaluate", run, "--queries", queries, "--json"))["task"] == "retrieve"
    found = document(call("evaluate", run, "--truth", truth, "--json"))
    assert (found["task"], found["n_queries"], found["ignored_ids"]) == ("similar", 19, 1)
    assert document(call("evaluate", run, "--json"))["task"] == "recommend"


def test_every_system_is_evaluated(call: Call, run: Path, queries: Path) -> None:
    """Each name of `--system list` gives a document on some task; tuned ones leave the requests they chose on out."""
    code, out, _ = call("evaluate", run, "--system", "list")
    assert code == 0
    names = out.split()
    assert {"joint", "text", "cf", "bm25", "popularity", "random", "ials", "ease", "item-knn", "concat"} <= set(names)
    for name in names:
        asked = ("--queries", queries) if "bm25" in name or name == "facet-lookup" else ()
        found = document(call("evaluate", run, "--system", name, "--trials", "2", "--json", *asked))
        assert found["system"] == name
        assert found["metrics"]["ndcg@200"]["mean"] is not None
        assert found["n_queries"] < 30


def test_metrics_can_be_chosen(call: Call, run: Path) -> None:
    """Other metrics and cutoffs, in the order asked."""
    found = document(call("evaluate", run, "--metric", "ndcg@5", "--metric", "map", "--json"))
    assert list(found["metrics"]) == ["ndcg@5", "map"]


def test_values_of_every_query_are_kept(call: Call, run: Path, queries: Path) -> None:
    """RUN/eval has a table of query and value, whose mean is the one that is shown."""
    found = document(call("evaluate", run, "--queries", queries, "--json"))
    table = pq.read_table(run / "eval" / "retrieve-all.joint.parquet")
    values = [row["value"] for row in table.to_pylist() if row["metric"] == "ndcg@200"]
    assert len(values) == 30
    assert sum(values) / 30 == pytest.approx(found["metrics"]["ndcg@200"]["mean"])


def test_people_get_lines(call: Call, run: Path, queries: Path) -> None:
    """Numbers on standard output, what was left out on standard error."""
    code, out, err = call("evaluate", run, "--queries", queries)
    assert code == 0
    assert "ndcg@200" in out
    assert "left out: 1 ids" in err


def test_cold_items(call: Call, project: Any, tmp_path: Path, tiny_text_model: Path) -> None:
    """A run that hides items can rank them among themselves and among all."""
    modalities = [
        {"name": "text", "encoder": "sentence-transformers", "model": str(tiny_text_model)},
        {"name": "cf", "encoder": "als", "trials": 1, "factors": [4]},
    ]
    path = project({"modalities": modalities, "split": {"cold": 0.3}, "train": {"epochs": 1}})
    assert call("build", path, "--run", tmp_path / "cold", "--quiet")[0] == 0
    for among in ("cold", "all"):
        found = document(call("evaluate", tmp_path / "cold", "--task", "cold", "--among", among, "--json"))
        assert found["n_queries"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--task", "retrieve"), "--queries"),
        (("--task", "similar"), "--truth"),
        (("--task", "cold"), "split.cold"),
        (("--system", "eese"), "did you mean 'ease'"),
        (("--metric", "ndgc@5"), "ndcg"),
        (("--metric", "ndcg"), "cutoff"),
        (("--system", "bm25"), "cannot recommend"),
        (("--queries", "missing.jsonl"), "missing.jsonl"),
        (("--truth", "missing.parquet"), "missing.parquet"),
        (("--task", "similar", "--queries", "q.jsonl", "--truth", "t.parquet"), "--queries is for"),
    ],
)
def test_bad_requests_get_a_sentence(call: Call, run: Path, words: tuple[str, ...], said: str) -> None:
    """Exit code 2 and one clear sentence."""
    code, out, err = call("evaluate", run, *words)
    assert code == 2
    assert said in err
    assert out == ""
    assert "Traceback" not in err


def test_a_malformed_line_is_refused_with_its_number(call: Call, run: Path, queries: Path) -> None:
    """One wrong line refuses the file; nothing is evaluated."""
    with queries.open("a", encoding="utf-8") as file:
        file.write("not json\n")
    code, out, err = call("evaluate", run, "--task", "retrieve", "--queries", queries)
    assert code == 2
    assert "line 31" in err
    assert out == ""


def test_a_folder_without_a_run_is_refused(call: Call, tmp_path: Path) -> None:
    """The sentence says how to build one."""
    code, _, err = call("evaluate", tmp_path / "none")
    assert code == 2
    assert "antiphon build" in err
