"""The table of results in README.md, made from the kept reports of `make reproduce`.

python benchmarks/readme.py            write it into README.md
python benchmarks/readme.py --check    say whether README.md has it; exit code 1 where it has not
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
COLUMNS = (
    ("movies", "recommend", "movies: users"), ("movies", "retrieve", "movies: requests"),
    ("music", "recommend", "music: users"), ("music", "retrieve", "music: requests"),
    ("music", "similar", "music: artists"),
)  # fmt: skip
OURS, LEVEL, STAR = "ANTIPHON", 0.01, 0.01
DESCRIBED = ("TEMPLATE", "GEN", "TEMPLATE+GEN")
ROWS: dict[str, tuple[str, ...]] = {
    "**antiphon**": (OURS,),
    "MULTI, TEMPLATE+GEN": ("MULTI_TEMPLATE+GEN",),
    "MULTI, TEMPLATE": ("MULTI_TEMPLATE",),
    "iALS, fold-in, tuned": ("iALS, fold-in",),
    "EASE, tuned": ("EASE",),
    "item kNN, tuned": ("item kNN",),
    "CF, nearest neighbours, tuned": ("CF",),
    "concatenation of all modalities, untrained": ("concatenation, untrained",),
    "TEXT, MiniLM, best description": tuple(f"TEXT MiniLM, {name}" for name in DESCRIBED),
    "TEXT, LSA": ("TEXT LSA",),
    "BM25, tuned, best description": ("BM25", "BM25, TEMPLATE", "BM25, GEN"),
    "TEXT + BM25, tuned, best description": (
        "TEXT + BM25, scores", "TEXT + BM25, reciprocal ranks",
        "TEXT + BM25, TEMPLATE, scores", "TEXT + BM25, TEMPLATE, reciprocal ranks",
    ),
    "TEXT best passage + BM25, tuned": ("TEXT best passage + BM25, scores",),
    "facet lookup, untrained": ("facet lookup, untrained",),
    "RP3beta, tuned": ("RP3beta",),
    "popularity": ("popularity",),
}  # fmt: skip
"""What README calls a row, and the systems of the reports that it is the best of, column by column."""


Reports = dict[str, dict[str, Any]]


def results(reports: Reports) -> str:
    """The table and what it was measured with."""
    lines = ["| nDCG@200 | " + " | ".join(title for _, _, title in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for shown, systems in ROWS.items():
        cells = [max(_cell(reports[name], system, task) for system in systems) for name, task, _ in COLUMNS]
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _said(reports)])


def _cell(report: dict[str, Any], system: str, task: str) -> str:
    row = next((row for row in report["rows"] if (row["system"], row["task"]) == (system, task)), None)
    if row is None:
        return ""
    value = f"{row['metrics']['ndcg@200']['mean']:.3f}".removeprefix("0")
    return f"**{value}**" if system == OURS else value


def _said(reports: Reports) -> str:
    counts = [
        f"{next(row['n_queries'] for row in reports[name]['rows'] if row['task'] == task):,} ({title})"
        for name, task, title in COLUMNS
    ]
    where = "; ".join(f"{name} at commit {report['commit']} on {report['machine']}" for name, report in reports.items())
    return (
        f"Test queries: {', '.join(counts)}. Printed by `antiphon reproduce`: {where}. Trained rows are means of "
        f"{max(row['n_seeds'] for row in reports['movies']['rows'])} training seeds. {_leads(reports)}"
    )


def _leads(reports: Reports) -> str:
    """In which columns the lead over every floor is real."""
    doubtful = []
    for name, task, title in COLUMNS:
        for test in reports[name]["tests"]:
            pair = {test["a"], test["b"]}
            if test["task"] == task and OURS in pair and test["p_holm"] >= LEVEL:
                doubtful.append(f"{(pair - {OURS}).pop()} ({title})")
    if not doubtful:
        return f"Every lead of antiphon is significant (p < {LEVEL}, paired randomisation tests, Holm-corrected)."
    return f"Every lead of antiphon is significant (p < {LEVEL}, Holm-corrected) but that over {', '.join(doubtful)}."


def ingredients(reports: Reports) -> str:
    """What each ingredient is worth: the difference to the whole, starred where its own test has p < .01."""
    found = {
        (name, row["task"], row["change"]): row for name in reports for row in reports[name]["studies"]["ingredients"]
    }
    changes = dict.fromkeys(change for _, _, change in found)
    whole = {(name, task): _cell(reports[name], OURS, task).strip("*") for name, task, _ in COLUMNS}
    lines = ["| | " + " | ".join(title for _, _, title in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    lines.append("| the whole, nDCG@200 | " + " | ".join(whole[name, task] for name, task, _ in COLUMNS) + " |")
    for change in changes:
        cells = [_difference(found.get((name, task, change))) for name, task, _ in COLUMNS]
        lines.append(f"| {change} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def personalised(reports: Reports) -> str:
    """Requests of users by text, history and both."""
    lines = ["| asked by | movies | music |", "|---|---:|---:|"]
    for place, part in enumerate(("text and history", "text alone", "history alone")):
        rows = [reports[name]["studies"]["personalised"][place] for name in ("movies", "music")]
        cells = [f"{row.get('value', row['mean']):.3f}".removeprefix("0") for row in rows]
        lines.append(f"| {part} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def asks(reports: Reports) -> str:
    """Requests that people made, where the report has them."""
    lines = ["| | requests | MRR | recall@10 | recall@50 | nDCG@200 |", "|---|---|---:|---:|---:|---:|"]
    for name, report in reports.items():
        for row in report["studies"].get("asks", ()):
            values = [row["mrr"]["mean"], row["recall@10"], row["recall@50"], row["ndcg@200"]]
            cells = [f"{value:.3f}".removeprefix("0") for value in values]
            lines.append(f"| {row['system']} | {name}: {row['requests']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cold(reports: Reports) -> str:
    """Cold items ranked among themselves and among all."""
    wanted = (OURS, "MULTI_TEMPLATE", "TEXT MiniLM, TEMPLATE", "TEXT LSA", "popularity")
    shown = (("cold", "mean", "among cold"), ("cold", "ndcg@50", "among cold, nDCG@50"), ("all", "mean", "among all"))
    heads = [f"{name}: {title}" for name in reports for _, _, title in shown]
    lines = ["| nDCG@200 | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for system in wanted:
        cells = []
        for report in reports.values():
            rows = {row["among"]: row for row in report["studies"]["cold"] if row["system"] == system}
            found = [rows.get(among, {}).get(key) for among, key, _ in shown]
            cells += ["" if value is None else f"{value:.3f}".removeprefix("0") for value in found]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tuned(_: Reports) -> str:
    """The default against a search, on validation and on test."""
    found = json.loads((RESULTS / "tuning.json").read_text("utf-8"))
    heads = "trials | minutes | behind on validation | task | default, test | best trial, test"
    lines = [f"| | {heads} |", "|---|---:|---:|---:|---|---:|---:|"]
    for name, row in found.items():
        first = [name, str(row["trials"]), f"{row['seconds'] / 60:.0f}", f"{row['default_behind_percent']:.2f}%"]
        for task, value in row["test"]["default"].items():
            best = row["test"]["best"][task]
            cells = [*first, task, *(f"{number:.3f}".removeprefix("0") for number in (value, best))]
            lines.append("| " + " | ".join(cells) + " |")
            first = [""] * 4
    where = "; ".join(f"{name} at commit {row['commit']} on {row['machine']}" for name, row in found.items())
    return "\n".join([*lines, "", f"nDCG@200. Printed by `python benchmarks/tuning.py`: {where}."])


def _difference(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    star = "*" if row["p"] < STAR else ""
    return f"{row['difference']:+.3f}{star}".replace("0.", ".")


PAGES = {
    "README.md": {"results": results},
    "docs/beyond.md": {"ingredients": ingredients, "personalised": personalised, "asks": asks, "cold": cold},
    "docs/tuning.md": {"tuned": tuned},
}


def main() -> int:
    """Write the blocks, or check them."""
    reports = {name: json.loads((RESULTS / name / "metrics.json").read_text("utf-8")) for name in ("movies", "music")}
    differ = False
    for page, blocks in PAGES.items():
        text = new = (ROOT / page).read_text(encoding="utf-8")
        for name, block in blocks.items():
            begin, end = f"<!-- {name}: made by benchmarks/readme.py -->", f"<!-- end of {name} -->"
            before, _, rest = new.partition(begin)
            new = f"{before}{begin}\n\n{block(reports)}\n\n{end}{rest.partition(end)[2]}"
        differ = differ or new != text
        if "--check" not in sys.argv:
            (ROOT / page).write_text(new, encoding="utf-8")
    return int(differ and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
