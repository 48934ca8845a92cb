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
BEGIN, END = "<!-- results: made by benchmarks/readme.py -->", "<!-- end of results -->"
COLUMNS = (
    ("movies", "recommend", "movies: users"), ("movies", "retrieve", "movies: requests"),
    ("music", "recommend", "music: users"), ("music", "retrieve", "music: requests"),
    ("music", "similar", "music: artists"),
)  # fmt: skip
OURS, LEVEL = "ANTIPHON", 0.05
ROWS = {
    OURS: "**antiphon**",
    "MULTI_TEMPLATE+GEN": "MULTI, TEMPLATE+GEN",
    "MULTI_TEMPLATE": "MULTI, TEMPLATE",
    "iALS, fold-in": "iALS, fold-in, tuned",
    "EASE": "EASE, tuned",
    "item kNN": "item kNN, tuned",
    "CF": "CF, nearest neighbours, tuned",
    "concatenation, untrained": "concatenation of all modalities, untrained",
    "TEXT MiniLM, TEMPLATE": "TEXT, MiniLM",
    "TEXT LSA": "TEXT, LSA of the descriptions",
    "BM25, TEMPLATE": "BM25, tuned",
    "TEXT + BM25, TEMPLATE, scores": "TEXT + BM25, tuned",
    "popularity": "popularity",
}
"""Systems of the reports, and what README calls them."""


def block() -> str:
    """The table and what it was measured with, as Markdown."""
    reports = {name: json.loads((RESULTS / name / "metrics.json").read_text("utf-8")) for name in ("movies", "music")}
    lines = ["| nDCG@200 | " + " | ".join(title for _, _, title in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for system, shown in ROWS.items():
        cells = [_cell(reports[name], system, task) for name, task, _ in COLUMNS]
        lines.append(f"| {shown} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", _said(reports)])


def _cell(report: dict[str, Any], system: str, task: str) -> str:
    row = next((row for row in report["rows"] if (row["system"], row["task"]) == (system, task)), None)
    if row is None:
        return ""
    value = f"{row['metrics']['ndcg@200']['mean']:.3f}".removeprefix("0")
    return f"**{value}**" if system == OURS else value


def _said(reports: dict[str, Any]) -> str:
    counts = [
        f"{next(row['n_queries'] for row in reports[name]['rows'] if row['task'] == task):,} ({title})"
        for name, task, title in COLUMNS
    ]
    where = "; ".join(f"{name} at commit {report['commit']} on {report['machine']}" for name, report in reports.items())
    return (
        f"Test queries: {', '.join(counts)}. Printed by `antiphon reproduce`: {where}. Trained rows are means of "
        f"{max(row['n_seeds'] for row in reports['movies']['rows'])} training seeds. {_leads(reports)}"
    )


def _leads(reports: dict[str, Any]) -> str:
    """In which columns the lead over every floor is real."""
    doubtful = []
    for name, task, title in COLUMNS:
        for test in reports[name]["tests"]:
            pair = {test["a"], test["b"]}
            if test["task"] == task and OURS in pair and test["p_holm"] >= LEVEL:
                doubtful.append(f"{(pair - {OURS}).pop()} ({title})")
    if not doubtful:
        return "Every lead of antiphon is significant (paired randomisation tests, Holm-corrected)."
    return f"Every lead of antiphon is significant (Holm-corrected) but that over {', '.join(doubtful)}."


def main() -> int:
    """Write the block, or check it."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n\n{block()}\n\n{END}{after}"
    if "--check" in sys.argv:
        return int(new != text)
    path.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
