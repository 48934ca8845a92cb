"""Plots of a report, as SVG: each shows one thing, and is read without its text."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from antiphon.errors import MissingExtraError

INK, QUIET, ACCENT = "#22252b", "#9aa1ac", "#b4432f"
COLOURS = ("#b4432f", "#2f6db4", "#3c8a57", "#8a5fb0", "#c08a1e", "#5a6472", "#26a0a6")
STYLE: Mapping[str, Any] = {
    "font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": QUIET,
    "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK, "axes.grid": True,
    "grid.color": "#e6e8ec", "axes.axisbelow": True, "svg.fonttype": "none", "svg.hashsalt": "antiphon",
    "legend.frameon": False, "figure.constrained_layout.use": True,
}  # fmt: skip
TITLES = {"recommend": "Recommendation to users", "similar": "Item to item", "retrieve": "Retrieval from text"}
Rows = Sequence[Mapping[str, Any]]


def table_plot(rows: Rows) -> str:
    """Mean nDCG@200 of every row with its 95% interval, a panel for each task; trained rows stand out."""
    kinds = list(dict.fromkeys(str(row["task"]) for row in rows))
    columns = {kind: sorted((row for row in rows if row["task"] == kind), key=_mean) for kind in kinds}
    height = 0.9 + 0.22 * max(len(column) for column in columns.values())
    with _style() as plt:
        figure, axes = plt.subplots(1, len(kinds), figsize=(4.4 * len(kinds), height), squeeze=False)
        for axis, (kind, column) in zip(axes[0], columns.items(), strict=True):
            for place, row in enumerate(column):
                interval = row["metrics"]["ndcg@200"]
                colour = ACCENT if row["trained"] else INK
                axis.plot([interval["low"], interval["high"]], [place, place], color=colour, lw=1.6)
                axis.plot(interval["mean"], place, "o", color=colour, ms=4.5)
            axis.set_yticks(range(len(column)), [str(row["system"]) for row in column])
            for label, row in zip(axis.get_yticklabels(), column, strict=True):
                label.set_color(ACCENT if row["trained"] else INK)
            axis.set_title(TITLES.get(kind, kind), loc="left", fontweight="bold")
            axis.set_xlabel("nDCG@200, with 95% interval")
            axis.set_xlim(left=0)
            axis.grid(visible=False, axis="y")
        return _svg(plt, figure)


def curve_plot(rows: Rows) -> str:
    """NDCG over the number of interactions that an item has, a line for each system."""
    with _style() as plt:
        figure, axis = plt.subplots(figsize=(6.4, 3.6))
        levels = list(dict.fromkeys(row["level"] for row in rows))
        ends: list[tuple[float, str, str]] = []
        for colour, system in zip(_colours(), dict.fromkeys(str(row["system"]) for row in rows), strict=False):
            points = {row["level"]: row for row in rows if row["system"] == system and row["mean"] is not None}
            known = [level for level in levels if level in points]
            places = [levels.index(level) for level in known]
            axis.plot(places, [points[level]["mean"] for level in known], "o-", color=colour, ms=4, label=system)
            low, high = ([points[level][end] for level in known] for end in ("low", "high"))
            axis.fill_between(places, low, high, color=colour, alpha=0.12, lw=0)
            if known:
                ends.append((float(points[known[-1]]["mean"]), system, colour))
        axis.set_xticks(range(len(levels)), levels)
        axis.set_xlabel("interactions that the ranked items have in the training data")
        axis.set_ylabel("nDCG@200 among these items")
        axis.set_ylim(bottom=0)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(plt, figure)


def missing_plot(rows: Rows, reference: Mapping[str, float]) -> str:
    """NDCG over the share of items without a modality; whole lines: missing in training, dashed: in use only."""
    kinds = [kind for kind in reference if any(row["task"] == kind for row in rows)]
    modalities = list(dict.fromkeys(str(row["modality"]) for row in rows))
    with _style() as plt:
        figure, axes = plt.subplots(1, len(kinds), figsize=(3.7 * len(kinds) + 1.2, 3.2), squeeze=False)
        for axis, kind in zip(axes[0], kinds, strict=True):
            for colour, modality in zip(_colours(), modalities, strict=False):
                for when, line in (("training", "o-"), ("use", "o--")):
                    chosen = [
                        row for row in rows
                        if (row["task"], row["modality"], row["when"]) == (kind, modality, when)
                        and row["mean"] is not None
                    ]  # fmt: skip
                    shares = [0.0, *(100 * float(row["share"]) for row in chosen)]
                    means = [reference[kind], *(float(row["mean"]) for row in chosen)]
                    label = modality if when == "training" else f"{modality}, in use only"
                    axis.plot(shares, means, line, color=colour, ms=3.5, label=label)
            axis.set_title(TITLES.get(kind, kind), loc="left", fontweight="bold")
            axis.set_xlabel("items without the modality, %")
            axis.set_ylim(bottom=0)
        axes[0][0].set_ylabel("nDCG@200")
        axes[0][-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(plt, figure)


def bias_plot(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Where each system finds what users like: recall by thirds of item popularity, and how much it shows."""
    names = list(documents)[::-1]
    with _style() as plt:
        figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 0.8 + 0.3 * len(names)), sharey=True)
        for third, colour in zip(("low", "middle", "high"), ("#9cc3e6", "#4f8fc9", "#1d4f85"), strict=True):
            values = [documents[name]["by_item_popularity"][third] for name in names]
            known = [(value, place) for place, value in enumerate(values) if value is not None]
            left.plot([value for value, _ in known], [place for _, place in known], "o", color=colour, label=third)
        left.set_yticks(range(len(names)), names)
        left.set_xlabel("recall@200 of liked items, by third of item popularity")
        left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
        right.barh(range(len(names)), [documents[name]["coverage@20"] for name in names], color=QUIET, height=0.6)
        right.set_xlabel("share of the catalog in anybody's first 20")
        right.set_xlim(0, 1)
        right.grid(visible=False, axis="y")
        return _svg(plt, figure)


