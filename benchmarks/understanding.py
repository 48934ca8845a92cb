"""What taking requests apart by rules gains or loses in retrieval.

    python benchmarks/understanding.py RUN --queries queries.jsonl [--part validation|test|all] [--show]

RUN is a built run; a line of the queries is {"query_id", "text", "positives": [item ids]}. Each request is answered
as it stands, and as `antiphon search --understand rules` answers it: nDCG@200 of both, and their paired difference
with a 95% bootstrap interval, over all requests and over those that the rules changed.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from kept import RESULTS, origin
from numpy.typing import NDArray

from antiphon.evaluate.protocols import retrieve_task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.significance import paired_bootstrap_test
from antiphon.numbers.metrics import evaluate_ranking
from antiphon.talk.reader import Reader
from antiphon.talk.refine import to_query

METRIC = "ndcg@200"
Floats = NDArray[Any]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--part", choices=("validation", "test", "all"), default="all")
    parser.add_argument("--write", action="store_true", help="add the row to benchmarks/results/understanding.json")
    parser.add_argument("--show", action="store_true", help="print what was understood")
    given = parser.parse_args()
    data = RunData(given.run)
    task = retrieve_task(data, given.queries, given.part)
    start = time.perf_counter()
    reader = Reader.of(data.space)
    made = time.perf_counter() - start
    start = time.perf_counter()
    readings = [reader.read(text) for text in task.texts]
    each = (time.perf_counter() - start) / len(readings)
    changed = np.array([bool(reading.says) for reading in readings])
    if given.show:
        for text, reading in zip(task.texts, readings, strict=True):
            if reading.says:
                print(f"{text}\n    {reading.wish.text} | {'; '.join(reading.says)}")
    values = []
    for queries in (list(task.queries), [to_query(data.space, reading.wish) for reading in readings]):
        rows, _ = data.space.rank_rows(queries, 200)
        values.append(evaluate_ranking(rows, task.relevance, [METRIC], data.catalog.n_items)[METRIC])
    print(
        f"{task.name}: {len(readings)} requests, {changed.sum()} changed; {made:.2f} s once, {each * 1e3:.2f} ms each"
    )
    print(f"\n| requests | plain {METRIC} | understood | difference | better | worse |\n|---|---|---|---|---|---|")
    for name, which in (("all", np.ones(len(changed), dtype=bool)), ("changed", changed)):
        if which.any():
            plain, understood = values[0][which], values[1][which]
            test = paired_bootstrap_test(understood, plain)
            more, fewer = (understood > plain + 1e-9).sum(), (understood < plain - 1e-9).sum()
            print(
                f"| {name} ({which.sum()}) | {plain.mean():.4f} | {understood.mean():.4f} | "
                f"{test.mean_difference:+.4f} [{test.low:+.4f}, {test.high:+.4f}] | {more} | {fewer} |"
            )
    if given.write:
        keep(f"{data.config.name}, {given.part}", changed, *values)


def keep(name: str, changed: Floats, plain: Floats, understood: Floats) -> None:
    """Put the row of these requests into the kept file; those of others stay where they are of the same code."""
    test = paired_bootstrap_test(understood, plain)
    row = {
        "requests": name, "n": len(plain), "changed": int(changed.sum()), "plain": float(plain.mean()),
        "understood": float(understood.mean()), "difference": test.mean_difference, "ci": [test.low, test.high],
    }  # fmt: skip
    file, about = RESULTS / "understanding.json", origin("understanding.json")
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    rows = before["rows"] if before.get("code") == about["code"] else []
    rows = [*(one for one in rows if one["requests"] != name), row]
    file.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
