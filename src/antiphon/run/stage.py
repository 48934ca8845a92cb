"""Stages as values: what a build is a list of, and the runner that does those that are not up to date."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import tomli_w

from antiphon.base import storage
from antiphon.base.code import code_of
from antiphon.base.layout import FORMAT, RunLayout
from antiphon.base.package import __version__
from antiphon.base.progress import Progress
from antiphon.config.sections import Config
from antiphon.errors import ConfigError, IntegrityError, nearest

Notify = Callable[[str], None]
Offer = Callable[[Path, str], object]
"""Is told a run's folder and the id of a version that is written there, before it becomes the current one."""
T = TypeVar("T")
UNSEALED = ("format", "antiphon", "seed", "stages")
"""Keys of a run's manifest from before it had a checksum of its own."""


@dataclass(frozen=True)
class Record:
    """What the manifest says of a stage; `files`: path in the run -> SHA-256."""

    name: str
    fingerprint: str
    seconds: float
    status: str
    files: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """One build: its configuration and folder, what an earlier build recorded, and what this one has done so far.

    `offer`: is told of a version before it becomes the current one.
    """

    config: Config
    layout: RunLayout
    progress: Progress
    notify: Notify
    before: Mapping[str, Record]
    records: dict[str, Record] = field(default_factory=dict)
    offer: Offer = lambda _, __: None
    _made: dict[str, Any] = field(default_factory=dict)
    lock: AbstractContextManager[Any] = field(default_factory=threading.RLock)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What `make` gives, made at the first call of this name, whichever thread asks."""
        with self.lock:
            if name not in self._made:
                self._made[name] = make()
            value: T = self._made[name]
        return value


@dataclass(frozen=True)
class Stage:
    """A step of a build.

    `work` gets the job and the fingerprint. `inputs`: stages whose files it reads. `options`: everything else that it
    depends on, as values for JSON, asked for when its turn comes. `files`: what it wrote. `wanted`: whether the
    configuration and the data ask for it. `code`: what runs beside `work`, such as an encoder's class. `fixed`: a
    fingerprint of its own. `kept`: the record of a stage that is not done, whatever has changed. `beside`: it reads
    nothing but the catalog, and may be at work while the stages after it are, up to one that has it among its inputs.
    `loads`: what it imports, to be loaded before that.
    """

    name: str
    work: Callable[[Job, str], None]
    files: Callable[[Job], Iterable[Path]]
    inputs: Sequence[str] = ()
    options: Callable[[Job], Any] = lambda _: None
    wanted: Callable[[Job], bool] = lambda _: True
    code: Sequence[Any] = ()
    fixed: str | None = None
    kept: Record | None = None
    beside: bool = False
    loads: Sequence[Callable[[], Any]] = ()

    def fingerprint(self, job: Job) -> str:
        """A hash of the inputs' files, the options, and the code that runs: where it stays, so do the outputs."""
        if self.fixed is not None:
            return self.fixed
        files = {name: dict(job.records[name].files) for name in self.inputs if name in job.records}
        return storage.digest("stage", self.name, files, self.options(job), code_of(self.work, *self.code))


def run_stage(stage: Stage, job: Job, fingerprint: str) -> None:
    """Do a stage, and record it in the manifest."""
    start = time.perf_counter()
    stage.work(job, fingerprint)
    seconds = time.perf_counter() - start
    root = job.layout.root
    sums = {path.relative_to(root).as_posix(): storage.sha256(path) for path in stage.files(job)}
    with job.lock:
        job.records[stage.name] = Record(stage.name, fingerprint, seconds, "built", sums)
        write_manifest(job)
    job.notify(f"{stage.name}: {seconds:.1f} s")


def is_current(job: Job, name: str, fingerprint: str) -> bool:
    """Whether an earlier build did the same, and all its files are still what it wrote."""
    record = job.before.get(name)
    if record is None or record.fingerprint != fingerprint:
        return False
    return not damaged(job.layout, record)


def damaged(layout: RunLayout, record: Record) -> list[str]:
    """The files of a stage, as paths in the run, that are missing or are not what it wrote."""
    paths = {name: layout.root / name for name in record.files}
    return [name for name, path in paths.items() if not path.is_file() or storage.sha256(path) != record.files[name]]


def with_stages(stages: Sequence[Stage], *new: Stage) -> list[Stage]:
    """The list with some stages replaced by others of the same names.

    Raises:
        ConfigError: a name is not in the list.
    """
    by_name = {stage.name: stage for stage in new}
    names = [stage.name for stage in stages]
    for name in by_name:
        if name not in names:
            raise ConfigError(f"the build has no stage {name!r} to replace; {nearest(name, names)}")
    return [by_name.get(stage.name, stage) for stage in stages]


def recorded(layout: RunLayout) -> dict[str, Record]:
    """The stages that a run's manifest has, by name; none where it says nothing that can be read."""
    try:
        manifest = read_manifest(layout)
        stages = manifest["stages"] if manifest["format"] == FORMAT else []
        return {stage["name"]: Record(**stage) for stage in stages}
    except (IntegrityError, KeyError, TypeError):
        return {}  # no run yet, or a broken manifest: everything is done again


def read_manifest(layout: RunLayout) -> dict[str, Any]:
    """What a run's manifest says.

    Raises:
        IntegrityError: it is missing, or is not the one that was written.
    """
    return storage.read_sealed(layout.manifest, UNSEALED)


def write_manifest(job: Job) -> None:
    """Write the configuration and the records; those of stages whose turn has not come stay as they were."""
    settings = job.config.model_dump(mode="json", exclude_none=True)
    storage.write_text(job.layout.config, tomli_w.dumps(settings))
    later = [record for name, record in job.before.items() if name not in job.records]
    stages = [asdict(record) for record in (*job.records.values(), *later)]
    storage.write_sealed(
        job.layout.manifest,
        {
            "format": FORMAT,
            "antiphon": __version__,
            "seed": job.config.seed,
            "config": storage.sha256(job.layout.config),
            "stages": stages,
        },
    )
