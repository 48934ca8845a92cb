"""Processes that lack room, rights or descriptors, and files that are damaged."""

from __future__ import annotations

import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from world import FailedError, NotHereError, World, mount, unmount


def full_disk(world: World, number: int) -> None:
    """A disk is full (a small tmpfs), or files cannot grow beyond a size: an error of ours, and the space answers."""
    adds = bool(number % 2)
    work, expected = (world.add, world.grown_id) if adds else (world.build, world.built_id)
    if number % 4 < 2:
        try:
            _small_disk(world, work, expected, adds=adds)
        except NotHereError:
            pass
        else:
            return
    run = world.copy("full") if adds else world.fresh("full")
    size = world.chance.randint(1, 12_000)

    def before() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    world.expect(world.child(work, run, before=before), 0, 2)
    if adds:
        world.expect(world.child(world.load, run), 0)
    world.whole(run, expected, work)


def _small_disk(world: World, work: Callable[[Path], None], expected: str, *, adds: bool) -> None:
    disk = world.fresh("small")
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", disk)
    try:
        run = disk / "run"
        if adds:
            shutil.copytree(world.base, run)
        used = sum(path.lstat().st_blocks * 512 for path in disk.rglob("*"))
        size = used + world.chance.randint(4_096, _size_of(world.grown if adds else world.base))
        mount("-o", f"remount,size={size}", "tmpfs", disk)
        world.expect(world.child(work, run), 0, 2)
        if adds:
            world.expect(world.child(world.load, run), 0)
        mount("-o", "remount,size=64m", "tmpfs", disk)
        world.whole(run, expected, work)
    finally:
        unmount(disk)


def _size_of(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def read_only(world: World, number: int) -> None:
    """A folder cannot be written to: the run, the spaces or the features; an error of ours, and the space answers."""
    run = world.copy("read-only")
    folder = (run, run / "space", run / "features")[number % 3]
    if os.geteuid():
        folder.chmod(0o555)
    else:
        mount("--bind", folder, folder)
        mount("-o", "remount,bind,ro", folder)
    try:
        world.expect(world.child(world.add, run), 2)
        # Which has nothing to write but the settings that it was run with: that may be done.
        world.expect(world.child(world.build, run), 0, 2)
        world.expect(world.child(world.load, run), 0)
    finally:
        if os.geteuid():
            folder.chmod(0o755)
        else:
            unmount(folder)
    world.whole(run, world.grown_id, world.add)


def few_files(world: World, number: int) -> None:
    """A process may open few files, from one more than it has: an error of ours, or it is done."""
    work = (world.add, world.build, world.load)[number % 3]
    run = world.fresh("few") if number % 3 == 1 else world.copy("few")
    more = world.chance.randint(1, 25)

    def before() -> None:
        most = max(int(name) for name in os.listdir("/proc/self/fd")) + 1 + more  # noqa: PTH208
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    world.expect(world.child(work, run, before=before), 0, 2)
    if number % 3 != 1:
        world.expect(world.child(world.load, run), 0)
        world.whole(run, world.grown_id, world.add)
    else:
        world.whole(run, world.built_id, world.build)


def damage(world: World, number: int) -> None:
    """A file of a run is damaged at a place of chance: no other space comes of it, and every error is ours."""
    run = world.copy("damage")
    files = [path for path in sorted(run.rglob("*")) if path.is_file() and path.stat().st_size and path.name != ".lock"]
    path = world.chance.choice(files)
    data = bytearray(path.read_bytes())
    place = world.chance.randrange(len(data))
    match world.chance.randrange(4):
        case 0:
            data = data[:place]
        case 1:
            data[place : place + 16] = bytes(len(data[place : place + 16]))
        case _:
            data[place] ^= 1 << world.chance.randrange(8)
    path.unlink()
    path.write_bytes(data)
    try:
        world.expect(world.child(world.load, run), 0, 2)
        if number % 2:
            code = world.child(world.add, run)
            world.expect(code, 0, 2)
            if code == 0:
                world.is_now(run, world.grown_id)
        world.whole(run, world.built_id, world.build)
        world.whole(run, world.grown_id, world.add)
    except FailedError as error:
        raise FailedError(f"{path.relative_to(run)}: {error}") from error
