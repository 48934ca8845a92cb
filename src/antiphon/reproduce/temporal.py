"""The split that time makes: learn from what was liked before a moment, and be asked for what was liked after it.

Users held out at random are asked about a past that the others have already told of. Here everything that learns sees
the ratings before the moment alone; who likes something later is a test user, whose earlier likes, with the first half
of the later ones, are known. MovieLens-1M comes without times in these data; ml-latest-small has them (Harper and
Konstan, ACM TiiS 2015). Three moments stand for the seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.base.registry import every, find
from antiphon.config.load import parse_config
from antiphon.evaluate.baselines.fitted import GROUP, make_system
from antiphon.evaluate.outcomes import Outcome
from antiphon.evaluate.protocols import Task, recommend_task
from antiphon.evaluate.results import Result
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial, run_trial
from antiphon.numbers.metrics import Relevance
from antiphon.query.request import Query
from antiphon.reproduce.comparisons import against
from antiphon.reproduce.measure import measure
from antiphon.reproduce.reproduce import LABELS, OURS, Reproduction
from antiphon.run.build import build

DATASET = "ml-latest-small"
MOMENTS = (0.7, 0.8, 0.9)
"""Shares of the ratings that are before the moment."""
FEWEST = 5
"""Films with fewer ratings are left out, as in the other catalogs."""
LIKED = 3.0
FLOORS = ("ease-own", "ials", "ease", "item-knn", "item-knn-weighed", "rp3beta", "popularity", "random")
Document = list[dict[str, Any]]


def temporal(everything: Reproduction) -> Document:
    """Ours and the floors after each moment, together; empty where the data set is not beside the others."""
    source = find("antiphon.datasets", DATASET).find(everything.options.source)
    if source is None or everything.options.dataset != "movies":
        return []
    found: dict[str, list[Result]] = {}
    code = [temporal, *every(GROUP).values()]
    for number, moment in enumerate(MOMENTS):
        depends = [storage.sha256(source / "ratings.csv"), moment, everything.options.items]
        outcome = everything.outcomes.run(
            f"study.temporal.{moment:g}",
            depends,
            lambda number=number: _after(everything, source, number),  # type: ignore[misc]
            code,
        )
        for result in outcome.results:
            found.setdefault(result.system, []).append(result)
    return [{"system": name, **against(results, found[OURS])} for name, results in found.items()]


def _after(everything: Reproduction, source: Path, number: int) -> Outcome:
    folder = everything.options.out / "temporal"
    settings, before, after = _project(everything, source, folder, number)
    if number:
        first = _project(everything, source, folder, 0)[0]
        build(parse_config(first, source=DATASET), folder / "run-0", progress=everything.progress)
        trial = Trial(f"run-{number}", {"catalog": settings["catalog"]}, seed=number)
        data = run_trial(folder / "run-0", settings, trial, folder / trial.name, everything.progress)
    else:
        build(parse_config(settings, source=DATASET), folder / "run-0", progress=everything.progress)
        data = RunData(folder / "run-0")
    task, validation = task_after(data, before, after), recommend_task(data, "validation")
    results = [replace(measure(SpaceSystem(data), task, data), system=OURS)]
    for name in FLOORS:
        table = folder / "tuning" / f"{name}-{number}.jsonl"
        table.unlink(missing_ok=True)  # of another build, where this one is done again
        system = make_system(data, name, validation, table=table, trials=everything.options.trials)
        results.append(replace(measure(system, task, data), system=LABELS[name]))
    return Outcome(results, {"users": len(task)})


def _project(
    everything: Reproduction, source: Path, folder: Path, number: int
) -> tuple[dict[str, Any], pa.Table, pa.Table]:
    """The configuration of a moment, and what was liked before it and after it."""
    dataset = find("antiphon.datasets", DATASET)
    settings = dict(dataset.prepare(source, folder / "files", silent))
    ratings = storage.read_table(folder / "files" / settings["catalog"]["interactions"]["file"])
    items = storage.read_table(folder / "files" / settings["catalog"]["items"])
    ratings = ratings.set_column(
        ratings.schema.get_field_index("item_id"), "item_id", pc.cast(ratings["item_id"], pa.string())
    )
    kept = _often(ratings, everything.options.items)
    items = items.filter(pc.is_in(items["item_id"], value_set=kept))
    ratings = ratings.filter(pc.is_in(ratings["item_id"], value_set=kept))
    before, after = split_at(ratings, MOMENTS[number])
    place = folder / f"files-{number}"
    storage.write_table(place / "interactions.parquet", before)
    storage.write_table(folder / "files" / "often.parquet", items)
    catalog = {
        **settings["catalog"], "items": str(folder / "files" / "often.parquet"),
        "interactions": {**settings["catalog"]["interactions"], "file": str(place / "interactions.parquet")},
    }  # fmt: skip
    small = everything.settings.get("space", {})
    learned = {key: everything.settings[key] for key in ("train", "synthetic") if everything.options.epochs is not None}
    changed = {"catalog": catalog, "split": {"test": 0.0, "validation": 0.15}, "space": dict(small), "seed": number}
    return {**settings, **changed, **_merged(settings, learned)}, before, after


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: {**settings.get(name, {}), **dict(values)} for name, values in changes.items()}


def _often(ratings: pa.Table, most: int | None) -> pa.Array:
    """Items with enough ratings; the most rated ones of these where only some are wanted."""
    counts = ratings.group_by("item_id").aggregate([("user_id", "count")]).sort_by([("user_id_count", "descending")])
    counts = counts.filter(pc.greater_equal(counts["user_id_count"], FEWEST))
    return counts["item_id"].combine_chunks()[:most]


def split_at(ratings: pa.Table, share: float) -> tuple[pa.Table, pa.Table]:
    """Ratings before the moment by which a share of them was given, and likes from that moment on."""
    times = np.asarray(ratings["timestamp"])
    moment = np.quantile(times, share)
    late = ratings.filter(pa.array(times >= moment))
    return ratings.filter(pa.array(times < moment)), late.filter(pc.greater(late["rating"], LIKED))


def task_after(data: RunData, before: pa.Table, after: pa.Table) -> Task:
    """Users with likes after the moment: what they like first is known, the later half of the later likes is right."""
    early, late = _by_user(data, before.filter(pc.greater(before["rating"], LIKED))), _by_user(data, after)
    users, profiles, truths = [], [], []
    for user, later in late.items():
        half = len(later) // 2
        profile = np.unique(np.concatenate([early.get(user, later[:0]), later[:half]])).astype(np.int32)
        truth = np.setdiff1d(later[half:], profile)
        if len(profile) and len(truth):
            users.append(user)
            profiles.append(profile)
            truths.append(truth)
    item_ids = data.item_ids
    return Task(
        name="recommend-after", kind="recommend", ids=tuple(users),
        queries=tuple(Query(history=tuple(item_ids[row] for row in profile)) for profile in profiles),
        profiles=tuple(profiles), weights=tuple(np.ones(len(profile), dtype=np.float32) for profile in profiles),
        texts=("",) * len(users), n_items=data.catalog.n_items, relevance=Relevance.from_lists(truths),
    )  # fmt: skip


def _by_user(data: RunData, table: pa.Table) -> dict[str, Any]:
    """Rows of the items of each user, in the order of time."""
    table = table.sort_by([("timestamp", "ascending"), ("item_id", "ascending")])
    rows: dict[str, list[int]] = {}
    columns: Sequence[Any] = (table["user_id"].to_pylist(), table["item_id"].to_pylist())
    for user, item in zip(*columns, strict=True):
        if str(item) in data.row_of:
            rows.setdefault(str(user), []).append(data.row_of[str(item)])
    return {user: np.array(found, dtype=np.int32) for user, found in sorted(rows.items())}
