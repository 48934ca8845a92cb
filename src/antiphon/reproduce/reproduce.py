"""The paper's Table 4 on real data, with honest floors, tests and studies: what it is made of, and where it is.

One base run encodes everything once. Each seed draws who is held out and everything that is random, in a run of its own
that shares what no seed changes. Rows that are trained are trials of it; the others rank with its features. Every step
is a stage that is kept, so a reproduction that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.base.code import code_of
from antiphon.base.package import __version__
from antiphon.base.progress import Progress, silent
from antiphon.base.registry import find
from antiphon.config.load import parse_config
from antiphon.errors import ConfigError, nearest
from antiphon.evaluate.outcomes import Outcomes
from antiphon.evaluate.protocols import Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.trials import Trial, merged, run_trial
from antiphon.reproduce.draws import Draw
from antiphon.reproduce.slices import NAMES, Material, gather
from antiphon.run.build import build

Notify = Callable[[str], None]
HUB: Mapping[str, str] = {"uae": "WhereIsAI/UAE-Large-V1", "e5": "intfloat/e5-large-v2"}
ENCODERS = ("minilm", "lsa", *HUB)
MULTI: Mapping[str, Mapping[str, Any]] = {
    "MULTI_TEMPLATE": {"describe": {"mode": "template"}},
    "MULTI_GEN": {"describe": {"mode": "gen"}},
    "MULTI_TEMPLATE+GEN": {"describe": {"mode": "template+gen"}},
}
OURS, OURS_FROM = "ANTIPHON", "MULTI_TEMPLATE"
"""The row of this library's default preset, which is not in the paper, and the descriptions that it reads."""
TRAINED: Mapping[str, Mapping[str, Any]] = {**MULTI, OURS: MULTI[OURS_FROM]}
"""Rows that are runs, and their settings."""
LABELS: Mapping[str, str] = {
    "text": "TEXT MiniLM, TEMPLATE+GEN", "text-template": "TEXT MiniLM, TEMPLATE", "text-gen": "TEXT MiniLM, GEN",
    "text-lsa": "TEXT LSA", "image": "IMG", "audio": "AUDIO descriptors", "vggish": "AUDIO VGGish",
    "whisper": "AUDIO Whisper", "cf": "CF", "bm25": "BM25", "bm25-template": "BM25, TEMPLATE", "bm25-gen": "BM25, GEN",
    "popularity": "popularity", "random": "random", "ials": "iALS, fold-in", "ease": "EASE", "item-knn": "item kNN",
    "item-knn-weighed": "item kNN, users by length", "ials-256": "iALS, 256 factors",
    "ease-own": "ANTIPHON's EASE alone",
    "cornac-ease": "EASE by Cornac", "lenskit-ials": "iALS by LensKit", "lenskit-knn": "item kNN by LensKit",
    "rp3beta": "RP3beta", "facet-lookup": "facet lookup, untrained",
    "passages+bm25": "TEXT best passage + BM25, scores",
    "concat": "concatenation, untrained", "concat-content": "concatenation without CF, untrained",
    "text+bm25-rrf": "TEXT + BM25, reciprocal ranks", "text+bm25": "TEXT + BM25, scores",
    "text-template+bm25-rrf": "TEXT + BM25, TEMPLATE, reciprocal ranks",
    "text-template+bm25": "TEXT + BM25, TEMPLATE, scores",
}  # fmt: skip


@dataclass(frozen=True)
class Options:
    """What to reproduce, and how much of it; `items`, `users`, `queries` and `epochs` make it small.

    `seeds`: draws of the split and of everything that is random. `study_seeds`: how many of them the studies that train
    anew take; all where not given.

    Raises:
        ConfigError: a name is unknown or a number too small.
    """

    dataset: str
    source: Path | None = None
    out: Path = Path("runs/reproduce")
    seeds: int = 3
    trials: int = 12
    items: int | None = None
    users: int | None = None
    queries: int | None = None
    epochs: int | None = None
    encoders: Sequence[str] = ("minilm", "lsa")
    studies: bool = True
    study_seeds: int | None = None

    def __post_init__(self) -> None:
        if self.dataset not in NAMES:
            raise ConfigError(f"there is no table for {self.dataset!r}; {nearest(self.dataset, NAMES)}")
        for name in self.encoders:
            if name not in ENCODERS:
                raise ConfigError(f"there is no text encoder {name!r} for the table; {nearest(name, ENCODERS)}")
        for name in ("seeds", "trials", "items", "users", "queries", "epochs", "study_seeds"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} is {value}; it is 1 or more.")

    def settings(self) -> dict[str, Any]:
        """What the numbers depend on."""
        values = asdict(self)
        return {key: values[key] for key in ("dataset", "trials", "items", "users", "queries", "epochs")}


