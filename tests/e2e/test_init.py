"""Catalogs that nobody has prepared: from files to answers with init, build and search, and no editing."""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Call = Callable[..., tuple[int, str, str]]
FILMS = (
    ("Alien", 1979, "Horror|Sci-Fi", "space"),
    ("Heat", 1995, "Action|Crime", "heist"),
    ("Ran", 1985, "Drama|War", "samurai"),
    ("Airplane!", 1980, "Comedy", "parody"),
    ("Amélie", 2001, "Comedy|Romance", "paris"),
    ("Jaws", 1975, "Horror", "shark"),
    ("Titanic", 1997, "Drama|Romance", "ship"),
    ("Solaris", 1972, "Drama|Sci-Fi", "space"),
    ("Up", 2009, "Animation", "balloon"),
    ("Rio", 2011, "(no genres listed)", "birds"),
)
SUBJECTS = (
    ("lighthouse", "sea", "A keeper tends the lamp above the cold sea while storms take the boats one by one."),
    ("garden", "nature", "A retired teacher plants roses and learns the Latin names of all the weeds around her."),
    ("murder", "crime", "An inspector finds the banker dead in the library and every guest at the dinner lying."),
    ("robot", "science fiction", "A machine that repairs other machines begins to wonder who will repair it one day."),
    ("kitchen", "food", "Forty plain recipes for soups and breads, with the stories of the people who cooked them."),
)


def rows(path: Path, table: Sequence[Sequence[Any]], **options: Any) -> Path:
    """A CSV as spreadsheets write it."""
    with path.open("w", newline="", encoding=options.pop("encoding", "utf-8")) as file:
        csv.writer(file, **options).writerows(table)
    return path


def movielens(folder: Path) -> Path:
    """The four files of MovieLens, small: years in titles, genres with bars, tags and ratings in files of their own."""
    folder.mkdir()
    draw = random.Random(0)
    films = [(number + 1, *FILMS[number % len(FILMS)]) for number in range(40)]
    titles = [f"{name} {number // len(FILMS) + 1} ({year})" for number, (_, name, year, *_) in enumerate(films)]
    rows(
        folder / "movies.csv",
        [("movieId", "title", "genres"), *((f[0], t, f[3]) for f, t in zip(films, titles, strict=True))],
    )
    rated = [
        (
            user,
            film,
            draw.choice((3.5, 4.0, 4.5, 5.0)) if (film + user) % 2 else draw.choice((0.5, 2.0, 3.0)),
            964982703 + user,
        )
        for user in range(1, 31)
        for film in draw.sample(range(1, 41), 14)
    ]
    rows(folder / "ratings.csv", [("userId", "movieId", "rating", "timestamp"), *rated])
    tags = [(user, film[0], film[4], 1445714994) for film in films for user in (2, 3)]
    rows(
        folder / "tags.csv",
        [("userId", "movieId", "tag", "timestamp"), *tags, (4, 5, "my DVDs", 1), (9, 999, "lost", 1)],
    )
    rows(folder / "links.csv", [("movieId", "imdbId", "tmdbId"), *((f[0], f"{f[0]:07}", f[0] * 3) for f in films)])
    return folder


def books(folder: Path) -> Path:
    """Odd columns: semicolons, prices with a currency and words, days, yes and no, quoted lines, ids that repeat."""
    folder.mkdir()
    table: list[tuple[Any, ...]] = [
        ("ISBN", "Book Title", "Author", "Price (EUR)", "Published", "Subjects", "In stock", "Blurb", "Cover URL", "or")
    ]
    for number in range(48):
        subject, category, blurb = SUBJECTS[number % 5]
        price = ("€14,33", "1.299,00 €", "unknown", "7,5", "")[number % 5]
        code = f"97800{number % 46:05}"  # two repeat
        day = f"{27 - number % 20:02}/{number % 12 + 1:02}/1954"
        table.append((
            code, f"The {subject} {number}", f"Writer {number % 7}", price, day,
            f"{category}|{SUBJECTS[(number + 1) % 5][1]}" if number % 4 else "n/a", "yes" if number % 3 else "no",
            f'{blurb}\nVolume {number}, "as told".', f"https://books.test/{number}.html", number % 9,
        ))  # fmt: skip
    table.append(("", "A book without an id", "Writer 1", "3,00", "01/02/1960", "sea", "yes", "Nothing.", "", 1))
    rows(folder / "odd books.csv", table, delimiter=";")
    return folder


