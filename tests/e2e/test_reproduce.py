"""antiphon reproduce on a small slice of the real data, from raw files to a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.config.load import parse_config
from antiphon.evaluate.outcomes import NotKeptError
from antiphon.evaluate.results import load_results
from antiphon.reproduce import ahead
from antiphon.reproduce.blocks import Block
from antiphon.reproduce.report import as_html, as_markdown
from antiphon.reproduce.reproduce import Options, Reproduction
from antiphon.reproduce.rows import floor

Call = Callable[..., tuple[int, str, str]]
SMALL = ("--items", "150", "--users", "300", "--queries", "100", "--epochs", "2", "--seeds", "2", "--trials", "2",
         "--study-seeds", "1")  # fmt: skip
ROWS = {
    "MULTI_TEMPLATE", "MULTI_GEN", "MULTI_TEMPLATE+GEN", "MULTI_TEMPLATE, tuned", "ANTIPHON", "ANTIPHON's EASE alone",
    "CF", "popularity", "random", "EASE", "iALS, 256 factors", "item kNN, users by length",
}  # fmt: skip


def reproduce(call: Call, dataset: str, source: Path, out: Path, *words: str) -> dict[str, Any]:
    """The document that `antiphon reproduce --json` prints."""
    code, printed, err = call("reproduce", dataset, "--from", source, "--out", out, *SMALL, *words, "--json")
    assert code == 0, err
    return json.loads(printed)


@pytest.mark.data
@pytest.mark.timeout(1200)
def test_music_from_raw_files_to_a_report(call: Call, data_dir: Path, tmp_path: Path) -> None:
    """Every row of every column with its interval, tests, hashes, a table of all queries, and a page of its own.

    Done again, nothing but the report is made, and it is the same.
    """
    found = reproduce(call, "music", data_dir, tmp_path, "--no-studies")
    assert found.keys() == {"dataset", "rows", "tests", "config_hash", "data_hash"}
    tasks = {row["task"] for row in found["rows"]}
    assert tasks == {"recommend", "retrieve", "similar"}
    for task in tasks:
        names = {row["system"] for row in found["rows"] if row["task"] == task}
        assert names >= ({"MULTI_TEMPLATE+GEN", "BM25", "TEXT + BM25, scores"} if task == "retrieve" else ROWS)
    for row in found["rows"]:
        value = row["metrics"]["ndcg@200"]
        assert 0 <= value["low"] <= value["mean"] <= value["high"] <= 1
    assert all(test["p_holm"] >= test["p"] for test in found["tests"])
    assert all(test["difference"] > 0 for test in found["tests"] if test["win"])
    document = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert all(len(row["by_seed"]) == row["n_seeds"] == 2 for row in document["rows"])
    assert all(row["beyond"].keys() == {"novelty@20", "diversity@20", "popularity@20"} for row in document["rows"])
    budgets = {row["system"]: row["budget"] for row in document["rows"]}
    assert budgets["EASE"] == {"own": 2}
    assert budgets["MULTI_TEMPLATE, tuned"]["own"] == 5
    queries = {}
    for result in load_results(tmp_path / "per_query.parquet"):
        if result.system == "EASE" and result.task.startswith("recommend"):
            queries[result.seed] = set(result.ids)
    assert queries.keys() == {0, 1}
    assert queries[0] != queries[1]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "src=" not in page
    assert str(tmp_path) not in page
    assert len({result.system for result in load_results(tmp_path / "per_query.parquet")}) >= len(ROWS)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "stages").iterdir()}
    assert reproduce(call, "music", data_dir, tmp_path, "--no-studies") == found
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "stages").iterdir()} == before


@pytest.mark.data
@pytest.mark.parametrize(
    ("preset", "epochs", "expected"), [("paper", None, 100), ("default", None, 40), ("paper", 2, 2)]
)
def test_the_papers_rows_train_as_long_as_their_preset_says(
    data_dir: Path, tmp_path: Path, preset: str, epochs: int | None, expected: int
) -> None:
    """What the data set says of epochs is for the space."""
    found = Reproduction(Options("movies", data_dir, tmp_path, items=150, users=300, epochs=epochs))
    assert parse_config(found.trial_settings(preset), source="a trial").train.epochs == expected


@pytest.mark.data
def test_processes_find_what_one_process_finds(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are equal; what a process cannot do, or does not live to do, is left and told."""
    small = {"source": data_dir, "items": 150, "users": 300, "queries": 100, "epochs": 2, "seeds": 1, "trials": 2}
    told: list[str] = []
    monkeypatch.setattr(ahead, "MEMORY", 1)
    found = Reproduction(Options("movies", out=tmp_path, **small), notify=told.append)
    found.prepare()
    draw = found.draws[0]
    jobs = [["floor", "bm25", "retrieve", 0], ["floor", "nothing", "retrieve", 0]]
    monkeypatch.setattr(ahead, "jobs_of", lambda _: jobs)
    monkeypatch.setenv("ANTIPHON_CORES", "1")
    ahead.make_ahead(found)
    assert not (tmp_path / ahead.LOGS).exists()
    monkeypatch.setenv("ANTIPHON_CORES", "2")
    ahead.make_ahead(found)
    assert any(line.startswith("floor.nothing.retrieve.0: left for later: ") for line in told)
    found.outcomes.only_kept = True
    kept = floor(found, "bm25", "retrieve", draw)
    found.outcomes.only_kept = False
    for folder in ("stages", "tuning"):
        shutil.rmtree(tmp_path / folder)
    alone = floor(found, "bm25", "retrieve", draw)
    assert kept.ids == alone.ids
    np.testing.assert_allclose(kept.values["ndcg@200"], alone.values["ndcg@200"], atol=1e-6)
    jobs[:] = [["floor", "random", "retrieve", 0]]
    monkeypatch.setattr(ahead.sys, "executable", shutil.which("false"))
    ahead.make_ahead(found)
    found.outcomes.only_kept = True
    with pytest.raises(NotKeptError):
        floor(found, "random", "retrieve", draw)


