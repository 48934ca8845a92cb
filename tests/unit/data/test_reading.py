"""Reading a catalog: each policy of the table in `reading`, counted and named."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.config.load import load_config, parse_config
from antiphon.data.catalog import COLUMNS
from antiphon.data.masks import table_mask
from antiphon.data.reading import read_catalog
from antiphon.errors import ConfigError, DataError

ITEMS = {"item_id": ["b", "a", "c"], "title": ["B", "A", "C"], "year": [1980, 1990, None]}
PAIRS = {"user_id": ["u", "v", "u"], "item_id": ["a", "a", "c"]}


@pytest.fixture
def read(tmp_path):
    """A function that writes tables and reads them as a catalog.

    read(items, pairs, kind="csv", **[catalog] options, interactions={options}).
    """

    def function(items=ITEMS, pairs=None, *, kind="parquet", interactions=None, **options):
        settings = {"items": str(write(tmp_path / f"items.{kind}", items)), "title": "title", **options}
        if pairs is not None:
            settings["interactions"] = {"file": str(write(tmp_path / f"pairs.{kind}", pairs)), **(interactions or {})}
        return read_catalog(parse_config({"catalog": {k: v for k, v in settings.items() if v is not None}}).catalog)

    return function


def write(path: Path, columns) -> Path:
    """Columns as a file of the kind that its name says."""
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    elif path.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()), encoding="utf-8")
    return path


def found(catalog):
    """What was reported: kind -> count."""
    return {finding.kind: finding.count for finding in catalog.report}


def same(one, other):
    """Two catalogs that hold the same."""
    assert one.items.equals(other.items)
    assert one.fields.equals(other.fields)
    assert one.field_types == other.field_types
    if one.interactions is not None:
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(one.interactions, name), getattr(other.interactions, name))
        assert one.interactions.user_ids == other.interactions.user_ids


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_items_and_interactions_are_read_from_every_kind_of_file(read, kind):
    """Rows in the order of ids, whatever their order in the file."""
    catalog = read(ITEMS, PAIRS, kind=kind, fields={"year": {"type": "number"}})
    assert catalog.item_ids == ["a", "b", "c"]
    assert catalog.items["title"].to_pylist() == ["A", "B", "C"]
    assert catalog.fields["year"].to_pylist() == [1990.0, 1980.0, None]
    assert catalog.interactions.user_ids == ("u", "v")
    assert catalog.interactions.user.tolist() == [0, 0, 1]
    assert catalog.interactions.item.tolist() == [0, 2, 0]
    assert catalog.interactions.weight.tolist() == [1, 1, 1]
    assert catalog.report == ()


def test_columns_may_have_any_name_and_title_may_be_missing(read):
    """Without a title, the id is the title."""
    catalog = read({"asin": [7, 5], "x": [1, 2]}, item_id="asin", title=None)
    assert catalog.item_ids == ["5", "7"]
    assert catalog.items["title"].to_pylist() == ["5", "7"]
    assert catalog.items.column_names == ["item_id", "title", "asin", "x"]


def test_a_column_called_title_that_is_not_the_title_is_kept_apart(read):
    """A field and `keep` mean the file's columns; `items` has the catalog's title."""
    items = {"id": ["a", "b"], "name": ["Ann", "Bob"], "title": ["Dr", "Sir"], "item_id": ["x", "y"]}
    fields = {"form": {"type": "string", "column": "title"}, "code": {"type": "string", "column": "item_id"}}
    catalog = read(items, item_id="id", title="name", fields=fields, keep="title=dr")
    assert catalog.items["title"].to_pylist() == ["Ann"]
    assert catalog.items["original_title"].to_pylist() == ["Dr"]
    assert catalog.fields.to_pylist() == [{"form": "Dr", "code": "x"}]


def test_ids_keep_leading_zeros_and_whole_numbers_become_text(read):
    """'007' of a CSV is not 7; 7 of a parquet is '7', and joins with '7' of a CSV."""
    assert read({"item_id": ["007", "7"], "title": ["a", "b"]}, kind="csv").item_ids == ["007", "7"]
    assert read({"item_id": [10, 9], "title": ["a", "b"]}, {"user_id": [1], "item_id": [9]}).item_ids == ["10", "9"]


def test_dictionary_encoded_and_large_columns_are_read(read):
    """As pandas and polars write them."""
    items = pa.table(
        {
            "item_id": pa.array(["b", "a"]).dictionary_encode(),
            "title": pa.array(["B", "A"], pa.large_string()).dictionary_encode(),
            "genres": pa.array([["x", None], None], pa.large_list(pa.large_string())),
        }
    )
    pairs = pa.table({"user_id": pa.array(["u"]).dictionary_encode(), "item_id": pa.array(["a"], pa.large_string())})
    catalog = read(items, pairs, fields={"genres": {"type": "list"}})
    assert catalog.items["title"].to_pylist() == ["A", "B"]
    assert catalog.fields["genres"].to_pylist() == [None, ["x", None]]
    assert len(catalog.interactions) == 1


def test_unicode_and_emoji_are_ids_and_titles(read):
    """In every kind of file."""
    items = {"item_id": ["é", "東京", "🎬", "a b"], "title": ['"x"\ny', "ß", "👩‍👩‍👧", "naïve, no?"]}
    for kind in ("parquet", "csv", "jsonl"):
        catalog = read(items, kind=kind)
        assert dict(zip(catalog.item_ids, catalog.items["title"].to_pylist(), strict=True)) == dict(
            zip(items["item_id"], items["title"], strict=True)
        )


def test_a_catalog_of_one_item_is_a_catalog(read):
    """With one user and one pair."""
    catalog = read({"item_id": ["a"], "title": ["A"]}, {"user_id": ["u"], "item_id": ["a"]})
    assert (catalog.n_items, catalog.interactions.n_users, len(catalog.interactions)) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_without_rows_is_refused(read, kind):
    """Of items, and of interactions."""
    empty = pa.table({"item_id": pa.array([], pa.string()), "title": pa.array([], pa.string())})
    with pytest.raises(DataError, match="no items are left of 0 rows; check `keep` and the file"):
        read(empty, kind=kind)
    pairs = pa.table({"user_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string())})
    with pytest.raises(DataError, match="none of the 0 interactions has an item of the catalog"):
        read(ITEMS, pairs, kind=kind)


def test_a_missing_column_is_named_with_the_nearest(read):
    """In items, fields and interactions."""
    with pytest.raises(DataError, match=r"items\.parquet has no column 'item_id'; did you mean 'itemid'\?"):
        read({"itemid": ["a"], "title": ["A"]})
    with pytest.raises(DataError, match=r"items\.parquet has no column 'titel'; did you mean 'title'\?"):
        read(title="titel")
    with pytest.raises(DataError, match=r"items\.parquet has no column 'genre'; known are: item_id, title, year"):
        read(fields={"genre": {"type": "list"}})
    with pytest.raises(DataError, match=r"pairs\.parquet has no column 'plays'"):
        read(ITEMS, PAIRS, interactions={"weight": "plays"})


def test_items_without_an_id_are_refused_with_their_rows(read):
    """Null, empty and blank."""
    items = {"item_id": ["a", None, "", "  "], "title": list("abcd")}
    with pytest.raises(DataError, match=r"column 'item_id': 3 items have no id \(rows 2, 3, 4\)"):
        read(items)


def test_items_without_an_id_can_be_left_out_with_keep(read):
    """As the sentence says."""
    catalog = read({"item_id": ["a", None], "title": ["A", "B"]}, keep="item_id exists")
    assert catalog.item_ids == ["a"]
    assert found(catalog) == {"items outside `keep`": 1}


def test_repeated_ids_are_refused_with_examples(read):
    """The sentence says which option keeps the first."""
    items = {"item_id": ["a", "b", "a", "a"], "title": list("wxyz")}
    with pytest.raises(DataError) as caught:
        read(items)
    assert re.search(r"items\.parquet, column 'item_id': 2 items have an id that another item has", str(caught.value))
    assert "such as 'a' (rows 3, 4)" in str(caught.value)
    assert 'catalog.duplicates = "drop"' in str(caught.value)


def test_repeated_ids_can_be_dropped_and_are_counted(read):
    """The first stays; what `keep` leaves out does not count."""
    items = {"item_id": ["a", "a", "b", "a"], "title": list("wxyz"), "n": [0, 1, 1, 1]}
    catalog = read(items, duplicates="drop")
    assert catalog.items["title"].to_pylist() == ["w", "y"]
    assert found(catalog) == {"items with a repeated id": 2}
    assert read(items, duplicates="drop", keep="n=1").items["title"].to_pylist() == ["x", "y"]


def test_ids_that_differ_in_case_or_invisible_letters_are_two(read):
    """An id is exactly its letters."""
    ids = ["a", "A", "a\u200b", "a\x00", "é", "e\u0301"]
    assert read({"item_id": ids, "title": ids}).n_items == 6


def test_items_without_a_title_have_their_id_and_are_counted(read):
    """Null and blank."""
    catalog = read({"item_id": ["a", "b", "c"], "title": [None, " ", "C"]})
    assert catalog.items["title"].to_pylist() == ["a", "b", "C"]
    (finding,) = catalog.report
    assert (finding.kind, finding.count, finding.column, finding.examples) == (
        "items without a title", 2, "title", ("a", "b"),
    )  # fmt: skip


def test_a_title_that_is_no_text_is_refused(read):
    """Numbers are titles, lists are not."""
    assert read({"item_id": ["a"], "title": [1984]}).items["title"].to_pylist() == ["1984"]
    with pytest.raises(DataError, match="column 'title': a title is text, got list<"):
        read({"item_id": ["a"], "title": [["A"]]})


@pytest.mark.parametrize(
    ("values", "kind", "example"),
    [
        (["1980", "198o", "n/a"], "number", "got '198o' (row 2, item 'b')"),
        (["2020-01-01", "one day", None], "date", "got 'one day' (row 2, item 'b')"),
        ([0, 1, 7], "boolean", "got 7 (row 3, item 'c')"),
        ([1, 2, 3], "list", "got 1 (row 1, item 'a'), 2 (row 2, item 'b'), 3 (row 3, item 'c')"),
        ([["a"], ["b"], ["c"]], "string", "got ['a'] (row 1, item 'a')"),
    ],
)
def test_values_of_a_wrong_type_are_refused_with_examples(read, values, kind, example):
    """File, column, type, values and whose they are."""
    with pytest.raises(DataError) as caught:
        read(
            {"item_id": ["a", "b", "c"], "title": list("abc"), "raw": values},
            fields={"f": {"type": kind, "column": "raw"}},
        )
    message = str(caught.value)
    assert re.search(r"items\.parquet, column 'raw': the field 'f' is a ", message)
    assert example in message
    assert 'leave such values empty with on_error = "null" in [catalog.fields.f]' in message
    assert not re.search("arrow|double|cast", message, re.IGNORECASE)


def test_a_text_column_is_split_by_its_separator(read):
    """'|' where none is given, as MovieLens has it."""
    items = {"item_id": ["a", "b"], "title": ["A", "B"], "genres": ["x|y", None], "tags": ["p; q,r", ""]}
    fields = {"genres": {"type": "list"}, "tags": {"type": "list", "separator": ";"}}
    catalog = read(items, fields=fields)
    assert catalog.fields.to_pylist() == [
        {"genres": ["x", "y"], "tags": ["p", "q,r"]},
        {"genres": None, "tags": []},
    ]


def test_text_fields_of_a_csv_stay_text(read):
    """A country code '039' is no number."""
    items = {"item_id": ["a", "b"], "title": ["1984", "300"], "code": ["039", "040"], "tags": ["1", "2"]}
    catalog = read(items, kind="csv", fields={"code": {"type": "string"}, "tags": {"type": "list"}})
    assert catalog.fields.to_pylist() == [{"code": "039", "tags": ["1"]}, {"code": "040", "tags": ["2"]}]
    assert catalog.items["title"].to_pylist() == ["1984", "300"]


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("year>=1985", ["a"]),
        ("year exists", ["a", "b"]),
        ("not year exists", ["c"]),
        ("tags any x", ["a", "b"]),
        ("tags all x,y and title=A", ["a"]),
        ("core=true", ["b", "c"]),
        ("core=1", ["b", "c"]),
        ("kind any 3", ["c"]),
        ("nothing=null", ["a", "b", "c"]),
        ("item_id in a,c", ["a", "c"]),
        ("added>=2020-01-02", ["c"]),
    ],
)
def test_keep_filters_over_any_column_of_the_file(read, keep, kept):
    """Lists, booleans, dates, categories and columns of nulls; what is left out is counted."""
    items = pa.table(
        {
            "item_id": ["b", "a", "c"],
            "title": ["B", "A", "C"],
            "year": [1980, 1990, None],
            "tags": pa.array([["x"], ["x", "y"], None]),
            "core": [True, False, True],
            "kind": pa.array([[1], [2], [3]]),
            "nothing": pa.nulls(3),
            "added": pa.array([1577836800, 1546300800, 1577923200]).cast(pa.timestamp("s", "UTC")),
        }
    )
    catalog = read(items, keep=keep)
    assert catalog.item_ids == kept
    assert found(catalog) == ({"items outside `keep`": 3 - len(kept)} if len(kept) < 3 else {})


@pytest.mark.parametrize(
    ("keep", "error", "sentence"),
    [
        ("yeer>3", DataError, r"items\.parquet has no column 'yeer'; did you mean 'year'\?"),
        ("year >", ConfigError, r"catalog\.keep: the filter 'year >' cannot be read"),
        ("year=soon", ConfigError, r"catalog\.keep: the field 'year' holds numbers"),
        ("year>3000", DataError, "no items are left of 3 rows"),
        ("vector=1", DataError, "column 'vector': a filter cannot use values of type list<"),
    ],
)
def test_a_broken_keep_is_refused(read, keep, error, sentence):
    """With the option's name, or the file's."""
    items = {**ITEMS, "vector": [[[1.0]], [[2.0]], [[3.0]]]}
    with pytest.raises(error, match=sentence):
        read(items, keep=keep)


def test_interactions_with_unknown_items_are_dropped_and_counted(read):
    """The items are told."""
    pairs = {"user_id": ["u"] * 4, "item_id": ["a", "x", "y", "x"]}
    catalog = read(ITEMS, pairs)
    (finding,) = catalog.report
    assert (finding.kind, finding.count, finding.examples) == ("interactions with an unknown item", 3, ("x", "y"))
    assert finding.policy == "dropped"
    assert len(catalog.interactions) == 1
    assert re.fullmatch(
        r"3 interactions with an unknown item \(.*pairs\.parquet, column 'item_id', such as x, y\): dropped",
        finding.sentence(),
    )


def test_unknown_items_and_missing_users_can_be_refused(read):
    """With examples and what to do."""
    with pytest.raises(
        DataError, match=r"1 interactions with an unknown item, such as 'x' \(row 2\).*unknown = \"drop\""
    ):
        read(ITEMS, {"user_id": ["u", "u"], "item_id": ["a", "x"]}, unknown="refuse")
    with pytest.raises(DataError, match=r"column 'user_id': 1 interactions without a user"):
        read(ITEMS, {"user_id": ["u", None], "item_id": ["a", "a"]}, unknown="refuse")


def test_interactions_without_a_user_are_dropped_and_counted_once(read):
    """Null, empty and blank; a row that lacks both counts as one with an unknown item."""
    pairs = {"user_id": ["u", None, "", " ", None], "item_id": ["a", "a", "a", "a", "x"]}
    catalog = read(ITEMS, pairs)
    assert found(catalog) == {"interactions with an unknown item": 1, "interactions without a user": 3}
    assert catalog.interactions.user_ids == ("u",)


def test_interactions_of_which_none_fits_are_refused(read):
    """Ids of another kind are a mistake, not a catalog without users."""
    with pytest.raises(
        DataError, match=r"none of the 2 interactions .* \(here: '1', items: 'a'\). Are they ids of the"
    ):
        read(ITEMS, {"user_id": ["u", "v"], "item_id": [1, 2]})


def test_a_positive_that_no_interaction_passes_is_refused(read):
    """There would be nothing to learn."""
    pairs = {**PAIRS, "rating": [1, 2, 3]}
    with pytest.raises(DataError, match=r"no interaction is positive; check `positive` \('rating>30'\)"):
        read(ITEMS, pairs, interactions={"positive": "rating>30"})
    with pytest.raises(ConfigError, match=r"catalog\.interactions\.positive: the filter 'rating>' cannot be read"):
        read(ITEMS, pairs, interactions={"positive": "rating>"})


def test_repeated_pairs_are_merged_and_counted(read):
    """Weights add up, one positive makes it positive."""
    pairs = {
        "user_id": ["u", "u", "u", "v"], "item_id": ["a", "b", "a", "a"], "plays": [1, 5, 2, 1],
        "rating": [5.0, None, 2.0, 1.0],
    }  # fmt: skip
    options = {"weight": "plays", "positive": "rating>3"}
    catalog = read(ITEMS, pairs, interactions=options)
    got = catalog.interactions
    assert found(catalog) == {"interactions that repeat a user and an item": 1}
    assert got.weight.tolist() == [3, 5, 1]
    assert got.positive.tolist() == [True, False, False]


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf"), None, 1e39])
def test_weights_that_are_no_weights_are_refused_with_their_rows(read, weight):
    """Negative, missing, not finite, or more than float32 holds."""
    pairs = {**PAIRS, "plays": [1.0, weight, 2.0]}
    with pytest.raises(DataError, match=r"column 'plays': 1 weights are missing, negative or not finite \(row 2: "):
        read(ITEMS, pairs, interactions={"weight": "plays"})


def test_a_weight_of_zero_is_a_weight_and_log_is_of_one_plus(read):
    """log(1 + 0) = 0."""
    pairs = {**PAIRS, "plays": [0, 1, 99]}
    options = {"weight": "plays", "weight_transform": "log"}
    got = read(ITEMS, pairs, interactions=options).interactions
    np.testing.assert_allclose(got.weight, np.log([1, 100, 2]), rtol=1e-6)


USERS = st.sampled_from(["u", "v", "w", "", None])
PLACES = st.sampled_from(["a", "b", "c", "x", None])


@given(st.lists(st.tuples(USERS, PLACES, st.integers(0, 3)), max_size=12))
def test_interactions_are_those_of_a_slow_reading(tmp_path_factory, rows):
    """Merged in a dictionary; what was dropped or merged adds up to the rows of the file."""
    kept, dropped = {}, 0
    for user, item, weight in rows:
        if not user or item not in ("a", "b", "c"):
            dropped += 1
        else:
            kept[user, item] = kept.get((user, item), 0) + weight
    if not kept:
        return
    folder = tmp_path_factory.mktemp("pairs")
    users, items, weights = zip(*rows, strict=True)
    pairs = {"user_id": pa.array(users, pa.string()), "item_id": pa.array(items, pa.string()), "weight": list(weights)}
    settings = {
        "items": str(write(folder / "items.parquet", ITEMS)),
        "interactions": {"file": str(write(folder / "pairs.parquet", pairs)), "weight": "weight"},
    }
    catalog = read_catalog(parse_config({"catalog": settings}).catalog)
    got = catalog.interactions
    ids = [(got.user_ids[user], catalog.item_ids[item]) for user, item in zip(got.user, got.item, strict=True)]
    assert dict(zip(ids, got.weight.tolist(), strict=True)) == kept
    assert ids == sorted(kept)
    assert sum(found(catalog).values()) == len(rows) - len(kept)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_the_order_of_rows_does_not_matter(make_catalog, tmp_path, kind):
    """Shuffled files are the same catalog, to the bit."""
    config = load_config(make_catalog(n_items=30, n_users=25)).catalog
    rng = np.random.default_rng(3)
    items, pairs = pq.read_table(config.items), pq.read_table(config.interactions.file)
    if kind == "csv":
        lists = {name: ["|".join(map(str, row)) for row in items[name].to_pylist()] for name in ("genres", "tags")}
        items = items.select(["item_id", "title", "year", "country", "released", "seen"])
        items = pa.table({**{name: items[name] for name in items.column_names}, **lists})
    catalogs = []
    for number in range(3):
        paths = []
        for name, table in (("items", items), ("pairs", pairs)):
            order = rng.permutation(table.num_rows) if number else np.arange(table.num_rows)
            if kind == "jsonl" and name == "items":
                table = table.drop_columns(["released"])  # noqa: PLW2901  JSON has no dates
            paths.append(write(tmp_path / f"{name}{number}.{kind}", table.take(pa.array(order))))
        fields = {name: field for name, field in config.fields.items() if name != "released" or kind != "jsonl"}
        interactions = config.interactions.model_copy(update={"file": paths[1]})
        changes = {"items": paths[0], "interactions": interactions, "fields": fields}
        catalogs.append(read_catalog(config.model_copy(update=changes)))
    same(catalogs[0], catalogs[1])
    same(catalogs[0], catalogs[2])


@pytest.fixture
def posters(tmp_path):
    """A folder with pictures of a and b, an empty one of c, and one of nobody."""
    folder = tmp_path / "posters"
    (folder / "small").mkdir(parents=True)
    for name, content in (("a.jpg", b"x"), ("small/b.jpg", b"x"), ("b.jpg", b"x"), ("c.jpg", b""), ("z.jpg", b"x")):
        (folder / name).write_bytes(content)
    return folder


def zipped(folder):
    """The folder as a zip beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("small")
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped])
def test_media_are_found_in_folders_and_zips(read, posters, pack):
    """Present where a file of an item is and holds something; the others are counted."""
    path = pack(posters)
    catalog = read(media={"image": {"path": str(path)}, "thumb": {"path": str(path), "pattern": "small/{item_id}.jpg"}})
    assert catalog.media["image"].present.tolist() == [True, True, False]
    assert catalog.media["thumb"].present.tolist() == [False, True, False]
    first = [(finding.kind, finding.count, finding.examples) for finding in catalog.report][:2]
    assert first == [("empty media files", 1, ("c.jpg",)), ("media files of no item", 2, ("small/b.jpg", "z.jpg"))]


