"""Speed and memory, as a Markdown table with the machine, the date, the commit and the versions.

    python benchmarks/speed.py                     every row that can be measured here
    python benchmarks/speed.py --only step reading  some rows
    python benchmarks/speed.py --write             benchmarks/results/speed.md as well

The rows `build` and `query` need the data set `movies`: ANTIPHON_DATA names the folder of data sets.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

# First, as in a service: it says how threads of numpy wait, which numpy reads when it is loaded.
import antiphon

# isort: split
import numpy as np
from kept import code_for
from larger import enlarge

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "speed.md"
PACKAGES = ("antiphon", "numpy", "pyarrow", "torch", "sentence-transformers", "implicit", "onnxruntime")
N_ITEMS, BATCH, HIDDEN, DIM = 59_040, 512, 256, 200
DIMS = {"text": 1024, "image": 128, "cf": 512}
N_PAIRS = 3
N_STEPS = 120
N_INTERACTIONS = 1_000_000
REQUESTS = ("a dark thriller with a twist", "feel-good animation", "slow and beautiful", "a western about revenge")
N_QUERIES = 200
N_LARGE, N_FACETS, PASSAGES = 60_000, 1_500, 10


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    measured: str
    goal: str
    note: str = ""


class Skipped(Exception):  # noqa: N818  not an error: the row cannot be measured here
    """Why a row cannot be measured."""


def build(folder: Path) -> Iterator[Row]:
    """The whole `movies` build from files to a published space, and again with nothing changed."""
    run = folder / "movies"
    project = _movies(folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    first = _timed(["build", str(project), "--run", str(run), "--quiet"])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    again = _timed(["build", str(project), "--run", str(run), "--quiet"])
    yield Row("movies build, nothing cached", f"{first:.0f} s", "360 s", "3,883 items, 3 modalities, 12 CF trials")
    yield Row("movies build, nothing changed", f"{again:.1f} s", "5 s")
    # A process counts its parent's memory until it begins: the number means something while this one is small.
    measured = f"{peak / 2**20:.2f} GB" if peak > before else "hidden by this process; run this row alone"
    yield Row("movies build, peak memory", measured, "3 GB", "resident, largest process")


def step(folder: Path) -> Iterator[Row]:
    """A training step at the paper's size against its bare matrix products, taken in turns in one process."""
    from antiphon.base import runtime
    from antiphon.config.load import parse_config
    from antiphon.data.features import Features
    from antiphon.joint.trainer import Trainer

    rng = np.random.default_rng(0)
    features = [
        Features(name, ("item",), rng.standard_normal((1, N_ITEMS, dim), np.float32), np.ones((1, N_ITEMS), bool))
        for name, dim in DIMS.items()
    ]
    torch = runtime.torch()
    config = parse_config({"preset": "paper", "catalog": {"items": "none.parquet"}})
    trainer = Trainer(features, config.joint, config.train, 0)
    batches = torch.from_numpy(rng.permutation(N_ITEMS)).split(BATCH)[:-1]
    products = bare_products(torch)
    steps, bares = [], []
    for number in range(N_STEPS):
        steps.append(_seconds(lambda: trainer.step(batches[number % len(batches)])))  # noqa: B023  called at once
        bares.append(_seconds(products))
    whole, bare = statistics.median(steps[20:]) * 1e3, statistics.median(bares[20:]) * 1e3
    note = f"59,040 items, 1024 + 128 + 512 -> 256 -> 200, batch 512; medians of {N_STEPS - 20}, in turns"
    yield Row("training step", f"{whole:.1f} ms", "", note)
    yield Row("its bare matrix products", f"{bare:.1f} ms", "", f"{torch.get_num_threads()} threads; see below")
    yield Row("ratio of the two", f"{whole / bare:.2f}", "1.5")
    epoch = _seconds(lambda: trainer.epoch(0))
    note = f"{N_ITEMS:,} items, three modalities; one epoch took {epoch:.1f} s, and 100 are reckoned from it"
    yield Row("100 epochs at the paper's size", f"{epoch * 100 / 60:.1f} min", "10 min", note)


