"""A service under steady requests for half an hour: does it grow, and does it slow down?

python benchmarks/soak.py --minutes 30                a generated catalog, or --run RUN; prints slopes, ends with 1
where one is above its limit by more than its noise: 20 MB of memory, 4 descriptors, or half of the p99, an hour.
Requests come at a pace (--rate, a second), so that what is measured is the service and not how many fit on the machine.
`--write` keeps the figures in benchmarks/results.
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
from typing import Any

import httpx
import numpy as np
from kept import origin

CLIENTS, EVERY, RATE = 4, 10.0, 12.0
KEPT = Path(__file__).resolve().parent / "results" / "soak.json"
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


def ask(
    address: str, ids: list[str], stop: threading.Event, seen: list[tuple[float, float, int]], seed: int, rate: float
) -> None:
    """One client: requests of every kind, one after another, at a pace."""
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
            stop.wait(max(0.0, CLIENTS / rate - (time.perf_counter() - start)))


def slope(times: list[float], values: list[float]) -> tuple[float, float]:
    """Growth an hour by least squares over the last two thirds, and twice its standard error.

    What is filled once, such as caches, is filled in the first third.
    """
    first = len(times) // 3
    x, y = (np.array(times[first:]) - times[0]) / 3600, np.array(values[first:])
    if len(x) < 4:
        return 0.0, float("inf")
    design = np.stack([x, np.ones_like(x)], axis=1)
    found, left, *_ = np.linalg.lstsq(design, y, rcond=None)
    error = float(np.sqrt((left[0] if len(left) else 0.0) / (len(x) - 2) / ((x - x.mean()) ** 2).sum()))
    return float(found[0]), 2 * error


def main() -> int:
    """Serve, ask, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second, of all clients")
    parser.add_argument("--out", type=Path, help="JSON with the figures")
    parser.add_argument("--write", action="store_true", help="keep them in benchmarks/results/soak.json")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = given.run or Path(folder) / "run"
        if given.run is None:
            words = ["demo", "--dataset", "generated", "--run", str(run), "--no-serve"]
            subprocess.run([sys.executable, "-m", "antiphon", *words], check=True, stdout=subprocess.DEVNULL)
        found, steep = soak(run, given.minutes, given.rate)
    text = json.dumps({**origin("soak.json"), **found}, indent=2) + "\n"
    print(text, end="")
    for path in (given.out, KEPT if given.write else None):
        if path is not None:
            path.write_text(text, encoding="utf-8")
    if steep or found["failed"]:
        print(f"too steep: {steep}; failed: {found['failed']}", file=sys.stderr)
    return int(bool(steep or found["failed"]))


def soak(run: Path, minutes: float, rate: float) -> tuple[dict[str, Any], list[str]]:
    """Ask a service over a run for so long: what was found, and which slopes are too steep."""
    import antiphon

    ids = antiphon.load(run).item_ids
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    address = next(line.split()[-1] for line in process.stderr or () if line.startswith("serving at "))
    threading.Thread(target=lambda: [None for _ in process.stderr or ()], daemon=True).start()
    stop: threading.Event = threading.Event()
    seen: list[tuple[float, float, int]] = []
    clients = [threading.Thread(target=ask, args=(address, ids, stop, seen, seed, rate)) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        times, series = watch(process.pid, seen, time.monotonic() + minutes * 60)
    finally:
        stop.set()
        for client in clients:
            client.join()
        process.terminate()
        process.wait(60)
    p99 = series["p99_share_per_hour"]
    usual = max(float(np.median(p99)), 1e-9)
    series["p99_share_per_hour"] = [value / usual for value in p99]
    grown = {name: slope(times, values) for name, values in series.items()}
    found: dict[str, Any] = {
        "minutes": minutes, "rate": rate, "requests": len(seen), "failed": sum(status != 200 for *_, status in seen),
        "memory_mb": round(series["memory_mb_per_hour"][-1], 1),
        "descriptors": int(series["descriptors_per_hour"][-1]),
        "p50_ms": round(1000 * float(np.quantile([seconds for _, seconds, _ in seen], 0.5)), 1),
        "p99_ms": round(1000 * usual, 1),
    }  # fmt: skip
    found |= {name: {"slope": round(value, 3), "error": round(error, 3)} for name, (value, error) in grown.items()}
    return found, [name for name, (value, error) in grown.items() if value - error > LIMITS[name]]


def watch(pid: int, seen: list[tuple[float, float, int]], end: float) -> tuple[list[float], dict[str, list[float]]]:
    """Moments until the end, and at each: megabytes, descriptors, and the p99 in seconds since the moment before."""
    times: list[float] = []
    series: dict[str, list[float]] = {name: [] for name in LIMITS}
    known = 0
    while time.monotonic() < end:
        time.sleep(min(EVERY, max(0.1, end - time.monotonic())))
        upto = len(seen)
        if upto == known:
            continue
        megabytes, opened = usage(pid)
        values = megabytes, float(opened), float(np.quantile([seconds for _, seconds, _ in seen[known:upto]], 0.99))
        for name, value in zip(LIMITS, values, strict=True):
            series[name].append(value)
        times.append(time.monotonic())
        known = upto
    return times, series


if __name__ == "__main__":
    sys.exit(main())