def test_a_pattern_may_have_other_braces(read, posters):
    """Only {item_id} is filled in."""
    (posters / "a{2}.jpg").write_bytes(b"x")
    catalog = read(media={"image": {"path": str(posters), "pattern": "{item_id}{2}.jpg"}})
    assert catalog.media["image"].present.tolist() == [True, False, False]


def test_media_of_which_none_fits_are_refused(read, posters):
    """With a name that is there and one that was expected."""
    with pytest.raises(
        DataError, match=r"none of the 5 files .* \(there is: 'a\.jpg', expected: 'a\.png'\); check media\.im"
    ):
        read(media={"image": {"path": str(posters), "pattern": "{item_id}.png"}})


def test_broken_and_missing_media_are_named(read, posters):
    """A zip that was cut, a file that is no zip, a path that is not there."""
    path = zipped(posters)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"posters\.zip is not a readable zip file"):
        read(media={"image": {"path": str(path)}})
    path.write_text("no zip")
    with pytest.raises(DataError, match=r"posters\.zip is not a readable zip file"):
        read(media={"image": {"path": str(path)}})
    with pytest.raises(DataError, match=r"nowhere does not exist; media is a folder or a zip file"):
        read(media={"image": {"path": str(posters / "nowhere")}})


def test_broken_files_are_named(read, tmp_path, make_catalog):
    """A parquet that was cut in the middle, of items and of interactions."""
    config = load_config(make_catalog()).catalog
    for path in (config.items, config.interactions.file):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError, match=f"{path.name} is not a complete parquet file"):
            read_catalog(config)
        path.unlink()
        with pytest.raises(DataError, match=f"{path.name} does not exist"):
            read_catalog(config)
        path.write_bytes(content)


