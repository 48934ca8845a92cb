"""A service while its run changes."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from world import FailedError, World

CLIENTS, PACE = 16, 0.4
"""Clients, and the seconds that each waits after an answer: the machine may have other work."""
ASKED: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("/v1/search", {"likes": ["film-001"], "k": 10}),
    ("/v1/search", {"likes": ["film-007"], "k": 10, "explain": True}),
    ("/v1/search", {"where": {"year": {"gte": 1980}}, "likes": ["film-002", "film-005"], "k": 40}),
    ("/v1/search", {"likes": ["film-003"], "dislikes": ["film-009"], "k": 7, "offset": 3}),
    ("/v1/playlist", {"likes": ["film-004"], "length": 6}),
)
Shown = tuple[tuple[str, float], ...]


def _shown(answer: Mapping[str, Any]) -> Shown:
    """What an answer shows: ids in order, with scores."""
    hits = answer.get("hits", answer.get("items", ()))
    return tuple((hit["item_id"], round(hit.get("score") or 0.0, 3)) for hit in hits)


def _alike(one: Shown, other: Shown) -> bool:
    """The same ids in the same order, with the same scores but for the last digit."""
    return len(one) == len(other) and all(
        a[0] == b[0] and abs(a[1] - b[1]) < 0.002 for a, b in zip(one, other, strict=True)
    )


@contextmanager
def serving(run: Path) -> Iterator[tuple[str, int]]:
    """The address of a service over a run, and its process."""
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0", "--quiet", "--timeout", "60"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        address = next((line.split()[-1] for line in process.stderr or () if line.startswith("serving at ")), "")
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        yield address, process.pid
    finally:
        process.terminate()
        if process.wait(60):
            raise FailedError(f"the service ended with {process.returncode}")


def _expected(world: World) -> dict[str, list[Shown]]:
    """What each space answers, space id -> an answer for each request, each from a service of that space alone."""
    import httpx

    found = {}
    for run, space_id in ((world.base, world.built_id), (world.grown, world.grown_id)):
        with serving(run) as (address, _), httpx.Client(base_url=address, timeout=60) as client:
            found[space_id] = [_shown(client.post(path, json=body).raise_for_status().json()) for path, body in ASKED]
    return found


def published(world: World, number: int) -> None:
    """16 clients ask while spaces are published and items added: every answer is whole, and one of one space.

    In between a build is killed, and a version that is broken is published: the last good one goes on to answer.
    """
    expected, run = _expected(world), world.copy("service")
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    last: list[str] = [""] * CLIENTS
    stop = threading.Event()
    with serving(run) as (address, pid):
        clients = [
            threading.Thread(target=_ask, args=(address, place, expected, stop, wrong, seen, last))
            for place in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        before = usage(pid)
        try:
            for space_id, work in ((world.grown_id, world.add), (world.built_id, world.build)):
                world.child(work, run, dies_after=world.chance.uniform(0, 0.8 * world.seconds["add"]))
                world.expect(world.child(work, run), 0)
                _until(lambda wanted=space_id: set(last) == {wanted}, f"the space {space_id} was not taken up")
            _publish_broken(run)
            time.sleep(3)
            if set(last) != {world.built_id}:
                raise FailedError(f"with a broken version published, answers are of {set(last)}: {wrong[:1]}")
            # Nothing can be added to a broken version; a build puts a whole one in its place.
            world.expect(world.child(world.add, run), 2)
            world.whole(run, world.built_id, world.build)
            world.whole(run, world.grown_id, world.add)
            _until(lambda: set(last) == {world.grown_id}, "after a broken version no other is taken up")
        finally:
            stop.set()
            for client in clients:
                client.join()
        after = usage(pid)
    if wrong:
        raise FailedError(f"{len(wrong)} of {sum(seen.values())} answers: {wrong[0]}")
    if set(seen) != set(expected):
        raise FailedError(f"answers were of {seen}")
    if after["descriptors"] > before["descriptors"] + 64:
        raise FailedError(f"descriptors grew from {before['descriptors']} to {after['descriptors']}")


def _publish_broken(run: Path) -> None:
    """A version whose vectors are not those of its manifest."""
    now = (run / "space" / "CURRENT").read_text(encoding="ascii").strip()
    broken = run / "space" / ("f" * 16)
    shutil.copytree(run / "space" / now, broken)
    (broken / "vectors.npy").write_bytes(b"broken")
    beside = run / "space" / "beside"
    beside.write_text("f" * 16 + "\n", encoding="ascii")
    beside.replace(run / "space" / "CURRENT")


def _until(true: Any, otherwise: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise FailedError(otherwise)
        time.sleep(0.05)


def _ask(
    address: str, place: int, expected: Mapping[str, list[Shown]], stop: threading.Event, wrong: list[str],
    seen: Counter[str], last: list[str],
) -> None:  # fmt: skip
    import httpx

    turn = place
    with httpx.Client(base_url=address, timeout=60) as client:
        while not stop.is_set():
            path, body = ASKED[turn % len(ASKED)]
            try:
                got = client.post(path, json=body)
                said = got.json()
                space_id = said.get("space_id", "")
                right = got.status_code == 200 and space_id in expected
                if not right or not _alike(_shown(said), expected[space_id][turn % len(ASKED)]):
                    wrong.append(f"{path} {body}: {got.text[:200]}")
                seen[space_id] += 1
                last[place] = space_id
            except (httpx.HTTPError, ValueError) as error:
                wrong.append(f"{type(error).__name__}: {error}")
            turn += 1
            stop.wait(PACE)


def usage(pid: int) -> dict[str, int]:
    """Bytes of memory, and descriptors, of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208
    }


def reloads(world: World, number: int) -> None:
    """Twenty reloads in one process: the spaces that were left are gone, memory and descriptors come back."""
    run = world.copy("reloads")
    shutil.copytree(world.grown / "space" / world.grown_id, run / "space" / world.grown_id)
    world.expect(world.child(lambda folder: _reload(world, folder), run), 0)


def _reload(world: World, run: Path) -> None:
    from antiphon.serve.live import Live
    from antiphon.serve.metrics import Metrics
    from antiphon.serve.settings import Settings
    from antiphon.space.space import Space

    async def main() -> list[dict[str, int]]:
        live, seen = Live(run, Settings(poll=0, timeout=0.01), Metrics()), []
        await live.start()
        for turn in range(20):
            space_id = world.grown_id if turn % 2 == 0 else world.built_id
            (run / "space" / "CURRENT").write_text(space_id + "\n", encoding="ascii")
            os.utime(run / "space" / "CURRENT", (turn + 1, turn + 1))
            if not await live.refresh():
                raise FailedError(f"the version {space_id} was not taken up")
            await asyncio.sleep(1.2)
            gc.collect()
            spaces = sum(isinstance(one, Space) for one in gc.get_objects())
            if spaces > 1:
                raise FailedError(f"{spaces} spaces are in memory after {turn + 1} reloads")
            seen.append(usage(os.getpid()))
        await live.stop()
        return seen

    seen = asyncio.run(main())
    if seen[-1]["descriptors"] > seen[4]["descriptors"] + 2:
        raise FailedError(f"descriptors: {[one['descriptors'] for one in seen]}")
    if seen[-1]["memory"] > seen[4]["memory"] * 1.05 + 5_000_000:
        raise FailedError(f"memory: {[one['memory'] // 1_000_000 for one in seen]} MB")
