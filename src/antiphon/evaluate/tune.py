"""Looking for better settings of the joint model than the configuration's, on validation users and queries only.

Optuna's tree-structured Parzen estimator (Bergstra et al. 2011) proposes settings; a trial is a build of the base run
with these, and shares all stages that they do not change. The history of finished trials is all that is kept: a
proposal is a function of it, so a search that was killed makes the trial it was at again, from its last checkpoint.
Each line of it has a checksum; a trial whose line is damaged is made again.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.base.code import code_of
from antiphon.base.progress import Progress, silent
from antiphon.base.registry import find
from antiphon.config.sections import Config
from antiphon.errors import ConfigError, MissingExtraError
from antiphon.evaluate.plots import search_plot
from antiphon.evaluate.protocols import Task, recommend_task, retrieve_task, similar_task
from antiphon.evaluate.results import evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial, run_trial
from antiphon.numbers.metrics import METRIC, mean_over_queries
from antiphon.run.build import build
from antiphon.run.stage import Notify

FOLDER, HISTORY, PLOT, CHECK = "tune", "history.jsonl", "history.svg", "check"
STARTUP = 6
"""Trials that are drawn at random before the proposals learn from what was tried."""
EPOCHS = (1 / 3, 2.0)
"""Range of the epochs, as shares of the default."""
DIGITS = 3


@dataclass(frozen=True)
class Range:
    """Values of a setting, both ends included; drawn on a log scale where `log`, whole numbers where `whole`."""

    low: float
    high: float
    log: bool = True
    whole: bool = False


RANGES: Mapping[str, Range] = {
    "joint.hidden": Range(128, 1536, whole=True),
    "joint.dim": Range(64, 512, whole=True),
    "joint.dropout": Range(0.0, 0.6, log=False),
    "train.learning_rate": Range(2e-4, 5e-3),
    "train.temperature": Range(0.03, 0.3),
    "train.pair_weight": Range(0.03, 3.0),
    "train.query_temperature": Range(0.02, 0.2),
    "train.query_weight": Range(0.2, 5.0),
}
ONLY_WITH = {"train.temperature": "train.pair_weight", "train.query_temperature": "train.query_weight"}
"""Settings that do nothing where another one is 0."""


@dataclass(frozen=True)
class Tried:
    """A trial that ended: its settings, nDCG@200 by task, and their mean relative to the default's.

    `values` and `score` are None where the trial failed, such as a training that diverged: `error` says why.
    """

    study: str
    number: int
    settings: Mapping[str, float]
    values: Mapping[str, float] | None
    score: float | None
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Found:
    """What a search found; the first trial is the default."""

    tried: Sequence[Tried]
    folder: Path

    @property
    def best(self) -> Tried:
        """The trial with the best score; of equal ones the first, which the default is."""
        return max(self.tried, key=lambda row: -1.0 if row.score is None else row.score)

    @property
    def behind(self) -> float:
        """How far the default is behind the best, as a share of the best."""
        return 1 - 1 / float(self.best.score or 1)

    def overrides(self) -> list[str]:
        """What the best changes, as values for `--set`; nothing where the default is the best."""
        default = self.tried[0].settings
        return [f"{key}={value}" for key, value in self.best.settings.items() if value != default[key]]


def search_config(
    config: Config,
    run: Path,
    *,
    trials: int = 20,
    queries: Path | None = None,
    truth: Path | None = None,
    progress: Progress = silent,
    notify: Notify = lambda _: None,
) -> Found:
    """Try `trials` settings, the configuration's first; those in the history are not tried again.

    The score is the mean over the tasks of nDCG@200 divided by the default's: the run's validation users, the
    validation part of `queries`, and that of `truth`, similar items.

    Raises:
        ConfigError: there is nothing to choose by, or only one modality, which has nothing to train.
        MissingExtraError: Optuna is not installed.
        RunError: the folder is in use.
    """
    optuna = _optuna()
    ranges = ranges_of(config)
    build(config, run, progress=progress, notify=notify)
    folder = run / FOLDER
    with storage.locked(folder, folder / ".lock"):
        search = Search(config, run, _tasks(RunData(run), queries, truth), ranges, progress)
        with progress("trying settings", trials) as advance:
            for number in range(trials):
                if number == search.next:
                    last = search.try_one(optuna)
                    notify(f"trial {number}: {_told(last)}, {last.seconds:.0f} s")
                advance(1)
        found = Found(search.tried[:trials], folder)
        storage.write_text(folder / PLOT, search_plot([asdict(row) for row in found.tried]) + "\n")
    return found


class Search:
    """One search: its base run, its tasks, and the trials that ended."""

    def __init__(
        self, config: Config, run: Path, tasks: Sequence[Task], ranges: Mapping[str, Range], progress: Progress
    ) -> None:
        self.config, self.run, self.tasks, self.ranges, self.progress = config, run, tasks, ranges, progress
        self.history = run / FOLDER / HISTORY
        self.settings = config.model_dump(mode="json", exclude_none=True)
        stages = storage.read_json(run / "manifest.json")["stages"]
        files = {stage["name"]: stage["files"] for stage in stages}
        asked = [(task.name, task.ids, [row.tolist() for row in _truths(task)]) for task in tasks]
        bounds = {key: asdict(value) for key, value in ranges.items()}
        encoders = [find("antiphon.encoders", item.encoder) for item in config.modalities]
        code = code_of(run_trial, evaluate, *encoders)
        self.study = storage.digest("tune", self.settings, files, asked, bounds, code)[:16]
        self.others, self.tried = _read(self.history, self.study)
        for left in (run / FOLDER).glob("trial-*"):  # of searches that were killed and are not gone on with
            if left != self._folder(self.next):
                shutil.rmtree(left, ignore_errors=True)

    @property
    def next(self) -> int:
        """The first trial that the history does not have."""
        there = {row.number for row in self.tried}
        return next(number for number in range(len(there) + 1) if number not in there)

    def try_one(self, optuna: Any) -> Tried:
        """The next trial, and its place in the history."""
        number = self.next
        default = {key: _value(self.settings, key) for key in self.ranges}
        settings = self._propose(optuna, number) if number else default
        start = time.perf_counter()
        values, error = None, None
        try:
            values = self._measure(number, settings)
        except ConfigError as failure:
            if not number:
                raise
            error = str(failure)
        score = None if values is None else self._score(number, values)
        row = Tried(self.study, number, settings, values, score, round(time.perf_counter() - start, 2), error)
        self.tried = sorted([*self.tried, row], key=lambda one: one.number)
        lines = [*self.others, *(_line(one) for one in self.tried)]
        storage.write_text(self.history, "".join(f"{line}\n" for line in lines))
        shutil.rmtree(self._folder(number), ignore_errors=True)  # a space per trial would fill a disk
        return row

    def _measure(self, number: int, settings: Mapping[str, float]) -> dict[str, float]:
        data = RunData(self.run)
        if number:
            trial = Trial(f"trial-{number}", nested(settings), seed=self.config.seed)
            data = run_trial(self.run, self.settings, trial, self._folder(number), self.progress)
        results = {task.name: evaluate(SpaceSystem(data), task, [METRIC]).values[METRIC] for task in self.tasks}
        values = {name: mean_over_queries(found) for name, found in results.items()}
        bad = [name for name, value in values.items() if not value > 0]
        if bad and not number:
            raise ConfigError(f"the default gets nothing right on {bad[0]}, so nothing can be compared with it.")
        return values

    def _score(self, number: int, values: Mapping[str, float]) -> float:
        first = self.tried[0].values if number else values
        assert first is not None  # noqa: S101  the default does not fail
        return float(np.mean([values[name] / first[name] for name in values]))

    def _folder(self, number: int) -> Path:
        return self.run / FOLDER / f"trial-{self.study[:8]}-{number:03}"

    def _propose(self, optuna: Any, number: int) -> dict[str, float]:
        """The settings of a trial: a function of the history and the trial's number."""
        kinds = {key: _distribution(optuna, value) for key, value in self.ranges.items()}
        seed = int(np.random.default_rng([self.config.seed, 17, number]).integers(2**31))
        with _quiet(optuna):
            sampler = optuna.samplers.TPESampler(n_startup_trials=STARTUP, seed=seed)
            study = optuna.create_study(direction="maximize", sampler=sampler)
            for row in self.tried[:number]:
                state = optuna.trial.TrialState.FAIL if row.score is None else optuna.trial.TrialState.COMPLETE
                study.add_trial(
                    optuna.trial.create_trial(
                        params=dict(row.settings), distributions=kinds, value=row.score, state=state
                    )
                )
            proposed = study.ask(kinds).params
        return {key: _rounded(proposed[key], self.ranges[key]) for key in self.ranges}


