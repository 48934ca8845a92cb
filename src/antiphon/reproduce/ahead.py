"""What the table is made of, made beforehand: a process per core, each with one thread.

Rows and floors are independent of each other, and most of their steps are too small for several threads. What is found
is kept on disk, where the table takes it from; what could not be found here is tried again there, which says why. A
process reads jobs as lines of JSON and answers each with a line.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from antiphon.base import runtime
from antiphon.base.layout import RunLayout
from antiphon.evaluate.outcomes import NotKeptError
from antiphon.reproduce.reproduce import MULTI, OURS, Options, Reproduction
from antiphon.reproduce.rows import (
    MULTI_TRIALS,
    OF_OURS,
    floor,
    floor_tasks,
    of_row,
    of_row_without_content,
    of_tried,
)  # fmt: skip

Job = list[Any]
"""The name of a function below and its arguments."""
ONE_THREAD = dict.fromkeys(("ANTIPHON_CORES", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LOGS = "logs"
MEMORY = 3_500_000_000
"""Bytes that a process may come to have: so many processes as have room."""
PARTS = {"draw": 10, "row": 10, "without_content": 10, "tried": 10, "floor": 1}
OUR_PARTS = 60
"""About how long jobs take beside each other; a row of ours takes the longest."""


def make_ahead(everything: Reproduction) -> None:
    """Make the draws, then the rows and floors that are not kept yet; nothing where only one process has room."""
    if _n_processes() < 2:
        return
    draws = [everything.draw(seed) for seed in range(1, everything.options.seeds)]
    _share(everything, "draws", [["draw", draw.seed] for draw in draws if not RunLayout(draw.base).current.is_file()])
    _share(everything, "rows and floors", [job for job in jobs_of(everything) if not _kept(everything, job)])


def jobs_of(everything: Reproduction) -> list[Job]:
    """Those of the table, the longest first; what needs another's run is left to the table."""
    seeds = [draw.seed for draw in everything.draws]
    found: list[Job] = [["row", label, seed] for label in (OURS, *MULTI) for seed in seeds]
    found += [["without_content", seed] for seed in seeds]
    found += [["tried", number, seed] for number in range(1, MULTI_TRIALS + 1) for seed in seeds]
    floors = [(name, kind) for name, kind in floor_tasks(everything) if name not in OF_OURS]
    return found + [["floor", name, kind, seed] for seed in seeds for name, kind in floors]


def do(everything: Reproduction, job: Job) -> None:
    """Do a job, whose last argument is a seed; what it finds is kept on disk."""
    name, *rest = job
    if name == "draw":
        everything.make_draw(rest[0])
        return
    draw = everything.draws[rest[-1]]
    if name == "row":
        of_row(everything, rest[0], draw)
    elif name == "without_content":
        of_row_without_content(everything, draw)
    elif name == "tried":
        of_tried(everything, rest[0], draw)
    elif name == "floor":
        floor(everything, rest[0], rest[1], draw)


def _kept(everything: Reproduction, job: Job) -> bool:
    everything.outcomes.only_kept = True
    try:
        do(everything, job)
    except NotKeptError:
        return False
    finally:
        everything.outcomes.only_kept = False
    return True


def _share(everything: Reproduction, name: str, jobs: Sequence[Job]) -> None:
    """Do jobs in processes, each as soon as one has nothing else to do."""
    if not jobs:
        return
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    with everything.progress(f"{name}, parts", sum(map(_parts, jobs))) as advance:
        lock = threading.Lock()

        def done(job: Job, answer: dict[str, Any]) -> None:
            with lock:
                advance(_parts(job))
                told = f"{answer['seconds']:.1f} s" if "seconds" in answer else f"left for later: {answer['error']}"
                everything.notify(f"{'.'.join(map(str, job))}: {told}")

        threads = [
            threading.Thread(target=_drive, args=(everything.options, number, waiting, done), daemon=True)
            for number in range(min(_n_processes(), len(jobs)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _parts(job: Job) -> int:
    return OUR_PARTS if job[:2] == ["row", OURS] else PARTS[job[0]]


def _n_processes() -> int:
    if not hasattr(os, "sysconf"):  # Windows does not say how much memory there is
        return 1
    return min(runtime.n_cores(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEMORY)


def _drive(options: Options, number: int, waiting: queue.SimpleQueue[Job], done: Any) -> None:
    """Give jobs to one process until there are none, or it is gone."""
    log = options.out / LOGS / f"process-{number}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.suppress(BrokenPipeError),  # it is gone: the table makes what is missing
        log.open("ab") as errors,
        subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **ONE_THREAD},
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None  # noqa: S101  a pipe
        assert process.stdout is not None  # noqa: S101  a pipe
        print(json.dumps(asdict(options), default=str), file=process.stdin, flush=True)
        line = "ready"
        while line and (job := _next(waiting)) is not None:
            print(json.dumps(job), file=process.stdin, flush=True)
            line = process.stdout.readline()
            done(job, json.loads(line) if line else {"error": f"the process ended; see {log}"})


def _next(waiting: queue.SimpleQueue[Job]) -> Job | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def work(lines: Any, answers: Any) -> None:
    """Do the jobs of `lines`, of which the first has the options, and write a line of `answers` for each."""
    given = json.loads(next(lines))
    paths = {name: None if given[name] is None else Path(given[name]) for name in ("source", "out")}
    everything = Reproduction(Options(**{**given, **paths}))
    # Whoever sends jobs has built them, and several at once must not.
    everything.draws = [everything.draw(seed) for seed in range(everything.options.seeds)]
    for line in lines:
        start = time.perf_counter()
        try:
            do(everything, json.loads(line))
            answer: dict[str, Any] = {"seconds": time.perf_counter() - start}
        except Exception as error:  # noqa: BLE001  the table tries again, and says what is wrong
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    # Whatever libraries print is no answer.
    answers_to = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    work(sys.stdin, answers_to)
