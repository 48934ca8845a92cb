"""Catalogs that grow: rows move, nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from antiphon.config.sections import CatalogConfig, FieldConfig, MediaConfig
from antiphon.data.additions import media_of, merge, read_added
from antiphon.data.catalog import Catalog, Interactions, Media
from antiphon.errors import DataError


def catalog(ids: list[str], *, mark: str = "old", media: bool = False) -> Catalog:
    """Items with a title that tells where they come from; each but the first is liked by one user."""
    ids = sorted(ids)
    items = pa.table({"item_id": pa.array(ids, pa.string()), "title": [f"{mark} {item}" for item in ids]})
    n = max(0, len(ids) - 1)
    user = np.arange(n, dtype=np.int32)
    pairs = Interactions(tuple(f"u{one}" for one in range(n)), user, user + 1, np.ones(n, np.float32), np.ones(n, bool))
    files = {"image": Media(Path("there"), "{item_id}.jpg", np.arange(len(ids)) % 2 == 0)} if media else {}
    return Catalog(items, pa.table({"mark": [mark] * len(ids)}), {"mark": "string"}, pairs, files)


IDS = st.sets(st.text("abcdé0", min_size=1, max_size=4), min_size=1, max_size=12)


@given(IDS, IDS)
def test_items_keep_their_rows_values_and_people(before: set[str], added: set[str]) -> None:
    """After a merge every item has its own title, those from before their people and files, in the order of the ids."""
    old = catalog(sorted(before), media=True)
    merged = merge(old, catalog(sorted(added), mark="new"), replace_known=True)
    grown = merged.catalog
    assert grown.item_ids == sorted(before | added)
    for row, item in enumerate(grown.item_ids):
        mark = "new" if item in added else "old"
        assert grown.items["title"][row].as_py() == f"{mark} {item}"
        assert grown.fields["mark"][row].as_py() == mark
    assert [grown.item_ids[row] for row in merged.known] == old.item_ids
    assert [grown.item_ids[row] for row in merged.fresh] == sorted(added)
    assert merged.new == tuple(sorted(added - before))
    assert merged.replaced == tuple(sorted(added & before))
    assert old.interactions is not None
    assert grown.interactions is not None
    assert [grown.item_ids[row] for row in grown.interactions.item] == [old.item_ids[r] for r in old.interactions.item]
    order = np.lexsort((grown.interactions.item, grown.interactions.user))
    assert_array_equal(order, np.arange(len(order)))
    assert_array_equal(grown.media["image"].present[merged.known], old.media["image"].present)
    assert grown.media["image"].present.sum() == old.media["image"].present.sum()


def test_a_known_item_is_refused() -> None:
    """The sentence counts them, names some, and says what to do."""
    with pytest.raises(
        DataError, match=r"2 of the 3 items are in the catalog already, such as 'a', 'b'; leave them out"
    ):
        merge(catalog(["a", "b", "c"]), catalog(["a", "b", "d"]))


def test_columns_are_those_of_the_catalog(tmp_path: Path) -> None:
    """Missing columns are null, others are left out, and numbers take the catalog's type."""
    old = Catalog(
        pa.table({"item_id": ["a"], "title": ["A"], "year": pa.array([1990], pa.int32()), "note": ["x"]}),
        pa.table({"year": pa.array([1990.0])}),
        {"year": "number"},
    )
    path = tmp_path / "new.csv"
    path.write_text("item_id,name,year,other\n007,B,2001,zzz\n", encoding="utf-8")
    config = CatalogConfig(items=Path("old"), title="name", fields={"year": FieldConfig(type="number")})
    added = read_added(config, [path], old)
    assert added.items.schema.equals(old.items.schema)
    assert added.items.to_pylist() == [{"item_id": "007", "title": "B", "year": 2001, "note": None}]
    assert added.fields.to_pylist() == [{"year": 2001.0}]
    assert [(finding.count, finding.examples) for finding in added.report] == [(1, ("note",))]
    path.write_text("item_id,name\n009,D\n", encoding="utf-8")
    assert read_added(config, [path], old).fields.to_pylist() == [{"year": None}]
    path.write_text("item_id,name,year\n008,C,2001.5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"new.csv, column 'year': expected int32, as the catalog has it, got double"):
        read_added(config, [path], old)


def test_two_files_may_not_have_one_item(tmp_path: Path) -> None:
    """Which of the two is meant cannot be known."""
    old = catalog(["a"])
    for name in ("one", "two"):
        pq.write_table(pa.table({"item_id": ["x"], "mark": ["m"]}), tmp_path / f"{name}.parquet")
    config = CatalogConfig(items=Path("old"), fields={"mark": FieldConfig(type="string")})
    with pytest.raises(DataError, match=r"two.parquet: the item 'x' is in another of the files"):
        read_added(config, [tmp_path / "one.parquet", tmp_path / "two.parquet"], old)
    with pytest.raises(DataError, match="no files"):
        read_added(config, [], old)


def test_media_of_added_items_may_be_missing_or_elsewhere(tmp_path: Path) -> None:
    """Empty files and items without one are absent; another folder takes the configured one's place."""
    for folder, names in (("usual", ["a"]), ("other", ["b", "c"])):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.jpg").write_bytes(b"" if name == "c" else b"x")
    config = CatalogConfig(items=Path("i"), media={"image": MediaConfig(path=tmp_path / "usual")})
    assert media_of(config, ["a", "b", "c"], {})["image"].present.tolist() == [True, False, False]
    elsewhere = media_of(config, ["a", "b", "c"], {"image": tmp_path / "other"})["image"]
    assert elsewhere.present.tolist() == [False, True, False]
    assert elsewhere.path == tmp_path / "other"


def test_lists_of_a_catalog_may_come_as_text_of_a_csv(tmp_path: Path) -> None:
    """A CSV has no lists; the catalog's own separator counts, else the one that its values have."""
    lists = pa.list_(pa.string())
    old = Catalog(
        pa.table({"item_id": ["a"], "title": ["A"], "genres": pa.array([["x"]], lists), "n": pa.array([[1]])}),
        pa.table({"genres": pa.array([["x"]], lists)}),
        {"genres": "list"},
    )
    config = CatalogConfig(items=Path("old"), title="title", fields={"genres": FieldConfig(type="list")})
    path = tmp_path / "new.csv"
    for sign in "|;":
        path.write_text(f"item_id,title,genres,n\nb,B,x{sign} y,1|2\nc,C,,\n", encoding="utf-8")
        added = read_added(config, [path], old)
        assert added.items.to_pylist()[0] == {"item_id": "b", "title": "B", "genres": ["x", "y"], "n": [1, 2]}
        assert added.fields["genres"].to_pylist()[0] == ["x", "y"]
    own = config.model_copy(update={"fields": {"genres": FieldConfig(type="list", separator="/")}})
    path.write_text("item_id,title,genres,n\nb,B,x|y/z,1\n", encoding="utf-8")
    assert read_added(own, [path], old).items["genres"].to_pylist() == [["x|y", "z"]]
