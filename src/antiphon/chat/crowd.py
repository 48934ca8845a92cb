"""Many pieces of work at once, a bounded number of them, in the order in which they end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def each(work: Callable[[T], R], items: Iterable[T], n_workers: int, stop: threading.Event) -> Iterator[tuple[T, R]]:
    """Each item with what `work` made of it, as it is done; no more than `n_workers` are under way.

    When the caller ends early, by an error or Ctrl-C, `stop` is set and what is under way is waited for.
    """
    waiting = iter(items)
    with ThreadPoolExecutor(n_workers, thread_name_prefix="antiphon") as pool:
        running: dict[Future[R], T] = {}
        try:
            while True:
                for item in islice(waiting, n_workers - len(running)):
                    running[pool.submit(work, item)] = item
                if not running:
                    return
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
        except BaseException:
            stop.set()
            raise
