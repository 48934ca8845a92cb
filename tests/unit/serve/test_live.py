"""New versions, drains, and requests that are under way meanwhile."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from antiphon.base import storage
from antiphon.base.layout import RunLayout
from antiphon.serve.live import Live
from antiphon.serve.metrics import Metrics
from antiphon.serve.served import Ask
from antiphon.serve.settings import Settings
from antiphon.talk.wish import Wish


def publish_other(run, other):
    """Make the space of another run the current one of `run`."""
    theirs = RunLayout(other)
    name = theirs.current.read_text().strip()
    shutil.copytree(theirs.spaces / name, RunLayout(run).spaces / name)
    storage.write_text(RunLayout(run).current, name + "\n")
    return name


@pytest.fixture(scope="module")
def other_run(tmp_path_factory, tiny_text_model, request):
    """A run with another seed, and so with another space id."""
    build_films = request.getfixturevalue("build_other")
    return build_films(tmp_path_factory.mktemp("other"), tiny_text_model, seed=5)


@pytest.fixture(scope="module")
def build_other():
    """The function that builds a run of films."""
    import runpy
    from pathlib import Path

    return runpy.run_path(str(Path(__file__).parent / "conftest.py"))["build_films"]


def test_a_new_version_is_taken_up_without_dropping_a_request(own_run, other_run):
    """Requests before, during and after the change are all answered; later ones by the new version."""

    async def main():
        live = Live(own_run, Settings(poll=0), Metrics())
        await live.start()
        before = live.served.space.space_id
        ask = Ask(Wish(likes=("film-001",)), k=3)
        name = publish_other(own_run, other_run)
        asked = [asyncio.create_task(live.batcher.submit(ask)) for _ in range(20)]
        assert await live.refresh()
        asked += [asyncio.create_task(live.batcher.submit(ask)) for _ in range(20)]
        answers = await asyncio.gather(*asked)
        assert all(answer.n_hits == 3 for answer in answers)
        assert answers[0].hits != answers[-1].hits
        assert (before, live.served.space.space_id) == (before, name)
        assert before != name
        assert not await live.refresh()
        await live.stop()

    asyncio.run(main())


def test_a_broken_version_is_refused_and_the_old_one_stays(own_run, other_run):
    """Where a file of the new version is damaged, the old version goes on to answer, and is counted as failed."""

    async def main():
        metrics = Metrics()
        live = Live(own_run, Settings(poll=0), metrics)
        await live.start()
        before = live.served.space.space_id
        name = publish_other(own_run, other_run)
        (RunLayout(own_run).spaces / name / "vectors.npy").write_bytes(b"broken")
        assert not await live.refresh()
        assert live.served.space.space_id == before
        assert (await live.batcher.submit(Ask(Wish(likes=("film-001",)), k=3))).n_hits == 3
        assert b'antiphon_reloads_total{outcome="failed"} 1.0' in metrics.render()
        await live.stop()

    asyncio.run(main())


async def taken_up(live, name):
    """Wait until a version is in use, for half a minute at most."""
    for _ in range(600):
        if live.served.space.space_id == name:
            return
        await asyncio.sleep(0.05)


def test_the_watcher_looks_by_itself(own_run, other_run):
    """With a poll interval the new version is in use soon after it was published."""

    async def main():
        live = Live(own_run, Settings(poll=0.05), Metrics())
        await live.start()
        name = publish_other(own_run, other_run)
        await taken_up(live, name)
        assert live.served.space.space_id == name
        assert live.ready
        await live.stop()
        assert not live.ready

    asyncio.run(main())


def test_a_current_of_broken_bytes_does_not_stop_the_watcher(own_run, other_run):
    """What is no text names no version; the next version that is published is taken up as ever."""

    async def main():
        live = Live(own_run, Settings(poll=0.05), Metrics())
        await live.start()
        RunLayout(own_run).current.write_bytes(b"\xff\xfe\x00")
        await asyncio.sleep(0.3)
        name = publish_other(own_run, other_run)
        await taken_up(live, name)
        assert live.served.space.space_id == name
        await live.stop()

    asyncio.run(main())