def ranges_of(config: Config) -> dict[str, Range]:
    """What is searched, wide enough for the configuration's own values; what is turned off stays off.

    Raises:
        ConfigError: there is one modality, and so nothing to train.
    """
    if len(config.modalities) < 2:
        raise ConfigError("the configuration has one modality: nothing is trained, so there are no settings to search.")
    settings = config.model_dump(mode="json")
    epochs = config.train.epochs
    wide = {"train.epochs": Range(max(1, round(EPOCHS[0] * epochs)), max(2, round(EPOCHS[1] * epochs)), whole=True)}
    found = {}
    for key, usual in {**RANGES, **wide}.items():
        value = _value(settings, key)
        off = key in ONLY_WITH and not _value(settings, ONLY_WITH[key])
        if off or (usual.log and not value):
            continue
        found[key] = Range(min(usual.low, value), max(usual.high, value), usual.log, usual.whole)
    return found


def _tasks(data: RunData, queries: Path | None, truth: Path | None) -> list[Task]:
    tasks = []
    if data.catalog.interactions is not None and len(data.split.validation):
        tasks.append(recommend_task(data, "validation"))
    if queries is not None:
        tasks.append(retrieve_task(data, queries, "validation"))
    if truth is not None:
        tasks.append(similar_task(data, truth, "validation"))
    if not any(len(task) for task in tasks):
        raise ConfigError(
            "there is nothing to choose settings by: the run holds out no validation users. Give --queries or --truth, "
            "or set split.validation above 0 in a catalog with interactions."
        )
    return [task for task in tasks if len(task)]


