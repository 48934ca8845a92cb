"""Micro-batching: who waits together is answered together, each with its own result."""

from __future__ import annotations

import asyncio
import threading

import pytest

from antiphon.serve.batching import Batcher
from antiphon.serve.problems import OverloadError


def test_items_that_wait_are_answered_together():
    """While the first batch is at work the others gather, and are one batch then."""
    sizes, gate = [], threading.Event()

    def work(items):
        sizes.append(len(items))
        gate.wait(5)
        return [item * 2 for item in items]

    async def main():
        batcher = Batcher(work, max_batch=8)
        first = asyncio.create_task(batcher.submit(1))
        await asyncio.sleep(0.05)
        rest = [asyncio.create_task(batcher.submit(item)) for item in range(2, 7)]
        await asyncio.sleep(0.05)
        gate.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(main()) == [2, 4, 6, 8, 10, 12]
    assert sizes == [1, 5]


def test_one_bad_item_spoils_no_other():
    """An exception among the results goes to its item only; one from the work itself goes to all."""

    def work(items):
        if "break" in items:
            raise RuntimeError("broken")
        return [ValueError(item) if item == "bad" else item for item in items]

    async def main():
        batcher = Batcher(work)
        got = await asyncio.gather(*(batcher.submit(item) for item in ("a", "bad", "b")), return_exceptions=True)
        with pytest.raises(RuntimeError, match="broken"):
            await batcher.submit("break")
        return got, await batcher.submit("c")

    got, after = asyncio.run(main())
    assert got[0] == "a"
    assert isinstance(got[1], ValueError)
    assert got[2] == "b"
    assert after == "c"


def test_too_many_are_refused():
    """Beyond max_waiting an item is refused at once; those that wait are still answered."""
    gate = threading.Event()

    def work(items):
        gate.wait(5)
        return items

    async def main():
        batcher = Batcher(work, max_batch=1, max_waiting=2)
        waiting = [asyncio.create_task(batcher.submit(item)) for item in range(2)]
        await asyncio.sleep(0.05)
        waiting.append(asyncio.create_task(batcher.submit(2)))
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadError):
            await batcher.submit(3)
        gate.set()
        return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [0, 1, 2]


def test_draining_answers_what_waits():
    """After `drain`, everything that was submitted before it has its answer."""

    async def main():
        batcher = Batcher(lambda items: items, max_batch=2)
        waiting = [asyncio.create_task(batcher.submit(item)) for item in range(7)]
        await asyncio.sleep(0)
        await batcher.drain()
        return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == list(range(7))
