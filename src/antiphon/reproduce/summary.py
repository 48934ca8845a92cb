"""A whole reproduction: base run, table, tests and studies, written as JSON, parquet, Markdown and HTML."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from antiphon.base import runtime, storage
from antiphon.base.code import code_of
from antiphon.base.package import __version__
from antiphon.base.progress import Progress, silent
from antiphon.base.registry import every, find
from antiphon.evaluate.baselines.fitted import GROUP
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.results import METRICS, Result, save_results
from antiphon.reproduce.ahead import make_ahead
from antiphon.reproduce.comparisons import compare, row_values
from antiphon.reproduce.measure import truth_popularity
from antiphon.reproduce.paper import paper_value
from antiphon.reproduce.report import write_report
from antiphon.reproduce.reproduce import Notify, Options, Reproduction, strip_paths
from antiphon.reproduce.rows import Row, absent, table
from antiphon.reproduce.studies import Studies

MAIN = METRICS[0]
ENCODERS = ("als", "precomputed", "sentence-transformers")


def reproduce(options: Options, progress: Progress = silent, notify: Notify = lambda _: None) -> dict[str, Any]:
    """Compute what is missing, write the results to `options.out`, and return the document of metrics.json.

    Raises:
        DataError: the data set's files are missing.
        ConfigError: an option names something that does not exist.
    """
    reproduction = Reproduction(options, progress, notify)
    reproduction.prepare()
    make_ahead(reproduction)
    document = table_document(reproduction)
    _write(reproduction, document)
    # A report is written after every study: what is done counts, also where a later one is not waited for.
    for name, study in Studies(reproduction).every() if options.studies else ():
        try:
            document["studies"] = {**document["studies"], name: study()}
        except Exception as error:  # noqa: BLE001  hours of others are not lost for one; the report says which
            document["failed"] = {**document["failed"], name: f"{type(error).__name__}: {error}"}
            notify(f"left out: the study {name}, {document['failed'][name]}")
        _write(reproduction, document)
    return document


def table_document(reproduction: Reproduction) -> dict[str, Any]:
    """The table and its tests, without studies, for JSON."""
    out, rows = reproduction.options.out, table(reproduction)
    every = [
        Result(row.label, f"{result.task}-seed{draw.seed}", result.ids, result.values, draw.seed)
        for row in rows
        for draw, result in zip(reproduction.draws, row.results, strict=True)
    ]
    save_results(out / "per_query.parquet", every)
    depends = [storage.sha256(out / "per_query.parquet")]
    found = reproduction.outcomes.run("tests", depends, lambda: _tests(rows, reproduction), [compare, row_values]).facts
    return {
        "dataset": reproduction.options.dataset,
        "rows": [
            {**row_document(row, reproduction), **values} for row, values in zip(rows, found["values"], strict=True)
        ],
        "absent": absent(reproduction),
        "tests": found["tests"],
        "config_hash": reproduction.config_hash,
        "data_hash": reproduction.data_hash,
        "code": code(),
        "studies": {},
        "failed": {},
    }


def _write(reproduction: Reproduction, document: dict[str, Any]) -> None:
    """Write metrics.json and the report."""
    document |= {**_provenance(reproduction), **_records(reproduction)}
    document["summary"] = _summary(document, reproduction.options)
    storage.write_json(reproduction.options.out / "metrics.json", document)
    write_report(reproduction.options.out, document)


def _tests(rows: Sequence[Row], reproduction: Reproduction) -> Outcome:
    right = {
        kind: float(np.mean([truth_popularity(draw.tasks[kind], draw.data) for draw in reproduction.draws]))
        for kind in reproduction.tasks
    }
    values = [row_values(row, right[row.kind]) for row in rows]
    return Outcome(facts={"tests": compare(rows), "values": values})


def short_document(document: dict[str, Any]) -> dict[str, Any]:
    """What `antiphon reproduce --json` prints."""
    rows = [{key: row[key] for key in ("system", "task", "metrics")} for row in document["rows"]]
    return {**{key: document[key] for key in ("dataset", "tests", "config_hash", "data_hash")}, "rows": rows}


def row_document(row: Row, reproduction: Reproduction) -> dict[str, Any]:
    """What a row is, for JSON: its counts, its budget, and the paper's number."""
    return {
        "system": row.label,
        "task": row.kind,
        "trained": not row.floor,
        "n_queries": len(row.results[0].ids),
        "n_seeds": len(row.results),
        "budget": dict(row.budget),
        "ignored_ids": reproduction.tasks[row.kind].ignored_ids,
        "paper": paper_value(row.label, reproduction.options.dataset, row.kind),
    }


