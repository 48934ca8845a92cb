"""How a build grows: seconds and memory of each stage at 10,000, 50,000 and 200,000 items, without text encoding.

    python benchmarks/growth.py --from ~/datasets                   three sizes, about two hours
    python benchmarks/growth.py --from ~/datasets --sizes 10000     one size
    python benchmarks/growth.py --from ~/datasets --write           benchmarks/results/growth.json as well

The films of the movies data set are repeated, and so are its users: a copy of a user liked copies of the same films, the
first copies most of all (Zipf), so there are as many interactions an item as in the data. A copy of a film has the words
of three films drawn at random beside its own title, so that no two descriptions are alike. Texts are read by a hash of
their words, which costs next to nothing: a text model takes time in proportion to the texts, and is measured by
`encoding.py`. Each build is a process of its own; its CPU seconds, wall clock and peak memory are the system's.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from kept import origin
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import Section
from antiphon.data.features import Features
from antiphon.encoders.base import QueryKind, RequestEncoder, Source
from antiphon.numbers.vectors import unit

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "growth.json"
SIZES = (10_000, 50_000, 200_000)
DIM = 384
Floats = NDArray[np.float32]


class HashedOptions(Section):
    """The encoder has no options."""


class Hashed(RequestEncoder[HashedOptions]):
    """A text as the sum of its words' random vectors, (n, 384)."""

    name: ClassVar[str] = "hashed"
    Options: ClassVar[type[Section]] = HashedOptions
    accepts: ClassVar[QueryKind | None] = "text"

    def fingerprint(self, source: Source) -> str:
        """Of the texts alone."""
        return storage.digest("hashed", dict(source.descriptions.views))

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """One vector for each text of each item."""
        views = source.descriptions.views
        vectors = np.stack([self.vectors(list(view)) for view in views.values()])
        mask = np.array([[bool(text) for text in view] for view in views.values()])
        return Features(self.modality, tuple(views), np.where(mask[..., None], vectors, 0).astype(np.float32), mask)

    def request_identity(self) -> str:
        """Nothing changes it."""
        return "hashed"

    def encode_requests(self, texts: Sequence[str], workspace: Path, progress: Progress) -> Floats:
        """As descriptions are."""
        return self.vectors(texts)

    @staticmethod
    def vectors(texts: Sequence[str | None]) -> Floats:
        """Unit vectors of texts, (n, 384); words that were met before cost a lookup."""
        known: dict[str, Floats] = {}
        found = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in (text or "").lower().split():
                if word not in known:
                    seed = int(storage.digest(word)[:8], 16)
                    known[word] = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
                found[row] += known[word]
        return unit(found)

    def publish(self, workspace: Path, folder: Path) -> None:
        """Nothing to keep but that it was there."""
        storage.write_json(folder / "hashed.json", {})

    @classmethod
    def query_side(cls, folder: Path) -> Any:
        """The same function."""
        return _Reader()


class _Reader:
    def encode(self, inputs: Sequence[Any]) -> Floats:
        return Hashed.vectors(inputs)


def make_catalog(source: Path, target: Path, n_items: int) -> tuple[int, int]:
    """Write items.parquet and interactions.parquet of about so many items; how many of each there are."""
    items, likes = pq.read_table(source / "items.parquet"), pq.read_table(source / "interactions.parquet")
    rng, n = np.random.default_rng(0), items.num_rows
    times = max(1, round(n_items / n))
    ids, titles = items["item_id"].to_pylist(), items["title"].to_pylist()
    plots = items["plot"].to_pylist()
    columns: dict[str, Any] = {
        "item_id": [f"{item}-{turn}" for turn in range(times) for item in ids],
        "title": [f"{title} {turn}" if turn else title for turn in range(times) for title in titles],
        "plot": [_mixed(plots, row, turn, rng) for turn in range(times) for row in range(n)],
    }
    for name in ("year", "genres", "director", "country", "tags", "keywords"):
        columns[name] = pa.concat_arrays([items[name].combine_chunks()] * times)
    pq.write_table(pa.table(columns), target / "items.parquet")
    liked = likes.filter(pa.compute.equal(likes["ge3"], 1))
    users, liked_ids = liked["user_id"].to_pylist(), liked["item_id"].to_pylist()
    shares = 1 / np.arange(1, times + 1)
    shares /= shares.sum()
    pairs = [
        pa.table(
            {
                "user_id": [f"{user}-{turn}" for user in users],
                "item_id": [
                    f"{item}-{copy}"
                    for item, copy in zip(liked_ids, rng.choice(times, len(users), p=shares), strict=True)
                ],
            }
        )
        for turn in range(times)
    ]
    table = pa.concat_tables(pairs)
    pq.write_table(table, target / "interactions.parquet")
    return times * n, table.num_rows


