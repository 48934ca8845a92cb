"""Processes that are killed, raced, or told another time."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

from world import FailedError, World, current, descriptions, history, nothing_left


def build(world: World, number: int) -> None:
    """A build is killed up to three times, and goes on."""
    run = world.fresh("kill-build")
    for _ in range(world.chance.randint(1, 3)):
        world.child(world.build, run, dies_after=world.chance.uniform(0, world.seconds["build"]))
    world.whole(run, world.built_id, world.build)


def add(world: World, number: int) -> None:
    """An `add` is killed: what is published is the old space or the new one, and the next `add` ends at the new one."""
    run = world.copy("kill-add")
    world.child(world.add, run, dies_after=world.chance.uniform(0, world.seconds["add"]))
    if current(run) not in (world.built_id, world.grown_id):
        raise FailedError(f"published {current(run)}")
    world.expect(world.child(world.load, run), 0)
    world.whole(run, world.grown_id, world.add)


def publish(world: World, number: int) -> None:
    """A process dies at the n-th file operation of publishing, by a build or by an `add`."""
    adds = bool(number % 2)
    run = world.copy("kill-publish")
    if not adds:
        shutil.rmtree(run / "space")

    def before() -> None:
        left = [world.chance.randrange(150 if adds else 60)]
        for name in ("fsync", "replace", "rename", "link"):
            setattr(os, name, _counted(getattr(os, name), left))

    work, expected = (world.add, world.grown_id) if adds else (world.build, world.built_id)
    world.expect(world.child(work, run, before=before), 0, -signal.SIGKILL)
    if adds:
        world.expect(world.child(world.load, run), 0)
    world.whole(run, expected, work)


def _counted(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def wrapped(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    return wrapped


def describe(world: World, number: int) -> None:
    """The writing of descriptions is killed: what was answered is not asked for again, and the file is the same."""
    expected, run, kills = world.described, world.fresh("kill-describe"), world.chance.randint(1, 3)
    run.mkdir()
    before = world.asked
    for _ in range(kills):
        world.child(world.describe, run, dies_after=world.chance.uniform(0, world.seconds["describe"]))
    world.expect(world.child(world.describe, run), 0)
    if descriptions(run) != expected:
        raise FailedError("other descriptions")
    # Two workers ask at once: what they were waiting for is asked for again.
    if world.asked - before > len(expected) + 2 * kills:
        raise FailedError(f"{world.asked - before} requests for {len(expected)} items and {kills} kills")
    nothing_left(run)


def tune(world: World, number: int) -> None:
    """A search of settings is killed, and goes on with the same trials; the space that is published stays."""
    expected, run = world.tuned, world.copy("kill-tune")
    for _ in range(world.chance.randint(1, 2)):
        world.child(world.tune, run, dies_after=world.chance.uniform(0, world.seconds["tune"]))
    world.expect(world.child(world.tune, run), 0)
    if history(run) != expected:
        raise FailedError("another history")
    if current(run) != world.built_id:
        raise FailedError(f"published {current(run)}")
    nothing_left(run)
    if trials := list((run / "tune").glob("trial-*")):
        raise FailedError(f"left behind: {trials[0].name}")


def two(world: World, number: int) -> None:
    """Two processes are at one run: one is done, the other is done or told to wait, and there is one space."""
    run, work = ((world.fresh, (world.build, world.build)), (world.copy, (world.build, world.add)),
                 (world.copy, (world.add, world.add)))[number % 3]  # fmt: skip
    folder = run("two")
    pids = [world.start(one, folder) for one in work]
    codes = [world.end(pid) for pid in pids]
    if 0 not in codes or not set(codes) <= {0, 2}:
        world.expect(next(code for code in codes if code not in (0, 2)) if set(codes) - {0, 2} else 2, 0)
    if current(folder) not in (world.built_id, world.grown_id):
        raise FailedError(f"published {current(folder)}")
    world.whole(folder, world.built_id, world.build)
    world.whole(folder, world.grown_id, world.add)


def clock(world: World, number: int) -> None:
    """The clock jumps at each look, and the times of files are of the past and of the future.

    The spaces are those of an undisturbed run, and the version before the last one is kept, whatever its time says.
    """
    run = world.copy("clock")

    def shake() -> None:
        for path in run.rglob("*"):
            when = time.time() + world.chance.uniform(-3e8, 3e8)
            os.utime(path, (when, when))

    def before() -> None:
        usual = time.time
        time.time = lambda: usual() + world.chance.uniform(-3e8, 3e8)
        time.time_ns = lambda: int(time.time() * 1e9)

    oldest = run / "space" / ("0" * 16)
    shutil.copytree(run / "space" / world.built_id, oldest)
    shake()
    world.expect(world.child(world.add, run, before=before), 0)
    if not (run / "space" / world.built_id).is_dir() or oldest.is_dir():
        raise FailedError("the version before the last one was not the one that is kept")
    shake()
    world.whole(run, world.built_id, world.build)
    shake()
    world.whole(run, world.grown_id, world.add)
