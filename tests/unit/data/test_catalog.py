"""The catalog on disk, its rows, and views of its interactions."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.config.load import load_config
from antiphon.data.catalog import COLUMNS, Catalog, Finding, Interactions, Media
from antiphon.data.reading import read_catalog
from antiphon.errors import IntegrityError


@pytest.fixture
def catalog(make_catalog, tmp_path):
    """The generated catalog, with posters and a finding."""
    posters = tmp_path / "posters"
    posters.mkdir()
    (posters / "film-003.jpg").write_bytes(b"x")
    (posters / "nobody.jpg").write_bytes(b"x")
    settings = {"catalog": {"media": {"image": {"path": str(posters)}}}}
    return read_catalog(load_config(make_catalog(settings=settings)).catalog)


def test_save_and_load_round_trip(catalog, tmp_path):
    """Everything comes back: columns, types, interactions, media and the report."""
    catalog.save(tmp_path / "saved")
    loaded = Catalog.load(tmp_path / "saved")
    assert loaded.items.equals(catalog.items)
    assert loaded.fields.equals(catalog.fields)
    assert loaded.field_types == dict(catalog.field_types)
    assert loaded.report == catalog.report != ()
    assert loaded.media["image"].path == catalog.media["image"].path
    np.testing.assert_array_equal(loaded.media["image"].present, catalog.media["image"].present)
    assert loaded.interactions.user_ids == catalog.interactions.user_ids
    for name in COLUMNS:
        got, expected = getattr(loaded.interactions, name), getattr(catalog.interactions, name)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_a_catalog_without_interactions_fields_or_media_round_trips(tmp_path):
    """Items alone are a catalog."""
    items = pa.table({"item_id": ["a", "b"], "title": ["A", "B"]})
    Catalog(items, items.select(["item_id"]), {}).save(tmp_path)
    loaded = Catalog.load(tmp_path)
    assert loaded.item_ids == ["a", "b"]
    assert loaded.interactions is None
    assert loaded.media == {}
    assert loaded.field_types == {}


def test_saving_twice_writes_the_same_bytes(catalog, tmp_path):
    """So that a checksum says whether a stage changed."""
    catalog.save(tmp_path / "one")
    catalog.save(tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


@pytest.mark.parametrize(
    "name", ["catalog.json", "items.parquet", "fields.parquet", "interactions.parquet", "users.json", "media_image.npy"]
)
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_file_is_named(catalog, tmp_path, name, damage):
    """With what to do: build again."""
    catalog.save(tmp_path)
    path = tmp_path / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(IntegrityError, match=rf"{name} .*[Bb]uild the run again"):
        Catalog.load(tmp_path)


def test_items_and_fields_of_two_catalogs_do_not_mix(catalog, make_catalog, tmp_path):
    """Their lengths tell."""
    catalog.save(tmp_path / "one")
    read_catalog(load_config(make_catalog("other", n_items=10)).catalog).save(tmp_path / "two")
    (tmp_path / "two" / "fields.parquet").replace(tmp_path / "one" / "fields.parquet")
    with pytest.raises(IntegrityError, match="items and fields differ in length"):
        Catalog.load(tmp_path / "one")


PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans()), unique_by=lambda pair: pair[:2])


def interactions(pairs):
    """Sorted pairs of (user, item, positive) with all columns."""
    pairs = sorted(pairs)
    user, item, positive = (np.array([pair[place] for pair in pairs]) for place in range(3))
    return Interactions(
        tuple("uvwxy"), user.astype(np.int32), item.astype(np.int32), np.ones(len(pairs), np.float32),
        positive.astype(bool),
    )  # fmt: skip


@given(PAIRS)
def test_bounds_cut_the_interactions_into_users(pairs):
    """Users without any have an empty stretch."""
    made = interactions(pairs)
    bounds = made.bounds()
    assert bounds.shape == (6,)
    for user in range(5):
        got = made.item[bounds[user] : bounds[user + 1]].tolist()
        assert got == sorted(item for who, item, _ in pairs if who == user)


@given(PAIRS, st.sets(st.integers(0, 4)))
def test_the_interactions_of_users_are_theirs_alone(pairs, users):
    """User rows stay as they are, and every column is cut."""
    made = interactions(pairs)
    cut = made.select(np.isin(made.user, sorted(users)))
    assert list(zip(cut.user.tolist(), cut.item.tolist(), strict=True)) == sorted(
        (who, item) for who, item, _ in pairs if who in users
    )
    assert cut.n_users == made.n_users
    assert len(cut.weight) == len(cut.positive) == len(cut)


def test_a_finding_is_a_sentence():
    """With and without column and examples."""
    finding = Finding("items with a repeated id", "dropped, the first is kept", 1200, "i.csv", "id", ("a", "b"))
    assert finding.sentence() == (
        "1,200 items with a repeated id (i.csv, column 'id', such as a, b): dropped, the first is kept"
    )
    assert Finding("empty media files", "left out", 1, "p.zip").sentence() == "1 empty media files (p.zip): left out"


def test_media_know_where_they_are(catalog):
    """One file of the catalog's forty films is there."""
    media = catalog.media["image"]
    assert isinstance(media, Media)
    assert np.flatnonzero(media.present).tolist() == [3]
