"""What an answer costs at 10,000, 100,000 and 1,000,000 items, beside faiss and what one would write with numpy.

    python benchmarks/scale.py --run runs/movies                 every size, vectors alone
    python benchmarks/scale.py --run runs/movies --sizes 10000   one size, quickly
    python benchmarks/scale.py --run runs/movies --write         benchmarks/results/scale.json and scale.md as well

The space of a run is repeated with noise of its own shape (`larger.py`), and asked for texts, liked items and users,
k = 200, with filters that let all, 10%, 1% and .1% pass. A request is resolved and its filter looked up before the
clock starts, for every way: what is measured is the search, in milliseconds of this thread's CPU, with one thread. Each
size runs in a process of its own. Recall is against the exact order of all items by the sum of all channels, the path
of small catalogs, whose time is beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from kept import origin
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
SIZES, FILTERS, K, N_REQUESTS = (10_000, 100_000, 1_000_000), (1.0, 0.1, 0.01, 0.001), 200, 20
N_CLIENTS, GRAPH_UP_TO = 16, 110_000
KINDS = ("text", "likes", "user")
TEXTS = (
    "a dark thriller with a twist", "feel-good animation", "slow and beautiful", "a western about revenge",
    "friends on a road trip", "space and loneliness", "a heist that goes wrong", "love in wartime", "courtroom drama",
    "ghosts in an old house", "a musical for the whole family", "boxing", "based on a true story", "time travel",
    "spies in the cold war", "a comedy of errors", "growing up in a small town", "samurai", "a killer", "sailing",
)  # fmt: skip
Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
Found = Callable[[int, Any], Rows]


def requests_of(space: Any) -> dict[str, list[Any]]:
    """Twenty requests of each kind."""
    from antiphon import Query

    rng = np.random.default_rng(0)
    users = list(space.users.row_of)
    # Copies of items have no factors to fold a history in with.
    known = np.flatnonzero(np.asarray(space.taste.ials).any(axis=1) & (np.asarray(space.taste.users) > 20))
    likes = [tuple(space.item_ids[row] for row in rng.choice(known, 3)) for _ in range(N_REQUESTS)]
    return {
        "text": [Query(text=text) for text in TEXTS],
        "likes": [Query(likes=ids) for ids in likes],
        "user": [Query(user=users[number]) for number in rng.choice(len(users), N_REQUESTS, replace=False)],
    }


def measure(space: Any) -> list[dict[str, Any]]:
    """A row for each kind of request and each filter: CPU milliseconds of each way, and recall."""
    import faiss

    faiss.omp_set_num_threads(1)
    vectors = np.array(space.blocks)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    graph = None
    if len(vectors) <= GRAPH_UP_TO:
        graph = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        graph.add(vectors)
        graph.hnsw.efSearch = 2 * K
    rows = []
    for kind, queries in requests_of(space).items():
        joined = np.stack([space.embed(query).vector for query in queries])
        for share in FILTERS:
            where = None if share == 1 else f"lot<{share}"
            mask = space._allowed(None if where is None else _parsed(where))  # noqa: SLF001  what a filter costs apart
            ways = ways_of(space, queries, where, joined, mask, (vectors, flat, graph))
            rows.append({"kind": kind, "share": share, **timed(space, queries, where, ways)})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def ways_of(
    space: Any, queries: Sequence[Any], where: str | None, joined: Floats, mask: Any, indexes: Any
) -> dict[str, Found]:
    """Ways to answer: each takes the number of a request and the request as it was resolved, and gives rows."""
    import faiss

    vectors, flat, graph = indexes
    bits = None if mask is None else np.packbits(mask, bitorder="little")
    chosen = None if bits is None else faiss.IDSelectorBitmap(bits)
    params = None if chosen is None else faiss.SearchParameters(sel=chosen)

    def by_hand(number: int, _: Any) -> Rows:
        scores = vectors @ joined[number]
        if mask is not None:
            scores[~mask] = -np.inf
        best = np.argpartition(-scores, K)[:K]
        return best[np.argsort(-scores[best])]

    def by_graph(number: int, _: Any) -> Rows:
        if graph is None:
            return np.zeros(0, dtype=np.int64)
        options = faiss.SearchParametersHNSW(efSearch=2 * K)
        if chosen is not None:
            options.sel = chosen
        return np.asarray(graph.search(joined[number : number + 1], K, params=options)[1][0])

    return {
        "antiphon": lambda _, resolved: space.best(resolved, K)[0][0],
        "flat": lambda number, _: flat.search(joined[number : number + 1], K, params=params)[1][0],
        "hnsw": by_graph,
        "numpy": by_hand,
    }


def timed(space: Any, queries: Sequence[Any], where: str | None, ways: Mapping[str, Found]) -> dict[str, Any]:
    """Median CPU milliseconds of each way, taken in turns, and what antiphon found of the exact answers."""
    from dataclasses import replace

    asked = [replace(query, where=None if where is None else _parsed(where)) for query in queries]
    spent: dict[str, list[float]] = {name: [] for name in ways}
    recall, least, graph_recall, whole = [], K, [], []
    space.best(space.resolve(asked[:1]), K)
    for number, query in enumerate(asked):
        resolved = space.resolve([query])
        start = time.thread_time()
        right = exact(space, resolved)
        whole.append((time.thread_time() - start) * 1e3)
        least = min(least, len(right))
        for name, way in ways.items():
            resolved = space.resolve([query])
            start = time.thread_time()
            found = way(number, resolved)
            spent[name].append((time.thread_time() - start) * 1e3)
            if name == "antiphon":
                assert (found >= 0).sum() >= len(right)  # noqa: S101  always k
                recall.append(len(np.intersect1d(found, right)) / max(1, len(right)))
            if name == "flat":
                dense = found
            if name == "hnsw":
                graph_recall.append(len(np.intersect1d(found, dense)) / max(1, (dense >= 0).sum()))
    usual = {name: float(np.median(values)) for name, values in spent.items() if name != "hnsw" or graph_recall[0]}
    more = {"hnsw_recall": float(np.mean(graph_recall))} if "hnsw" in usual else {}
    return {
        **{f"{name}_ms": value for name, value in usual.items()},
        "exact_ms": float(np.median(whole)),
        "recall": float(np.mean(recall)),
        "k": least,
        **more,
    }


def exact(space: Any, resolved: Any) -> Rows:
    """The k best of all items by all channels: the path of small catalogs."""
    from antiphon.space.answer import SMALL, best

    passing = resolved.passing_at(0)
    channels = [exactly(channel) for channel in space.channels]
    n_open = space.n_items if passing is None else passing.n
    rows = best(channels, resolved, max(K, n_open // 8 + 1 if n_open > SMALL else K), passing, space.n_items)[0][0]
    return rows[:K][rows[:K] >= 0]


def exactly(channel: Any) -> Any:
    """A channel without its codes."""
    import copy

    if getattr(channel, "coded", None) is None:
        return channel
    bare = copy.copy(channel)
    bare.coded = None
    return bare


def _parsed(where: str) -> Any:
    from antiphon.query.filters import parse_filter

    return parse_filter(where)


def served(space: Any) -> dict[str, float]:
    """Answers a second of one client and of sixteen, users without a filter."""
    asked = requests_of(space)["user"]

    def one(query: Any) -> None:
        space.rank([query], K)

    one(asked[0])
    start = time.perf_counter()
    for query in asked:
        one(query)
    alone = len(asked) / (time.perf_counter() - start)
    start = time.perf_counter()
    with ThreadPoolExecutor(N_CLIENTS) as pool:
        list(pool.map(one, asked * 8))
    return {"one_client_per_s": alone, "clients_per_s": len(asked) * 8 / (time.perf_counter() - start)}


def resident() -> dict[str, float]:
    """Megabytes of this process: its own pages, and pages of mapped files."""
    said = dict(line.split(":") for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {name: int(said[key].split()[0]) / 1000 for name, key in (("own_mb", "RssAnon"), ("mapped_mb", "RssFile"))}


def ask(run: Path) -> dict[str, Any]:
    """Load a space and say what it took, then measure it."""
    import antiphon

    before, start = resident()["own_mb"], time.perf_counter()
    space = antiphon.load(run, store={"kind": "memory"})
    loaded = time.perf_counter() - start
    users = list(space.users.row_of)
    space.recommend(users[0], k=K)
    answered, after = time.perf_counter() - start, resident()
    start = time.perf_counter()
    space.search(TEXTS[0], k=K)
    size = {
        "n_items": space.n_items,
        "load_s": loaded,
        "first_answer_s": answered,
        "first_text_s": time.perf_counter() - start,
        "own_bytes_per_item": (after["own_mb"] - before) * 1e6 / space.n_items,
        "own_bytes_per_item_text": (resident()["own_mb"] - before) * 1e6 / space.n_items,
    }
    return {**size, **served(space), "rows": measure(space)}


def main() -> None:
    """Measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a built run, whose space is repeated")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--all-channels", type=int, nargs="*", default=[], help="sizes with words, facets and passages")
    parser.add_argument("--write", action="store_true", help="keep what was measured")
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        print("result " + json.dumps(ask(given.ask)))
        return
    from larger import enlarge

    results = []
    wanted = [*((size, True) for size in given.sizes), *((size, False) for size in given.all_channels)]
    for n_items, dense_only in wanted:
        with tempfile.TemporaryDirectory(dir=given.run.parent) as name:
            start = time.perf_counter()
            enlarge(given.run, Path(name) / "run", n_items, dense_only=dense_only)
            made = time.perf_counter() - start
            command = [sys.executable, __file__, "--ask", str(Path(name) / "run")]
            env = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
        found = json.loads(done.stdout.splitlines()[-1].removeprefix("result "))
        results.append({**found, "channels": "vectors" if dense_only else "all", "written_s": made})
        print(shown(results[-1:]), flush=True)
        if given.write:
            keep(results)


