"""Trials: runs that differ from a base run in their settings, their seed, or their features.

A trial starts as a copy of the base run's folder (hard links), so the build does again only what differs. It goes
through the same stages as `antiphon build`, and is evaluated by the space that it publishes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.base.layout import RunLayout
from antiphon.base.progress import Progress, silent
from antiphon.config.load import parse_config
from antiphon.config.sections import Config
from antiphon.data.features import Features
from antiphon.encoders.base import make_encoder
from antiphon.errors import IntegrityError
from antiphon.evaluate.rundata import RunData
from antiphon.run.build import run_all, stages_of
from antiphon.run.outputs import Change
from antiphon.run.stage import Job, Stage, read_manifest, recorded, with_stages
from antiphon.run.stages import publish, train

NOT_COPIED = ("space", "eval", "tune", "config.toml", "manifest.json", "trial.json", ".lock")


@dataclass(frozen=True)
class Trial:
    """What differs from the base run.

    `settings` is merged into the base's configuration. `modalities` names those that take part; all where None.
    `seed` is that of everything that is drawn: who is held out, requests to train on, and all that learns. `training`
    changes features before the training, `publishing` only those that are embedded afterwards: what is missing when
    the space is used.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    modalities: Sequence[str] | None = None
    seed: int = 0
    training: Change | None = None
    publishing: Change | None = None


MARK, PUBLISHED = "trial.json", "publish"


def run_trial(
    base: Path, settings: Mapping[str, Any], trial: Trial, folder: Path, progress: Progress = silent
) -> RunData:
    """Build a trial in `folder` from the run `base`, whose configuration is `settings`; what is up to date stays."""
    layout = RunLayout(folder)
    # A trial publishes its own space: that of the base may be made anew without it.
    taken = [{**stage, "seconds": 0, "status": ""} for stage in _stages(base) if stage["name"] != PUBLISHED]
    mark = storage.digest(taken)
    if _mark_of(folder) != mark:
        _copy(base, folder)
        storage.write_json(folder / MARK, mark)
    config = trial_config(settings, trial)
    run_all(trial_stages(config, trial), Job(config, layout, progress, lambda _: None, recorded(layout)))
    return RunData(folder)


def trial_stages(config: Config, trial: Trial) -> list[Stage]:
    """The stages of a build, with features that are changed on their way."""
    usual = stages_of(config)
    encoders = [make_encoder(item) for item in config.modalities]
    training = [(f"{trial.name}: training", trial.training)] if trial.training is not None else []
    publishing = [(f"{trial.name}: use", trial.publishing)] if trial.publishing is not None else []
    return with_stages(
        usual,
        train.stage(config, changes=training),
        publish.stage(encoders, [stage.name for stage in usual[:-1]], changes=[*training, *publishing]),
    )


def trial_config(settings: Mapping[str, Any], trial: Trial) -> Config:
    """The configuration of a trial.

    Raises:
        ConfigError: the settings name something that does not exist.
    """
    changed = {**merged(settings, trial.settings), "seed": trial.seed}
    if trial.modalities is not None:
        changed["modalities"] = [item for item in changed["modalities"] if item["name"] in trial.modalities]
    return parse_config(changed, source=f"the trial {trial.name}")


def drop(modality: str, share: float, seed: int = 0) -> Change:
    """Take a modality away from a share of the items, the same ones first whatever the share."""

    def change(features: Features) -> Features:
        if features.modality != modality or share == 0:
            return features
        order = np.random.default_rng([seed, 10]).permutation(features.n_items)
        gone = np.zeros(features.n_items, dtype=bool)
        gone[order[: round(share * features.n_items)]] = True
        matrix = np.where(gone[None, :, None], 0, features.matrix).astype(np.float32)
        return Features(features.modality, features.views, matrix, features.mask & ~gone)

    return change


def shuffle(modality: str, seed: int = 0) -> Change:
    """Give every item another item's vector of a modality: real vectors that say nothing of the item."""

    def change(features: Features) -> Features:
        if features.modality != modality:
            return features
        order = np.random.default_rng([seed, 11]).permutation(features.n_items)
        return Features(features.modality, features.views, features.matrix[:, order], features.mask[:, order])

    return change


def replace_features(new: Features) -> Change:
    """Put other features in place of a modality's."""
    return lambda features: new if features.modality == new.modality else features


def write_noise(folder: Path, item_ids: Sequence[str], dim: int = 128, seed: int = 0) -> dict[str, Any]:
    """Write random vectors for all items; returns the [[modalities]] entry of the modality `noise`."""
    vectors = np.random.default_rng([seed, 12]).standard_normal((len(item_ids), dim)).astype(np.float32)
    storage.write_array(folder / "noise.npy", vectors)
    storage.write_text(folder / "noise.txt", "\n".join(item_ids) + "\n")
    files = {"file": str(folder / "noise.npy"), "ids": str(folder / "noise.txt")}
    return {"name": "noise", "encoder": "precomputed", **files}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` merged into its tables; lists are replaced, None takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def _mark_of(folder: Path) -> Any:
    """What the folder of a trial was copied from; None where it was not, or that cannot be read."""
    try:
        return storage.read_json(folder / MARK)
    except IntegrityError:
        return None


def _stages(run: Path) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = read_manifest(RunLayout(run))["stages"]
    return stages


def _copy(base: Path, folder: Path) -> None:
    """The base run without what it published, as hard links: a file is replaced by a new one, never written into."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in base.iterdir():
        if source.name in NOT_COPIED:
            continue
        if source.is_dir():
            storage.copy_tree(source, folder / source.name)
        else:
            (folder / source.name).write_bytes(source.read_bytes())
    manifest = read_manifest(RunLayout(base))
    manifest["stages"] = [stage for stage in manifest["stages"] if stage["name"] != "publish"]
    storage.write_sealed(folder / "manifest.json", manifest)
