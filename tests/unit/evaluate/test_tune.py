"""Searching settings: the default first, validation only, and a history that a killed search goes on from."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.base import storage
from antiphon.config.load import load_config
from antiphon.config.sections import Config
from antiphon.errors import ConfigError, MissingExtraError
from antiphon.evaluate import tune as search
from antiphon.evaluate.protocols import recommend_task, retrieve_task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.tune import RANGES, Range, Tried, ranges_of, search_config

SMALL = {
    "joint.hidden": Range(8, 32, whole=True),
    "joint.dim": Range(8, 16, whole=True),
    "train.learning_rate": Range(1e-3, 1e-2),
}


@pytest.fixture(scope="session")
def base(tiny_text_model: Path, film_project: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built run of 60 films with its project beside it; only to be copied."""
    from antiphon.run.build import build

    folder = tmp_path_factory.mktemp("searched")
    settings = {
        "preset": "default",
        "split": {"test": 0.3, "validation": 0.3, "cold": 0.0},
        "joint": {"hidden": 16, "dim": 8},
        "synthetic": {"per_item": 2},
        "space": {"taste_trials": 1, "ease_rank": 4},
        "train": {"epochs": 2},
    }
    project = film_project(folder, tiny_text_model, settings, n_items=60, n_users=60)
    build(load_config(project), folder / "run")
    return folder


@pytest.fixture(scope="session")
def film_project() -> Callable[..., Path]:
    """The function of the other evaluations' conftest."""
    import runpy

    made: Callable[..., Path] = runpy.run_path(str(Path(__file__).with_name("conftest.py")))["film_project"]
    return made


@pytest.fixture
def project(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Config, Path]:
    """A configuration and a run of it that a search may write to; its ranges are small."""
    monkeypatch.setattr(search, "RANGES", SMALL)
    run = Path(shutil.copytree(base / "run", tmp_path / "run"))
    return load_config(base / "antiphon.toml"), run