def test_a_mask_names_what_the_filter_is(tmp_path):
    """'the filter' where the caller says nothing."""
    with pytest.raises(ConfigError, match=r"^the filter: the filter 'x' cannot be read"):
        table_mask(pa.table({"x": [1]}), "x", tmp_path)


def test_cells_that_do_not_fit_can_be_left_empty_and_are_counted(read):
    """With the column and examples."""
    items = {"item_id": ["a", "b", "c"], "title": list("ABC"), "price": ["€14.33", "unknown", None]}
    catalog = read(items, kind="csv", fields={"price": {"type": "number", "on_error": "null"}})
    assert catalog.fields["price"].to_pylist() == [14.33, None, None]
    (finding,) = catalog.report
    assert (finding.kind, finding.policy, finding.count, finding.column, finding.examples) == (
        "values that are no number", "left empty", 1, "price", ("unknown",),
    )  # fmt: skip


def test_a_bad_cell_is_named_by_its_line_of_the_file_whatever_the_order_of_ids(read):
    """Line 2 is the first row after the names."""
    items = {"item_id": ["z", "a", "b"], "title": list("ZAB"), "price": ["free", "1", "gift"]}
    with pytest.raises(DataError, match=r"got 'free' \(line 2, item 'z'\), 'gift' \(line 4, item 'b'\)\. Mend"):
        read(items, kind="csv", fields={"price": {"type": "number"}})