def _mixed(plots: Sequence[str | None], row: int, turn: int, rng: np.random.Generator) -> str | None:
    """The first sentences of a film's plot; those of copies are mixed with sentences of two other films."""
    if plots[row] is None or not turn:
        return plots[row]
    others = [plots[other] or "" for other in rng.integers(0, len(plots), 2)]
    parts = [text.split(". ") for text in (plots[row] or "", *others)]
    return ". ".join(sentence for part in parts for sentence in part[turn % max(1, len(part)) :][:2])


CONFIG = """
name = "growth"

[catalog]
items = "items.parquet"
title = "title"

[catalog.fields]
year.type = "number"
genres.type = "list"
director.type = "string"
country.type = "string"
tags.type = "list"
keywords.type = "list"

[catalog.interactions]
file = "interactions.parquet"

[describe]
opening = "Movie: {title}."
texts = ["plot"]

[[modalities]]
name = "text"
encoder = "hashed"

[[modalities]]
name = "cf"
encoder = "als"
"""


def measured(source: Path, n_items: int) -> dict[str, Any]:
    """Seconds of each stage, CPU seconds and peak memory of a build of so many items."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        n, n_pairs = make_catalog(source, folder, n_items)
        (folder / "antiphon.toml").write_text(CONFIG, encoding="utf-8")
        entry = folder / "site" / "hashed-1.0.dist-info"
        entry.mkdir(parents=True)
        (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: hashed\nVersion: 1.0\n", encoding="utf-8")
        (entry / "entry_points.txt").write_text("[antiphon.encoders]\nhashed = growth:Hashed\n", encoding="utf-8")
        paths = [str(entry.parent), str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        start = time.perf_counter()
        command = [
            sys.executable,
            "-m",
            "antiphon",
            "build",
            str(folder / "antiphon.toml"),
            "--run",
            str(folder / "run"),
        ]
        # The process and its children: the parent has done nothing but write the catalog.
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))})
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"the build of {n:,} items ended with {status}")
        manifest = storage.read_json(folder / "run" / "manifest.json")
        return {
            "items": n,
            "interactions": n_pairs,
            "wall": round(time.perf_counter() - start, 1),
            "cpu": round(used.ru_utime + used.ru_stime, 1),
            "gigabytes": round(used.ru_maxrss / 2**20, 2),
            "stages": {stage["name"]: round(stage["seconds"], 1) for stage in manifest["stages"]},
        }


def main() -> None:
    """Build every size and print a line for each, then the exponents between the smallest and the largest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, default=Path(os.environ.get("ANTIPHON_DATA", ".")))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.relative_to(ROOT)}")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    rows = []
    for size in given.sizes:
        rows.append(measured(given.source / "movies", size))
        print(json.dumps(rows[-1]), flush=True)
        if given.write:
            storage.write_json(RESULT, {**origin("growth.json"), "rows": rows})
    if len(rows) > 1:
        first, last = rows[0], rows[-1]
        grown = np.log(last["items"] / first["items"])
        print(f"CPU grows as n^{np.log(last['cpu'] / first['cpu']) / grown:.2f}, memory to {last['gigabytes']} GB")


if __name__ == "__main__":
    main()