def _truths(task: Task) -> list[Any]:
    return [task.relevance.row(row) for row in range(len(task))]


def _read(history: Path, study: str) -> tuple[list[str], list[Tried]]:
    """Lines of other searches, and the trials of this one; without what is not a line that was written."""
    lines = history.read_bytes().decode("utf-8", errors="replace").splitlines() if history.is_file() else []
    rows = [(line, row) for line, row in zip(lines, map(_row, lines), strict=True) if row is not None]
    mine = {row.number: row for _, row in rows if row.study == study}
    return [line for line, row in rows if row.study != study], [mine[number] for number in sorted(mine)]


def _line(row: Tried) -> str:
    return json.dumps({**asdict(row), CHECK: _check(asdict(row))})


def _row(line: str) -> Tried | None:
    """The trial of a line that was written here; lines from before they had checksums are believed."""
    try:
        values = json.loads(line)
        check = values.pop(CHECK, None)
        return Tried(**values) if check is None or check == _check(values) else None
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _check(values: Mapping[str, Any]) -> str:
    return storage.digest("tried", json.loads(json.dumps(values)))[:16]


def _value(settings: Mapping[str, Any], key: str) -> float:
    table, _, name = key.partition(".")
    value: float = settings[table][name]
    return value


def nested(settings: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Settings by their tables: {"train.epochs": 3} as {"train": {"epochs": 3}}."""
    tables: dict[str, dict[str, float]] = {}
    for key, value in settings.items():
        table, _, name = key.partition(".")
        tables.setdefault(table, {})[name] = value
    return tables


def _distribution(optuna: Any, value: Range) -> Any:
    if value.whole:
        return optuna.distributions.IntDistribution(int(value.low), int(value.high), log=value.log)
    return optuna.distributions.FloatDistribution(value.low, value.high, log=value.log)


def _rounded(value: float, within: Range) -> float:
    """Few digits: a setting is to be read and written by people."""
    if within.whole:
        return int(value)
    return float(np.clip(float(f"{value:.{DIGITS}g}"), within.low, within.high))


def _told(row: Tried) -> str:
    if row.values is None or row.score is None:
        return f"failed ({row.error})"
    parts = ", ".join(f"{name} {value:.4f}" for name, value in row.values.items())
    return f"{parts}, {100 * (row.score - 1):+.2f}% against the default"


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingExtraError("optuna", "tune", "searching settings") from error
    return optuna


@contextmanager
def _quiet(optuna: Any) -> Iterator[None]:
    """Without a line on standard error for each study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
