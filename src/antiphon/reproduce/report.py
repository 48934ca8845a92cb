"""The report of a reproduction: one list of blocks, written as Markdown and as one self-contained page."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.evaluate import plots
from antiphon.reproduce.blocks import KINDS, Block, interval, number
from antiphon.reproduce.paper import COLUMNS, DIFFERENCES, TABLE_4

Document = Mapping[str, Any]
METRICS = ("ndcg@200", "recall@20", "recall@200", "mrr@200")
BEYOND = ("novelty@20", "diversity@20", "popularity@20")
NOTE = (
    "Trained rows stand in italics. A seed draws everything anew: who is held out, which requests are the test, and "
    "all that is random in a build; floors are tuned and measured on the same splits. Values are means over seeds of "
    "means over queries; intervals are of a bootstrap that draws seeds, and queries within them. `tried` counts the "
    "settings that were scored on validation, for each seed; what our space weighs texts by is learned from practice "
    "requests, and a few constants were set by hand while looking at the validation part of seed 0, some of whose "
    "queries are in the test parts of other seeds. Novelty is -log2 of the share of training users that know an item; "
    "diversity is one less the mean cosine of two results by raw text vectors; lift is how much more popular results "
    "are than what is right."
)
LONG = 44
"""Cells with more characters are words, not numbers: they stand on the left."""
CSS = """
body{font:16px/1.55 system-ui,sans-serif;color:#22252b;max-width:1080px;margin:3rem auto;padding:0 1.2rem}
h1{font-size:1.7rem}h2{margin-top:2.6rem;font-size:1.25rem}p,li{max-width:46rem}
table{border-collapse:collapse;font-size:.86rem;margin:1rem 0;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.25rem .7rem;border-bottom:1px solid #e6e8ec}
th:first-child,td:first-child{text-align:left}
td.words{text-align:left;min-width:14rem;vertical-align:top}
th{border-bottom:2px solid #9aa1ac}.wide{overflow-x:auto}svg{max-width:100%;height:auto}pre{overflow-x:auto;
background:#f5f6f8;padding:1rem;font-size:.8rem}b{color:#b4432f}
"""


def write_report(out: Path, document: Document) -> None:
    """Write report.html, report.md and plots/*.svg from metrics.json's document."""
    blocks = report_blocks(document)
    for place, block in enumerate(block for block in blocks if block.kind == "plot"):
        storage.write_text(out / "plots" / f"{place}.svg", block.text)
    storage.write_text(out / "report.md", as_markdown(blocks))
    storage.write_text(out / "report.html", as_html(blocks, f"antiphon: {document['dataset']}"))


def report_blocks(document: Document) -> list[Block]:
    """The whole report."""
    from antiphon.reproduce.report_studies import study_blocks

    return [
        Block("h1", f"The paper's table on {document['dataset']}"),
        Block("p", document["summary"]),
        Block("plot", plots.table_plot(document["rows"])),
        *_table_blocks(document),
        *_test_blocks(document),
        *_paper_blocks(document),
        *(study_blocks(document) if document.get("studies") else []),
        *(
            [Block("list", rows=[[f"{name}: {why}"] for name, why in document["failed"].items()])]
            if document["failed"]
            else []
        ),
        *_cost_blocks(document),
        *_tuning_blocks(document),
        *_provenance_blocks(document),
    ]


def _table_blocks(document: Document) -> list[Block]:
    blocks: list[Block] = []
    for kind in dict.fromkeys(row["task"] for row in document["rows"]):
        rows = sorted(
            (row for row in document["rows"] if row["task"] == kind),
            key=lambda row: -row["metrics"]["ndcg@200"]["mean"],
        )
        head = ["", "nDCG@200", "95% interval", "by seed", "tried", "recall@20", "recall@200", "MRR"]
        lines = [
            [
                f"*{row['system']}*" if row["trained"] else row["system"],
                number(row["metrics"]["ndcg@200"]["mean"]),
                interval(row["metrics"]["ndcg@200"]),
                " ".join(number(value) for value in row["by_seed"]),
                budget_text(row["budget"]),
                *(f"{number(row['metrics'][name]['mean'])} {interval(row['metrics'][name])}" for name in METRICS[1:]),
            ]
            for row in rows
        ]
        blocks += [
            Block("h2", f"{KINDS[kind].capitalize()} ({rows[0]['n_queries']:,} test queries for each seed)"),
            Block("table", rows=[head, *lines]),
            _beyond(rows),
        ]
    return [
        *blocks,
        Block("p", NOTE),
        Block("list", rows=[[f"{row['system']}: {row['why']}"] for row in document["absent"]]),
    ]


def _beyond(rows: Sequence[Mapping[str, Any]]) -> Block:
    """What the lists of each row are made of, beside whether they are right."""
    lines = [["first 20 results", "novelty, bits", "diversity", "mean popularity", "popularity lift"]]
    for row in rows:
        novelty, diversity, popularity = (row["beyond"][name]["mean"] for name in BEYOND)
        lift = "" if row["popularity_lift"] is None else f"{row['popularity_lift']:+.0%}"
        lines.append([row["system"], number(novelty, 2), number(diversity), number(popularity, 0), lift])
    return Block("table", rows=lines)


def budget_text(budget: Mapping[str, int]) -> str:
    """What was tried on validation, such as "12" or "cf 12, iALS 12"."""
    if list(budget) == ["own"]:
        return str(budget["own"])
    return ", ".join(f"{name} {tried}" for name, tried in budget.items()) or "0"


def _test_blocks(document: Document) -> list[Block]:
    """For each trained row: what it beats, what beats it, and what cannot be told apart."""
    trained = list(dict.fromkeys(row["system"] for row in document["rows"] if row["trained"]))
    lines = [["row", "task", "better than", "worse than", "not told apart from"]]
    for name in trained:
        for kind in dict.fromkeys(row["task"] for row in document["rows"]):
            mine = [test for test in document["tests"] if test["task"] == kind and name in (test["a"], test["b"])]
            better = [test["b"] for test in mine if test["win"] and test["a"] == name]
            worse = [test["a"] for test in mine if test["win"] and test["b"] == name]
            open_ = [test["b"] if test["a"] == name else test["a"] for test in mine if not test["win"]]
            lines.append([name, KINDS[kind], *("; ".join(names) or "none" for names in (better, worse, open_))])
    text = (
        "Paired tests over seeds and queries between all pairs of rows of a column, adjusted by Holm's method: the "
        "larger p of a nested bootstrap and of a randomisation test that swaps a query in all seeds that ask it. "
        "A difference counts at 0.05. Every test is in metrics.json."
    )
    return [Block("h2", "Which differences are real"), Block("p", text), Block("table", rows=lines)]


def _paper_blocks(document: Document) -> list[Block]:
    dataset = document["dataset"]
    columns = [column for column in COLUMNS if column.startswith(dataset)]
    lines = [["nDCG@200", *(f"{column}, {who}" for column in columns for who in ("paper", "here"))]]
    for name, values in TABLE_4.items():
        line = [name]
        for column in columns:
            paper, ours = values[COLUMNS.index(column)], _ours(document, name, column.partition(" ")[2])
            line += ["" if value is None else number(value) for value in (paper, ours)]
        lines.append(line)
    return [
        Block("h2", "The paper's numbers beside ours"),
        Block("table", rows=lines),
        Block("p", "What differs:"),
        Block("list", rows=[[text] for text in DIFFERENCES[dataset]]),
    ]


def _ours(document: Document, name: str, kind: str) -> float | None:
    """Our mean of a paper's row: the same label, or the best of the content rows."""
    prefixes = ("IMG", "AUDIO") if name == "IMG / AUDIO" else (name,)
    found = [
        row["metrics"]["ndcg@200"]["mean"]
        for row in document["rows"]
        if row["task"] == kind and (row["system"] == name or (len(prefixes) > 1 and row["system"].startswith(prefixes)))
    ]
    return max(found, default=None)


def _cost_blocks(document: Document) -> list[Block]:
    head = ["row", "training, s", "publishing, s", "bytes per item, searched", "bytes per item, published"]
    lines = [[*head, "ms per query, by batches"]]
    for name, cost in document["cost"].items():
        seconds = cost["seconds"]
        lines.append(
            [
                name,
                number(seconds.get("train", 0.0), 1),
                number(seconds.get("publish", 0.0), 1),
                f"{cost['vector_bytes_per_item']:,}",
                f"{cost['bytes_per_item']:,}",
                ", ".join(f"{KINDS[kind]} {spent:.2f}" for kind, spent in cost.get("ms_per_query", {}).items()),
            ]
        )
    base = "; ".join(f"{name} {seconds:.1f} s" for name, seconds in document["base_seconds"].items())
    total = f"All stages together took {sum(document['stage_seconds'].values()) / 60:.1f} minutes beside that."
    return [Block("h2", "Cost"), Block("p", f"The base run: {base}. {total}"), Block("table", rows=lines)]


def _tuning_blocks(document: Document) -> list[Block]:
    lines = [["system", "task", "trials", "chosen", "validation nDCG@200"]]
    for tried in document["tuning"].values():
        if tried["seed"]:
            continue
        best = max(tried["trials"], key=lambda trial: trial["ndcg@200"])
        chosen = ", ".join(f"{key} {_short(value)}" for key, value in best.items() if key != "ndcg@200")
        lines.append([tried["system"], tried["task"], str(len(tried["trials"])), chosen, number(best["ndcg@200"])])
    text = "Random search, scored on validation users and queries only. Seed 0; those of all seeds are in metrics.json."
    return [Block("h2", "How hyperparameters were chosen"), Block("p", text), Block("table", rows=lines)]


def _provenance_blocks(document: Document) -> list[Block]:
    lines = [["file", "SHA-256"], *([name, digest] for name, digest in document["data"].items())]
    where = (
        f"Made by antiphon {document['antiphon']} at commit {document['commit']}, on {document['machine']}. "
        f"Code {document['code'][:16]}, "
        f"configuration {document['config_hash'][:16]}, data {document['data_hash'][:16]}. "
        f"Left out: {document['left_out']}"
    )
    return [
        Block("h2", "Provenance"),
        Block("p", where),
        Block("table", rows=lines),
        Block("code", document["configuration"]),
    ]


def as_markdown(blocks: Sequence[Block]) -> str:
    """The report as Markdown; plots are the files beside it."""
    parts, plot = [], 0
    for block in blocks:
        if block.kind in ("h1", "h2"):
            parts.append(f"{'#' * int(block.kind[1])} {block.text}")
        elif block.kind == "p":
            parts.append(block.text)
        elif block.kind == "list":
            parts.append("\n".join(f"- {row[0]}" for row in block.rows))
        elif block.kind == "table":
            head, *lines = block.rows
            rule = ["---", *("---:" for _ in head[1:])]
            parts.append("\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *lines)))
        elif block.kind == "plot":
            parts.append(f"![plot](plots/{plot}.svg)")
            plot += 1
        else:
            parts.append(f"```toml\n{block.text.strip()}\n```")
    return "\n\n".join(parts) + "\n"


def as_html(blocks: Sequence[Block], title: str) -> str:
    """The report as one page that needs nothing else."""
    parts = []
    for block in blocks:
        text = html.escape(block.text)
        if block.kind in ("h1", "h2", "p"):
            parts.append(f"<{block.kind}>{text}</{block.kind}>")
        elif block.kind == "list":
            parts.append("<ul>" + "".join(f"<li>{html.escape(row[0])}</li>" for row in block.rows) + "</ul>")
        elif block.kind == "table":
            parts.append(_html_table(block.rows))
        elif block.kind == "plot":
            parts.append(f'<div class="wide">{block.text}</div>')
        else:
            parts.append(f"<pre>{text}</pre>")
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{html.escape(title)}</title>'
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}<style>{CSS}</style></head><body>\n{body}\n</body></html>\n'


def _html_table(rows: Sequence[Sequence[str]]) -> str:
    head, *lines = rows
    top = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(map(_cell, line)) + "</tr>" for line in lines)
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    escaped = html.escape(text)
    shown = f"<b>{escaped.strip('*')}</b>" if text and text.startswith("*") and text.endswith("*") else escaped
    return f'<td class="words">{shown}</td>' if len(text) > LONG else f"<td>{shown}</td>"


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
