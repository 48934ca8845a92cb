"""Files of other programs: CSV, JSONL and parquet in all their dialects."""

from __future__ import annotations

import csv
import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.data.lines import places
from antiphon.data.tables import column_of, ids_of, is_blank, numbers_of, read_file
from antiphon.errors import DataError

CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from(list("\"\n,;|'🎬é")), max_size=12)


def write_csv(path, rows, encoding="utf-8"):
    """Rows of text as Python's own module writes them."""
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file).writerows(rows)
    return path


def write_jsonl(path, rows, encoding="utf-8"):
    """An object a line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding=encoding)
    return path


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_csv_with_quotes_newlines_and_any_script_is_read_as_written(tmp_path_factory, rows):
    """Against Python's csv module."""
    path = write_csv(tmp_path_factory.mktemp("csv") / "a.csv", [("item_id", "title"), *rows])
    table = read_file(path, ["item_id", "title"])
    got = list(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))
    # Line feeds are how Python's csv ends a line inside of quotes.
    assert got == rows


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5))
def test_jsonl_in_any_script_is_read_as_written(tmp_path_factory, rows):
    """Against Python's json module; text that looks like a date stays text."""
    rows = [*rows, ("2020-01-02", "2020-01-02T10:00:00")]
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    write_jsonl(path, [{"item_id": item, "title": title} for item, title in rows])
    table = read_file(path, ["item_id", "title"])
    assert list(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True)) == rows


def test_a_jsonl_of_dates_as_ids_keeps_them_as_text(tmp_path):
    """Days are ids too, and keep their spelling."""
    path = write_jsonl(tmp_path / "a.jsonl", [{"item_id": "2020-01-02", "n": 1}, {"item_id": "2020-01-03", "n": None}])
    assert read_file(path, ["item_id"])["item_id"].to_pylist() == ["2020-01-02", "2020-01-03"]
    assert pa.types.is_timestamp(read_file(path)["item_id"].type)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path, name):
    """Spreadsheets write one."""
    path = tmp_path / name
    if name.endswith("csv"):
        write_csv(path, [("item_id", "n"), ("007", "1")], "utf-8-sig")
    else:
        write_jsonl(path, [{"item_id": "007", "n": 1}], "utf-8-sig")
    table = read_file(path, ["item_id"])
    assert table.column_names == ["item_id", "n"]
    assert table.to_pylist() == [{"item_id": "007", "n": 1}]


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_both_line_endings_are_read(tmp_path, ending):
    """With and without one at the end."""
    for last in ("", ending):
        (tmp_path / "a.csv").write_bytes(f"item_id,n{ending}a,1{ending}b,2{last}".encode())
        assert read_file(tmp_path / "a.csv")["item_id"].to_pylist() == ["a", "b"]


def test_text_columns_of_a_csv_keep_their_zeros_and_words(tmp_path):
    """'007', 'NA' and 'true' are titles; the other columns get their types."""
    rows = [("item_id", "title", "n"), ("007", "NA", "1"), ("1e3", "true", ""), ("NULL", "1984", "3")]
    table = read_file(write_csv(tmp_path / "a.csv", rows), ["item_id", "title", "not there"])
    assert table["item_id"].to_pylist() == ["007", "1e3", "NULL"]
    assert table["title"].to_pylist() == ["NA", "true", "1984"]
    assert table["n"].to_pylist() == [1, None, 3]


