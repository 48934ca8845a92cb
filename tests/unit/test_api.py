"""Building from tables in memory, whatever library they are of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import antiphon
from antiphon import ConfigError, DataError

SETTINGS: dict[str, Any] = {"train": {"epochs": 2}, "synthetic": {"per_item": 2}, "space": {"rerank": False}}
GENRES = ("drama", "comedy", "western")


def columns() -> dict[str, list[Any]]:
    """Thirty films."""
    return {
        "item_id": [f"f{number:02}" for number in range(30)],
        "name": [f"Film {number}" for number in range(30)],
        "year": [1950 + number for number in range(30)],
        "genre": [GENRES[number % 3] for number in range(30)],
        "plot": [
            f"A long story of {GENRES[number % 3]} people who do things for {number} days. " * 3 for number in range(30)
        ],
    }


def likes() -> dict[str, list[Any]]:
    """Twenty users with six films each, of one genre."""
    rng = np.random.default_rng(0)
    pairs = [
        (f"u{user}", f"f{row * 3 + user % 3:02}") for user in range(20) for row in rng.choice(10, 6, replace=False)
    ]
    return {"user_id": [user for user, _ in pairs], "item_id": [item for _, item in pairs]}


def as_pandas(table: dict[str, list[Any]]) -> Any:
    """A DataFrame with an index that says nothing."""
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(table, index=range(5, 5 + len(next(iter(table.values())))))


def as_polars(table: dict[str, list[Any]]) -> Any:
    """A polars DataFrame."""
    return pytest.importorskip("polars").DataFrame(table)


def as_arrow(table: dict[str, list[Any]]) -> Any:
    """A pyarrow Table."""
    import pyarrow as pa

    return pa.table(table)


def as_rows(table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """A list of dicts."""
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


@pytest.fixture(scope="module")
def answers() -> dict[str, list[str]]:
    """What each library's tables led to; all must agree."""
    return {}


@pytest.mark.parametrize("made", [as_arrow, as_pandas, as_polars, as_rows, dict])
def test_tables_of_any_library_become_the_same_space(made: Any, answers: dict[str, list[str]], tmp_path: Path) -> None:
    """Titles, fields with their types, likes and long texts are taken; the space id is the same for all."""
    space = antiphon.build(
        run=tmp_path / "run", items=made(columns()), interactions=made(likes()), title="name", description="plot",
        settings=SETTINGS,
    )  # fmt: skip
    assert isinstance(space, antiphon.Space)
    assert space.titles[3] == "Film 3"
    assert space.field_types == {"year": "number", "genre": "string"}
    assert space.modalities == ("text", "cf")
    assert len(space.recommend("u3", k=5)) == 5
    assert all(hit.fields["year"] >= 1970 for hit in space.search("a western", where="year>=1970", k=5))
    answers[made.__name__] = space.rank([antiphon.Query(text="a western")], 30)[0][0]
    assert len({tuple(ids) for ids in answers.values()}) == 1


@pytest.mark.parametrize("made", [as_arrow, as_pandas])
def test_long_texts_are_read_and_objects_are_called_by_their_name(made: Any, tmp_path: Path) -> None:
    """A column of plots that nobody named is searched, and lists of objects are lists of words."""
    table = columns()
    table["genre"] = [[{"id": 1, "name": genre}] for genre in table["genre"]]
    table["plot"] = [f"{plot} It ends on island {number}." for number, plot in enumerate(table["plot"])]
    space = antiphon.build(run=tmp_path / "run", items=made(table), title="name", settings=SETTINGS)
    assert space.field_types == {"year": "number", "genre": "list"}
    hits = space.search("ends on island 17", k=3)
    assert hits[0].title == "Film 17"
    assert hits[0].fields["genre"] == ["western"]


def test_a_configuration_gives_a_space_too(tmp_path: Path) -> None:
    """From a path; what is up to date is not built again."""
    antiphon.build(run=tmp_path / "run", items=columns(), title="name", fields=["year", "genre"], settings=SETTINGS)
    told: list[str] = []
    space = antiphon.build(tmp_path / "run" / "config.toml", tmp_path / "run", notify=told.append)
    assert space.n_items == 30
    assert told == []


def test_items_become_a_table_of_pandas(tmp_path: Path) -> None:
    """Ids, fields and vectors, one row per item."""
    pytest.importorskip("pandas")
    frame = antiphon.build(run=tmp_path / "run", items=columns(), title="name", settings=SETTINGS).to_pandas()
    assert set(frame.columns) == {"item_id", "title", "year", "genre", "vector"}
    assert frame["vector"].iloc[0].shape == (384,)


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    """Neither or both, a column that is missing, and something that is no table."""
    with pytest.raises(ConfigError, match="give either config"):
        antiphon.build()
    with pytest.raises(ConfigError, match="give either config"):
        antiphon.build("antiphon.toml", items=columns())
    with pytest.raises(DataError, match="items has no column 'titel'; did you mean 'title'"):
        antiphon.build(run=tmp_path, items={**columns(), "title": columns()["name"]}, title="titel")
    with pytest.raises(DataError, match="interactions has no column 'user_id'"):
        antiphon.build(run=tmp_path, items=columns(), interactions={"who": ["a"], "item_id": ["f01"]})
    with pytest.raises(DataError, match=r"items: expected a pandas.*got int"):
        antiphon.build(run=tmp_path, items=3)
