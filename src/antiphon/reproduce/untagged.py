"""Requests that were written from tags, asked of a catalog without them: what is left where nobody tagged anything."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from antiphon.errors import ConfigError
from antiphon.evaluate.baselines.fitted import baselines_of, make_system
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.protocols import retrieve_task
from antiphon.evaluate.results import Result
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial
from antiphon.reproduce.comparisons import against
from antiphon.reproduce.measure import measure
from antiphon.reproduce.reproduce import LABELS, OURS, Reproduction

TAGGED = ("tags", "mb_tags", "keywords")
"""Columns that the requests of the table were written from."""
FLOORS = ("facet-lookup", "bm25", "passages+bm25", "text+bm25", "text")
Document = list[dict[str, Any]]


def untagged(everything: Reproduction) -> Document:
    """Ours and the floors on the requests of the table, where the items have no tags (seed 0).

    The tags are taken from the fields and from the TEMPLATE; the GEN texts and the other columns stay. The truth is as
    before: what the request asks for is withheld from the catalog.
    """
    outcome = everything.outcomes.run("study.untagged", TAGGED, lambda: _measured(everything))
    ours = next(result for result in outcome.results if result.system == OURS)
    return [{"system": result.system, **against([result], [ours])} for result in outcome.results]


def _measured(everything: Reproduction) -> Outcome:
    trial = Trial("untagged", without_tags(everything.settings), everything.joined)
    base = everything.draws[0].base
    data = everything.trial(trial, preset="default", base=base)
    queries = everything.material.queries
    task, validation = retrieve_task(data, queries, "test"), retrieve_task(data, queries, "validation")
    results: list[Result] = [replace(measure(SpaceSystem(data), task, data), system=OURS)]
    for name in FLOORS:
        try:
            system = make_system(
                data, name, validation, table=data.layout.root / "floors" / f"{name}.jsonl",
                trials=everything.options.trials,
            )  # fmt: skip
        except ConfigError:
            if name in baselines_of(data):
                raise
            continue  # such as a lookup of values where items have none
        results.append(replace(measure(system, task, data), system=LABELS[name]))
    shutil.rmtree(data.layout.root, ignore_errors=True)
    return Outcome(results)


def without_tags(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Changes to the settings of a run that take the tags away."""
    fields = {name: None for name in settings["catalog"]["fields"] if name in TAGGED}
    categories = [one for one in settings["describe"].get("categories", ()) if one["column"] not in TAGGED]
    spoken = settings.get("synthetic", {})
    synthetic: dict[str, Any] = {
        "phrases": {name: None for name in spoken.get("phrases", {}) if name in TAGGED},
        "fields": [name for name in spoken.get("fields") or () if name not in TAGGED] or None,
    }
    changes: dict[str, Any] = {
        "catalog": {"fields": fields},
        "describe": {"mode": "template+gen", "categories": categories},
        "hide": {name: None for name in settings.get("hide", {}) if name in TAGGED},
        "synthetic": {name: value for name, value in synthetic.items() if value or name in spoken},
    }
    return {name: change for name, change in changes.items() if change}
