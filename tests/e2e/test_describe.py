"""antiphon describe and antiphon queries make, against a server of the protocol: from the catalog to a built space."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

support = runpy.run_path(str(Path(__file__).parents[1] / "support" / "chat_server.py"))
chat_server, answers = support["chat_server"], support["answers"]
KEY = "sk-secret-0123456789"


@pytest.fixture
def ask(call, project, tmp_path, monkeypatch):
    """A function that calls a command on a project of films; returns exit code, standard output, standard error."""
    monkeypatch.setenv("TEST_KEY", KEY)
    path = project({"synthetic": {"noun": "films", "decades": ["year"]}}, n_items=40)

    def run(command, server, *words):
        options = ["--model", "tiny", "--base-url", server.url, "--key-env", "TEST_KEY", "--cache", tmp_path / "cache"]
        return call(*command.split(), path, *options, *words)

    run.project = path
    return run


def rows(path):
    """The rows of a parquet file."""
    return pq.read_table(path).to_pylist()


def test_descriptions_are_written_and_a_build_uses_them(ask, call, chat_server, answers, tmp_path, tiny_text_model):
    """The file has item_id, description, source and reason; a build counts the items that fall back."""
    answer, faithful, item_of = answers
    server = chat_server(lambda body, n: answer("No." if "Orchard 1." in item_of(body) else faithful(body)))
    out = ask.project.parent / "gen.parquet"
    code, printed, said = ask("describe", server, "--out", out, "--words", "10", "100", "--json")
    assert (code, KEY in said + printed) == (0, False)
    summary = json.loads(printed)
    assert (summary["items"], summary["by_model"], summary["fallbacks"]) == (40, 39, {"too short": 1})
    table = rows(out)
    assert list(table[0]) == ["item_id", "description", "source", "reason"]
    assert [row["item_id"] for row in table] == sorted(row["item_id"] for row in table)
    assert {(row["source"], row["reason"]) for row in table} == {("model", None), ("template", "too short: 1 words")}
    changes = ["describe.gen_file=gen.parquet", "describe.mode=gen", "train.epochs=1"]
    changes += [f"modalities.text.model={tiny_text_model}", "modalities.cf.trials=1"]
    words = [word for change in changes for word in ("--set", change)]
    run = tmp_path / "run"
    code, _, said = call("build", ask.project, "--run", run, *words)
    assert code == 0, said
    texts = pq.read_table(run / "descriptions.parquet")
    assert texts["gen"].to_pylist() == [row["description"] for row in table]
    assert texts.schema.metadata[b"fallbacks"] == b"1"
    code, _, said = call("build", ask.project, "--run", run, *words)
    assert "describe:" not in said
    pq.write_table(pq.read_table(out).slice(0, 39), out)
    code, _, said = call("build", ask.project, "--run", run, *words)
    assert "describe:" in said, "a file that changed is read again"
    assert pq.read_table(run / "descriptions.parquet").schema.metadata[b"fallbacks"] == b"2"


def test_a_dry_run_estimates_and_writes_nothing(ask, chat_server, tmp_path):
    """Tokens and cost, as text and as JSON; no request, no file."""
    server = chat_server()
    words = ("--dry-run", "--price-in", "1", "--price-out", "4")
    code, printed, _ = ask("describe", server, *words)
    assert code == 0
    assert "40 items, 0 of them done already, 40 to ask for" in printed
    _, printed, _ = ask("describe", server, *words, "--json")
    estimate = json.loads(printed)
    assert estimate["cost"] == pytest.approx((estimate["tokens_in"] + 4 * estimate["tokens_out"]) / 1e6)
    assert estimate["cost"] < estimate["most_cost"]
    assert server.bodies == []
    assert not (tmp_path / "cache").exists()


def test_a_dry_run_needs_no_model_and_no_key(call, tmp_path, project, monkeypatch):
    """An estimate is what one wants before there is either."""
    for name in ("ANTIPHON_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    config = project(n_items=12)
    code, printed, err = call("describe", config, "--dry-run", "--cache", tmp_path / "cache")
    assert code == 0, err
    assert "12 items, 0 of them done already, 12 to ask for" in printed
    assert call("describe", config, "--out", tmp_path / "gen.parquet")[0] == 2


def test_the_budget_ends_with_its_own_code_and_the_command_goes_on(ask, chat_server, tmp_path):
    """Exit code 3, a complete file, and the second call asks only for the rest."""
    server, out = chat_server(), tmp_path / "gen.parquet"
    words = ("--out", out, "--words", "10", "100", "--workers", "2", "--price-in", "10", "--price-out", "10")
    code, _, said = ask("describe", server, *words, "--max-cost", "0.02")
    assert code == 3
    assert "stopped early: budget. The same command goes on from here." in said
    first = len(server.bodies)
    assert 0 < first < 40
    assert first * 150 * 10 / 1e6 <= 0.02
    assert sum(row["source"] == "model" for row in rows(out)) == first
    code, _, _ = ask("describe", server, *words)
    assert (code, len(server.bodies)) == (0, 40)
    assert all(row["source"] == "model" for row in rows(out))


def test_killed_it_goes_on_and_ends_in_the_same_file(project, chat_server, answers, tmp_path):
    """SIGKILL in the middle: the second call asks for what was not answered, and writes what one call would have."""
    answer, faithful, _ = answers
    path = project(n_items=40)
    slow = chat_server(lambda body, number: answer(faithful(body), delay=0.03))

    def command(server, cache, out):
        words = ["--model", "tiny", "--base-url", server.url, "--words", "10", "100", "--workers", "2"]
        words += ["--cache", str(tmp_path / cache), "--out", str(tmp_path / out)]
        return [sys.executable, "-m", "antiphon", "describe", str(path), *words]

    with subprocess.Popen(command(slow, "one", "gen.parquet"), stderr=subprocess.DEVNULL) as process:
        limit = time.monotonic() + 60
        while len(slow.bodies) < 15 and time.monotonic() < limit:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert 15 <= len(slow.bodies) < 40
    assert not (tmp_path / "gen.parquet").exists()
    kept = len(list((tmp_path / "one").rglob("*.json")))
    assert kept >= 12, "answers that came are kept"
    before = len(slow.bodies)
    done = subprocess.run(command(slow, "one", "gen.parquet"), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(slow.bodies) - before == 40 - kept
    fresh = chat_server()
    subprocess.run(command(fresh, "two", "other.parquet"), capture_output=True, check=True, env=dict(os.environ))
    assert (tmp_path / "gen.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()


def test_bad_input_ends_with_a_sentence(ask, call, chat_server, tmp_path, monkeypatch):
    """Exit code 2: no model, no file, two prompts, a budget without prices, odd lengths, a refused key."""
    monkeypatch.delenv("ANTIPHON_MODEL", raising=False)
    server = chat_server()
    out = ("--out", tmp_path / "gen.parquet")
    code, _, said = call("describe", ask.project, *out)
    assert (code, "no model is named" in said) == (2, True)
    for words, sentence in (
        ((), "give --out FILE, or set describe.gen_file"),
        ((*out, "--preset", "music", "--prompt", "x.toml"), "both name a prompt"),
        ((*out, "--max-cost", "1"), "needs prices"),
        ((*out, "--words", "9", "3"), "fewest and the most words"),
        ((*out, "--prompt", tmp_path / "none.toml"), "cannot be read"),
    ):
        code, _, said = ask("describe", server, *words)
        assert (code, sentence in said) == (2, True), said
    assert server.bodies == []


def test_a_refused_key_ends_the_work(ask, chat_server, answers, tmp_path):
    """One request, exit code 3, the server's sentence without the key."""
    answer, _, _ = answers
    server = chat_server(lambda body, number: answer(f"Incorrect API key: {KEY}", 401))
    code, _, said = ask("describe", server, "--out", tmp_path / "gen.parquet", "--workers", "1")
    assert (code, len(server.bodies)) == (3, 1)
    assert "stopped early: HTTP 401" in said
    assert KEY not in said