def bare_products(torch: Any) -> Callable[[], None]:
    """A function that does the step's matrix products and nothing else, into memory that is there already."""

    def shape(*sizes: int) -> Any:
        return torch.randn(*sizes)

    pairs = []
    for dim in DIMS.values():
        x, hidden, out = shape(BATCH, dim), shape(BATCH, HIDDEN), shape(BATCH, DIM)
        first, second = shape(HIDDEN, dim), shape(DIM, HIDDEN)
        pairs += [(x, first.T), (hidden, second.T)]  # forward
        pairs += [(out.T, hidden), (out, second), (hidden.T, x)]  # backward; the input needs no gradient
    a, b, gradient = shape(BATCH, DIM), shape(BATCH, DIM), shape(BATCH, BATCH)
    n_blocks = N_PAIRS + 2  # a.b of every pair, and a.a of the two modalities that are anchors
    pairs += [(a, b.T), (gradient, b), (gradient.T, a)] * n_blocks
    results = [torch.mm(left, right) for left, right in pairs]

    def run() -> None:
        for (left, right), result in zip(pairs, results, strict=True):
            torch.mm(left, right, out=result)

    return run


def reading(folder: Path) -> Iterator[Row]:
    """1,000,000 interactions from parquet to a checked catalog and a sparse matrix."""
    import pyarrow as pa

    from antiphon.base import storage
    from antiphon.config.sections import CatalogConfig, InteractionsConfig
    from antiphon.data.held_out import user_item_matrix
    from antiphon.data.reading import read_catalog

    rng = np.random.default_rng(0)
    n_users, n_items = 20_000, 10_000
    pairs = rng.choice(n_users * n_items, N_INTERACTIONS, replace=False)
    columns = {"user_id": pairs // n_items, "item_id": pairs % n_items}
    names = {key: pa.array(values.astype(str).tolist(), pa.string()) for key, values in columns.items()}
    storage.write_table(folder / "interactions.parquet", pa.table(names))
    storage.write_table(folder / "items.parquet", pa.table({"item_id": [str(number) for number in range(n_items)]}))
    config = CatalogConfig(
        items=folder / "items.parquet", interactions=InteractionsConfig(file=folder / "interactions.parquet")
    )

    def read() -> None:
        interactions = read_catalog(config).interactions
        assert interactions is not None  # noqa: S101
        matrix = user_item_matrix(interactions, n_items)
        assert matrix.nnz == N_INTERACTIONS  # noqa: S101

    read()
    seconds = statistics.median(_seconds(read) for _ in range(5))
    yield Row(
        "1,000,000 interactions, parquet to sparse matrix", f"{seconds:.2f} s", "2 s", "with every check; median of 5"
    )


def imports(folder: Path) -> Iterator[Row]:
    """`import antiphon` in a new process, beyond the start of Python itself."""
    bare = statistics.median(_seconds(lambda: _python("pass")) for _ in range(9))
    whole = statistics.median(_seconds(lambda: _python("import antiphon")) for _ in range(9))
    yield Row("import antiphon", f"{(whole - bare) * 1e3:.0f} ms", "500 ms", "median of 9, less an empty Python")


def query(folder: Path) -> Iterator[Row]:
    """Loading the space of `movies`, and text queries with k = 10."""
    run = folder / "movies"
    if not run.is_dir():
        _timed(["build", str(_movies(folder)), "--run", str(run), "--quiet"])
    start = time.perf_counter()
    space = antiphon.load(run)
    space.warm()
    loading = time.perf_counter() - start
    times = _searches(space)
    yield Row("load the movies space", f"{loading:.2f} s", "3 s", "checksums and text encoder")
    note = f"movies, k = 10, {N_QUERIES} different texts"
    yield Row("text query, median", f"{statistics.median(times):.1f} ms", "30 ms", note)
    yield Row("text query, 99th percentile", f"{np.percentile(times, 99):.1f} ms", "")
    n_items = enlarge(run, folder / "many", N_LARGE, n_passages=PASSAGES)
    times = _searches(antiphon.load(folder / "many"))
    note = f"all channels; films repeated with noise (larger.py): {n_items:,} items x {PASSAGES} passages, mapped"
    yield Row("text query of ten passages an item, median", f"{statistics.median(times):.1f} ms", "30 ms", note)


def _searches(space: Any) -> list[float]:
    """Milliseconds of searches with different texts, after the first."""
    space.search("warm up", k=10)
    texts = [f"{REQUESTS[number % len(REQUESTS)]} {1930 + number % 70}" for number in range(N_QUERIES)]
    return [_seconds(lambda: space.search(text, k=10)) * 1e3 for text in texts]  # noqa: B023  called at once


def channels(folder: Path) -> Iterator[Row]:
    """What a text costs beside its vector and the search: words and facets of 60,000 items."""
    from antiphon.channels.base import Resolved
    from antiphon.channels.dictionary import Dictionary
    from antiphon.channels.facets import FacetReader, Facets, FacetsChannel, members
    from antiphon.channels.words import Lexical, WordsChannel, tokens
    from antiphon.joint.model import Projection
    from antiphon.query.request import Query

    rng = np.random.default_rng(0)
    words = np.array([f"word{number}" for number in range(20_000)])
    # Words and facets are as unequal as they are in catalogs: by Zipf's law.
    drawn = np.minimum(rng.zipf(1.3, (N_LARGE, 40)), len(words)) - 1
    lexical = Lexical.fit(tokens([" ".join(line) for line in words[drawn]]))
    held = [np.unique(np.minimum(rng.zipf(1.3, 20), N_FACETS) - 1).astype(np.int32) for _ in range(N_LARGE)]
    bounds = np.cumsum([0, *map(len, held)])
    starts, rows = members(bounds, np.concatenate(held), N_FACETS)

    def draw(*shape: int) -> Any:
        return (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)

    projection = Projection(draw(384, 512), draw(512), draw(512, 256), draw(256), residual=draw(384, 256))
    vectors = draw(N_FACETS + 1, 256)
    reader = FacetReader(projection, vectors / np.linalg.norm(vectors, axis=1, keepdims=True), draw(N_FACETS + 1))
    names = [("tags", str(number)) for number in range(N_FACETS)]
    found = np.ones(N_LARGE, bool)
    dictionary = Dictionary.of({"tags": _tags(held)})
    facets = FacetsChannel(Facets(reader, names, starts, rows, N_LARGE), dictionary, found)
    both = [WordsChannel(lexical, found), facets]
    one = np.ones(1, dtype=np.float32)
    weights = {"words": one * 0.5, "facets": one * 16, "named": one * 4, "refused": one * 0, "alike": one * 0}
    times = []
    for _ in range(N_QUERIES):
        text = " ".join(rng.choice(words[:2000], 6))
        encoded = draw(1, 384) * 20
        nobody = np.zeros(0, dtype=np.int32)
        asked = Resolved(
            [Query(text=text)], encoded, [encoded[:0]], {}, [nobody], [nobody], [nobody], [nobody.astype(np.int64)],
            [None], weights,
        )  # fmt: skip
        times.append(_seconds(lambda: [channel.scores(asked, None) for channel in both]) * 1e3)  # noqa: B023  at once
    note = f"{N_LARGE:,} items, {N_FACETS:,} facets, six words a text; beside encoding and the search by vectors"
    yield Row("words and facets of a text, median", f"{statistics.median(times):.1f} ms", "5 ms", note)


def passages(folder: Path) -> Iterator[Row]:
    """The best ten of 60,000 items by ten passages each: one request, and sixteen that are answered together."""
    import numpy as np

    from antiphon.channels.base import Resolved
    from antiphon.channels.passages import Passages, PassagesChannel
    from antiphon.numbers.rough import Rough, write_rough
    from antiphon.query.request import Query
    from antiphon.space import answer

    rng, n_passages = np.random.default_rng(0), N_LARGE * PASSAGES
    vectors = rng.standard_normal((n_passages, 384), dtype=np.float32)
    np.save(folder / "passages.npy", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    del vectors
    texts = rng.standard_normal((16, 384), dtype=np.float32)
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    mapped = np.load(folder / "passages.npy", mmap_mode="r")
    bounds, everything = np.arange(0, n_passages + 1, PASSAGES, dtype=np.int64), np.ones(N_LARGE, dtype=bool)
    write_rough(folder / "rough", mapped)

    def search(channel: PassagesChannel, together: int) -> None:
        none: Any = [np.zeros(0, dtype=np.int64)] * together
        said = {"passages": np.ones(together, dtype=np.float32)}
        queries, no_sentences = [Query(text="said")] * together, [texts[:0]] * together
        lists = (none, none, none, none, [None] * together)
        resolved = Resolved(queries, texts[:together], no_sentences, {}, *lists, said)
        answer.best([channel], resolved, 10, None, N_LARGE)

    ways = {
        "": (
            PassagesChannel(Passages(mapped, bounds, Rough(folder / "rough", n_passages)), everything),
            n_passages * 384,
        ),
        ", by 32 bits alone": (PassagesChannel(Passages(mapped, bounds), everything), n_passages * 384 * 4),
    }
    for together in (1, len(texts)):
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(12):
            for name, (channel, _) in ways.items():
                times[name].append(_seconds(lambda: search(channel, together)) * 1e3 / together)  # noqa: B023
        for name, (_, n_bytes) in ways.items():
            goal = "30 ms, all of a text" if not name else ""
            note = f"{N_LARGE:,} items x {PASSAGES} passages x 384: {n_bytes / 1e6:,.0f} MB are read; the same answers"
            measured = f"{statistics.median(times[name][2:]):.0f} ms"
            yield Row(f"passages of a text, {together} at once{name}, median per text", measured, goal, note)


ROWS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "build": build, "step": step, "reading": reading, "imports": imports, "query": query, "channels": channels,
    "passages": passages,
}  # fmt: skip


def _tags(held: Sequence[Any]) -> Any:
    """The facets as a column of lists."""
    import pyarrow as pa

    from antiphon.query.columns import field_table

    lists = [[str(number) for number in some] for some in held]
    return field_table(pa.table({"tags": lists}), {"tags": "list"})["tags"]


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown, under a line that says where and when they were measured."""
    lines = ["| what | measured | goal | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.measured} | {row.goal} | {row.note} |" for row in rows]
    return "\n".join([*_where(), "", *lines, "", *COUNTED])


COUNTED = (
    "The bare matrix products are those of the same step: for each of the three encoders x W1 and h W2 forward, and",
    "backward the gradients of W2, of h and of W1 (the input needs none); for the loss the five blocks of similarities",
    "that three pairs need (text-image, text-cf, image-cf, text-text, image-image), each with its two gradients.",
)


def _where() -> list[str]:
    return [
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} at commit {_commit()}, {_cpu()}, "
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}; "
        + ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
        + f"; code `{code_for('speed.md')}`.",
    ]


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown CPU")


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" (changed)" if git("status", "--porcelain") else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _movies(folder: Path) -> Path:
    if not os.environ.get("ANTIPHON_DATA"):
        raise Skipped("ANTIPHON_DATA is not set; it names the folder of data sets")
    out = folder / "project"
    _timed(["data", "fetch", "movies", "--out", str(out)])
    return out / "antiphon.toml"


def _timed(words: Sequence[str]) -> float:
    """Seconds of an `antiphon` command in a process of its own."""
    start = time.perf_counter()
    command = [sys.executable, "-c", "from antiphon.cli import main; main()", *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=list(ROWS), default=list(ROWS), metavar="NAME", help=", ".join(ROWS)
    )
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.relative_to(ROOT)} as well")
    chosen = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in (name for name in ROWS if name in chosen.only):  # `build` first: see its note on memory
            try:
                rows += ROWS[name](Path(folder))
            except Skipped as why:
                rows.append(Row(name, "skipped", "", str(why)))
    text = table(rows)
    print(text)
    if chosen.write:
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(f"# Speed and memory\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