class Reproduction:
    """One reproduction in its folder: the base run, the draws of its seeds, and the stages."""

    def __init__(self, options: Options, progress: Progress = silent, notify: Notify = lambda _: None) -> None:
        self.options, self.progress, self.notify = options, progress, notify
        self.material: Material = gather(
            options.dataset, options.source, options.out, items=options.items, users=options.users,
            queries=options.queries,
        )  # fmt: skip
        self.settings = merged(self.material.settings, self._small())
        self.data_hash = storage.digest("data", dict(self.material.hashes))
        self.config_hash = storage.digest("config", self._config_document(), options.settings(), __version__)
        encoders = [find("antiphon.encoders", item["encoder"]) for item in self.settings["modalities"]]
        self.outcomes = Outcomes(options.out / "stages", [self.config_hash, self.data_hash, code_of(*encoders)], notify)
        self.failed: dict[str, str] = {}
        """Rows of other libraries that could not be made, and why."""
        self._built: dict[tuple[str, int], RunData] = {}

    @property
    def base(self) -> Path:
        """Folder of the base run."""
        return self.options.out / "base"

    def prepare(self) -> None:
        """Build the base run: catalog, descriptions, features of every modality; its joint model is not used."""
        config = parse_config(merged(self.settings, {"train": {"epochs": 0}}), source="the base run")
        build(config, self.base, progress=self.progress, notify=self.notify)

    @cached_property
    def draws(self) -> Sequence[Draw]:
        """A draw for each seed, built where it is not there yet."""
        return [self.make_draw(seed) for seed in range(self.options.seeds)]

    def draw(self, seed: int) -> Draw:
        """The draw of a seed, which may not be built: that of seed 0 is the base run itself."""
        return Draw(seed, self.options.out / f"base-seed{seed}" if seed else self.base, self.material)

    def make_draw(self, seed: int) -> Draw:
        """Build the draw of a seed, which shares with the base run what no seed changes."""
        draw = self.draw(seed)
        if seed:
            trial = Trial(draw.base.name, {"train": {"epochs": 0}}, seed=seed)
            run_trial(self.base, self.trial_settings(), trial, draw.base, self.progress)
        return draw

    @property
    def data(self) -> RunData:
        """The base run of the first seed."""
        return self.draws[0].data

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The columns of the table with the first seed: test users and test queries."""
        return self.draws[0].tasks

    @property
    def validation(self) -> Mapping[str, Task]:
        """What hyperparameters are chosen on with the first seed."""
        return self.draws[0].validation

    @property
    def joined(self) -> list[str]:
        """Modalities of the paper's rows: text, one content modality, collaborative filtering."""
        return ["text", self.material.content[0], "cf"]

    def trial_settings(self, preset: str = "paper") -> dict[str, Any]:
        """Settings that trials start from: the paper's rows train as long as their preset says, not the data set's."""
        settings = {**self.settings, "preset": preset}
        if preset == "paper" and self.options.epochs is None:
            settings["train"] = {key: value for key, value in settings.get("train", {}).items() if key != "epochs"}
        return settings

    def base_of(self, preset: str, seed: int) -> Path:
        """The run that trials of a preset start from.

        With the default preset it is the row itself: its requests, factors and facets are made once.
        """
        if preset == "paper":
            return self.draws[seed].base
        return self.row(OURS, seed).layout.root

    def trial(
        self, trial: Trial, *, preset: str = "paper", base: Path | None = None, folder: str = "studies"
    ) -> RunData:
        """Build a trial."""
        path = self.options.out / folder / trial.name
        start = base or self.base_of(preset, trial.seed)
        return run_trial(start, self.trial_settings(preset), trial, path, self.progress)

    def row(self, label: str, seed: int) -> RunData:
        """The run of a trained row and a seed, built if it does not exist yet."""
        if (label, seed) not in self._built:
            preset = "default" if label == OURS else "paper"
            trial = Trial(f"{label}-seed{seed}", TRAINED[label], self.joined, seed)
            base = self.draws[seed].base
            self._built[label, seed] = self.trial(trial, preset=preset, base=base, folder="rows")
        return self._built[label, seed]

    def _small(self) -> dict[str, Any]:
        """Settings of a small run."""
        changes: dict[str, Any] = {}
        if self.options.epochs is not None:
            changes["train"] = {"epochs": self.options.epochs}
            changes["synthetic"] = {"per_item": 1}
        changes["space"] = {"taste_trials": self.options.trials}
        entries = [dict(entry) for entry in self.material.settings["modalities"]]
        for entry in entries:
            if entry["encoder"] == "als":
                entry["trials"] = self.options.trials
        return {**changes, "modalities": entries}

    def _config_document(self) -> Any:
        """The settings without the places of files, which are no part of what was done."""
        return strip_paths(self.settings)


def strip_paths(value: Any) -> Any:
    """A configuration with files by their last name."""
    if isinstance(value, Mapping):
        return {key: strip_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [strip_paths(inner) for inner in value]
    return (
        Path(value).name if isinstance(value, str | Path) and "/" in str(value) and Path(value).is_absolute() else value
    )