def history(run: Path) -> list[dict[str, Any]]:
    """The lines of a history."""
    return [json.loads(line) for line in (run / "tune" / "history.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_killed_search_goes_on_where_it_was(
    project: tuple[Config, Path], requests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in its third trial, it has two; gone on with, it has the three of one that nobody disturbed."""
    config, run = project
    other = Path(shutil.copytree(run, tmp_path / "other"))
    plain = search.run_trial

    class Killed(BaseException):
        pass

    def kill(base: Path, settings: Any, trial: Any, *rest: Any) -> RunData:
        if trial.name == "trial-2":
            raise Killed
        return plain(base, settings, trial, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(search, "run_trial", kill)
        with pytest.raises(Killed):
            search_config(config, run, trials=3, queries=requests)
    before = history(run)
    assert [row["number"] for row in before] == [0, 1]
    done: list[str] = []

    def watch(base: Path, settings: Any, trial: Any, *rest: Any) -> RunData:
        done.append(trial.name)
        return plain(base, settings, trial, *rest)

    monkeypatch.setattr(search, "run_trial", watch)
    found = search_config(config, run, trials=3, queries=requests)
    assert done == ["trial-2"]
    assert history(run)[:2] == before
    whole = search_config(config, other, trials=3, queries=requests)
    assert [row.settings for row in found.tried] == [row.settings for row in whole.tried]
    assert [row.values for row in found.tried] == [row.values for row in whole.tried]
    assert (run / "tune" / "history.svg").read_text(encoding="utf-8").startswith("<svg")
    assert not list((run / "tune").glob("trial-*"))
    done.clear()
    assert search_config(config, run, trials=3, queries=requests).tried == found.tried
    assert done == []


def test_the_default_comes_first_and_is_what_others_are_held_against(
    project: tuple[Config, Path], requests: Path
) -> None:
    """Trial 0 has the configuration's settings and the score 1; a score is the mean of the tasks' ratios to it."""
    config, run = project
    data = RunData(run)
    found = search_config(config, run, trials=2, queries=requests)
    first, second = found.tried
    assert first.settings["joint.hidden"] == 16
    assert first.settings["train.learning_rate"] == config.train.learning_rate
    assert first.score == 1
    assert first.values is not None
    assert second.values is not None
    assert set(first.values) == {"recommend-validation", "retrieve-validation"}
    ratios = [second.values[name] / first.values[name] for name in first.values]
    assert second.score == pytest.approx(np.mean(ratios))
    assert second.settings != first.settings
    for key, value in second.settings.items():
        assert SMALL.get(key, Range(0, 9)).low <= value <= SMALL.get(key, Range(0, 9)).high
    # The same as the evaluation has for the run itself.
    from antiphon.evaluate.results import evaluate
    from antiphon.evaluate.systems import SpaceSystem

    for task in (recommend_task(data, "validation"), retrieve_task(data, requests, "validation")):
        values = evaluate(SpaceSystem(data), task, ["ndcg@200"]).values["ndcg@200"]
        assert first.values[task.name] == pytest.approx(np.nanmean(values))


def test_a_trial_is_a_build_with_its_settings(project: tuple[Config, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The override that is printed, given to a build, gets the score of the trial."""
    from antiphon.run.build import build

    config, run = project
    found = search_config(config, run, trials=2)
    second = found.tried[1]
    assert second.values is not None
    layout = build(load_config(base_of(config), [f"{key}={value}" for key, value in second.settings.items()]), run)
    data = RunData(layout.root)
    from antiphon.evaluate.results import evaluate
    from antiphon.evaluate.systems import SpaceSystem

    values = evaluate(SpaceSystem(data), recommend_task(data, "validation"), ["ndcg@200"]).values["ndcg@200"]
    assert second.values["recommend-validation"] == pytest.approx(float(np.nanmean(values)))


def base_of(config: Config) -> Path:
    """The file of a configuration that `film_project` wrote."""
    return config.catalog.items.parent / "antiphon.toml"


def test_test_users_and_queries_are_never_asked(
    project: tuple[Config, Path], requests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every task of a search is of the validation part."""
    config, run = project
    asked: list[tuple[str, tuple[str, ...]]] = []
    plain = search.evaluate

    def watch(system: Any, task: Any, metrics: Any) -> Any:
        asked.append((task.name, task.ids))
        return plain(system, task, metrics)

    monkeypatch.setattr(search, "evaluate", watch)
    search_config(config, run, trials=2, queries=requests)
    data = RunData(run)
    test = {*recommend_task(data, "test").ids, *retrieve_task(data, requests, "test").ids}
    assert asked
    for name, ids in asked:
        assert name.endswith("-validation")
        assert not test & set(ids)


def test_another_configuration_is_another_search(project: tuple[Config, Path], base: Path) -> None:
    """Trials of other settings are kept in the history, and are not taken for those of this search."""
    config, run = project
    search_config(config, run, trials=1)
    other = load_config(base / "antiphon.toml", ["train.epochs=1"])
    found = search_config(other, run, trials=1)
    assert len(found.tried) == 1
    assert len({row["study"] for row in history(run)}) == len(history(run)) == 2


@pytest.mark.parametrize("damage", [b"\xff", b"", b"0.5", b"\x00"])
@pytest.mark.parametrize("line", [0, 1])
def test_a_trial_whose_line_is_damaged_is_made_again(
    project: tuple[Config, Path], monkeypatch: pytest.MonkeyPatch, line: int, damage: bytes
) -> None:
    """Only that one, and the history is what it was: no score that nobody measured is believed."""
    config, run = project
    measured: list[int] = []

    def measure(self: Any, number: int, settings: Any) -> dict[str, float]:
        measured.append(number)
        return {"recommend": 0.1 + number / 100}

    monkeypatch.setattr(search.Search, "_measure", measure)
    search_config(config, run, trials=3)
    before = history(run)
    file = run / "tune" / "history.jsonl"
    lines = file.read_bytes().split(b"\n")
    lines[line] = re.sub(rb'"score": [0-9.]+', b'"score": ' + damage, lines[line])
    file.write_bytes(b"\n".join(lines))
    measured.clear()
    found = search_config(config, run, trials=3)
    assert measured == [line]
    assert [{**row, "seconds": 0, "check": ""} for row in history(run)] == [
        {**row, "seconds": 0, "check": ""} for row in before
    ]
    assert [row.number for row in found.tried] == [0, 1, 2]


def test_a_training_that_diverges_is_a_failed_trial(
    project: tuple[Config, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the history with its reason, is never the best, and the search goes on."""
    config, run = project

    def fail(*_: Any) -> RunData:
        raise ConfigError("the training diverged")

    with monkeypatch.context() as patch:
        patch.setattr(search, "run_trial", fail)
        found = search_config(config, run, trials=2)
    assert (found.tried[1].score, found.tried[1].error) == (None, "the training diverged")
    assert found.best.number == 0
    assert found.overrides() == []
    assert len(search_config(config, run, trials=3).tried) == 3


def test_ranges_hold_the_default_and_leave_out_what_is_off(base: Path) -> None:
    """A range is widened to the configuration's value; a loss with weight 0 stays off, with its temperature."""
    path = base / "antiphon.toml"
    usual = ranges_of(load_config(path))
    assert set(usual) == {*RANGES, "train.epochs"}
    assert usual["joint.hidden"] == Range(16, 1536, whole=True)
    assert usual["train.epochs"] == Range(1, 4, whole=True)
    off = ranges_of(load_config(path, ["train.query_weight=0", "joint.dropout=0"]))
    assert set(usual) - set(off) == {"train.query_weight", "train.query_temperature"}


def test_the_best_and_how_far_the_default_is_behind() -> None:
    """The share that the default lacks of the best, and what the best changes."""
    rows = [
        Tried("s", 0, {"joint.dim": 8, "joint.hidden": 16}, {"a": 0.2}, 1.0, 1.0),
        Tried("s", 1, {"joint.dim": 9, "joint.hidden": 16}, {"a": 0.25}, 1.25, 1.0),
        Tried("s", 2, {"joint.dim": 7, "joint.hidden": 12}, None, None, 1.0, "no"),
    ]
    found = search.Found(rows, Path("nowhere"))
    assert found.best.number == 1
    assert found.behind == pytest.approx(0.2)
    assert found.overrides() == ["joint.dim=9"]


def test_without_optuna_the_extra_is_named(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install, before anything is built."""
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"antiphon\[tune\]"):
        search_config(load_config(base / "antiphon.toml"), base / "nowhere", trials=1)
    assert not (base / "nowhere").exists()


def test_nothing_to_choose_by_is_refused(base: Path, tmp_path: Path) -> None:
    """Without validation users, queries or similar items, and with a single modality, a sentence says so."""
    path = base / "antiphon.toml"
    run = Path(shutil.copytree(base / "run", tmp_path / "run"))
    with pytest.raises(ConfigError, match="holds out no validation users"):
        search_config(load_config(path, ["split.validation=0.0"]), run, trials=1)
    config = load_config(path)
    with pytest.raises(ConfigError, match="one modality"):
        ranges_of(config.model_copy(update={"modalities": config.modalities[:1]}))
    assert not (run / "tune" / "history.jsonl").exists()


def test_the_command_says_what_to_set(project: tuple[Config, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`antiphon tune` prints how far the default is behind and the build of the best; --json has the same."""
    from click.testing import CliRunner

    from antiphon.cli import cli

    config, run = project
    words = ["tune", str(base_of(config)), "--run", str(run), "--trials", "2"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "the default is" in done.output
    shown = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout.splitlines()[-1])
    assert shown["n_trials"] == 2
    scores = [row["score"] for row in history(run)]
    assert shown["score"] == max(scores)
    assert shown["behind"] == pytest.approx(1 - 1 / max(scores))
    assert storage.read_json(run / "manifest.json")["stages"]
