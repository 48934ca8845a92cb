"""Fixtures that every test may use: small generated catalogs on disk, and the folder of real data sets."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tomli_w
from hypothesis import HealthCheck, settings

from antiphon.base import runtime

if "PYTEST_XDIST_WORKER" in os.environ:
    # Several processes share the cores: one thread each, also in what the tests start.
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
# Before any test loads torch: threads that spin while they wait make small work many times slower.
runtime.set_openmp()

# The cores are shared: a slow example is no failure. Examples are drawn the same way each time.
settings.register_profile(
    "antiphon",
    deadline=None,
    derandomize=True,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("antiphon")

VARIABLE = "ANTIPHON_DATA"
GENRES = ("drama", "comedy", "thriller", "horror", "sci-fi", "romance")
TAGS: Mapping[str, tuple[str, ...]] = {
    "drama": ("quiet", "family", "small town"),
    "comedy": ("witty", "absurd", "feel-good"),
    "thriller": ("tense", "dark", "conspiracy"),
    "horror": ("eerie", "gory", "dark"),
    "sci-fi": ("space", "robots", "dystopia"),
    "romance": ("tender", "bittersweet", "feel-good"),
}
COUNTRIES = ("France", "Italy", "Japan", "USA", None)
NOUNS = ("Harbour", "Orchard", "Signal", "Garden", "Engine", "Letter", "Été", "東京", "Waltz 🎬", 'The "Mirror"')

MakeCatalog = Callable[..., Path]
SHARED = ("tests/docs", "tests/browser", "tests/unit/evaluate", "tests/unit/serve")
"""Folders whose tests share a space that takes long to build."""


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, with which `make test` runs several processes
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one file run in one process, and those of a folder that shares what is dear to build."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(nodeid).partition("::")[0]
            folder = file.rpartition("/")[0]
            return folder if folder in SHARED else file

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither read nor fill the user's cache; commands that they run share theirs."""
    before = os.environ.get("ANTIPHON_CACHE")
    os.environ["ANTIPHON_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["ANTIPHON_CACHE"]
    if before is not None:
        os.environ["ANTIPHON_CACHE"] = before


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; the test is skipped where ANTIPHON_DATA does not name one."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} is not set; it names the folder of data sets that this test reads")
    if not Path(folder).is_dir():
        pytest.skip(f"{VARIABLE} names {folder}, which is not a folder")
    return Path(folder)


@pytest.fixture
def make_catalog(tmp_path: Path) -> MakeCatalog:
    """A function that writes a small catalog of films and returns the path of its antiphon.toml.

    make_catalog(folder="films", n_items=40, n_users=30, seed=0, settings={"train": {"epochs": 2}})

    Films have item_id ("film-007"), title, year, genres, country (some null), tags with tag_counts, released (a
    date), seen (boolean) and description (some empty). Users have tastes for genres, and each has a pair with weight,
    rating and timestamp for some films. Image vectors (8 dimensions) know the genres; every seventh film has none.
    `settings` is merged into the configuration; a value of None takes a key away.
    """

    def make(
        folder: str = "films",
        *,
        n_items: int = 40,
        n_users: int = 30,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
    ) -> Path:
        rng = np.random.default_rng(seed)
        out = tmp_path / folder
        out.mkdir(parents=True, exist_ok=True)
        items, tastes = film_table(rng, n_items)
        pq.write_table(items, out / "items.parquet")
        pq.write_table(interaction_table(rng, items, tastes, n_users), out / "interactions.parquet")
        pq.write_table(image_table(rng, items, tastes), out / "image.parquet")
        path = out / "antiphon.toml"
        path.write_text(tomli_w.dumps(merged(film_settings(), settings or {})), encoding="utf-8")
        return path

    return make