def test_long_lines_are_read(tmp_path):
    """A vector of ten thousand numbers, or a book, in one line."""
    text = "word " * 500_000
    table = read_file(write_jsonl(tmp_path / "a.jsonl", [{"item_id": "a", "text": text}] * 3), ["item_id"])
    assert table["text"].to_pylist() == [text] * 3
    table = read_file(write_csv(tmp_path / "a.csv", [("item_id", "text"), ("a", text), ("b", text)]), ["item_id"])
    assert table["text"].to_pylist() == [text] * 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", b"", "a.csv cannot be read: it is empty."),
        ("a.csv", b"a,b\n1,2,3\n", "a.csv cannot be read: line 2 has 3 values, expected 2 as in the first line"),
        ("a.csv", b"item_id\nfianc\xe9\n", "a.csv, column 'item_id': the text is not UTF-8; save the file as UTF-8."),
        ("a.csv", b"a,a\n1,2\n", "a.csv has more than one column 'a'; give each column its own name"),
        ("a.jsonl", b"", "a.jsonl cannot be read: it is empty."),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl cannot be read: line 2 is not valid JSON"),
        ("a.jsonl", b'{"a": 1}\n[1, 2]\n', "a.jsonl cannot be read: line 2 is no object"),
        ("a.parquet", b"", "a.parquet is not a complete parquet file"),
        ("a.parquet", b"PAR1 and then nothing", "a.parquet is not a complete parquet file"),
        ("a.xlsx", b"x", "a.xlsx: expected a file that ends in .parquet, .csv or .jsonl, got '.xlsx'"),
        ("items", b"x", "items: expected a file that ends in .parquet, .csv or .jsonl, got no ending"),
    ],
)
def test_a_broken_file_is_named_with_what_is_broken(tmp_path, name, content, sentence):
    """One sentence, no traceback of another library."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_file(tmp_path / name)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    """Some programs write a folder of parts under the name of a file."""
    (tmp_path / "a.parquet").mkdir()
    with pytest.raises(DataError, match=r"a\.parquet is a folder"):
        read_file(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"b\.parquet does not exist"):
        read_file(tmp_path / "b.parquet")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_parquet_that_was_cut_is_refused(tmp_path, share):
    """Wherever the download stopped."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"item_id": [f"item {row}" for row in range(1000)]}), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a\.parquet is not a complete parquet file"):
        read_file(path)


def test_two_columns_of_one_name_are_refused(tmp_path):
    """Which of them was meant cannot be known."""
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a\.parquet"):
        read_file(tmp_path / "a.parquet")


def test_a_missing_column_gets_the_nearest_one(tmp_path):
    """Case and slips."""
    table = pa.table({"Item_ID": ["a"], "title": ["b"]})
    with pytest.raises(DataError, match=r"a\.csv has no column 'item_id'; did you mean 'Item_ID'\?"):
        column_of(table, "item_id", tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("values", "arrow", "expected"),
    [
        (["007", "é"], pa.large_string(), ["007", "é"]),
        (["a", None], pa.string_view(), ["a", None]),
        ([7, None], pa.uint64(), ["7", None]),
        ([-1], pa.int8(), ["-1"]),
        ([None], pa.null(), [None]),
    ],
)
def test_ids_are_text_or_whole_numbers(tmp_path, values, arrow, expected):
    """Numbers become their digits."""
    column = pa.chunked_array([pa.array(values, arrow)])
    assert ids_of(column, tmp_path, "id").to_pylist() == expected
    if arrow != pa.null():
        assert ids_of(ids_of(column, tmp_path, "id").dictionary_encode(), tmp_path, "id").to_pylist() == expected


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1.0], "column 'id': ids are text or whole numbers, got double; cast it to int64 first."),
        ([True], "got bool."),
        ([dt.date(2020, 1, 1)], "got date32[day]."),
        ([["a"]], "got list<"),
        ([b"a"], "got binary."),
    ],
)
def test_other_ids_are_refused(tmp_path, values, sentence):
    """1.0 and 1 would be two items."""
    with pytest.raises(DataError) as caught:
        ids_of(pa.chunked_array([pa.array(values)]), tmp_path / "a.parquet", "id")
    assert sentence in str(caught.value)


def test_null_empty_and_blank_ids_are_blank():
    """A no-break space is blank, too."""
    column = pa.chunked_array([pa.array([None, "", "  ", "\u00a0", "a", "0"])])
    assert is_blank(column).tolist() == [True, True, True, True, False, False]


def test_numbers_of_columns(tmp_path):
    """Nulls are NaN."""
    table = pa.table(
        {"n": pa.array([1, None], pa.int32()).dictionary_encode(), "epoch": [1.5, None], "word": ["a", "b"]}
    )
    for name, expected in (("n", 1), ("epoch", 1.5)):
        np.testing.assert_array_equal(numbers_of(table, name, tmp_path), [expected, np.nan])
    with pytest.raises(DataError, match="column 'word': expected numbers, got string"):
        numbers_of(table, "word", tmp_path)


def test_a_text_column_in_another_encoding_is_refused(tmp_path):
    """Where the column must be text, and where its type is found out."""
    (tmp_path / "a.csv").write_bytes(b"item_id,n\nfianc\xe9,1\n")
    for columns in ([], ["item_id"]):
        with pytest.raises(DataError, match=r"a\.csv.*UTF-?8"):
            read_file(tmp_path / "a.csv", columns)