def search_plot(rows: Rows) -> str:
    """Trials of a search in their order, by what they got relative to the default, and the best so far."""
    known = [(int(row["number"]), 100 * (float(row["score"]) - 1)) for row in rows if row["score"] is not None]
    best = [max(score for _, score in known[: place + 1]) for place in range(len(known))]
    with _style() as plt:
        figure, axis = plt.subplots(figsize=(6.4, 3.2))
        axis.axhline(0, color=QUIET, lw=1)
        axis.step([number for number, _ in known], best, where="post", color=ACCENT, lw=1.6, label="best so far")
        axis.plot([number for number, _ in known], [score for _, score in known], "o", color=INK, ms=4, label="trial")
        axis.set_xlabel("trial; 0 is the default")
        axis.set_ylabel("nDCG@200 on validation,\nagainst the default, %")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return _svg(plt, figure)


def _mean(row: Mapping[str, Any]) -> float:
    return float(row["metrics"]["ndcg@200"]["mean"])


def _colours() -> Sequence[str]:
    return COLOURS


class _style(AbstractContextManager[Any]):  # noqa: N801  used as a function
    """Matplotlib with this report's looks and without a display."""

    def __enter__(self) -> Any:
        try:
            matplotlib = importlib.import_module("matplotlib")
        except ModuleNotFoundError as error:
            raise MissingExtraError("matplotlib", "build", "drawing a report") from error
        matplotlib.use("svg", force=False)
        self.plt: Any = importlib.import_module("matplotlib.pyplot")
        self.context: Any = matplotlib.rc_context(dict(STYLE))
        self.context.__enter__()
        return self.plt

    def __exit__(self, *error: object) -> None:
        self.context.__exit__(*error)


def _svg(plt: Any, figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]
