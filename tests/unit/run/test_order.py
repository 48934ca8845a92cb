"""The runner of stages: which are at work at once, and what a failure does to the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from antiphon.base import runtime
from antiphon.base.layout import RunLayout
from antiphon.base.progress import silent
from antiphon.config.sections import Config
from antiphon.run.order import run_stages
from antiphon.run.stage import Job, Stage

WAIT = 20.0
"""Seconds after which a thread that nobody wakes gives up."""


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """On one core nothing is done beside anything."""
    monkeypatch.setattr(runtime, "n_cores", lambda: 2)


def job(folder: Path, told: list[str] | None = None) -> Job:
    """A build of nothing."""
    config = Config.model_validate({"catalog": {"items": "items.parquet"}})
    return Job(config, RunLayout(folder), silent, (told if told is not None else []).append, {})


def stage(name: str, work: Callable[[Job], object], *inputs: str, beside: bool = False) -> Stage:
    """A stage that writes one file after its work."""

    def do(job: Job, fingerprint: str) -> None:
        work(job)
        (job.layout.root / name).write_text(fingerprint, encoding="utf-8")

    return Stage(name, do, lambda job: [job.layout.root / name], inputs=inputs, options=lambda _: name, beside=beside)


def test_a_stage_beside_is_at_work_while_the_next_is(tmp_path: Path) -> None:
    """Each waits for the other to have begun: one after the other they would never end."""
    first, second = threading.Event(), threading.Event()

    def slow(_: Job) -> None:
        first.set()
        assert second.wait(WAIT)

    def quick(_: Job) -> None:
        assert first.wait(WAIT)
        second.set()

    run_stages([stage("slow", slow, beside=True), stage("quick", quick)], job(tmp_path))


def test_who_reads_it_waits_for_it_and_the_manifest_has_the_order_of_the_list(tmp_path: Path) -> None:
    """The stage that names it as an input sees its record; the one in between does not wait."""
    between, seen = threading.Event(), list[str]()
    run_stages(
        [
            stage("slow", lambda _: between.wait(WAIT), beside=True),
            stage("between", lambda _: between.set()),
            stage("reader", lambda job: seen.extend(job.records), "slow"),
        ],
        job(tmp_path),
    )
    assert set(seen) == {"slow", "between"}
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert [record["name"] for record in manifest["stages"]] == ["slow", "between", "reader"]


def test_a_failure_stops_what_is_beside_at_its_next_step(tmp_path: Path) -> None:
    """The error is the one of the stage that failed; the other has not ended, and nothing runs after the build."""
    begun, told, ended = threading.Event(), list[str](), list[str]()

    def slow(job: Job) -> None:
        with job.progress("counting", 10**9) as advance:
            begun.set()
            for _ in range(10**9):
                advance(1)
        ended.append("slow")

    def wrong(_: Job) -> None:
        assert begun.wait(WAIT)
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        run_stages([stage("slow", slow, beside=True), stage("wrong", wrong)], job(tmp_path, told))
    assert not ended
    assert told == ["stopping slow at the next step"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("antiphon-beside")]


def test_its_own_failure_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    """What reads it is not begun, and the manifest has no record of it."""
    done = list[str]()

    def wrong(_: Job) -> None:
        raise ValueError("no such thing")

    of = job(tmp_path)
    with pytest.raises(ValueError, match="no such thing"):
        run_stages(
            [stage("wrong", wrong, beside=True), stage("reader", lambda _: done.append("reader"), "wrong")],
            of,
        )
    assert not done
    assert "wrong" not in of.records


@pytest.mark.parametrize("cores", [1, 2])
def test_the_files_are_the_same_on_one_core_and_on_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    """One core: in order."""
    monkeypatch.setattr(runtime, "n_cores", lambda: cores)
    names = list[str]()
    run_stages(
        [stage(name, lambda _, name=name: names.append(name), beside=name == "b") for name in "abc"], job(tmp_path)
    )
    assert {path.name for path in tmp_path.iterdir()} >= {"a", "b", "c", "manifest.json"}
    assert sorted(names) == ["a", "b", "c"]
    assert cores == 2 or names == ["a", "b", "c"]


def test_what_is_up_to_date_loads_nothing(tmp_path: Path) -> None:
    """A stage beside has its libraries loaded before it works, and only then."""
    loaded = list[str]()
    one = replace(stage("slow", lambda _: None, beside=True), loads=[lambda: loaded.append("torch")])
    first = job(tmp_path)
    run_stages([one], first)
    assert loaded == ["torch"]
    again = replace(first, before=dict(first.records), records={})
    run_stages([one], again)
    assert loaded == ["torch"]
    assert again.records["slow"].status == "cached"
