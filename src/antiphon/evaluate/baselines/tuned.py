"""Choosing hyperparameters: the same random search, with the same budget, for every system that has any.

A trial is scored by mean nDCG@200 on validation users or queries; test ones are never seen. The table of trials is
kept as JSON lines, and a search that was killed goes on with its next trial.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.base.progress import Progress, silent
from antiphon.channels.taste import USUAL
from antiphon.errors import ConfigError, nearest
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.baselines.classic import EASE, IALS, ItemNeighbours
from antiphon.evaluate.baselines.fusion import Concatenation, RankFusion, ScoreFusion
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import BY_PROFILE, System, mean_of_views, rank, raw_systems
from antiphon.numbers.factorization import Setting
from antiphon.numbers.metrics import evaluate_ranking, mean_over_queries

METRIC = "ndcg@200"
K = 200
TRIALS = 12
Settings = Mapping[str, Any]
Draw = Callable[[np.random.Generator], Settings]


@dataclass(frozen=True)
class Tunable:
    """A system with hyperparameters: the usual ones (tried first), how to draw others, and how to make it."""

    name: str
    kinds: tuple[Kind, ...]
    usual: Settings
    draw: Draw
    make: Callable[[Settings], System]


def tunable_systems(data: RunData) -> dict[str, Tunable]:
    """Every system with hyperparameters that the run's data allow, by name."""
    raw = raw_systems(data)
    found = [_bm25(data)] + [_bm25(data, view) for view in data.descriptions.views if len(data.descriptions.views) > 1]
    if data.catalog.interactions is not None:
        found += [_ials(data), _ease(data), _item_knn(data)]
    content = [name for name in data.modalities if data.encoder_of(name) != "als"]
    if len(data.modalities) > 1:
        found.append(_concatenation("concat", data, data.modalities))
    if 1 < len(content) < len(data.modalities):
        found.append(_concatenation("concat-content", data, content))
    text = next((name for name in data.modalities if data.space.manifest["modalities"][name]["accepts"] == "text"), "")
    views = data.descriptions.views if len(data.descriptions.views) > 1 else ()
    pairs: list[tuple[str, str | None]] = [(name, None) for name in (text, "joint") if name]
    pairs += [(f"{text}-{view}", view) for view in views if text]
    for name, view in pairs:
        found += [_fused(name, raw[name], data, view), _mixed(name, raw[name], data, view)]
    return {item.name: item for item in found}


def system_names(data: RunData) -> list[str]:
    """Every system that can be evaluated on a run."""
    return [*raw_systems(data), *tunable_systems(data)]


def make_system(
    data: RunData, name: str, validation: Task | None, *, table: Path, trials: int = TRIALS, progress: Progress = silent
) -> System:
    """The system of a name; its hyperparameters are those that are best on `validation`, the usual ones without it.

    `table` is where the trials are kept.

    Raises:
        ConfigError: there is no such system.
    """
    raw = raw_systems(data)
    if name in raw:
        return raw[name]()
    tunable = tunable_systems(data)
    if name not in tunable:
        raise ConfigError(f"there is no system {name!r}; {nearest(name, [*raw, *tunable])}")
    chosen = tunable[name]
    if validation is None or not len(validation):
        return chosen.make(chosen.usual)
    return chosen.make(search(chosen, validation, table, trials=trials, seed=data.config.seed, progress=progress))


def search(
    system: Tunable, validation: Task, table: Path, *, trials: int = TRIALS, seed: int = 0, progress: Progress = silent
) -> Settings:
    """The settings with the best mean nDCG@200 on `validation`."""
    rng = np.random.default_rng([seed, 9])
    settings = [system.usual, *(system.draw(rng) for _ in range(trials - 1))]
    scores = _read(table, settings)
    with progress(f"tuning {system.name}", len(settings)) as advance:
        advance(len(scores))
        for setting in settings[len(scores) :]:
            ranked = rank(system.make(setting), validation, min(K, validation.n_items))
            values = evaluate_ranking(ranked, validation.relevance, [METRIC], validation.n_items)[METRIC]
            scores.append(mean_over_queries(values))
            rows = [{**tried, METRIC: got} for tried, got in zip(settings, scores, strict=False)]
            storage.write_text(table, "".join(json.dumps(row) + "\n" for row in rows))
            advance(1)
    return settings[int(np.argmax(scores))]