def test_a_year_inside_of_the_titles_is_a_field_and_a_column(read):
    """Templates can name it."""
    items = {"item_id": ["a", "b"], "title": ["Heat (1995)", "Ran"]}
    catalog = read(items, fields={"year": {"type": "number", "column": "title", "pattern": r"\((\d{4})\)$"}})
    assert catalog.fields["year"].to_pylist() == [1995.0, None]
    assert catalog.items["year"].to_pylist() == [1995.0, None]


def test_tags_of_a_second_file_become_a_list_with_counts(read, tmp_path):
    """Most frequent first, whatever their case; rows of other items are counted."""
    rows = [("a", "Dark"), ("a", "dark"), ("a", "slow"), ("b", " "), ("x", "odd"), ("a", "dark")]
    write(tmp_path / "tags.csv", {"movieId": [item for item, _ in rows], "tag": [tag for _, tag in rows]})
    lists = {"tags": {"file": str(tmp_path / "tags.csv"), "item_id": "movieId", "column": "tag"}}
    catalog = read({"item_id": ["a", "b"], "title": list("AB")}, lists=lists, fields={"tags": {"type": "list"}})
    assert catalog.items["tags"].to_pylist() == [["dark", "slow"], []]
    assert catalog.items["tags_counts"].to_pylist() == [[3, 1], []]
    assert catalog.fields["tags"].to_pylist() == [["dark", "slow"], []]
    assert found(catalog) == {"rows of 'tags' with an unknown item": 1}


