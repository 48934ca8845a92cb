"""The table of results in README.md, made from the kept reports of `make studies`.

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
UNDOUBTED = f"{OURS}, new items not doubted"
DESCRIBED = ("TEMPLATE", "GEN", "TEMPLATE+GEN")
ROWS: dict[str, tuple[str, ...]] = {
    "**antiphon**": (OURS,),
    "MULTI, TEMPLATE+GEN": ("MULTI_TEMPLATE+GEN",),
    "MULTI, TEMPLATE": ("MULTI_TEMPLATE",),
    "MULTI, TEMPLATE, tuned": ("MULTI_TEMPLATE, tuned",),
    "MULTI, TEMPLATE, without pictures or sound": ("MULTI_TEMPLATE without image", "MULTI_TEMPLATE without audio"),
    "antiphon's EASE alone": ("ANTIPHON's EASE alone",),
    "iALS, fold-in, tuned": ("iALS, fold-in",),
    "iALS, fold-in, 256 factors, tuned": ("iALS, 256 factors",),
    "iALS by LensKit, tuned": ("iALS by LensKit",),
    "EASE, tuned": ("EASE",),
    "EASE by Cornac, tuned": ("EASE by Cornac",),
    "item kNN, tuned": ("item kNN",),
    "item kNN, users by length, tuned": ("item kNN, users by length",),
    "item kNN by LensKit, tuned": ("item kNN by LensKit",),
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
        found = [_best(reports[name], systems, task) for name, task, _ in COLUMNS]
        if any(row is not None for row in found):
            lines.append(f"| {shown} | " + " | ".join(_cell(row) for row in found) + " |")
    return "\n".join([*lines, "", _said(reports)])


def _best(report: dict[str, Any], systems: tuple[str, ...], task: str) -> dict[str, Any] | None:
    """The row of some systems with the highest mean on a task; None where the report has none."""
    rows = [row for row in report["rows"] if row["system"] in systems and row["task"] == task]
    return max(rows, key=lambda row: row["metrics"]["ndcg@200"]["mean"], default=None)


def _cell(row: dict[str, Any] | None) -> str:
    """A mean, and half of its 95% interval where that is over seeds and queries."""
    if row is None:
        return ""
    value = row["metrics"]["ndcg@200"]
    text = f"{value['mean']:.3f}".removeprefix("0")
    shown = f"**{text}**" if row["system"] == OURS else text
    half = f"{(value['high'] - value['low']) / 2:.3f}".removeprefix("0")
    return f"{shown} ± {half}" if "by_seed" in row else shown


def _seeds(reports: Reports) -> str:
    """What the means are of."""
    if not all("by_seed" in row for report in reports.values() for row in report["rows"]):
        return f"Trained rows are means of {max(row['n_seeds'] for row in reports['movies']['rows'])} training seeds."
    n = min(row["n_seeds"] for report in reports.values() for row in report["rows"])
    return (
        f"Means of {n} seeds, each of which draws the split and everything random anew; ± is half of a 95% interval "
        "over seeds and queries. Tuned rows are tuned on the same splits that they are measured on; the reports say "
        "how many settings each row tried."
    )


def _said(reports: Reports) -> str:
    counts = [
        f"{next(row['n_queries'] for row in reports[name]['rows'] if row['task'] == task):,} ({title})"
        for name, task, title in COLUMNS
    ]
    where = "; ".join(f"{name} at commit {report['commit']} on {report['machine']}" for name, report in reports.items())
    return (
        f"Test queries: {', '.join(counts)}. Printed by `antiphon reproduce`: {where}. {_seeds(reports)} "
        f"{_leads(reports)}"
    )


def _leads(reports: Reports) -> str:
    """In which columns antiphon leads every other row, and in which no test says so."""
    behind, open_ = [], []
    for name, task, title in COLUMNS:
        for test in reports[name]["tests"]:
            if test["task"] != task or OURS not in (test["a"], test["b"]):
                continue
            lead = test["difference"] if test["a"] == OURS else -test["difference"]
            other = test["b"] if test["a"] == OURS else test["a"]
            if test["p_holm"] >= LEVEL:
                open_.append(f"{other} ({title})")
            elif lead <= 0:
                behind.append(f"{other} ({title})")
    if not behind and not open_:
        return f"Every lead of antiphon is significant (p < {LEVEL}, paired randomisation tests, Holm-corrected)."
    said = [f"is behind {', '.join(behind)}"] if behind else []
    said += [f"is not told apart from {', '.join(open_)}"] if open_ else []
    return f"antiphon {' and '.join(said)}; every other lead is significant (p < {LEVEL}, Holm-corrected)."


def ingredients(reports: Reports) -> str:
    """What each ingredient is worth: the difference to the whole, starred where its own test has p < .01."""
    found = {
        (name, row["task"], row["change"]): row
        for name in reports
        for row in reports[name]["studies"].get("ingredients", ())
    }
    changes = dict.fromkeys(change for _, _, change in found)
    whole = {(name, task): _cell(_best(reports[name], (OURS,), task)).replace("*", "") for name, task, _ in COLUMNS}
    lines = ["| | " + " | ".join(title for _, _, title in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    lines.append("| the whole, nDCG@200 | " + " | ".join(whole[name, task] for name, task, _ in COLUMNS) + " |")
    for change in changes:
        cells = [_difference(found.get((name, task, change))) for name, task, _ in COLUMNS]
        lines.append(f"| {change} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def personalised(reports: Reports) -> str:
    """Requests of users by text, history and both."""
    lines = ["| asked by | movies | music |", "|---|---:|---:|"]
    for part in ("text and history", "text alone", "history alone"):
        studies = [reports[name]["studies"]["personalised"] for name in ("movies", "music")]
        rows = [next(row for row in study if row["part"] == part) for study in studies]
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


def worded(reports: Reports) -> str:
    """Test requests in the catalog's words and in others; starred where the facet lookup differs with p < .01."""
    found = {
        (name, row["worded"], row["system"]): row
        for name, report in reports.items()
        for row in report["studies"].get("wordings", ())
    }
    columns = dict.fromkeys((name, said) for name, said, _ in found)
    counts = {(name, said): row["n"] for (name, said, _), row in found.items()}
    heads = [f"{name}: {said} ({counts[name, said]})" for name, said in columns]
    lines = ["| nDCG@200 | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for system in dict.fromkeys(system for *_, system in found):
        rows = [found[(*column, system)] for column in columns]
        stars = ["*" if row["difference"] and row["p"] < STAR else "" for row in rows]
        cells = [f"{row['mean']:.3f}{star}".removeprefix("0") for row, star in zip(rows, stars, strict=True)]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cold(reports: Reports) -> str:
    """Cold items ranked among themselves and among all, and all that users like."""
    wanted = (OURS, UNDOUBTED, "MULTI_TEMPLATE", "TEXT MiniLM, TEMPLATE", "TEXT LSA", "popularity")
    shown = (("cold", "mean", "among new"), ("all", "mean", "among all"), ("liked", "mean", "all liked"))
    heads = [f"{name}: {title}" for name in reports for _, _, title in shown]
    lines = ["| nDCG@200 | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for system in wanted:
        cells = []
        for report in reports.values():
            rows = {row["among"]: row for row in report["studies"].get("cold", ()) if row["system"] == system}
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


def playlists(_: Reports) -> str:
    """Playlists against top-k lists."""
    found = json.loads((RESULTS / "playlists.json").read_text("utf-8"))
    lines = ["| system | satisfaction | coherence (CF) | diversity |", "|---|---|---|---|"]
    for row in found["rows"]:
        cells = ["{:.3f} [{:.3f}, {:.3f}]".format(*row[key]) for key in ("satisfaction", "coherence", "diversity")]
        lines.append(f"| {row['system']} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"Printed by `python benchmarks/playlists.py` at commit {found['commit']}."])


def served(_: Reports) -> str:
    """The service against a plain one."""
    found = json.loads((RESULTS / "service.json").read_text("utf-8"))
    lines = ["| service | query | requests/s | p50, ms | p99, ms |", "|---|---|---:|---:|---:|"]
    for row in found["rows"]:
        cells = f"{row['rps']:.0f} | {row['p50_ms']:.0f} | {row['p99_ms']:.0f}"
        lines.append(f"| {row['service']} | {row['query']} | {cells} |")
    where = f"{found['items']:,} items, at commit {found['commit']} on {found['machine']}"
    return "\n".join([*lines, "", f"Printed by `python benchmarks/service.py`: {where}."])


def scaled(_: Reports) -> str:
    """What an answer costs from 10,000 to 1,000,000 items, beside faiss and numpy."""
    found = json.loads((RESULTS / "scale.json").read_text("utf-8"))
    titles = ("items", "channels", "load, s", "first answer, s", "bytes an item", "first text, s", "bytes then")
    lines = [f"| {' | '.join(titles)} | answers/s, 1 client | 16 clients |"]
    lines.append("|---:|---|" + "---:|" * 7)
    for one in found["sizes"]:
        size = f"{one['n_items']:,} | {one['channels']} | {one['load_s']:.1f} | {one['first_answer_s']:.1f}"
        text = f"{one['first_text_s']:.1f} | {one['own_bytes_per_item_text']:,.0f}" if "first_text_s" in one else " | "
        rates = f"{one['one_client_per_s']:.0f} | {one['clients_per_s']:.0f}"
        lines.append(f"| {size} | {one['own_bytes_per_item']:,.0f} | {text} | {rates} |")
    rows = "items | channels | request | pass | antiphon, ms | recall@200 | all items, ms | Flat, ms | HNSW, ms"
    lines += ["", f"| {rows} | numpy, ms |", "|---:|---|---|" + "---:|" * 7]
    for one in found["sizes"]:
        for row in one["rows"]:
            graph = f"{row['hnsw_ms']:.1f} ({row['hnsw_recall']:.2f})" if "hnsw_ms" in row else ""
            flat = f"{row['flat_ms']:.1f} (x {row['flat_ms'] / row['antiphon_ms']:.1f})"
            cells = f"{row['antiphon_ms']:.1f} | {row['recall']:.3f} | {row['exact_ms']:.0f} | {flat} | {graph}"
            cells += f" | {row['numpy_ms']:.1f}"
            lines.append(f"| {one['n_items']:,} | {one['channels']} | {row['kind']} | {row['share']:.1%} | {cells} |")
    commits = ", ".join(dict.fromkeys(one["commit"] for one in found["sizes"]))
    where = f"one thread, at commit {commits} on {found['where']['machine']}"
    return "\n".join([*lines, "", f"Printed by `python benchmarks/scale.py`, {where}."])


def attacked(_: Reports) -> str:
    """What `make chaos` tried."""
    return _tried("chaos.json", "attacks", "attack", "make chaos")


def fuzzed(_: Reports) -> str:
    """What `make fuzz` tried."""
    return _tried("fuzz.json", "tried", "what", "make fuzz")


def _tried(file: str, part: str, head: str, command: str) -> str:
    found = json.loads((RESULTS / file).read_text("utf-8"))
    rows = [f"| {name} | {row['tried']:,} | {row['failed']} |" for name, row in found[part].items()]
    drawn = f", seed {found['seed']}" if "seed" in found else f", {found['examples']} examples of each kind"
    said = f"Printed by `{command}` in {found['minutes']:.0f} minutes at commit {found['commit']}{drawn}"
    return "\n".join([f"| {head} | tried | failed |", "|---|---:|---:|", *rows, "", f"{said}, on {found['machine']}."])


def soaked(_: Reports) -> str:
    """The slopes of a service under steady requests."""
    found = json.loads((RESULTS / "soak.json").read_text("utf-8"))
    rows = [
        ("memory, MB an hour", f"{found['memory_mb']:.0f} MB", found["memory_mb_per_hour"]),
        ("descriptors an hour", found["descriptors"], found["descriptors_per_hour"]),
        ("p99, share of itself an hour", f"{found['p99_ms']:.0f} ms", found["p99_share_per_hour"]),
    ]
    lines = ["| | at the end | slope |", "|---|---:|---:|"]
    lines += [f"| {name} | {value} | {row['slope']:+.2f} ± {row['error']:.2f} |" for name, value, row in rows]
    said = (
        f"{found['requests']:,} requests in {found['minutes']:.0f} minutes, {found['failed']} failed. Printed by "
        f"`make soak` at commit {found['commit']} on {found['machine']}; ± is twice the standard error."
    )
    return "\n".join([*lines, "", said])


def first(_: Reports) -> str:
    """From unseen files to the first right answer."""
    found = json.loads((RESULTS / "first.json").read_text("utf-8"))
    lines = [
        "| catalog | items | `init`, s | `build --quick`, s | of which CPU, s | `search`, s | in all, s | right |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for row in found["rows"].values():
        build = f"{row['build']:.0f} | {row['build_cpu']:.0f}"
        took = f"{row['init']:.1f} | {build} | {row['search']:.1f} | {row['total']:.0f}"
        lines.append(f"| {row['what']} | {row['items']:,} | {took} | {'yes' if row['right'] else 'no'} |")
    loads = [row["load"] for row in found["rows"].values()]
    where, load = found["where"], f"load {min(loads):.0f} to {max(loads):.0f}"
    said = f"Printed by `python benchmarks/first.py` at commit {where['commit']} on {where['machine']}, {load}"
    return "\n".join([*lines, "", f"{said}: where others are at work the clock says little, and CPU seconds more."])


def understood(_: Reports) -> str:
    """What the rules gain or lose."""
    found = json.loads((RESULTS / "understanding.json").read_text("utf-8"))
    lines = ["| requests | changed | plain | understood | difference |", "|---|---:|---:|---:|---|"]
    for row in found["rows"]:
        low, high = row["ci"]
        values = f"{row['plain']:.3f} | {row['understood']:.3f} | {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
        lines.append(f"| {row['requests']} ({row['n']}) | {row['changed']} | {values.replace('0.', '.')} |")
    return "\n".join(
        [*lines, "", f"nDCG@200. Printed by `python benchmarks/understanding.py` at commit {found['commit']}."]
    )


def _difference(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    star = "*" if row["p"] < STAR else ""
    return f"{row['difference']:+.3f}{star}".replace("0.", ".")


PAGES = {
    "README.md": {"results": results},
    "docs/beyond.md": {
        "ingredients": ingredients, "personalised": personalised, "worded": worded, "asks": asks, "cold": cold,
    },
    "docs/tuning.md": {"tuned": tuned},
    "docs/playlists.md": {"playlists": playlists},
    "docs/service.md": {"served": served},
    "docs/describe.md": {"understood": understood},
    "docs/reliability.md": {"attacked": attacked, "fuzzed": fuzzed, "soaked": soaked},
    "docs/quickstart.md": {"first": first},
    "docs/scale.md": {"scaled": scaled},
}  # fmt: skip
KEPT = {
    "attacked": "chaos.json", "first": "first.json", "fuzzed": "fuzz.json", "scaled": "scale.json",
    "soaked": "soak.json",
}  # fmt: skip
"""Blocks of files that are not there before they are measured: until then the page has no such table."""


def main() -> int:
    """Write the blocks, or check them."""
    reports = {name: json.loads((RESULTS / name / "metrics.json").read_text("utf-8")) for name in ("movies", "music")}
    differ = False
    for page, blocks in PAGES.items():
        text = new = (ROOT / page).read_text(encoding="utf-8")
        for name, block in blocks.items():
            if name in KEPT and not (RESULTS / KEPT[name]).is_file():
                continue
            begin, end = f"<!-- {name}: made by benchmarks/readme.py -->", f"<!-- end of {name} -->"
            before, _, rest = new.partition(begin)
            new = f"{before}{begin}\n\n{block(reports)}\n\n{end}{rest.partition(end)[2]}"
        differ = differ or new != text
        if "--check" not in sys.argv:
            (ROOT / page).write_text(new, encoding="utf-8")
    return int(differ and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
