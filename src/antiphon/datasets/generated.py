"""generated: a small catalog of films that do not exist, for trying antiphon where no data can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.datasets.base import from_toml

GENRES = ("drama", "comedy", "thriller", "horror", "science fiction", "romance", "western", "documentary")
MOODS: Mapping[str, Sequence[str]] = {
    "drama": ("melancholic", "quiet", "family secrets", "small town"),
    "comedy": ("witty", "absurd", "feel-good", "mistaken identity"),
    "thriller": ("tense", "dark", "conspiracy", "cat and mouse"),
    "horror": ("eerie", "gory", "haunted house", "dark"),
    "science fiction": ("space travel", "robots", "dystopia", "thought-provoking"),
    "romance": ("tender", "bittersweet", "first love", "feel-good"),
    "western": ("dusty", "revenge", "lonely hero", "slow burn"),
    "documentary": ("eye-opening", "archive footage", "nature", "quiet"),
}
COUNTRIES = ("France", "Italy", "Japan", "USA", "Brazil", "Iran")
FIRST = ("Silent", "Last", "Crimson", "Paper", "Distant", "Broken", "Golden", "Hidden", "Winter", "Electric")
SECOND = ("Harbour", "Orchard", "Signal", "Garden", "Engine", "Letter", "Horizon", "Waltz", "Frontier", "Mirror")
N_USERS = 300


def make(source: Path, out: Path, progress: Progress) -> None:
    """Write the catalog: 400 films, 300 users with tastes, and image vectors that know the genre."""
    rng = np.random.default_rng(0)
    items, tastes = _items(rng)
    storage.write_table(out / "items.parquet", items)
    storage.write_table(out / "interactions.parquet", _interactions(rng, tastes))
    vectors = tastes @ rng.normal(size=(tastes.shape[1], 32)) + rng.normal(scale=0.5, size=(len(tastes), 32))
    rows = pa.array(list(vectors.astype(np.float32)), pa.list_(pa.float32()))
    storage.write_table(out / "image.parquet", pa.table({"item_id": items["item_id"], "embedding": rows}))


def _items(rng: np.random.Generator) -> tuple[pa.Table, np.ndarray[Any, Any]]:
    rows, tastes = [], []
    names = [
        f"{first} {second}{part}"
        for part in ("", " II", " Returns", " Forever")
        for first in FIRST
        for second in SECOND
    ]
    for number, name in enumerate(names):
        genres = [str(genre) for genre in rng.choice(GENRES, size=rng.integers(1, 3), replace=False)]
        tags = sorted({str(rng.choice(np.array(MOODS[genre]))) for genre in genres for _ in range(2)})
        year = int(rng.integers(1950, 2025))
        rows.append(
            {
                "item_id": f"film-{number:03}", "title": f"{name} ({year})", "year": year, "genres": genres,
                "country": str(rng.choice(COUNTRIES)), "tags": tags,
            }
        )  # fmt: skip
        tastes.append([float(genre in genres) for genre in GENRES])
    return pa.Table.from_pylist(rows), np.array(tastes)


def _interactions(rng: np.random.Generator, tastes: np.ndarray[Any, Any]) -> pa.Table:
    rows = []
    fame = rng.pareto(2.0, size=len(tastes)) + 0.2
    for user in range(N_USERS):
        likes = rng.dirichlet(np.full(tastes.shape[1], 0.4))
        chance = fame * (0.02 + tastes @ likes)
        chosen = rng.choice(len(tastes), size=int(rng.integers(5, 40)), replace=False, p=chance / chance.sum())
        rows += [{"user_id": f"user-{user:03}", "item_id": f"film-{item:03}"} for item in chosen]
    return pa.Table.from_pylist(rows)


GENERATED = from_toml(Path(__file__).with_suffix(".toml"), make, fetch=lambda out, _: out)
