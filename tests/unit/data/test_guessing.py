"""What files of strangers are taken for."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from antiphon.config.load import parse_config
from antiphon.data.guessing import guess
from antiphon.data.profile import Profile
from antiphon.data.proposal import checked, media_among, noun_of, settings_of, toml_of
from antiphon.data.roles import is_code, role_of
from antiphon.errors import DataError


def table(path: Path, rows: list[tuple[Any, ...]]) -> Path:
    """A CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def role(name: str, values: list[Any]) -> tuple[str, dict[str, Any]]:
    """What a column is taken for, with its options."""
    found = role_of(Profile.of(name, pa.chunked_array([pa.array(values)])), {}, [])
    return found.role, dict(found.options)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("price", ["€3", "4,50", "9.99", "unknown"], ("number", {"type": "number"})),
        ("pages", [120, 80, None], ("number", {"type": "number"})),
        ("used", [0, 1, 1], ("boolean", {"type": "boolean"})),
        ("stock", ["yes", "no", "Yes"], ("boolean", {"type": "boolean"})),
        ("day", ["1999-01-02", "27/03/1954"], ("date", {"type": "date"})),
        ("day", ["02/01/1999", "03/04/1999"], ("date", {"type": "date", "format": "%d/%m/%Y"})),
        ("created_at", [964982703, 964982709], ("date", {"type": "date"})),
        ("genres", ["a|b", "b", "a|c", "a"], ("list", {"type": "list", "separator": "|"})),
        ("genres", [["a", "(none)"], ["b"]], ("list", {"type": "list", "missing": ["(none)"]})),
        ("genres", ['[{"id": 18, "name": "Drama"}]', "[]"], ("list", {"type": "list", "separator": "json"})),
        ("tags", ["['60-minutes-or-less', 'easy']", "['easy']"], ("list", {"type": "list", "separator": "json"})),
        ("steps", ["['put the butter into a bowl', 'stir it with a spoon until it is soft']", "['bake for an hour']"],
         ("text", {})),
        ("nutrition", ["[51.5, 0.0]", "[173.4, 18.0]"], ("unused", {})),
        ("features", [["It keeps water warm for a whole day", "The lid is made of oak"], []], ("text", {})),
        ("videos", [[], []], ("unused", {})),
        ("country", ["France", "Italy", "unknown", "Italy"], ("string", {"type": "string", "missing": ["unknown"]})),
        ("plot", ["One two three four five six seven eight nine."] * 2 + ["And so on for ten words or more, and on."],
         ("text", {})),
        ("imdbId", [114709, 113497], ("unused", {})),
        ("url", ["https://a.test/1", "https://a.test/2"], ("unused", {})),
        ("cover", ["p1.jpg", "p2.jpg"], ("unused", {})),
        ("vector", [[0.5, 1.0], [1.5, 2.5]], ("unused", {})),
        ("nothing", [None, ""], ("unused", {})),
        ("nothing", [None, None], ("unused", {})),
        ("same", [7, 7], ("unused", {})),
    ],
)  # fmt: skip
def test_columns_are_taken_for_what_they_hold(name, values, expected):
    """Types, separators, formats, and words for nothing."""
    assert role(name, values) == expected


def test_names_of_ids_are_known():
    """In the spellings of several programs."""
    assert all(map(is_code, ("id", "movieId", "item_id", "ISBN", "sku", "userid", "ASIN")))
    assert all(map(is_code, ("appid", "recipeid", "parent_asin", "StockCode")))
    assert not any(map(is_code, ("title", "valid", "paid", "genre", "idea", "mermaid", "placid", "country_code")))


def test_ids_of_users_are_not_taken_for_ids_of_items(tmp_path):
    """Both are small numbers; every user is the number of some film."""
    movies = table(tmp_path / "movies.csv", [("movieId", "title"), *((n, f"Film {n}") for n in range(1, 50))])
    ratings = table(
        tmp_path / "ratings.csv",
        [("userid", "movieid", "rating"), *((u, 40 + f, f / 2) for u in range(1, 9) for f in range(1, 10))],
    )
    found = guess([ratings, movies])
    assert found.items.path == movies
    assert dict(found.pairs) == {"file": ratings, "user_id": "userid", "item_id": "movieid", "positive": "rating>2.7"}


