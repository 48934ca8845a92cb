"""A service under steady requests for half an hour: does it grow, and does it slow down?

python benchmarks/soak.py --minutes 30                a generated catalog, or --run RUN; prints slopes, ends with 1
where one is above its limit by more than its noise: 20 MB of memory, 4 descriptors, or half of the p99, an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import numpy as np

CLIENTS, EVERY = 4, 10.0
LIMITS = {"memory_mb_per_hour": 20.0, "descriptors_per_hour": 4.0, "p99_share_per_hour": 0.5}
WORDS = (
    "a quiet drama",
    "something dark",
    "space robots",
    "a witty comedy from Japan",
    "like a summer",
    "nothing gory",
)


def usage(pid: int) -> tuple[float, int]:
    """Megabytes and open descriptors of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def ask(address: str, ids: list[str], stop: threading.Event, seen: list[tuple[float, float, int]], seed: int) -> None:
    """One client: requests of every kind, one after another."""
    chance = random.Random(seed)
    with httpx.Client(base_url=address, timeout=60) as client:
        while not stop.is_set():
            kind, start = chance.randrange(5), time.perf_counter()
            if kind == 0:
                got = client.post("/v1/search", json={"text": chance.choice(WORDS), "explain": chance.random() < 0.2})
            elif kind == 1:
                got = client.post("/v1/search", json={"likes": chance.sample(ids, 2), "k": 20})
            elif kind == 2:
                got = client.post("/v1/playlist", json={"text": chance.choice(WORDS), "length": 8})
            elif kind == 3:
                got = client.get(f"/v1/items/{chance.choice(ids)}/similar")
            else:
                got = client.post("/v1/facets", json={"text": chance.choice(WORDS)})
            seen.append((time.monotonic(), time.perf_counter() - start, got.status_code))
            time.sleep(0.02)


def slope(times: list[float], values: list[float]) -> tuple[float, float]:
    """Growth an hour by least squares over the second half, and twice its standard error."""
    half = len(times) // 3
    x, y = (np.array(times[half:]) - times[0]) / 3600, np.array(values[half:])
    if len(x) < 4:
        return 0.0, float("inf")
    design = np.stack([x, np.ones_like(x)], axis=1)
    found, left, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = float(np.sqrt((left[0] if len(left) else 0.0) / (len(x) - 2) / ((x - x.mean()) ** 2).sum()))
    return float(found[0]), 2 * error


def main() -> int:
    """Serve, ask, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = given.run or Path(folder) / "run"
        if given.run is None:
            command = [
                sys.executable,
                "-m",
                "antiphon",
                "demo",
                "--dataset",
                "generated",
                "--run",
                str(run),
                "--no-serve",
            ]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return soak(run, given.minutes, given.out)


def soak(run: Path, minutes: float, out: Path | None) -> int:
    """Ask a service over a run for so long."""
    import antiphon

    ids = antiphon.load(run).item_ids
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in process.stderr or () if line.startswith("serving at "))
    stop, seen = threading.Event(), []
    clients = [threading.Thread(target=ask, args=(address, ids, stop, seen, seed)) for seed in range(CLIENTS)]
    times, memory, descriptors, p99 = [], [], [], []
    for client in clients:
        client.start()
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end:
        time.sleep(min(EVERY, max(0.1, end - time.monotonic())))
        now = time.monotonic()
        recent = [seconds for when, seconds, _ in seen if when > now - EVERY]
        megabytes, opened = usage(process.pid)
        times.append(now)
        memory.append(megabytes)
        descriptors.append(float(opened))
        p99.append(float(np.quantile(recent, 0.99)) if recent else 0.0)
    stop.set()
    for client in clients:
        client.join()
    process.terminate()
    process.wait(60)
    failed = sum(status != 200 for _, _, status in seen)
    table = {"minutes": minutes, "requests": len(seen), "failed": failed, "memory_mb": round(memory[-1], 1)}
    grown = {
        "memory_mb_per_hour": slope(times, memory),
        "descriptors_per_hour": slope(times, descriptors),
        "p99_share_per_hour": tuple(value / max(np.median(p99), 1e-9) for value in slope(times, p99)),
    }
    table |= {name: {"slope": round(value, 3), "error": round(error, 3)} for name, (value, error) in grown.items()}
    print(json.dumps(table, indent=2))
    if out is not None:
        out.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    steep = [name for name, (value, error) in grown.items() if value - error > LIMITS[name]]
    if steep or failed:
        print(f"too steep: {steep}; failed: {failed}", file=sys.stderr)
    return int(bool(steep or failed))


if __name__ == "__main__":
    sys.exit(main())
