"""Attacks on runs and on a service: killed, filled up, starved, raced, damaged. Nothing may be lost, nothing mixed.

python tests/chaos/chaos.py --minutes 20            a table of what was tried and what failed; the seed is drawn
python tests/chaos/chaos.py --seed 16 --only "a file damaged" --share 0.1
python tests/chaos/chaos.py --write                 keep the table in benchmarks/results

`make test` runs a short part with a fixed seed. Each try ends with a build, an `add` or a load that nobody disturbs,
which has to give the space of an undisturbed run.
"""

from __future__ import annotations

import argparse
import json
import random
import runpy
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import killed
import served
import starved
from world import NotHereError, World, with_mounts

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "benchmarks" / "results" / "chaos.json"
ATTACKS: Mapping[str, tuple[Callable[[World, int], None], int]] = {
    "kill -9 of a build": (killed.build, 40),
    "kill -9 of an add": (killed.add, 60),
    "kill -9 while publishing": (killed.publish, 60),
    "kill -9 of describe": (killed.describe, 20),
    "kill -9 of tune": (killed.tune, 8),
    "a full disk": (starved.full_disk, 40),
    "a folder that cannot be written": (starved.read_only, 12),
    "too many open files": (starved.few_files, 45),
    "two builds of one run": (killed.two, 12),
    "a clock that jumps": (killed.clock, 10),
    "a file damaged": (starved.damage, 150),
    "16 clients while spaces are published and items added": (served.published, 3),
    "20 reloads: memory returns": (served.reloads, 1),
}
"""Name -> what it does, and how often in twenty minutes at most."""
WEIGHTS = {"a file damaged": 2.0, "16 clients while spaces are published and items added": 2.0}
"""Shares of the time, 1 where not given."""


@dataclass
class Count:
    """One line of the table."""

    tried: int = 0
    failed: int = 0
    said: list[str] = field(default_factory=list)


def attack(world: World, name: str, tries: int, until: float) -> Count:
    """Try an attack so often, or until the time is over; once at least."""
    work, _ = ATTACKS[name]
    count = Count()
    for number in range(tries):
        if number and time.monotonic() > until:
            break
        try:
            work(world, number)
        except NotHereError:
            break
        except Exception as error:  # noqa: BLE001  whatever it is, it is a line of the table
            count.failed += 1
            count.said.append(f"try {number}: {type(error).__name__}: {error}")
        count.tried += 1
    return count


def attacks(world: World, names: list[str], share: float, minutes: float) -> dict[str, Count]:
    """Try attacks one after another, and print a line for each."""
    end = time.monotonic() + minutes * 60
    table = {}
    print("| attack | tried | failed |\n|---|---:|---:|", flush=True)  # noqa: T201
    for place, name in enumerate(names):
        # What an attack does not use is for those after it.
        left = sum(WEIGHTS.get(later, 1.0) for later in names[place:])
        until = time.monotonic() + (end - time.monotonic()) * WEIGHTS.get(name, 1.0) / left
        table[name] = attack(world, name, max(1, round(ATTACKS[name][1] * share)), until)
        print(f"| {name} | {table[name].tried} | {table[name].failed} |", flush=True)  # noqa: T201
        for said in table[name].said[:5]:
            print(f"{name}: {said}", file=sys.stderr, flush=True)  # noqa: T201
    return table


def prepare() -> None:
    """Load what the processes need, once for all of them."""
    import optuna
    import safetensors.torch
    import scipy.sparse
    import threadpoolctl

    from antiphon.base import runtime

    torch, _ = runtime.torch(), runtime.implicit_als()
    torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))])
    _ = safetensors.torch, scipy.sparse, threadpoolctl, optuna


def written(seed: int, minutes: float, table: Mapping[str, Count]) -> dict[str, Any]:
    """The table as it is kept."""
    kept = runpy.run_path(str(ROOT / "benchmarks" / "kept.py"))
    lines = {name: {"tried": count.tried, "failed": count.failed} for name, count in table.items()}
    return {**kept["origin"]("chaos.json"), "seed": seed, "minutes": round(minutes, 1), "attacks": lines}


def main() -> int:
    """Run all attacks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=None, help="drawn where not given")
    parser.add_argument("--only", choices=list(ATTACKS), action="append")
    parser.add_argument("--share", type=float, default=1.0, help="of the tries")
    parser.add_argument("--out", type=Path, help="JSON with the table")
    parser.add_argument("--write", action="store_true", help=f"keep it in {KEPT.relative_to(ROOT)}")
    given = parser.parse_args()
    with_mounts()
    started = time.monotonic()
    seed = random.SystemRandom().randrange(2**32) if given.seed is None else given.seed
    print(f"seed {seed}\n", flush=True)  # noqa: T201
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder) / "world", random.Random(seed))
        try:
            left = given.minutes - (time.monotonic() - started) / 60
            table = attacks(world, given.only or list(ATTACKS), given.share, left)
        finally:
            world.close()
    document = written(seed, (time.monotonic() - started) / 60, table)
    for path in (given.out, KEPT if given.write else None):
        if path is not None:
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return min(1, sum(count.failed for count in table.values()))


if __name__ == "__main__":
    sys.exit(main())