def film_settings() -> dict[str, Any]:
    """The configuration of `make_catalog`: three modalities, trained for a moment."""
    return {
        "name": "films",
        "seed": 1,
        "catalog": {
            "items": "items.parquet",
            "title": "title",
            "fields": {
                "year": {"type": "number"},
                "genres": {"type": "list"},
                "country": {"type": "string"},
                "tags": {"type": "list"},
                "released": {"type": "date"},
                "seen": {"type": "boolean"},
            },
            "interactions": {
                "file": "interactions.parquet",
                "weight": "weight",
                "positive": "rating>=3",
            },
        },
        "split": {"test": 0.2, "validation": 0.1},
        "describe": {
            "opening": "Movie: {title}.",
            "gen_column": "description",
            "categories": [
                {"label": "Year", "column": "year"},
                {"label": "Genres", "column": "genres"},
                {"label": "Country", "column": "country"},
                {"label": "Tags", "column": "tags", "counts": "tag_counts", "max_values": 5, "stop": ["own"]},
            ],
        },
        "modalities": [
            {"name": "text", "encoder": "sentence-transformers"},
            {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
            {"name": "cf", "encoder": "als", "trials": 2, "factors": [4, 8]},
        ],
        "train": {"epochs": 3, "batch_size": 16},
    }


def film_table(rng: np.random.Generator, n_items: int) -> tuple[pa.Table, np.ndarray]:
    """Films, and which genres each has, (n_items, n_genres) float64."""
    rows, tastes = [], []
    for number in range(n_items):
        genres = [str(genre) for genre in rng.choice(GENRES, size=int(rng.integers(1, 3)), replace=False)]
        tags = list(dict.fromkeys(str(rng.choice(TAGS[genre])) for genre in genres for _ in range(2)))
        tags += ["own"] * (number % 3 == 0)
        year = int(rng.integers(1950, 2025))
        country = COUNTRIES[number % len(COUNTRIES)]
        rows.append(
            {
                "item_id": f"film-{number:03}",
                "title": f"{NOUNS[number % len(NOUNS)]} {number}",
                "year": None if number % 11 == 10 else year,
                "genres": genres,
                "country": country,
                "tags": tags,
                "tag_counts": [int(count) for count in rng.integers(1, 9, size=len(tags))],
                "released": np.datetime64(f"{year}-0{number % 9 + 1}-15", "us"),
                "seen": [True, False, None][number % 3],
                "description": "" if number % 8 == 7 else f"A {' and '.join(genres)} film, {', '.join(tags)}.",
            }
        )
        tastes.append([float(genre in genres) for genre in GENRES])
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["released"] = np.array(columns["released"])
    return pa.table(columns), np.array(tastes)


def interaction_table(rng: np.random.Generator, items: pa.Table, tastes: np.ndarray, n_users: int) -> pa.Table:
    """Pairs with weight (plays), rating (1 to 5, low where the taste does not fit) and timestamp."""
    ids = items["item_id"].to_pylist()
    rows = []
    for user in range(n_users):
        likes = rng.dirichlet(np.full(tastes.shape[1], 0.4))
        chance = 0.05 + tastes @ likes
        size = min(len(ids), int(rng.integers(4, 16)))
        for item in rng.choice(len(ids), size=size, replace=False, p=chance / chance.sum()):
            fits = tastes[item] @ likes > 0.2
            rows.append(
                {
                    "user_id": f"user-{user:02}",
                    "item_id": ids[item],
                    "weight": float(rng.integers(1, 20)),
                    "rating": float(rng.integers(3, 6) if fits else rng.integers(1, 4)),
                    "timestamp": int(1_000_000_000 + rng.integers(0, 10_000_000)),
                }
            )
    return pa.Table.from_pylist(rows)


def image_table(rng: np.random.Generator, items: pa.Table, tastes: np.ndarray, dim: int = 8) -> pa.Table:
    """Vectors that know the genres, for all films but every seventh."""
    noise = rng.normal(scale=0.3, size=(len(tastes), dim))
    vectors = (tastes @ rng.normal(size=(tastes.shape[1], dim)) + noise).astype(np.float32)
    kept = [row for row in range(len(tastes)) if row % 7 != 6]
    rows = pa.array([vectors[row] for row in kept], pa.list_(pa.float32()))
    return pa.table({"item_id": items["item_id"].take(pa.array(kept)), "embedding": rows})


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` merged into its tables; None takes a key away, lists are replaced."""
    result = copy.deepcopy(dict(base))
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(result.get(key), Mapping):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