def _read(table: Path, settings: list[Settings]) -> list[float]:
    """Scores of the trials that are in the table already, as long as they are the same trials."""
    if not table.is_file():
        return []
    scores = []
    for row, setting in zip(table.read_text(encoding="utf-8").splitlines(), settings, strict=False):
        value = json.loads(row)
        score = value.pop(METRIC)
        if value != json.loads(json.dumps(setting)):
            break
        scores.append(float(score))
    return scores


def _log(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _ials(data: RunData) -> Tunable:
    return Tunable(
        "ials", BY_PROFILE,
        asdict(USUAL),
        lambda rng: {
            "factors": int(rng.choice([32, 64, 96, 128])), "alpha": _log(rng, 0.1, 40),
            "regularization": _log(rng, 0.1, 300), "iterations": int(rng.integers(8, 21)),
        },
        lambda values: IALS(data, Setting(**values)),
    )  # fmt: skip


def _ease(data: RunData) -> Tunable:
    return Tunable(
        "ease", BY_PROFILE, {"regularization": 300.0}, lambda rng: {"regularization": _log(rng, 10, 20_000)},
        lambda values: EASE(data, **values),
    )  # fmt: skip


def _item_knn(data: RunData) -> Tunable:
    return Tunable(
        "item-knn", BY_PROFILE, {"shrinkage": 10.0, "neighbours": 200},
        lambda rng: {"shrinkage": _log(rng, 0.1, 1000), "neighbours": int(rng.choice([20, 50, 100, 200, 500, 10**6]))},
        lambda values: ItemNeighbours(data, **values),
    )  # fmt: skip


def _bm25(data: RunData, view: str | None = None) -> Tunable:
    name = "bm25" if view is None else f"bm25-{view}"
    return Tunable(
        name, ("retrieve",), {"k1": 1.5, "b": 0.75},
        lambda rng: {"k1": _log(rng, 0.3, 4), "b": float(rng.uniform(0, 1))},
        lambda values: BM25(data.words(view), name=name, **values),
    )  # fmt: skip


def _concatenation(name: str, data: RunData, modalities: list[str]) -> Tunable:
    blocks = cache(lambda: {modality: mean_of_views(data.features(modality)) for modality in modalities})

    def draw(rng: np.random.Generator) -> Settings:
        shares = rng.dirichlet(np.ones(len(modalities)))
        return {modality: round(float(share), 4) for modality, share in zip(modalities, shares, strict=True)}

    return Tunable(
        name, BY_PROFILE, {modality: round(1 / len(modalities), 4) for modality in modalities}, draw,
        lambda values: Concatenation(name, blocks(), values),
    )  # fmt: skip


def _fused(name: str, make: Callable[[], System], data: RunData, view: str | None) -> Tunable:
    parts, fused = cache(lambda: [make(), BM25(data.words(view))]), f"{name}+bm25-rrf"
    return Tunable(
        fused, ("retrieve",), {"k": 60.0}, lambda rng: {"k": _log(rng, 1, 500)},
        lambda values: RankFusion(fused, parts(), values["k"]),
    )  # fmt: skip


def _mixed(name: str, make: Callable[[], System], data: RunData, view: str | None) -> Tunable:
    parts, mixed = cache(lambda: [make(), BM25(data.words(view))]), f"{name}+bm25"
    return Tunable(
        mixed, ("retrieve",), {"dense": 0.5}, lambda rng: {"dense": round(float(rng.uniform(0, 1)), 4)},
        lambda values: ScoreFusion(mixed, parts(), [values["dense"], 1 - values["dense"]]),
    )  # fmt: skip