def test_titles_are_ids_where_no_column_looks_like_one(tmp_path):
    """A list of titles needs nothing else; one that is there twice is a repeated id."""
    (tmp_path / "films.txt").write_text("Heat\nRan\nHeat\n", encoding="utf-8")
    settings = {"items": str(tmp_path / "films.txt"), "title": "title", "duplicates": "drop"}
    catalog = read_catalog(parse_config({"catalog": settings}).catalog)
    assert catalog.item_ids == catalog.items["title"].to_pylist() == ["Heat", "Ran"]
    assert found(catalog) == {"items with a repeated id": 1}


def test_a_rating_that_is_no_number_is_named_or_its_row_dropped(read):
    """By its line; the other rows stay."""
    pairs = {"user_id": ["u", "u", "v"], "item_id": ["a", "b", "c"], "rating": ["5", "five", "4"]}
    with pytest.raises(DataError, match=r"column 'rating': 'five' \(line 3\) is no number\. Mend"):
        read(ITEMS, pairs, kind="csv", interactions={"positive": "rating>3"})
    catalog = read(ITEMS, pairs, kind="csv", interactions={"positive": "rating>3", "on_error": "drop"})
    assert (len(catalog.interactions), catalog.interactions.positive.all()) == (2, True)
    assert found(catalog) == {"interactions whose value is no number": 1}


def test_rows_without_a_usable_weight_can_be_dropped(read):
    """Missing, negative, or a word."""
    pairs = {"user_id": list("uuvw"), "item_id": list("abca"), "plays": ["3", "-1", "", "many"]}
    catalog = read(ITEMS, pairs, kind="csv", interactions={"weight": "plays", "on_error": "drop"})
    assert catalog.interactions.weight.tolist() == [3.0]
    assert found(catalog) == {"interactions without a weight": 3}
