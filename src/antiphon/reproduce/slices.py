"""The data of a reproduction: a data set's files, or a small slice of them, as a configuration and judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.base.registry import find
from antiphon.datasets.base import Dataset
from antiphon.errors import ConfigError, DataError

NAMES = ("movies", "music")
AUDIO = {"vggish": "audio_vggish.parquet", "whisper": "audio_whisper.parquet"}


@dataclass(frozen=True)
class Material:
    """What a reproduction is made of.

    `settings`: the configuration of the base run. `queries`: lines of requests. `truth`: a table of similar items;
    None where the data set has none. `hashes`: SHA-256 of every file read, by name. `content`: names of the
    modalities that are neither text nor collaborative. `folder`: of the data set.
    """

    settings: Mapping[str, Any]
    queries: Path
    truth: Path | None
    hashes: Mapping[str, str]
    content: tuple[str, ...]
    folder: Path


def gather(
    name: str, source: Path | None, out: Path, *, items: int | None = None, users: int | None = None,
    queries: int | None = None,
) -> Material:  # fmt: skip
    """Find a data set's files and configure the base run; with numbers, a slice of that size is written to `out`.

    Raises:
        DataError: the files are missing.
    """
    dataset: Dataset = find("antiphon.datasets", name)
    folder = dataset.find(source)
    if folder is None:
        raise DataError(
            f"the data set {name!r} is not in {source or 'the folder that ANTIPHON_DATA names'}; name its folder with "
            f"--from. It needs {', '.join(dataset.files)}."
        )
    asked, truth = folder / "queries.jsonl", folder / "similar_artists.parquet"
    if not asked.is_file():
        raise DataError(f"{asked} does not exist; the retrieval table needs it.")
    settings = dict(dataset.prepare(folder, out, silent))
    settings["modalities"] = _modalities(settings["modalities"], folder)
    used = [Path(settings["catalog"]["items"]), Path(settings["catalog"]["interactions"]["file"]), asked]
    used += [Path(item["file"]) for item in settings["modalities"] if "file" in item]
    used += [truth] if truth.is_file() else []
    catalog = {**settings["catalog"], "keep": "core=true"}
    settings |= {"name": f"reproduce-{name}", "seed": 0, "preset": "paper", "catalog": catalog}
    settings["describe"] = {**settings["describe"], "mode": "template+gen"}
    if items is not None or users is not None:
        settings["catalog"] = _slice(catalog, out, items, users)
    if queries is not None:
        asked = _slice_queries(asked, out, queries)
    return Material(
        settings, asked, truth if truth.is_file() else None, {path.name: storage.sha256(path) for path in used},
        tuple(item["name"] for item in settings["modalities"] if item["encoder"] == "precomputed"),
        folder,
    )  # fmt: skip


def _modalities(entries: list[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """The data set's own, with further audio features before the collaborative ones."""
    more = [
        {"name": name, "encoder": "precomputed", "file": str(folder / file)}
        for name, file in AUDIO.items()
        if (folder / file).is_file()
    ]
    last = [entry for entry in entries if entry["encoder"] == "als"]
    return [*(entry for entry in entries if entry not in last), *more, *last]


def _slice(catalog: Mapping[str, Any], out: Path, items: int | None, users: int | None) -> dict[str, Any]:
    """Write a seeded draw of items and users; returns [catalog] with the paths of the slice."""
    rng = np.random.default_rng(0)
    table = storage.read_table(Path(catalog["items"]))
    table = table.filter(table["core"])
    if items is not None and items < table.num_rows:
        table = table.take(pa.array(np.sort(rng.permutation(table.num_rows)[:items])))
    pairs = storage.read_table(Path(catalog["interactions"]["file"]))
    pairs = pairs.filter(
        pc.is_in(
            pairs["item_id"], value_set=pc.cast(table["item_id"], pairs.schema.field("item_id").type).combine_chunks()
        )
    )
    if users is not None:
        counts = pairs.group_by("user_id").aggregate([("item_id", "count")])
        names = sorted(counts.filter(pc.greater_equal(counts["item_id_count"], 4))["user_id"].to_pylist())
        kept = {names[row] for row in rng.permutation(len(names))[:users]}
        pairs = pairs.filter(pa.array([name in kept for name in pairs["user_id"].to_pylist()]))
    if not pairs.num_rows:
        raise ConfigError(f"a slice of {items} items and {users} users has no interactions; ask for more.")
    paths = out / "slice" / "items.parquet", out / "slice" / "interactions.parquet"
    for path, content in zip(paths, (table, pairs), strict=True):
        storage.write_table(path, content)
    interactions = {**catalog["interactions"], "file": str(paths[1])}
    return {**catalog, "items": str(paths[0]), "interactions": interactions}


def _slice_queries(path: Path, out: Path, n: int) -> Path:
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    order = np.random.default_rng(0).permutation(len(lines))[:n]
    kept = out / "slice" / "queries.jsonl"
    storage.write_text(kept, "".join(json.dumps(json.loads(lines[row])) + "\n" for row in sorted(order)))
    return kept
