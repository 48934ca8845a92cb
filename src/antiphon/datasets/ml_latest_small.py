"""ml-latest-small: GroupLens' small MovieLens with rating values, timestamps and tags (September 2018)."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.data.tables import read_file
from antiphon.datasets.base import from_toml
from antiphon.datasets.download import download, unzip
from antiphon.errors import DataError

SHA256 = "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436"
MAX_BYTES = 20_000_000


def fetch(out: Path, progress: Progress) -> Path:
    """Download and unpack the original; returns its folder."""
    archive = download(
        ML_LATEST_SMALL.source, out / "ml-latest-small.zip", sha256=SHA256, max_bytes=MAX_BYTES, progress=progress
    )
    return unzip(archive, out, max_bytes=MAX_BYTES) / "ml-latest-small"


def make(source: Path, out: Path, progress: Progress) -> None:
    """Join films with their tags, most used first."""
    with progress("joining ml-latest-small", 3) as advance:
        films = _table(source / "movies.csv", ["movieid", "title", "genres"])
        advance(1)
        ratings = _table(source / "ratings.csv", ["userid", "movieid", "rating", "timestamp"])
        advance(1)
        tags = _table(source / "tags.csv", ["movieid", "tag"])
        advance(1)
    storage.write_table(out / "items.parquet", _items(films, tags))
    names = ["user_id", "item_id", "rating", "timestamp"]
    storage.write_table(out / "interactions.parquet", ratings.rename_columns(names))


def _table(path: Path, columns: list[str]) -> pa.Table:
    """Columns of a CSV whatever their case: copies with `userId` and with `userid` are about."""
    table = read_file(path)
    table = table.rename_columns([name.lower() for name in table.column_names])
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise DataError(f"{path} has no column {missing[0]!r}; it has {', '.join(table.column_names)}.")
    return table.select(columns)


def _items(films: pa.Table, tags: pa.Table) -> pa.Table:
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for film, tag in zip(tags["movieid"].to_pylist(), tags["tag"].to_pylist(), strict=True):
        counts[film][str(tag)] += 1
    ranked = [counts[film].most_common() for film in films["movieid"].to_pylist()]
    titles = pc.utf8_trim_whitespace(films["title"])
    found = pc.extract_regex(titles, r"^(?P<name>.*) \((?P<year>[0-9]{4})\)$")
    genres = [
        [] if text == "(no genres listed)" else text.split("|")
        for text in pc.fill_null(films["genres"], "").to_pylist()
    ]
    return pa.table(
        {
            "item_id": pc.cast(films["movieid"], pa.string()),
            "title": titles,
            "year": pc.cast(pc.struct_field(found, "year"), pa.int64()),
            "genres": pa.array(genres, pa.list_(pa.string())),
            "tags": pa.array([[tag for tag, _ in pairs] for pairs in ranked], pa.list_(pa.string())),
            "tag_counts": pa.array([[n for _, n in pairs] for pairs in ranked], pa.list_(pa.int64())),
        }
    )


ML_LATEST_SMALL = from_toml(Path(__file__).with_suffix(".toml"), make, fetch)