def keep(results: Sequence[Mapping[str, Any]]) -> None:
    """Put what was measured in the place of what was, of the same size and channels."""
    file = RESULTS / "scale.json"
    before = json.loads(file.read_text(encoding="utf-8"))["sizes"] if file.is_file() else []
    sizes = {(one["channels"], one["n_items"]): one for one in before}
    where = origin("scale.json")
    sizes |= {(one["channels"], one["n_items"]): {**one, "commit": where["commit"]} for one in results}
    kept = [sizes[key] for key in sorted(sizes, key=lambda key: (key[0] == "all", key[1]))]
    document = {"where": where, "k": K, "sizes": kept}
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "scale.md").write_text(shown(kept), encoding="utf-8")


def shown(results: Sequence[Mapping[str, Any]]) -> str:
    """Tables of what was measured."""
    sizes = ["items", "channels", "load, s", "first answer, s", "bytes an item", "then the first text, s", "bytes"]
    sizes += ["answers/s, 1 client", "16 clients"]
    lines = [f"| {' | '.join(sizes)} |", "|---" * len(sizes) + "|"]
    lines += [
        f"| {one['n_items']:,} | {one['channels']} | {one['load_s']:.1f} | {one['first_answer_s']:.1f} | "
        f"{one['own_bytes_per_item']:.0f} | {one.get('first_text_s', 0):.1f} | "
        f"{one.get('own_bytes_per_item_text', 0):.0f} | "
        f"{one['one_client_per_s']:.0f} | {one['clients_per_s']:.0f} |"
        for one in results
    ]
    titles = (
        "items", "channels", "request", "pass", "antiphon, ms", "recall", "all items, ms", "Flat, ms",
        "Flat / antiphon", "HNSW, ms", "numpy, ms",
    )  # fmt: skip
    lines += ["", f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for one in results:
        for row in one["rows"]:
            graph = f"{row['hnsw_ms']:.1f} (recall {row['hnsw_recall']:.2f})" if "hnsw_ms" in row else ""
            ratio = row["flat_ms"] / row["antiphon_ms"]
            lines.append(
                f"| {one['n_items']:,} | {one['channels']} | {row['kind']} | {row['share']:.1%} | "
                f"{row['antiphon_ms']:.2f} | {row['recall']:.3f} | {row['exact_ms']:.1f} | "
                f"{row['flat_ms']:.2f} | {ratio:.1f} | {graph} | {row['numpy_ms']:.1f} |"
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
