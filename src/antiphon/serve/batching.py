"""Micro-batching: queries that arrive while others are answered are answered together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from antiphon.serve.problems import OverloadError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]
    since: float = field(default_factory=time.perf_counter)


class Batcher(Generic[Item, Result]):
    """Collects items while a batch is at work, and hands them over together.

    An item that arrives when nothing is at work does not wait. `work` takes a list and returns a result or an
    exception for each; it runs in one thread, so it needs no locks. `observe` is told (items, seconds waited) a batch.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], list[Result | Exception]],
        *,
        max_batch: int = 32,
        max_waiting: int = 1024,
        observe: Callable[[int, float], None] = lambda _, __: None,
    ) -> None:
        self._work, self._observe = work, observe
        self._max_batch, self._max_waiting = max_batch, max_waiting
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="antiphon-batch")

    async def submit(self, item: Item) -> Result:
        """The result of one item.

        Raises:
            OverloadError: too many wait already.
        """
        if len(self._waiting) >= self._max_waiting:
            raise OverloadError(f"{len(self._waiting)} queries wait already; ask again in a moment.")
        loop = asyncio.get_running_loop()
        waiting: _Waiting[Item, Result] = _Waiting(item, loop.create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._run())
        return await waiting.future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
            batch = [one for one in batch if not one.future.done()]  # given up while it waited
            if not batch:
                continue
            self._observe(len(batch), time.perf_counter() - batch[0].since)
            try:
                results = await loop.run_in_executor(self._pool, self._work, [one.item for one in batch])
            except Exception as error:  # noqa: BLE001  whoever waits must hear of it, whatever it is
                results = [error] * len(batch)
            for one, result in zip(batch, results, strict=True):
                if one.future.done():
                    continue
                if isinstance(result, Exception):
                    one.future.set_exception(result)
                else:
                    one.future.set_result(result)

    async def drain(self) -> None:
        """Wait until nothing waits, and let the thread go."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)
        self._pool.shutdown(wait=False)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="antiphon-batch")  # a thread begins with its first work
