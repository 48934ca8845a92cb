"""Texts as vectors: many descriptions, one request, and the start of a served space.

    python benchmarks/encoding.py                      60,000 descriptions, requests, start-up
    python benchmarks/encoding.py --n 4000 --sample 1000 --only bulk
    python benchmarks/encoding.py --write              benchmarks/results/encoding.json as well

`bulk` encodes a sample of the descriptions (`--sample`) with a plain `SentenceTransformer.encode` and with the encoder
of a build in each precision, in turns, so that all meet the same load; the encoder's time has its shards and the
loading of its model. Then all of them (`--n`) are encoded once as a build does, which chooses the precision itself:
`whole` has the seconds of that, `ratio` their speed against the plain one of the sample. With ANTIPHON_DATA the
descriptions are those of the data set `movies` by TEMPLATE, numbered where more are wanted than there are; else of
generated films.

`requests` answers one request at a time, in turns, by torch and by the published query side.

`startup` is the time from the start of `antiphon serve` to its first answer to a text, in a process of its own that
loads no torch, over a space of generated films.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from kept import origin

from antiphon.base import runtime
from antiphon.base.progress import silent
from antiphon.config.load import load_config
from antiphon.config.sections import SplitConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.reading import read_catalog
from antiphon.data.splits import Split
from antiphon.describe.descriptions import describe
from antiphon.encoders.base import Source
from antiphon.encoders.text import precision as bits
from antiphon.encoders.text.encoder import TextEncoder, TextOptions
from antiphon.encoders.text.models import EMBEDDED, model_path
from antiphon.encoders.text.precision import has_vnni

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "encoding.json"
N_REQUESTS = 200
REQUESTS = ("a dark thriller with a twist", "feel-good animation", "slow and beautiful", "a western about revenge")
NOBODY = np.empty(0, dtype=np.int64)


def descriptions(n: int, folder: Path) -> tuple[list[str], str]:
    """`n` different descriptions as TEMPLATE makes them, and where they are from."""
    name = "movies" if os.environ.get("ANTIPHON_DATA") else "generated"
    project = fetch(name, folder)
    config = load_config(project)
    texts = [text for text in describe(read_catalog(config.catalog), config.describe).best() if text]
    numbered = [
        text if turn == 0 else f"{text} Edition {turn}." for turn in range(-(-n // len(texts))) for text in texts
    ]
    return numbered[:n], f"{name}: {len(texts):,} descriptions"


def fetch(name: str, folder: Path) -> Path:
    """A project of a data set."""
    antiphon("data", "fetch", name, "--out", str(folder / name))
    return folder / name / "antiphon.toml"


def antiphon(*words: str) -> None:
    """A command in a process of its own."""
    subprocess.run([sys.executable, "-m", "antiphon", *words], check=True, stdout=subprocess.DEVNULL)


def source_of(texts: list[str]) -> Source:
    """Items with these descriptions."""
    ids = [str(number) for number in range(len(texts))]
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {})
    return Source(catalog, Descriptions({"template": texts}), Split(*[NOBODY] * 4), SplitConfig(), 0)


def bulk(n: int, sample: int, folder: Path) -> dict[str, Any]:
    """Descriptions per second of plain sentence-transformers, of each precision and of a whole build, and cosines."""
    texts, what = descriptions(n, folder)
    bits.MANY_TEXTS = 1  # so that a small --n is treated as many texts are
    compared = [texts[row] for row in np.unique(np.linspace(0, n - 1, min(sample, n)).astype(int))]
    plain = runtime.sentence_transformers().SentenceTransformer(model_path(EMBEDDED, ""), device="cpu")
    precisions = ["fp32", *(["int8"] if has_vnni() else [])]
    for precision in precisions:  # exports are made once a machine
        encoded(precision, texts[:32], folder / f"first-{precision}")
    plain.encode(texts[:32], show_progress_bar=False)
    seconds: dict[str, list[float]] = {name: [] for name in ("plain", *precisions)}
    cosines: dict[str, list[float]] = {name: [] for name in precisions}
    for number, rows in enumerate(np.array_split(np.arange(len(compared)), 4)):
        part = [compared[row] for row in rows]
        expected, spent = timed(lambda: plain.encode(part, show_progress_bar=False, normalize_embeddings=True))  # noqa: B023
        seconds["plain"].append(spent)
        for name in precisions:
            vectors, spent = timed(lambda: encoded(name, part, folder / f"{name}-{number}"))  # noqa: B023
            seconds[name].append(spent)
            cosines[name] += (vectors * expected).sum(axis=1).tolist()
    rows_of = {
        name: {
            "per_second": len(compared) / sum(spent),
            "ratio": sum(seconds["plain"]) / sum(spent),
            "ratios": [before / after for before, after in zip(seconds["plain"], spent, strict=True)],
            **({"cosine_mean": np.mean(cosines[name]), "cosine_min": min(cosines[name])} if name in cosines else {}),
        }
        for name, spent in seconds.items()
    }
    _, spent = timed(lambda: encoded("auto", texts, folder / "whole"))
    whole = {
        "n": n,
        "chosen": json.loads((folder / "whole" / "precision.json").read_text(encoding="utf-8"))["documents"],
        "seconds": spent,
        "per_second": n / spent,
        "ratio": n / spent / rows_of["plain"]["per_second"],
    }
    return {"sample": len(compared), "texts": what, "characters": statistics.mean(map(len, texts)), "whole": whole,
            **rows_of}  # fmt: skip


def encoded(precision: str, texts: list[str], workspace: Path) -> np.ndarray:
    """What a build makes of the texts, (n, dim) float32."""
    encoder = TextEncoder("text", TextOptions(precision=precision))
    return encoder.encode(source_of(texts), workspace, silent).matrix[0]


def requests(folder: Path) -> dict[str, Any]:
    """Requests per second one at a time, by torch and by the query side."""
    plain = runtime.sentence_transformers().SentenceTransformer(model_path(EMBEDDED, ""), device="cpu")
    ways: dict[str, Callable[[list[str]], np.ndarray]] = {
        "torch": lambda texts: plain.encode(texts, show_progress_bar=False, normalize_embeddings=True)
    }
    encoder = TextEncoder("text", TextOptions())
    encoder.encode(source_of(list(REQUESTS)), folder / "work", silent)
    encoder.publish(folder / "work", folder / "side")
    ways["fp32"] = TextEncoder.query_side(folder / "side").encode
    spent: dict[str, list[float]] = {name: [] for name in ways}
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for number in range(N_REQUESTS + 20):
        text = f"{REQUESTS[number % len(REQUESTS)]}, number {number}"
        for name, encode in ways.items():
            vector, seconds = timed(lambda: encode([text]))  # noqa: B023
            spent[name].append(seconds)
            vectors[name].append(vector[0])
    medians = {name: statistics.median(values[20:]) for name, values in spent.items()}
    exact = np.stack(vectors["torch"])
    return {
        name: {
            "per_second": 1 / median,
            "ratio": medians["torch"] / median,
            "cosine_mean": float((np.stack(vectors[name]) * exact).sum(axis=1).mean()),
        }
        for name, median in medians.items()
    }


def startup(folder: Path) -> dict[str, Any]:
    """Seconds from the start of the service to its first answer to a text; five starts."""
    project = fetch("generated", folder / "startup")
    run = folder / "startup" / "run"
    antiphon("build", str(project), "--run", str(run), "--quiet", "--set", "train.epochs=2")
    found = [one_start(run) for _ in range(5)]
    listening, answered = zip(*found, strict=True)
    return {"listening": statistics.median(listening), "first_answer": statistics.median(answered)}


def one_start(run: Path) -> tuple[float, float]:
    """Seconds until it listens, and until a text is answered."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "antiphon", "serve", str(run), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None  # noqa: S101
        line = next(line for line in process.stderr if line.startswith("serving at "))
        listening = time.perf_counter() - start
        address = re.sub(r"/$", "", line.split()[-1])
        body = json.dumps({"text": "something quiet"}).encode()
        request = urllib.request.Request(f"{address}/v1/search", body, {"content-type": "application/json"})  # noqa: S310  loopback
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            answer.read()
        return listening, time.perf_counter() - start
    finally:
        process.terminate()
        process.communicate()


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and its seconds."""
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start


def where() -> dict[str, Any]:
    """The machine and the versions."""
    packages = ("torch", "sentence-transformers", "onnxruntime", "tokenizers", "numpy")
    return {
        **origin("encoding.json"), "cores": runtime.n_cores(),
        "vnni": has_vnni(), "load": os.getloadavg()[0], "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }  # fmt: skip


PARTS = ("bulk", "requests", "startup")


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=60_000, help="descriptions")
    parser.add_argument("--sample", type=int, default=4_000, help="descriptions that the ways are compared on")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.relative_to(ROOT)} as well")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, Callable[[], Any]] = {
            "bulk": lambda: bulk(asked.n, asked.sample, Path(folder)),
            "requests": lambda: requests(Path(folder)),
            "startup": lambda: startup(Path(folder)),
        }
        found = {name: ways[name]() for name in asked.only}
    text = json.dumps({"where": where(), **found}, indent=2, default=float)
    print(text)
    if asked.write:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