OURS_TOO = ("ANTIPHON", "ANTIPHON, new items not doubted", "MULTI_TEMPLATE", "popularity")


@pytest.mark.slow
@pytest.mark.data
def test_movies_with_all_studies(call: Call, data_dir: Path, tmp_path: Path) -> None:
    """Cold items, the curve, missing modalities, noise, ablations and bias are in the document and in the report."""
    reproduce(call, "movies", data_dir, tmp_path)
    document = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    studies = {"cold", "curve", "missing", "noise", "ablations", "bias", "ingredients", "personalised", "asks",
               "temporal", "untagged", "wordings"}  # fmt: skip
    assert document["studies"].keys() == studies
    assert not document["failed"]
    assert all(found for name, found in document["studies"].items() if name != "temporal")  # times are of another set
    assert {row["modality"] for row in document["studies"]["missing"]} == {"text", "image", "cf"}
    assert {row["when"] for row in document["studies"]["missing"]} == {"training", "use"}
    cold = {(row["system"], row["among"]) for row in document["studies"]["cold"]}
    assert cold >= {(name, among) for name in OURS_TOO for among in ("cold", "all", "liked")}
    parts = [row["part"] for row in document["studies"]["personalised"]]
    assert parts == ["text and history", "text alone", "history alone"]
    assert {row["change"] for row in document["studies"]["ingredients"]} >= {"without facets", "equal weights"}
    assert {row["change"] for row in document["studies"]["noise"]} >= {
        "random modality added",
        "image shuffled, 1 draws",
    }
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    for heading in ("Cold items", "Missing modalities", "What noise costs", "Ablations", "Popularity and other bias",
                    "What each ingredient is worth", "Personalised search"):  # fmt: skip
        assert f"## {heading}" in report
    assert not any((tmp_path / "studies").iterdir())


def test_an_unknown_table_is_refused(call: Call, tmp_path: Path) -> None:
    """There are two; a misspelt one gets the nearest."""
    code, _, err = call("reproduce", "movie", "--out", tmp_path / "out")
    assert code == 2
    assert "did you mean 'movies'" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("--seeds", "0"), ("--encoders", "minilm,bert"), ("--from", "nowhere")])
def test_bad_options_are_refused(call: Call, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Exit code 2 and a sentence, before anything is written."""
    code, _, err = call("reproduce", "music", "--out", tmp_path / "out", *words)
    assert code == 2
    assert err.startswith("antiphon: ")
    assert not (tmp_path / "out").exists()


def test_a_report_escapes_what_it_shows() -> None:
    """Signs that mean something to a browser are shown, not run; tables keep their cells."""
    blocks = [Block("p", "<script>&"), Block("table", rows=[["a", "b"], ["*<i>*", "2"]])]
    page = as_html(blocks, "t")
    assert "<script>" not in page
    assert "<b>&lt;i&gt;</b>" in page
    assert "| *<i>* | 2 |" in as_markdown(blocks)