def code() -> str:
    """The hash of all the code that a report depends on, also of what is found by name."""
    found = [find("antiphon.encoders", name) for name in ENCODERS]
    found += [one for group in (GROUP, "antiphon.channels") for one in every(group).values()]
    return code_of(reproduce, *(one for one in found if one.__module__.startswith("antiphon.")))


def machine() -> str:
    """The machine, as far as it matters: processor, cores, system, Python."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{name}, {runtime.n_cores()} cores, {platform.system()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit of the source tree, `+` where it was changed; `unknown` outside of one."""
    folder = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(  # noqa: S603  fixed words
            ["git", "-C", str(folder), *words],  # noqa: S607
            capture_output=True, text=True, check=True, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--", "*.py") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _provenance(reproduction: Reproduction) -> dict[str, Any]:
    data = reproduction.data
    left = [finding.sentence() for finding in data.catalog.report]
    left += [
        f"{task.ignored_ids:,} ids of {kind} outside the catalog"
        for kind, task in reproduction.tasks.items()
        if task.ignored_ids
    ]
    left.append(f"{data.descriptions.fallbacks:,} items have no GEN description and use TEMPLATE in its place")
    return {
        "antiphon": __version__,
        "commit": commit(),
        "machine": machine(),
        "data": dict(reproduction.material.hashes),
        "left_out": ". ".join(strip_folders(left)) + ".",
        "configuration": tomli_w.dumps(strip_paths(reproduction.settings)),
        "options": reproduction.options.settings(),
    }


def strip_folders(sentences: Sequence[str]) -> list[str]:
    """Sentences with files by their last name."""
    return [
        " ".join(_last(word) for word in sentence.split(" ")) if "/" in sentence else sentence for sentence in sentences
    ]


def _last(word: str) -> str:
    opening = "(" if word.startswith("(") else ""
    return opening + word.rpartition("/")[2] if word.lstrip("(").startswith("/") else word


def _records(reproduction: Reproduction) -> dict[str, Any]:
    """Costs, and the trials of every search."""
    cost, tuning = {}, {}
    for path in sorted((reproduction.options.out / "stages").glob("*.json")):
        kind, _, name = path.stem.partition(".")
        if path.stem not in reproduction.outcomes.seconds or kind not in ("row", "floor"):
            continue  # other rows, of an earlier run in this folder
        facts = storage.read_json(path)["facts"]
        if kind == "row" and "seconds" in facts:
            cost[name] = facts
        if kind == "floor" and facts["trials"]:
            tuning[name] = {
                **{key: facts[key] for key in ("task", "system", "seed")},
                "trials": [json.loads(line) for line in facts["trials"]],
            }
    manifest = storage.read_json(reproduction.data.layout.manifest)
    return {
        "cost": cost,
        "tuning": tuning,
        "base_seconds": {stage["name"]: round(stage["seconds"], 1) for stage in manifest["stages"]},
        "stage_seconds": {name: round(seconds, 1) for name, seconds in reproduction.outcomes.seconds.items()},
    }


def _summary(document: dict[str, Any], options: Options) -> str:
    """Two sentences: what the table says of the paper's claim, and what the floors say."""
    parts = []
    for kind in dict.fromkeys(row["task"] for row in document["rows"]):
        rows = [row for row in document["rows"] if row["task"] == kind]
        best = max(rows, key=lambda row: row["metrics"][MAIN]["mean"])
        multi = max(
            (row for row in rows if row["system"].startswith("MULTI")), key=lambda row: row["metrics"][MAIN]["mean"]
        )
        first, second = (f"{row['system']} ({row['metrics'][MAIN]['mean']:.3f})" for row in (best, multi))
        parts.append(f"{kind}: best is {first}; the best of the paper's rows is {second}")
    small = any(value is not None for value in (options.items, options.users, options.queries, options.epochs))
    slice_note = " This is a small slice of the data: the numbers mean nothing beyond that it runs." if small else ""
    return f"nDCG@200 on test users and test queries. {'. '.join(parts)}.{slice_note}"