@pytest.mark.parametrize("sign", [";", "\t"])
def test_a_csv_with_other_separators_is_read(tmp_path, sign):
    """Spreadsheets of many countries write semicolons, because their numbers have commas."""
    path = tmp_path / "a.csv"
    path.write_text(f"item_id{sign}price\na{sign}1,50\n")
    assert read_file(path).to_pylist() == [{"item_id": "a", "price": "1,50"}]


def test_a_file_of_titles_alone_is_a_table_with_one_column(tmp_path):
    """A title a line; empty lines are none."""
    (tmp_path / "films.txt").write_text("Heat\n\n  Ran  \n1984, a film\n")
    assert read_file(tmp_path / "films.txt").to_pydict() == {"title": ["Heat", "Ran", "1984, a film"]}


def test_a_jsonl_whose_values_are_of_several_types_is_read_as_text(tmp_path):
    """A price that is a number here and a word there."""
    write_jsonl(tmp_path / "a.jsonl", [{"a": 1, "b": ["x"]}, {"a": "free", "b": "y"}, {"b": None}])
    assert read_file(tmp_path / "a.jsonl").to_pylist() == [
        {"a": "1", "b": '["x"]'}, {"a": "free", "b": "y"}, {"a": None, "b": None},
    ]  # fmt: skip


def test_a_word_among_the_numbers_of_a_long_csv_makes_its_column_text(tmp_path, monkeypatch):
    """Types are guessed from the beginning of a file; what comes later is read all the same."""
    from antiphon.data import tables

    monkeypatch.setattr(tables, "BLOCK", 256)
    rows = [("item_id", "n"), *((f"item-{row}", str(row)) for row in range(200)), ("last", "five")]
    table = read_file(write_csv(tmp_path / "a.csv", rows), ["item_id"])
    assert table["n"].to_pylist()[-2:] == ["199", "five"]


def test_the_line_of_a_row_counts_quoted_line_breaks_and_empty_lines(tmp_path):
    """What an editor shows."""
    (tmp_path / "a.csv").write_text('id,text\na,"one\ntwo"\n\nb,x\nc,y\n')
    assert places(tmp_path / "a.csv", [0, 1, 2]) == ["line 2", "line 5", "line 6"]
    (tmp_path / "a.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    assert places(tmp_path / "a.jsonl", [1, 0]) == ["line 3", "line 1"]
    assert places(tmp_path / "a.parquet", [1]) == ["row 2"]


def test_json_is_an_array_of_objects_or_an_object_a_line(tmp_path):
    """Both are common under the ending .json; a row of the former has a number, of the latter a line."""
    rows = [{"item_id": "007", "n": 1}, {"item_id": "8", "n": "many"}]
    (tmp_path / "array.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    write_jsonl(tmp_path / "lines.json", rows)
    for name in ("array.json", "lines.json"):
        assert read_file(tmp_path / name).to_pylist() == [{"item_id": "007", "n": "1"}, {"item_id": "8", "n": "many"}]
    assert places(tmp_path / "array.json", [1]) == ["row 2"]
    assert places(tmp_path / "lines.json", [1]) == ["line 2"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("[1, 2]", "entry 1 is no object"), ("[]", "it is empty"), ('[{"a": 1}', "not valid JSON"), ("{", "line 1")],
)
def test_other_json_is_refused(tmp_path, text, sentence):
    """What was found, and what is expected."""
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        read_file(tmp_path / "a.json")


def test_objects_with_a_name_are_called_by_it(tmp_path):
    """JSON lists of objects become lists of words, and an object a word; what has no name stays what it is."""
    lines = [
        {"item_id": "1", "genres": [{"id": 18, "name": "Drama"}, {"id": 35, "name": "Comedy"}], "maker": {"name": "A"}},
        {"item_id": "2", "genres": [], "maker": None, "size": {"width": 3}},
        {"item_id": "3", "genres": None},
    ]
    path = tmp_path / "items.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    table = read_file(path)
    assert table["genres"].to_pylist() == [["Drama", "Comedy"], [], None]
    assert table["maker"].to_pylist() == ["A", None, None]
    assert table["size"].to_pylist() == [None, {"width": 3}, None]