def test_plays_are_weights_on_a_log_scale(tmp_path):
    """Counts have no scale of their own."""
    artists = table(tmp_path / "artists.csv", [("id", "name"), *((f"a{n}", f"Band {n}") for n in range(9))])
    plays = table(tmp_path / "plays.csv", [("user", "id", "plays"), *((f"u{n}", f"a{n}", n * 100) for n in range(9))])
    pairs = guess([artists, plays]).pairs
    assert (pairs["weight"], pairs["weight_transform"]) == ("plays", "log")
    assert "positive" not in pairs


def test_a_title_without_a_known_name_is_asked_for(tmp_path):
    """The most telling column is the default; an answer decides."""
    path = table(
        tmp_path / "a.csv", [("code", "what", "kind"), ("x1", "Old lamp", "lamp"), ("x2", "New chair", "chair")]
    )
    found = guess([path])
    assert (found.named("id"), found.named("title")) == ("code", "what")
    assert [question.key for question in found.questions] == ["title"]
    assert guess([path], {"title": "kind"}).named("title") == "kind"


def test_files_without_items_are_refused(tmp_path):
    """Two files of who used what."""
    paths = [table(tmp_path / f"{n}.csv", [("user_id", "item_id"), ("u", "a")]) for n in "ab"]
    with pytest.raises(DataError, match=r"no file of items was found among a\.csv, b\.csv"):
        guess(paths)


def test_what_does_not_fit_is_counted_over_the_whole_file(tmp_path):
    """Not over a sample: one bad cell stops a build."""
    rows = [("id", "title", "price"), *((f"i{n}", f"Thing {n}", f"{n},50") for n in range(400)), ("z", "Last", "free")]
    found = checked(guess([table(tmp_path / "things.csv", rows)]))
    price = next(role for role in found.roles if role.column.name == "price")
    assert price.options["on_error"] == "null"
    assert price.note == "1 of 401 are no number, such as 'free': left empty"


def test_settings_are_a_configuration_and_the_file_says_the_same(tmp_path):
    """What is written is what is read again, with comments."""
    import tomllib

    rows = [
        ("id", "title", "and", 'a "b"'),
        *((f"i{n}", f"Thing {n} (19{n})", n, n * 2) for n in range(10, 40)),
        ("", "No id", 1, 2),
    ]
    found = checked(guess([table(tmp_path / "things.csv", rows)]))
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    for n in range(10, 20):
        (tmp_path / "pictures" / "deep" / f"i{n}.jpg").write_bytes(b"x")
    media, unused = media_among(found, [tmp_path / "pictures"])
    assert (media[0].kind, media[0].pattern, media[0].n_items, unused) == ("image", "deep/{item_id}.jpg", 10, {})
    settings = settings_of(found, media, tmp_path, pictures=True)
    assert set(settings["catalog"]["fields"]) == {"and_", "a_b", "year"}
    assert settings["catalog"]["keep"] == "id!=null"
    assert [item["encoder"] for item in settings["modalities"]] == ["sentence-transformers", "efficientnet-lite"]
    parse_config(settings)
    text = toml_of(settings, {"catalog.items": "31 rows"}, "A head.")
    assert tomllib.loads(text) == settings
    assert text.startswith("# A head.\n")
    assert 'items = "things.csv"  # 31 rows' in text
    assert noun_of(found) == "things"


def test_a_log_has_the_items_and_who_met_them(tmp_path):
    """Without a column of ids the titles are the ids; a weight is a weight."""
    lines = [(f"{n // 3}", f"Mug {n % 9}", "white", n % 4 + 1, 17850 + n % 12 if n % 5 else "") for n in range(180)]
    path = table(tmp_path / "sales.csv", [("InvoiceNo", "Description", "Colour", "Quantity", "CustomerID"), *lines])
    found = guess([path])
    assert found.interactions.path == path
    assert found.pairs["user_id"] == "CustomerID"
    assert found.pairs["item_id"] == found.named("title") == "Description"
    assert found.pairs["weight"] == "Quantity"
    notes = {one.column.name: one.note for one in found.roles if one.role == "unused"}
    assert notes["InvoiceNo"] == notes["Quantity"] == "differs among the rows of an item"
