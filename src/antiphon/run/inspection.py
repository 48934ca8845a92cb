"""What is in a run: read from its manifests, for `antiphon inspect`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.base import storage, versions
from antiphon.base.layout import RunLayout
from antiphon.data.catalog import Finding
from antiphon.data.descriptions import Descriptions
from antiphon.encoders.files import read_findings
from antiphon.errors import RunError
from antiphon.joint.model import JointModel
from antiphon.run.stage import recorded


def inspect_run(path: Path) -> dict[str, Any]:
    """Stages, coverage of each modality, and what was dropped or filled, of a run's folder.

    Raises:
        RunError: there is no run, or nothing is published in it yet.
    """
    run = RunLayout(path)
    if not run.manifest.is_file():
        raise RunError(f"there is no run at {path}. {what_there_is(path)}")
    if not run.current.is_file():
        raise RunError(
            f"{path} has no published space yet; its build was not finished. The same `antiphon build` goes on."
        )
    stages = list(recorded(run).values())
    space = versions.manifest_of(versions.current(run))
    features = {name: storage.read_json(run.features / f"{name}.json") for name in space["order"]}
    findings = _findings(run, space)
    shares = _shares(run, space["order"])
    return {
        "name": space["name"],
        "space_id": space["space_id"],
        "n_items": space["n_items"],
        "n_searchable": space["n_searchable"],
        "dim": space["dim"],
        "modalities": {
            name: {
                "dim": features[name]["dim"],
                "coverage": space["modalities"][name]["coverage"],
                "weight": shares[name],
            }
            for name in space["order"]
        },
        "stages": [{"name": stage.name, "seconds": stage.seconds, "status": stage.status} for stage in stages],
        "dropped": {finding.kind: finding.count for finding in findings},
        "findings": [finding.sentence() for finding in findings],
    }


def _shares(run: RunLayout, modalities: Sequence[str]) -> dict[str, float]:
    """The learned weight of each modality in an item's vector; they sum to 1."""
    model = JointModel.load(run.model)
    weights = {name: model.weight(name) for name in modalities}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def what_there_is(path: Path) -> str:
    """What may have been meant where a folder is no run: runs that there are, else how one is made."""
    places = [
        folder for near in (path, path.parent, Path("runs")) if near.is_dir() for folder in sorted(near.iterdir())
    ]
    runs = [str(folder) for folder in dict.fromkeys(places) if RunLayout(folder).current.is_file()]
    if runs:
        return f"Runs here: {', '.join(runs[:5])}."
    return "`antiphon init FILES` writes a configuration for your files, and `antiphon build` makes a run of it."


def _findings(run: RunLayout, space: dict[str, Any]) -> list[Finding]:
    report = storage.read_json(run.catalog / "catalog.json")["report"]
    findings = [Finding(**{**item, "examples": tuple(item["examples"])}) for item in report]
    descriptions = Descriptions.load(run.descriptions)
    if descriptions.empty:
        findings.append(Finding("items without any text", "no text vector", descriptions.empty, run.descriptions.name))
    if descriptions.fallbacks:
        policy = "their TEMPLATE stands in"
        findings.append(
            Finding("items without a GEN description", policy, descriptions.fallbacks, run.descriptions.name)
        )
    for name in space["order"]:
        findings += [
            replace(finding, kind=f"{finding.kind} ({name})") for finding in read_findings(run.workspace(name))
        ]
    bare = space["n_items"] - space["n_searchable"]
    if bare:
        findings.append(Finding("items without any modality", "kept, but never an answer", bare, "features"))
    return findings