def test_a_file_for_gen_must_be_one(ask, call, tmp_path):
    """One that is missing, has other columns, or other items is refused with what to do."""
    words = ("--run", tmp_path / "run", "--set", "describe.mode=gen", "--set", "describe.gen_file=gen.parquet")
    code, _, said = call("build", ask.project, *words)
    assert (code, "antiphon describe FILE --out" in said) == (2, True)
    items = pq.read_table(ask.project.parent / "items.parquet")
    pq.write_table(items.select(["item_id"]), ask.project.parent / "gen.parquet")
    code, _, said = call("build", ask.project, *words)
    assert (code, "has no column 'description'" in said) == (2, True)
    other = items.select(["title", "title", "title"]).rename_columns(["item_id", "description", "source"])
    pq.write_table(other, ask.project.parent / "gen.parquet")
    code, _, said = call("build", ask.project, *words)
    assert (code, "none of the catalog's items" in said) == (2, True)


def test_a_batch_gives_the_same_file(ask, chat_server, tmp_path):
    """Through /v1/files and /v1/batches: no completion is asked for by itself, and the texts are the same."""
    server = chat_server()
    words = ("--words", "10", "100")
    code, _, said = ask("describe", server, "--out", tmp_path / "a.parquet", *words, "--batch")
    assert code == 0, said
    assert server.bodies == []
    assert len(server.batches) == 1
    other = chat_server()
    ask("describe", other, "--out", tmp_path / "b.parquet", *words, "--cache", tmp_path / "fresh")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_requests_are_made_and_evaluated(ask, call, chat_server, answers, tiny_run, tmp_path):
    """By the grammar, and by a model; `evaluate` reads both."""
    answer, _, item_of = answers
    out = tmp_path / "requests.jsonl"
    code, printed, said = call(
        "queries", "make", tiny_run.project, "--out", out, "--count", "10", "--min-items", "4", "--json"
    )
    assert code == 0, said
    assert json.loads(printed)["by_grammar"] == 10
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {line["source"] for line in lines} == {"grammar"}
    assert all(len(line["positives"]) >= 4 and line["facets"] and line["draft"] == line["text"] for line in lines)
    code, printed, said = call("evaluate", tiny_run.run, "--queries", out, "--json")
    assert code == 0, said
    assert json.loads(printed)["n_queries"] == 10
    server = chat_server(lambda body, number: answer(f"So, {item_of(body)} Now"))
    code, _, said = ask("queries make", server, "--out", out, "--count", "8", "--min-items", "4")
    assert (code, "8 worded by a model, 0 by the grammar" in said) == (0, True)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(line["source"], line["model"]) for line in lines} == {("model", "tiny")}
    assert all(line["draft"] in line["prompt"] for line in lines)
    code, printed, _ = ask(
        "queries make", server, "--out", out, "--count", "8", "--min-items", "4", "--grammar", "--json"
    )
    assert (code, json.loads(printed)["by_model"], len(server.bodies)) == (0, 0, 8)
    code, printed, _ = ask(
        "queries make", server, "--out", out, "--count", "9", "--min-items", "4", "--json", "--max-tokens", "10",
        "--seed", "5",
    )  # fmt: skip
    summary = json.loads(printed)
    assert (code, summary["stopped"], summary["faults"]) == (3, "budget", {"budget": 9})
