"""Attacks on runs and on a service: killed, filled up, starved, raced, damaged. Nothing may be lost, nothing mixed.

`make chaos` runs all of it for twenty minutes and prints a table; `make test` runs a short part with a fixed seed. Each
try ends with a build, an `add` or a load that nobody disturbs, which has to give the space of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w

TESTS = Path(__file__).resolve().parents[1]
films = runpy.run_path(str(TESTS / "conftest.py"))
SETTINGS = {
    "modalities": [
        {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
        {"name": "cf", "encoder": "als", "trials": 2, "factors": [4]},
    ],
    "train": {"epochs": 3, "checkpoint_every": 1, "batch_size": 16},
    "space": {"taste_trials": 2},
}


class FailedError(AssertionError):
    """A try after which something was lost or mixed."""


@dataclass
class Count:
    """One line of the table."""

    tried: int = 0
    failed: int = 0
    said: list[str] = field(default_factory=list)


@dataclass
class World:
    """A project, files to add to its run, and what undisturbed work makes of both."""

    folder: Path
    chance: random.Random

    def __post_init__(self) -> None:
        from antiphon.config.load import load_config

        rng = np.random.default_rng(0)
        self.folder.mkdir(parents=True, exist_ok=True)
        items, tastes = films["film_table"](rng, 30)
        pq.write_table(items, self.folder / "items.parquet")
        pq.write_table(films["interaction_table"](rng, items, tastes, 20), self.folder / "interactions.parquet")
        pq.write_table(films["image_table"](rng, items, tastes), self.folder / "image.parquet")
        settings = films["merged"](films["film_settings"](), SETTINGS)
        (self.folder / "antiphon.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
        self.config = load_config(self.folder / "antiphon.toml")
        new = items.slice(0, 2)
        place = new.schema.get_field_index("item_id")
        self.more = self.folder / "more.parquet"
        pq.write_table(new.set_column(place, "item_id", pa.array(["film-901", "film-902"])), self.more)
        vectors = pa.table({"item_id": ["film-901", "film-902"], "embedding": rng.normal(size=(2, 8)).tolist()})
        self.vectors = self.folder / "more-image.parquet"
        pq.write_table(vectors, self.vectors)
        self.base = self.folder / "base"
        started = time.monotonic()
        self.expect(self.child(self.build, self.base), 0)
        self.seconds = {"build": time.monotonic() - started}
        self.built_id = current(self.base)
        grown = self.copy("grown")
        started = time.monotonic()
        self.expect(self.child(self.add, grown), 0)
        self.seconds["add"] = time.monotonic() - started
        self.grown_id = current(grown)

    def build(self, run: Path) -> None:
        """Build the project."""
        from antiphon.run.build import build

        build(self.config, run)

    def add(self, run: Path) -> None:
        """Add two items."""
        from antiphon.run.growing import add_items

        add_items(run, self.more, vectors={"image": self.vectors}, replace=True)

    def load(self, run: Path) -> None:
        """Load the space, and ask it."""
        from antiphon.space.space import load

        load(run).search(likes=["film-001"], k=3)

    def copy(self, name: str) -> Path:
        """A copy of the undisturbed run, of its own files."""
        target = self.folder / "tries" / name
        shutil.rmtree(target, ignore_errors=True)
        return Path(shutil.copytree(self.base, target))

    def fresh(self, name: str) -> Path:
        """A folder where there is no run yet."""
        target = self.folder / "tries" / name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(exist_ok=True)
        return target

    def child(
        self, work: Callable[[Path], None], run: Path, *, before: Callable[[], None] = lambda: None,
        dies_after: float | None = None,
    ) -> int:  # fmt: skip
        """Work in a process: 0 where it is done, 2 where it ends with an error of ours, -9 where it was killed."""
        pid = self.start(work, run, before)
        if dies_after is not None:
            time.sleep(dies_after)
            os.kill(pid, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def start(self, work: Callable[[Path], None], run: Path, before: Callable[[], None] = lambda: None) -> int:
        """The id of a process that does some work."""
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            from antiphon.base import runtime
            from antiphon.errors import AntiphonError

            runtime.torch().set_num_threads(1)
            before()
            try:
                work(run)
                code = 0
            except AntiphonError as error:
                code = 2
                (self.folder / "said").write_text(str(error), encoding="utf-8")
        except BaseException as error:  # noqa: BLE001  the parent hears of it
            with open(self.folder / "unexpected", "a", encoding="utf-8") as file:  # noqa: PTH123
                file.write(f"{type(error).__name__}: {error}\n")
        finally:
            os._exit(code)

    def expect(self, code: int, *codes: int) -> None:
        """Refuse any other end of a process."""
        if code not in codes:
            file = self.folder / "unexpected"
            said = file.read_text(encoding="utf-8").splitlines()[-1:] if file.is_file() else []
            raise FailedError(f"ended with {code}: {said}")

    def whole(self, run: Path, expected: str, work: Callable[[Path], None]) -> None:
        """Undisturbed work has to end at the expected space, and leave nothing lying about."""
        self.expect(self.child(work, run), 0)
        if current(run) != expected:
            raise FailedError(f"another space: {current(run)}, expected {expected}")
        left = [path.name for path in run.rglob("*") if path.name.endswith(".part") or path.name.startswith(".new-")]
        if left:
            raise FailedError(f"left behind: {left[:3]}")


def current(run: Path) -> str:
    """The id of a run's space."""
    return (run / "space" / "CURRENT").read_text(encoding="ascii").strip()


