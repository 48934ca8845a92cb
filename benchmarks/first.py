"""From files that nobody has prepared to the first right answer: seconds of init, build --quick and search.

    python benchmarks/first.py [--only NAME ...] [--write]

Four catalogs: MovieLens as it is downloaded (where ANTIPHON_DATA has ml-latest-small), 5,000 books with odd columns,
400 products with pictures, and a list of 1,000 titles; all but the first are made here. Each step is a process of its
own, as a newcomer starts it. An answer is right where it is what the request names. CPU seconds are those of all its
threads: on a machine that is busy they say more than the clock.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kept import RESULTS, origin

SUBJECTS = (
    ("lighthouse", "sea", "A keeper tends the lamp above the cold sea while storms take the boats one by one."),
    ("garden", "nature", "A retired teacher plants roses and learns the Latin names of all the weeds around her."),
    ("murder", "crime", "An inspector finds the banker dead in the library and every guest at the dinner lying."),
    ("robot", "science fiction", "A machine that repairs other machines begins to wonder who will repair it one day."),
    ("kitchen", "food", "Forty plain recipes for soups and breads, with the stories of the people who cooked them."),
)
PLACES = ("Ireland", "Norway", "Italy", "Japan", "Peru", "Ghana", "Canada", "Austria", "Spain", "India")
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200), "yellow": (220, 200, 40)}
KINDS = ("mug", "lamp", "chair", "rug", "shelf")
Hits = list[dict[str, Any]]


@dataclass(frozen=True)
class Measured:
    """Seconds of each step, those of the processors in the build, and whether the first answer is right."""

    items: int
    init: float
    build: float
    build_cpu: float
    search: float
    right: bool
    first: str
    load: float

    @property
    def total(self) -> float:
        """From the files to the answer."""
        return self.init + self.build + self.search


def movielens(folder: Path) -> None:
    """The files of the data set, as they are."""
    source = Path(os.environ.get("ANTIPHON_DATA", "")) / "ml-latest-small"
    for name in ("movies.csv", "ratings.csv", "tags.csv", "links.csv"):
        (folder / name).write_bytes((source / name).read_bytes())


def books(folder: Path, n: int = 5_000) -> None:
    """Semicolons, prices with a currency and words, days, yes and no, quoted lines, lists, ids that repeat."""
    head = ("ISBN", "Book Title", "Author", "Price (EUR)", "Published", "Subjects", "In stock", "Blurb", "Cover URL")
    with (folder / "odd books.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(head)
        for number in range(n):
            subject, category, blurb = SUBJECTS[number % 5]
            other, place = SUBJECTS[(number // 5) % 5], PLACES[(number // 25) % 10]
            price = ("€14,33", "1.299,00 €", "unknown", "7,5", "")[number % 7 % 5]
            table.writerow((
                f"97800{number if number % 500 else 0:05}", f"The {subject} of {place} {number}",
                f"Writer {number % 170}", price,
                f"{27 - number % 20:02}/{number % 12 + 1:02}/{1900 + number % 120}", f"{category}|{other[1]}|{place}",
                "yes" if number % 3 else "no", f'{blurb} {other[2]}\nIn {place}. Volume {number}, "as told".',
                f"https://books.test/{number}.html",
            ))  # fmt: skip


def products(folder: Path, n: int = 400) -> None:
    """A JSONL with lists and values of two types, and a folder of pictures named by the ids."""
    from PIL import Image

    (folder / "pictures").mkdir()
    with (folder / "products.jsonl").open("w", encoding="utf-8") as file:
        for number in range(n):
            colour, kind = list(COLOURS)[number % 4], KINDS[number % 5]
            line = {
                "sku": f"p-{number:03}", "name": f"{colour.title()} {kind} {number}", "categories": [kind, "home"],
                "price": 9.5 + number if number % 6 else "on request", "colour": colour,
                "description": f"A {colour} {kind} for the home, made by hand in a workshop by the river: {number}.",
            }  # fmt: skip
            file.write(json.dumps(line) + "\n")
            picture = io.BytesIO()
            Image.new("RGB", (96, 96), COLOURS[colour]).save(picture, "PNG")
            if number % 9:
                (folder / "pictures" / f"p-{number:03}.png").write_bytes(picture.getvalue())


def titles(folder: Path, n: int = 1_000) -> None:
    """Nothing but names, a line each."""
    shelf = (
        "Winter in the Mountains",
        "A Summer by the Sea",
        "The Old Bakery",
        "Night Train to Prague",
        "Bread and Salt",
    )
    lines = [f"{shelf[number % 5]}, part {number // 5 + 1}" for number in range(n)]
    random.Random(0).shuffle(lines)
    (folder / "shelf.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _space_before_1979(hits: Hits) -> bool:
    return "Sci-Fi" in hits[0]["fields"]["genres"] and hits[0]["fields"]["year"] < 1979


CATALOGS: Mapping[str, tuple[str, Callable[[Path], None], tuple[str, ...], Callable[[Hits], bool]]] = {
    "movielens": (
        "MovieLens, its CSV files", movielens,
        ("a science fiction film set in space", "--where", "year<1979"), _space_before_1979,
    ),
    "books": (
        "books, odd columns", books, ("storms and a lamp above the water", "--where", "In_stock=true and Price_EUR>5"),
        lambda hits: "lighthouse" in hits[0]["title"],
    ),
    "products": (
        "products with pictures", products, ("something blue to sit on", "--where", "price<200"),
        lambda hits: hits[0]["title"].startswith("Blue chair"),
    ),
    "titles": (
        "titles alone", titles, ("holidays at the beach",), lambda hits: "Summer by the Sea" in hits[0]["title"],
    ),
}  # fmt: skip


def run(*words: str | Path) -> tuple[float, float, str]:
    """Seconds by the clock, seconds of the processors, and what a command printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", *map(str, words)], capture_output=True, text=True, check=False
    )
    took, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"antiphon {' '.join(map(str, words))}\n{done.stderr}")
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def measure(name: str) -> Measured:
    """One catalog, in a folder that is new."""
    _, make, request, right = CATALOGS[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "files"
        folder.mkdir()
        make(folder)
        load = os.getloadavg()[0]
        init, _, _ = run("init", folder, "--yes")
        build, cpu, _ = run("build", folder / "antiphon.toml", "--run", Path(temporary) / "run", "--quick", "--quiet")
        search, _, out = run("search", Path(temporary) / "run", *request, "-k", "3", "--json")
        hits = json.loads(out)["hits"]
        _, _, told = run("inspect", Path(temporary) / "run", "--json")
        return Measured(
            items=int(json.loads(told)["n_items"]), init=round(init, 1), build=round(build, 1), build_cpu=round(cpu, 1),
            search=round(search, 1), right=bool(hits) and right(hits), first=hits[0]["title"] if hits else "",
            load=round(load, 1),
        )  # fmt: skip


def keep(where: dict[str, Any], rows: dict[str, Any]) -> None:
    """Write the rows, beside those of other catalogs that were measured by the same code."""
    path = RESULTS / "first.json"
    kept = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    same = kept.get("where", {}).get("code") == where["code"]
    known = {**(kept["rows"] if same else {}), **rows}
    document = {"where": where, "rows": {name: known[name] for name in CATALOGS if name in known}}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Print the table; --write keeps it in benchmarks/results/first.json, row by row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(CATALOGS), default=list(CATALOGS))
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    print(
        "| catalog | items | init, s | build --quick, s | of which CPU, s | search, s | in all, s | right |\n"
        "|---|---:|---:|---:|---:|---:|---:|---|"
    )
    where, rows = origin("first.json"), {}
    for name in given.only:
        row = measure(name)
        rows[name] = {"what": CATALOGS[name][0], **asdict(row), "total": round(row.total, 1)}
        took = f"{row.init:.1f} | {row.build:.0f} | {row.build_cpu:.0f} | {row.search:.1f} | {row.total:.0f}"
        right = "yes" if row.right else f"no: {row.first}"
        print(f"| {CATALOGS[name][0]} | {row.items:,} | {took} | {right} |", flush=True)
        if given.write:
            keep(where, rows)
    print(f"\n{where['machine']}, commit {where['commit']}, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