def products(folder: Path) -> Path:
    """A JSONL with lists and values of two types, and a folder of pictures named by the ids."""
    (folder / "pictures").mkdir(parents=True)
    colours = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200)}
    lines = []
    for number in range(36):
        colour, kind = list(colours)[number % 3], ("mug", "lamp", "chair", "rug")[number % 4]
        line = {
            "sku": f"p-{number:03}", "name": f"{colour.title()} {kind} {number}", "categories": [kind, "home"],
            "price": 9.5 + number if number % 6 else "on request", "colour": colour,
            "description": f"A {colour} {kind} for the home, made by hand in a workshop by the river: {number}.",
        }  # fmt: skip
        lines.append(json.dumps(line))
        picture = io.BytesIO()
        Image.new("RGB", (48, 48), colours[colour]).save(picture, "PNG")
        if number % 9:
            (folder / "pictures" / f"p-{number:03}.png").write_bytes(picture.getvalue())
    (folder / "products.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def titles(folder: Path) -> Path:
    """Nothing but names, a line each."""
    folder.mkdir()
    subjects = (
        "Winter in the Mountains",
        "A Summer by the Sea",
        "The Old Bakery",
        "Night Train to Prague",
        "Bread and Salt",
    )
    lines = [f"{subject}, part {part}" for part in range(1, 8) for subject in subjects]
    (folder / "shelf.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "shelf.txt"


@pytest.fixture
def answers(call: Call, tmp_path: Path) -> Callable[..., tuple[str, list[dict[str, Any]]]]:
    """A function that takes files to answers: what `init` printed, and the hits of a request."""

    def run(files: Path, *request: str) -> tuple[str, list[dict[str, Any]]]:
        code, shown, err = call("init", files, "--yes")
        assert code == 0, err
        target = (files if files.is_dir() else files.parent) / "antiphon.toml"
        code, _, err = call("build", target, "--run", tmp_path / "run", "--quick")
        assert code == 0, err
        assert "this was a quick build" in err
        code, out, err = call("search", tmp_path / "run", *request, "-k", "3", "--json")
        assert code == 0, err
        return shown, json.loads(out)["hits"]

    return run


def test_the_files_of_movielens_answer_as_they_come(answers: Any, tmp_path: Path) -> None:
    """Years, genres, tags and likes are found where they are, and what is not used is told."""
    shown, hits = answers(movielens(tmp_path / "ml"), "a film about space", "--where", "year<1979 and genres any drama")
    assert "the year at the end of the title" in shown
    assert "liked: rating>3" in shown
    assert "not used: links.csv" in shown
    assert "1 rows of 'tags' with an unknown item" in shown
    assert "30 users" in shown
    assert 'tags = ["*dvd*"]  # words of shelves' in (tmp_path / "ml" / "antiphon.toml").read_text(encoding="utf-8")
    assert hits[0]["title"].startswith("Solaris")
    assert hits[0]["fields"]["tags"] == ["space"]
    assert all(hit["fields"]["year"] < 1979 for hit in hits)
    assert "(no genres listed)" not in (tmp_path / "run" / "descriptions.parquet").read_bytes().decode("latin-1")


def test_odd_books_answer_as_they_come(answers: Any, tmp_path: Path) -> None:
    """Prices, days, yes and no and long texts are read; what does not fit is counted, not refused."""
    shown, hits = answers(
        books(tmp_path / "books"), "storms and a lamp above the water", "--where", "In_stock=true and Price_EUR>5"
    )
    assert "values separated by '|'" in shown
    assert "of 49 are no number, such as 'unknown': left empty" in shown
    assert "2 items with a repeated id" in shown
    assert "1 items outside `keep`" in shown
    assert "lighthouse" in hits[0]["title"]
    assert hits[0]["fields"]["In_stock"] is True
    assert hits[0]["fields"]["Published"].startswith("1954-")


def test_products_with_pictures_answer_as_they_come(answers: Any, tmp_path: Path) -> None:
    """Pictures are matched with ids, and a column of two types is read."""
    shown, hits = answers(products(tmp_path / "shop"), "something blue to sit on", "--where", "categories any chair")
    assert "named {item_id}.png (32 files)" in shown
    assert hits[0]["title"].startswith("Blue chair")
    assert (tmp_path / "run" / "features" / "image.npy").is_file()


def test_a_list_of_titles_answers_as_it_comes(answers: Any, tmp_path: Path) -> None:
    """A title is an id where there is nothing else."""
    shown, hits = answers(titles(tmp_path / "shelf"), "holidays at the beach")
    assert "also the id" in shown
    assert hits[0]["title"].startswith("A Summer by the Sea")


def games(folder: Path) -> Path:
    """A column of ids that is named in one word, a title called name, and lists as programs write them."""
    folder.mkdir()
    lines = []
    for number in range(36):
        kind, mood = ("Puzzle", "Racing", "Chess")[number % 3], ("dark", "cosy")[number % 2]
        genres = json.dumps([{"id": number % 3, "name": kind}, {"id": 9, "name": "Indie"}])
        about = f"A {mood} game about {kind.casefold()} with many levels, made by two people in a garage: {number}."
        lines.append((10 * number, f"{kind} of Legend {number}", genres, str([mood, "single-player"]), about))
    (folder / "package.json").write_text('{\n  "name": "no table"\n}\n', encoding="utf-8")
    return rows(folder / "games.csv", [("appid", "name", "genres", "tags", "about"), *lines]).parent


def test_games_with_lists_of_programs_answer_as_they_come(answers: Any, tmp_path: Path) -> None:
    """Lists of objects and lists of Python are values to filter by, and appid has the ids."""
    shown, hits = answers(games(tmp_path / "games"), "a cosy game", "--where", "genres any racing")
    assert "lists that a program wrote" in shown
    assert "also the id" not in shown
    assert all(hit["fields"]["genres"] == ["Racing", "Indie"] for hit in hits)
    assert hits[0]["fields"]["tags"] == ["cosy", "single-player"]
    assert hits[0]["item_id"].isdigit()


def log(folder: Path) -> Path:
    """One file with a row for each rating: users, products with their names, and what was said when."""
    folder.mkdir()
    lines = []
    for row in range(900):
        number = row * 7 % 36
        name = f"Kettle {number} of steel" if number % 2 else f"Red chair {number}"
        lines.append((f"u{row * 11 % 30}", f"p{number}", name, ("chairs", "kettles")[number % 2], row % 5 + 1, row))
    return rows(
        folder / "ratings.csv", [("user_id", "product_id", "product_name", "kind", "rating", "helpful_votes"), *lines]
    ).parent


def test_a_log_of_ratings_is_items_and_interactions(answers: Any, tmp_path: Path) -> None:
    """What differs among the rows of an item is none of its fields; who liked it is an interaction."""
    shown, hits = answers(log(tmp_path / "log"), "something to boil water in", "--where", "kind=kettles")
    assert "36 items, 30 users" in shown
    assert "864 items with a repeated id" in shown
    assert "liked: rating>3" in shown
    assert len(hits) == 3
    assert hits[0]["fields"] == {"kind": "kettles"}


def test_titles_are_ids_though_other_columns_look_like_ids(answers: Any, tmp_path: Path) -> None:
    """What is missing in many rows is no id of an item; the titles are then, and the file says so."""
    (tmp_path / "shop").mkdir()
    lines = [(f"Lamp {n} of brass" if n % 2 else f"Chair {n} of oak", f"B{n:03}" if n % 3 else "") for n in range(36)]
    shown, hits = answers(
        rows(tmp_path / "shop" / "things.csv", [("name", "asin"), *lines]).parent, "something to sit on"
    )
    assert "also the id" in shown
    assert hits[0]["item_id"].startswith("Chair")


def test_init_replaces_nothing_unless_it_is_told_to(call: Call, tmp_path: Path) -> None:
    """A file that somebody has edited is worth more than a guess."""
    files = titles(tmp_path / "shelf")
    target = files.parent / "antiphon.toml"
    target.write_text("mine = true\n", encoding="utf-8")
    code, _, err = call("init", files, "--yes")
    assert (code, target.read_text(encoding="utf-8")) == (2, "mine = true\n")
    assert "replace it with --force" in err
    assert call("init", files, "--yes", "--force")[0] == 0
    assert "[catalog]" in target.read_text(encoding="utf-8")


def test_init_asks_in_a_terminal_where_a_guess_is_weak(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is answered stands in the file."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("rating>4\n"))
    code, shown, err = call("init", movielens(tmp_path / "ml"))
    assert code == 0, err
    assert "'rating' goes from 0.5 to 5. What counts as liked? [rating>3]" in shown
    assert 'positive = "rating>4"' in (tmp_path / "ml" / "antiphon.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "sentence"), [("nowhere", "does not exist"), (".", "no tables in")])
def test_init_without_tables_says_what_it_looks_for(call: Call, tmp_path: Path, name: str, sentence: str) -> None:
    """One sentence, exit code 2."""
    code, _, err = call("init", tmp_path / name, "--yes")
    assert code == 2
    assert sentence in err