def kill_build(world: World, number: int) -> None:
    """A build is killed up to three times, and goes on."""
    run = world.fresh("kill-build")
    for _ in range(world.chance.randint(1, 3)):
        world.child(world.build, run, dies_after=world.chance.uniform(0, world.seconds["build"]))
    world.whole(run, world.built_id, world.build)


def kill_add(world: World, number: int) -> None:
    """An `add` is killed: what is published is the old space or the new one, and the next `add` ends at the new one."""
    run = world.copy("kill-add")
    world.child(world.add, run, dies_after=world.chance.uniform(0, world.seconds["add"]))
    if current(run) not in (world.built_id, world.grown_id):
        raise FailedError(f"published {current(run)}")
    world.expect(world.child(world.load, run), 0)
    world.whole(run, world.grown_id, world.add)


def kill_publish(world: World, number: int) -> None:
    """A process dies at the n-th file operation of publishing."""
    run = world.copy("kill-publish")
    shutil.rmtree(run / "space")

    def before() -> None:
        left = [world.chance.randrange(60)]
        for name in ("fsync", "replace", "rename", "link"):
            setattr(os, name, _counted(getattr(os, name), left))

    world.child(world.build, run, before=before)
    world.whole(run, world.built_id, world.build)


def _counted(function: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def wrapped(*args: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **options)

    return wrapped


def full_disk(world: World, number: int) -> None:
    """Files cannot grow beyond a size, as on a full disk: an error of ours, and the published space still answers."""
    adds = number % 2 == 0
    run = world.copy("full") if adds else world.fresh("full")
    size = world.chance.randint(1, 12_000)

    def before() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    world.expect(world.child(world.add if adds else world.build, run, before=before), 0, 2)
    if adds:
        world.expect(world.child(world.load, run), 0)
    work, expected = (world.add, world.grown_id) if adds else (world.build, world.built_id)
    world.whole(run, expected, work)


def few_files(world: World, number: int) -> None:
    """A process may open few files: an error of ours, or it is done."""
    run = world.copy("few")
    most = world.chance.randint(8, 40)

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    world.expect(world.child(world.add, run, before=before), 0, 2)
    world.whole(run, world.grown_id, world.add)


def read_only(world: World, number: int) -> None:
    """A folder that cannot be written to; tried where the user is no superuser."""
    run = world.copy("read-only")
    if os.geteuid() == 0:
        return
    (run / "space").chmod(0o555)
    try:
        world.expect(world.child(world.add, run), 2)
        world.expect(world.child(world.load, run), 0)
    finally:
        (run / "space").chmod(0o755)
    world.whole(run, world.grown_id, world.add)


def two_builds(world: World, number: int) -> None:
    """Two processes build one run: one is done, the other is done or told to wait, and there is one space."""
    run = world.fresh("two")
    pids = [world.start(world.build, run) for _ in range(2)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    if 0 not in codes or not set(codes) <= {0, 2}:
        raise FailedError(f"ended with {codes}")
    world.whole(run, world.built_id, world.build)


def clock(world: World, number: int) -> None:
    """The clock jumps between builds: times of files are of the past and of the future."""
    run = world.copy("clock")
    for path in run.rglob("*"):
        when = time.time() + world.chance.uniform(-3e8, 3e8)
        os.utime(path, (when, when))

    def before() -> None:
        ahead, usual = world.chance.uniform(-3e8, 3e8), time.time
        time.time = lambda: usual() + ahead

    world.expect(world.child(world.add, run, before=before), 0)
    world.whole(run, world.grown_id, world.add)


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
    world.expect(world.child(world.load, run), 0, 2)
    if number % 2:
        code = world.child(world.add, run)
        world.expect(code, 0, 2)
        if code == 0 and current(run) != world.grown_id:
            raise FailedError(f"a damaged {path.relative_to(run)} became another space")
        return
    try:
        world.whole(run, world.built_id, world.build)
    except FailedError as error:
        raise FailedError(f"{path.relative_to(run)}: {error}") from error


def service(world: World, number: int) -> None:
    """16 clients ask while spaces are published and items added: every answer is one of one space."""
    from antiphon.space.space import load

    run = world.copy("service")
    likes, expected = ["film-001"], {}
    for source in (world.base, world.folder / "tries" / "grown"):
        space = load(source)
        expected[space.space_id] = [hit.item_id for hit in space.search(likes=likes, k=10)]
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    wrong: list[str] = []
    answers = [0]
    try:
        address = ""
        for line in process.stderr or ():
            if line.startswith("serving at "):
                address = line.split()[-1]
                break
        threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
        stop = threading.Event()
        clients = [
            threading.Thread(target=_ask, args=(address, likes, expected, stop, wrong, answers)) for _ in range(16)
        ]
        for client in clients:
            client.start()
        before = _usage(process.pid)
        for turn in range(3):
            world.expect(world.child(world.build if turn == 1 else world.add, run), 0)
            time.sleep(2.5)
        stop.set()
        for client in clients:
            client.join()
        after = _usage(process.pid)
    finally:
        process.terminate()
        process.wait(60)
    if wrong:
        raise FailedError(f"{len(wrong)} of {answers[0]} answers: {wrong[0]}")
    if after["descriptors"] > before["descriptors"] + 64:
        raise FailedError(f"descriptors grew from {before['descriptors']} to {after['descriptors']}")


def _ask(
    address: str, likes: list[str], expected: Mapping[str, list[str]], stop: threading.Event, wrong: list[str],
    answers: list[int],
) -> None:  # fmt: skip
    import httpx

    with httpx.Client(base_url=address, timeout=60) as client:
        while not stop.is_set():
            try:
                got = client.post("/v1/search", json={"likes": likes, "k": 10})
                answers[0] += 1
                said = got.json()
                ids = [hit["item_id"] for hit in said.get("hits", ())]
                if got.status_code != 200 or expected.get(said["space_id"]) != ids:
                    wrong.append(got.text[:200])
            except httpx.HTTPError as error:
                wrong.append(f"{type(error).__name__}: {error}")
            time.sleep(0.02)


def _usage(pid: int) -> dict[str, int]:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return {
        "memory": pages * os.sysconf("SC_PAGE_SIZE"),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),  # noqa: PTH208
    }


def reloads(world: World, number: int) -> None:
    """Twenty reloads in one process: memory and descriptors come back."""
    import asyncio
    import gc

    from antiphon.serve.live import Live
    from antiphon.serve.metrics import Metrics
    from antiphon.serve.settings import Settings

    run, grown = world.copy("reloads"), world.folder / "tries" / "grown"
    shutil.copytree(grown / "space" / world.grown_id, run / "space" / world.grown_id)

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
            seen.append(_usage(os.getpid()))
        await live.stop()
        return seen

    seen = asyncio.run(main())
    if seen[-1]["descriptors"] > seen[4]["descriptors"] + 5:
        raise FailedError(f"descriptors: {[one['descriptors'] for one in seen]}")
    if seen[-1]["memory"] > seen[4]["memory"] * 1.1 + 20_000_000:
        raise FailedError(f"memory: {[one['memory'] // 1_000_000 for one in seen]} MB")


ATTACKS: Mapping[str, tuple[Callable[[World, int], None], int]] = {
    "kill -9 of a build": (kill_build, 40),
    "kill -9 of an add": (kill_add, 60),
    "kill -9 while publishing": (kill_publish, 60),
    "full disk": (full_disk, 40),
    "read-only folder": (read_only, 5),
    "too many open files": (few_files, 30),
    "two builds of one run": (two_builds, 10),
    "a clock that jumps": (clock, 10),
    "a file damaged": (damage, 150),
    "16 clients while spaces are published": (service, 3),
    "20 reloads": (reloads, 1),
}
"""Name -> what it does, and how often in twenty minutes."""


def attack(world: World, name: str, tries: int, until: float) -> Count:
    """Try an attack so often, or until the time is over."""
    work, _ = ATTACKS[name]
    count = Count()
    for number in range(tries):
        if time.monotonic() > until:
            break
        count.tried += 1
        try:
            work(world, number)
        except Exception as error:  # noqa: BLE001  whatever it is, it is a line of the table
            count.failed += 1
            count.said.append(f"{type(error).__name__}: {error}")
    return count


def prepare() -> None:
    """Load what the processes need, once for all of them."""
    import safetensors.torch
    import scipy.sparse
    import threadpoolctl

    from antiphon.base import runtime

    torch, _ = runtime.torch(), runtime.implicit_als()
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    _ = safetensors.torch, scipy.sparse, threadpoolctl


def main() -> int:
    """Run all attacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None, help="drawn where not given")
    parser.add_argument("--only", choices=list(ATTACKS), action="append")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries")
    parser.add_argument("--out", type=Path, help="JSON with the table")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    prepare()
    names = given.only or list(ATTACKS)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world", random.Random(seed))
        end = time.monotonic() + given.minutes * 60
        table = {}
        print(f"seed {seed}\n\n| attack | tried | failed |\n|---|---:|---:|")  # noqa: T201
        for place, name in enumerate(names):
            # What an attack does not use is for those after it.
            until = time.monotonic() + (end - time.monotonic()) / max(1, (len(names) - place) / 2)
            count = attack(world, name, max(1, round(ATTACKS[name][1] * given.share)), min(end, until))
            table[name] = count
            print(f"| {name} | {count.tried} | {count.failed} |", flush=True)  # noqa: T201
    for name, count in table.items():
        for said in count.said[:5]:
            print(f"{name}: {said}", file=sys.stderr)  # noqa: T201
    if given.out is not None:
        lines = {name: {"tried": count.tried, "failed": count.failed} for name, count in table.items()}
        given.out.write_text(json.dumps({"seed": seed, "attacks": lines}, indent=2) + "\n", encoding="utf-8")
    return min(1, sum(count.failed for count in table.values()))


if __name__ == "__main__":
    sys.exit(main())
