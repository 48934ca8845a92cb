"""The space in use, and taking up a new version that a build publishes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from antiphon.base.layout import RunLayout
from antiphon.errors import AntiphonError, StoreError
from antiphon.serve.batching import Batcher
from antiphon.serve.metrics import Metrics
from antiphon.serve.served import Answer, Ask, Served
from antiphon.serve.settings import Settings
from antiphon.space.loading import load
from antiphon.space.space import Space

LOG = logging.getLogger("antiphon.serve")
Version = tuple[Served, Batcher[Ask, Answer]]


class Live:
    """Serves one version at a time. A request that has begun ends on the version that it began on."""

    def __init__(self, source: Space | str | Path, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.root = None if isinstance(source, Space) else Path(source)
        self.ready = False
        self._mark = self._current_mark()
        self._watcher: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.served, self.batcher = self._version(source if isinstance(source, Space) else load(source))

    async def start(self) -> None:
        """Load the encoders and begin to look for new versions."""
        await asyncio.to_thread(_warm, self.served)
        self.ready = True
        if self.root is not None and self.settings.poll > 0:
            self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Answer what waits, then stop."""
        self.ready = False
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        for task in self._leaving:
            task.cancel()
        await self.batcher.drain()
        if self.root is not None:  # a space that was given belongs to whoever gave it
            _close(self.served)

    async def refresh(self) -> bool:
        """Take up the version that `CURRENT` names, if it is another one; says whether it did."""
        mark = self._current_mark()
        if self.root is None or mark is None or mark == self._mark:
            return False
        self._mark = mark  # a version that cannot be loaded is not tried again until CURRENT is written again
        try:
            served, batcher = await asyncio.to_thread(self._load)
        except StoreError as error:
            self._mark = None  # the store may be down, or lack the version for a moment: it is tried again
            self.metrics.reloads.labels("failed").inc()
            LOG.warning("the store cannot be asked for a new version, the old one stays: %s", error)
            return False
        except (AntiphonError, OSError) as error:
            self.metrics.reloads.labels("failed").inc()
            LOG.warning("a new version cannot be taken up, the old one stays: %s", error)
            return False
        old, (self.served, self.batcher) = (self.served, self.batcher), (served, batcher)
        leaving = asyncio.create_task(self._leave(old))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        self.metrics.reloads.labels("done").inc()
        self.metrics.use(served.space.space_id, str(served.space.manifest["name"]), served.space.n_items)
        LOG.info("took up the space %s", served.space.space_id)
        return True

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.settings.poll)
            try:
                await self.refresh()
            except Exception:  # whatever is wrong with a version, the next one must be seen
                self.metrics.reloads.labels("failed").inc()
                LOG.exception("a new version cannot be taken up, the old one stays")

    async def _leave(self, version: Version) -> None:
        served, batcher = version
        # Requests that took the old version may still be on their way to its batcher.
        await asyncio.sleep(self.settings.timeout + 1)
        await batcher.drain()
        _close(served)

    def _load(self) -> Version:
        assert self.root is not None  # noqa: S101  refresh has looked
        space = load(self.root)
        space.checking.finish()  # the old version answers meanwhile
        served, batcher = self._version(space)
        _warm(served)
        return served, batcher

    def _version(self, space: Space) -> Version:
        served = Served(space, self.root, self.metrics.stage)
        batcher: Batcher[Ask, Answer] = Batcher(
            served.answer,
            max_batch=self.settings.max_batch,
            max_waiting=self.settings.max_waiting,
            observe=self._observe,
        )
        return served, batcher

    def _observe(self, n_items: int, waited: float) -> None:
        self.metrics.batch.observe(n_items)
        self.metrics.stage("queue", waited)

    def _current_mark(self) -> tuple[bytes, int] | None:
        """What CURRENT says and when it was written; None without a published space."""
        if self.root is None:
            return None
        file = RunLayout(self.root).current
        try:
            return file.read_bytes(), file.stat().st_mtime_ns
        except OSError:
            return None


def _close(served: Served) -> None:
    if served.space.on_store is not None:
        served.space.on_store.close()


def _warm(served: Served) -> None:
    served.space.warm()
    # One answer of each kind touches the pages and the caches that the first request would wait for.
    row = int(served.space.searchable.argmax())
    served.space.search(likes=[served.space.item_ids[row]], k=1)
    _ = served.map_document
    if served.pictures is not None:
        served.pictures.warm()
