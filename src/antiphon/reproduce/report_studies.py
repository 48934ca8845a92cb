"""The part of a report that shows the studies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from antiphon.evaluate import plots
from antiphon.reproduce.blocks import KINDS, Block, interval, number

REFERENCE = "MULTI_TEMPLATE"
TEMPORAL = (
    "ml-latest-small, films with five ratings or more. Everything learns from the ratings before a moment alone; users "
    "with likes after it are the test, the earlier of these are known, the later ones are right. Three moments, at "
    "0.7, 0.8 and 0.9 of all ratings; the bootstrap draws moments and users."
)
UNTAGGED = (
    "The requests of the table, asked of a catalog that lacks the columns they were written from: neither fields nor "
    "descriptions have tags. What is left are the other columns and the GEN texts, which a language model wrote from "
    "the item with its tags. Seed 0."
)


def study_blocks(document: Mapping[str, Any]) -> list[Block]:
    """Every study that is done, in the order of a report."""
    studies = document["studies"]
    shown: Mapping[str, Callable[[], list[Block]]] = {
        "cold": lambda: _cold(studies["cold"]),
        "curve": lambda: _curve(studies["curve"]),
        "missing": lambda: _missing(document),
        "noise": lambda: _noise(studies["noise"]),
        "ablations": lambda: _ablations(studies["ablations"]),
        "ingredients": lambda: _ingredients(studies["ingredients"]),
        "wordings": lambda: _wordings(studies["wordings"]),
        "personalised": lambda: _personalised(studies["personalised"]),
        "asks": lambda: _asks(studies["asks"]),
        "bias": lambda: _bias(studies["bias"]),
        "temporal": lambda: _held_against("The split that time makes", TEMPORAL, studies["temporal"]),
        "untagged": lambda: _held_against("A catalog without tags", UNTAGGED, studies["untagged"]),
    }
    return [block for name, blocks in shown.items() if studies.get(name) for block in blocks()]


def _wordings(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    text = (
        "The test requests that have all words of the values that their truth is made of, by their stems, and the "
        "others. Truth and training labels share fields; the facet lookup reads the same values, and is untrained. "
        "nDCG@200 over all seeds; the difference is to the facet lookup, with the p of the paired tests."
    )
    lines = [["system", "worded in", "requests", "nDCG@200", "95% interval", "difference", "95% interval", "p"]]
    for row in rows:
        told = [number(row["difference"]), f"[{number(row['ci'][0])}, {number(row['ci'][1])}]", f"{row['p']:.4f}"]
        shown = told if row["difference"] else ["", "", ""]
        lines.append([row["system"], row["worded"], str(row["n"]), number(row["mean"]), interval(row), *shown])
    return [Block("h2", "The catalog's words and others"), Block("p", text), Block("table", rows=lines)]


def _cold(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    heads = [
        "system", "among cold items only", "95% interval", "nDCG@50", "among all items", "95% interval",
        "all that they like", "95% interval",
    ]  # fmt: skip
    lines = [heads]
    for name in dict.fromkeys(row["system"] for row in rows):
        found = {row["among"]: row for row in rows if row["system"] == name}
        near = f"{found['cold']['ndcg@50']:.3f}" if "cold" in found else ""
        lines.append([name, *_value(found.get("cold")), near, *_value(found.get("all")), *_value(found.get("liked"))])
    lines[1:] = sorted(lines[1:], key=lambda line: line[1], reverse=True)
    text = (
        "A fifth of the items is hidden from collaborative filtering, and from every profile. nDCG@200 of what test "
        "users like of these items, ranked among themselves (and nDCG@50), and among all items, where what they like "
        "of the others counts as wrong. The last column has all that they like as truth, and profiles as they are."
    )
    return [Block("h2", "Cold items"), Block("p", text), Block("table", rows=lines)]


def _curve(rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    text = (
        "Items with 20 training interactions or more are dealt into groups, and each group keeps as many interactions "
        "as its place on the axis says; everything is fitted again, and each group is ranked among itself."
    )
    return [Block("h2", "Items that few have met"), Block("p", text), Block("plot", plots.curve_plot(rows))]


def _missing(document: Mapping[str, Any]) -> list[Block]:
    rows = document["rows"]
    reference = {
        row["task"]: row["seed0"] for row in rows if row["system"] == REFERENCE and row.get("seed0") is not None
    }
    text = (
        f"A modality is taken from a growing share of the items of {REFERENCE} (seed 0): before the training "
        "(whole lines), or only from the item vectors of the trained space (dashed)."
    )
    return [
        Block("h2", "Missing modalities"),
        Block("p", text),
        Block("plot", plots.missing_plot(document["studies"]["missing"], reference)),
    ]


def _noise(rows: list[dict[str, Any]]) -> list[Block]:
    lines = [["row", "change", "task", "nDCG@200", "difference", "95% interval", "p"]]
    lines += [[row["row"], row["change"], KINDS[row["task"]], *_difference(row)] for row in rows]
    text = (
        "Before the training, a modality of random vectors is added, or the content modality's vectors are shuffled "
        "across the items. The difference is to the row with the same seed; it should be 0."
    )
    return [Block("h2", "What noise costs"), Block("p", text), Block("table", rows=lines)]


def _ablations(rows: list[dict[str, Any]]) -> list[Block]:
    lines = [["change", "task", "nDCG@200", "difference", "95% interval", "p"]]
    lines += [[row["change"], KINDS[row["task"]], *_difference(row)] for row in rows]
    text = (
        f"One choice at a time, against {REFERENCE} with the same seeds; p values are of single tests over seeds and "
        "queries. TEMPLATE, GEN and both are rows of the table above."
    )
    return [Block("h2", "Ablations"), Block("p", text), Block("table", rows=lines)]


def _ingredients(rows: list[dict[str, Any]]) -> list[Block]:
    lines = [["ANTIPHON", "task", "nDCG@200", "difference", "95% interval", "p"]]
    lines += [[row["change"], KINDS[row["task"]], *_difference(row)] for row in rows]
    text = (
        "Each ingredient of the default space left out in turn, against the whole with the same seeds; p values are of "
        "single tests over seeds and queries. A negative difference is what the ingredient is worth."
    )
    return [Block("h2", "What each ingredient is worth"), Block("p", text), Block("table", rows=lines)]


def _held_against(title: str, text: str, rows: Sequence[Mapping[str, Any]]) -> list[Block]:
    """Systems beside ours."""
    lines = [["system", "nDCG@200", "95% interval", "less ANTIPHON", "95% interval", "p"]]
    for row in sorted(rows, key=lambda row: -row["mean"]):
        low, high = row["ci"]
        same = row["system"] == "ANTIPHON"
        gain = ["", "", ""] if same else [f"{row['difference']:+.3f}", f"[{low:+.3f}, {high:+.3f}]", f"{row['p']:.4f}"]
        lines.append([row["system"], *_value(row), *gain])
    found = f"{rows[0]['n']:,} queries. {text}"
    return [Block("h2", title), Block("p", found), Block("table", rows=lines)]


def _personalised(rows: list[dict[str, Any]]) -> list[Block]:
    whole, *others = rows
    lines = [["ANTIPHON asked by", "nDCG@200", "both less this", "95% interval", "p"]]
    lines.append([whole["part"], number(whole["mean"]), "", interval(whole), ""])
    for row in others:
        low, high = row["ci"]
        gain = f"{row['difference']:+.3f}"
        lines.append([row["part"], number(row["value"]), gain, f"[{low:+.3f}, {high:+.3f}]", f"{row['p']:.4f}"])
    text = (
        f"{whole['n']:,} test users, each with a test request that at least three of the user's held-out positives "
        "satisfy; those are the truth. The same space and the same weights answer all three."
    )
    return [Block("h2", "Personalised search"), Block("p", text), Block("table", rows=lines)]


def _asks(rows: list[dict[str, Any]]) -> list[Block]:
    blocks = []
    for label in dict.fromkeys(row["requests"] for row in rows):
        heads = ["system", "MRR", "95% interval", "recall@10", "recall@50", "nDCG@200", "ANTIPHON less this", "p"]
        lines = [heads]
        for row in (row for row in rows if row["requests"] == label):
            same = row["system"] == "ANTIPHON"
            gain = ["", ""] if same else [f"{row['difference']:+.3f}", f"{row['p']:.4f}"]
            values = [number(row[metric]) for metric in ("recall@10", "recall@50", "ndcg@200")]
            lines.append([row["system"], *_value(row["mrr"]), *values, *gain])
        found = next(row for row in rows if row["requests"] == label)
        text = (
            f"{label.capitalize()}, {found['n']:,} requests that people made (validation data). All rows read the same "
            "texts; the tuned sum is chosen on these very requests. p values are of paired tests of MRR."
        )
        blocks += [Block("p", text), Block("table", rows=lines)]
    return [Block("h2", "As people ask"), *blocks] if blocks else []


def _bias(documents: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    lines = [["system", "coverage@20", "Gini@20", "mean popularity@20", "nDCG: quiet users", "middle", "active users"]]
    for name, found in documents.items():
        users = found["by_user_activity"]
        lines.append(
            [
                name,
                number(found["coverage@20"]),
                number(found["gini@20"]),
                number(found["mean_popularity@20"], 0),
                *(number(users[third]) for third in ("low", "middle", "high")),
            ]
        )
    truth = next(iter(documents.values()))["mean_popularity_of_truth"]
    text = (
        "First 20 results of user recommendation. Coverage is the share of the catalog that anybody is shown; the Gini "
        "coefficient is 0 where all items are shown equally often. Popularity counts training users; what test users "
        f"like has {truth:.0f} on average."
    )
    blocks = [Block("h2", "Popularity and other bias"), Block("p", text), Block("table", rows=lines)]
    blocks.append(Block("plot", plots.bias_plot(documents)))
    for grouping in next(iter(documents.values()))["shares"]:
        blocks += [Block("p", f"Shares by {grouping} of the first 20 results."), _shares(documents, grouping)]
    return blocks


def _shares(documents: Mapping[str, Mapping[str, Any]], grouping: str) -> Block:
    first = next(iter(documents.values()))["shares"][grouping]
    lines = [[grouping, "catalog", "liked", *documents]]
    for place, row in enumerate(first):
        shown = [found["shares"][grouping][place]["recommended"] for found in documents.values()]
        lines.append([row["group"], *(f"{share:.1%}" for share in (row["catalog"], row["truth"], *shown))])
    return Block("table", rows=lines)


def _value(row: Mapping[str, Any] | None) -> tuple[str, str]:
    return ("", "") if row is None else (number(row["mean"]), interval(dict(row)))


def _difference(row: Mapping[str, Any]) -> list[str]:
    low, high = row["ci"]
    return [number(row["mean"]), f"{row['difference']:+.3f}", f"[{low:+.3f}, {high:+.3f}]", f"{row['p']:.4f}"]
