"""The order in which the stages of a build are done: one after the other, and one that waits for nobody beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from antiphon.base import runtime
from antiphon.base.code import code_of
from antiphon.base.progress import Advance, Progress
from antiphon.run.stage import Job, Record, Stage, is_current, run_stage, write_manifest


class _Stopped(Exception):  # noqa: N818  no error: the build ends, and this thread with it
    """The stages beside are to stop where they are."""


def run_stages(stages: Sequence[Stage], job: Job) -> None:
    """Do every stage that is wanted and not up to date, and record all of them in the manifest.

    They are done in order, with one BLAS thread, so a second core would idle: stages that are marked as `beside` are
    done on it. What is made is the same, and where one stage fails the others stop at their next step of progress.
    """
    with _Beside(job) as beside:
        for stage in stages:
            beside.wait(stage.inputs)
            if stage.kept is not None:
                _record(job, stage.kept)
            elif stage.wanted(job):
                fingerprint = stage.fingerprint(job)
                if is_current(job, stage.name, fingerprint):
                    _record(job, replace(job.before[stage.name], status="cached"))
                elif stage.beside and runtime.n_cores() > 1 and job.config.build.engine == "local":
                    _prepare(stage, stages)
                    beside.start(stage, fingerprint)
                else:
                    run_stage(stage, job, fingerprint)
        beside.wait([stage.name for stage in stages])
    done = {stage.name: job.records[stage.name] for stage in stages if stage.name in job.records}
    job.records.clear()
    job.records.update(done)
    write_manifest(job)


def _record(job: Job, record: Record) -> None:
    with job.lock:
        job.records[record.name] = record


def _prepare(stage: Stage, stages: Sequence[Stage]) -> None:
    """Load what a stage imports, and look at the code of all: afterwards its thread parses no Python, nor do others.

    Two threads that parse at once end in a SystemError (CPython 3.11, "AST constructor recursion depth mismatch").
    """
    for load in stage.loads:
        load()
    for other in stages:
        code_of(other.work, *other.code)


class _Beside:
    """One thread, which does stages one after the other."""

    def __init__(self, job: Job) -> None:
        self._stop = threading.Event()
        self._job = replace(job, progress=_stoppable(job.progress, self._stop))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="antiphon-beside")
        self._under_way: dict[str, Future[None]] = {}

    def __enter__(self) -> Self:
        return self

    def start(self, stage: Stage, fingerprint: str) -> None:
        """Do a stage as soon as those before it are done."""
        self._under_way[stage.name] = self._pool.submit(run_stage, stage, self._job, fingerprint)

    def wait(self, names: Sequence[str]) -> None:
        """Wait for some stages, and raise what any other has failed with by now."""
        for name, future in list(self._under_way.items()):
            if name in names or future.done():
                del self._under_way[name]
                future.result()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        if self._under_way:
            self._job.notify(f"stopping {', '.join(self._under_way)} at the next step")
        self._pool.shutdown(cancel_futures=True)


def _stoppable(progress: Progress, stop: threading.Event) -> Progress:
    @contextmanager
    def shown(name: str, total: int) -> Iterator[Advance]:
        with progress(name, total) as advance:

            def step(count: int) -> None:
                if stop.is_set():
                    raise _Stopped
                advance(count)

            yield step

    return shown
