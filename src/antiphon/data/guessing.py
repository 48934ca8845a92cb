"""Which file is what, and which column is what, guessed from names and values: for `antiphon init`.

Nothing here asks or writes. A guess is a value, with the questions that a person could answer better; given the
answers, the guess is made again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.data.profile import Profile
from antiphon.data.roles import TIMES, Doubt, Role, are_files, is_code, numbers_of_column, role_of
from antiphon.data.tables import read_file
from antiphon.errors import DataError

TITLES = (
    "title", "name", "headline", "producttitle", "productname", "itemname", "booktitle", "movietitle", "trackname",
    "songtitle", "product", "book", "movie", "film", "track", "song", "label",
)  # fmt: skip
USERS = re.compile(r"(?:user|member|customer|reader|listener|person|visitor|account|reviewer|client)s?(?:id|key|name)?")
RATINGS = re.compile(r"(?:rating|score|stars?|vote|grade|overall)s?(?:value)?")
WEIGHTS = re.compile(r"(?:weight|plays?|playcount|count|listens|views|clicks|quantity|qty|hours|amount)")
LIKED = 0.6
"""Of the highest rating: what is above counts as liked."""
SHARED = 0.1
"""Of the values of a column, that must be ids of items for it to point to them."""
REPEATED, DIFFERS = 0.5, 1.2
"""Of the rows, how many items a log has at most; values of an item, on average, from which a column is not its own."""
SCALARS = ("string", "number", "boolean", "date")
YEAR_PATTERN = r"\((\d{4})\)\s*$"


@dataclass(frozen=True)
class Table:
    """A file with the profiles of its columns."""

    path: Path
    rows: pa.Table
    columns: Sequence[Profile]

    @classmethod
    def of(cls, path: Path) -> Table:
        """Read and profile a file; whole numbers stay ids.

        Raises:
            DataError: it cannot be read.
        """
        rows = read_file(path)
        coded = [name for name in rows.column_names if is_code(name) and path.suffix.lower() != ".parquet"]
        if coded and path.suffix.lower() != ".txt":
            rows = read_file(path, coded)
        return cls(path, rows, [Profile.of(name, rows[name]) for name in rows.column_names])

    def find(self, wanted: re.Pattern[str]) -> Profile | None:
        """The first column whose name is wanted."""
        return next((column for column in self.columns if wanted.fullmatch(column.key)), None)


@dataclass(frozen=True)
class Guess:
    """What the files are taken for. `roles`: of the items' columns; `lists`: name -> its section."""

    items: Table
    roles: Sequence[Role]
    interactions: Table | None = None
    pairs: Mapping[str, Any] = field(default_factory=dict)
    pair_roles: Sequence[Role] = ()
    lists: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    unused: Mapping[str, str] = field(default_factory=dict)
    questions: Sequence[Doubt] = ()

    def named(self, role: str) -> str | None:
        """The column with a role."""
        return next((found.column.name for found in self.roles if found.role == role), None)

    def ids(self) -> pa.ChunkedArray:
        """The items' ids, as text."""
        return pc.cast(self.items.rows[self.named("id") or self.named("title")], pa.string())


def guess(files: Sequence[Path], answers: Mapping[str, str] | None = None) -> Guess:
    """What tables are: one has the items; others who used them, or more values of them.

    Raises:
        DataError: a file cannot be read, or none has items.
    """
    answers = answers or {}
    tables = [Table.of(path) for path in files]
    items = _items_among(tables)
    roles, questions = _item_roles(items, answers)
    found = _with_log(Guess(items, roles, questions=questions), answers)
    for table in sorted((table for table in tables if table is not items), key=lambda table: -table.rows.num_rows):
        found = _with_table(found, table, answers)
    return found


def _with_log(found: Guess, answers: Mapping[str, str]) -> Guess:
    """The guess for a file that has a row each time somebody meets an item, and so the interactions as well."""
    user = found.items.find(USERS)
    name = found.named("id") or found.named("title")
    item = next(column for column in found.items.columns if column.name == name)
    if user is None or user.empty or item.unique_share > REPEATED:
        return found
    rating = found.items.find(RATINGS)
    of_item = found.items.rows.group_by(name)

    def differs(column: Profile) -> bool:
        counts = of_item.aggregate([(column.name, "count_distinct")])[f"{column.name}_count_distinct"]
        return float(pc.mean(counts).as_py()) > DIFFERS

    roles = [
        Role(role.column, "unused", note="differs among the rows of an item")
        if role.role not in ("id", "title") and role.column.type in SCALARS and differs(role.column)
        else role
        for role in found.roles
    ]
    return _with_pairs(replace(found, roles=roles), found.items, user, item, rating, answers)


def _items_among(tables: Sequence[Table]) -> Table:
    def score(table: Table) -> tuple[int, int, int]:
        titled = any(column.key in TITLES for column in table.columns)
        words = sum(column.type in ("string", "list") for column in table.columns)
        return (int(titled), words, table.rows.num_rows)

    open_ = [table for table in tables if table.find(USERS) is None or len(tables) == 1]
    if not open_:
        shown = ", ".join(table.path.name for table in tables) or "no tables"
        raise DataError(f"no file of items was found among {shown}: expected one with a row per item, such as a title.")
    return max(open_, key=score)


def _item_roles(table: Table, answers: Mapping[str, str]) -> tuple[list[Role], list[Doubt]]:
    questions: list[Doubt] = []
    title = _title_of(table, answers, questions)
    code = _id_of(table, title)
    roles = []
    for column in table.columns:
        if column is code:
            roles.append(Role(column, "id"))
        elif column is title:
            roles.append(Role(column, "title", note="" if code else "also the id: no column looks like one"))
        else:
            roles.append(role_of(column, answers, questions))
    if title is None and code is None:
        raise DataError(f"{table.path}: no column looks like a title or an id; the columns are {_names(table)}.")
    dated = any(role.role == "number" and role.column.key.endswith("year") for role in roles)
    if title is not None and not dated and title.years() > 0.5:
        options = {"type": "number", "column": title.name, "pattern": YEAR_PATTERN}
        roles.append(Role(replace(title, name="year"), "number", options, "the year at the end of the title"))
    return roles, questions


def _names(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _title_of(table: Table, answers: Mapping[str, str], questions: list[Doubt]) -> Profile | None:
    texts = [column for column in table.columns if column.type in ("string", "number") and not column.empty]
    chosen = next((column for column in texts if column.name == answers.get("title")), None)
    if chosen is not None:
        return chosen
    for name in TITLES:
        for column in texts:
            if column.key == name and column.type == "string":
                return column
    likely = [
        column
        for column in texts
        if column.words and not is_code(column.name) and column.n_words <= 12 and not are_files(column)
    ]
    if not likely:
        return None
    best = max(likely, key=lambda column: (round(column.unique_share, 1), -abs(column.n_words - 3)))
    names = [column.name for column in texts]
    questions.append(Doubt("title", "Which column is the title?", best.name, names))
    return best


def _id_of(table: Table, title: Profile | None) -> Profile | None:
    def fits(column: Profile) -> bool:
        whole = column.type == "string" or (
            column.type == "number" and all(isinstance(v, int | None) for v in column.values)
        )
        return column is not title and whole and column.unique_share > 0.8 and column.n_missing < 0.2 * column.n_rows

    coded = [column for column in table.columns if is_code(column.name) and fits(column)]
    exact = [column for column in coded if column.key in ("itemid", "id")]
    return next(iter([*exact, *coded]), None) or _id_of_log(table, title)


def _id_of_log(table: Table, title: Profile | None) -> Profile | None:
    """The ids of items that several rows have: a column of codes with about as many values as there are titles."""
    user = table.find(USERS)
    if user is None or title is None or title.unique_share > REPEATED:
        return None
    codes = [column for column in table.columns if is_code(column.name) and column is not user and not column.n_missing]
    return next((column for column in codes if 0.9 <= column.n_unique / title.n_unique <= 2), None)


def _with_table(found: Guess, table: Table, answers: Mapping[str, str]) -> Guess:
    """The guess with one more file: interactions, values of a list, or nothing that it can use."""
    item = _item_column(found, table)
    if item is None:
        return replace(found, unused={**found.unused, table.path.name: "no column has ids of the items"})
    user, rating = table.find(USERS), table.find(RATINGS)
    words = [
        column
        for column in table.columns
        if column not in (item, user)
        and column.type == "string"
        and not is_code(column.name)
        and column.reads_as() is None
        and column.n_words < 8
    ]
    if user is not None and (rating is not None or not words):
        if found.interactions is not None:
            return replace(found, unused={**found.unused, table.path.name: "there are interactions already"})
        return _with_pairs(found, table, user, item, rating, answers)
    if words and item.unique_share < 1:
        word = words[0]
        taken = {role.column.name for role in found.roles} | set(found.lists)
        name = next(
            name for name in (_plural(word.name), f"{_plural(word.name)}_{table.path.stem}") if name not in taken
        )
        section = {"file": table.path, "item_id": item.name, "column": word.name}
        return replace(found, lists={**found.lists, name: section})
    return replace(
        found, unused={**found.unused, table.path.name: "one row per item; put its columns into the items' file"}
    )


def _item_column(found: Guess, table: Table) -> Profile | None:
    """The column with ids of the items: the one of that name, else the one that most often holds one."""
    ids = pc.unique(found.ids())

    def overlap(column: Profile) -> float:
        values = [None if value is None else str(value) for value in column.values]
        held = pc.mean(pc.is_in(pa.array(values, pa.string()), value_set=ids)).as_py()
        return float(held or 0.0)

    wanted = {re.sub(r"[^a-z0-9]", "", str(found.named(role)).casefold()) for role in ("id", "title")} | {"itemid"}
    open_ = [
        column
        for column in table.columns
        if column.type in ("string", "number") and column is not table.find(USERS) and overlap(column) > SHARED
    ]
    named = [column for column in open_ if column.key in wanted]
    return named[0] if named else max(open_, key=overlap, default=None)


def _plural(name: str) -> str:
    word = re.sub(r"[^a-z0-9_]", "_", name.casefold()).strip("_") or "values"
    return word if word.endswith("s") else f"{word}s"


def _with_pairs(
    found: Guess, table: Table, user: Profile, item: Profile, rating: Profile | None, answers: Mapping[str, str]
) -> Guess:
    options: dict[str, Any] = {"file": table.path, "user_id": user.name, "item_id": item.name}
    roles = [Role(user, "user"), Role(item, "item")]
    questions = list(found.questions)
    numbers = [] if rating is None else numbers_of_column(rating)
    if rating is not None and numbers:
        low, high = min(numbers), max(numbers)
        default = f"{rating.name}>{_short(LIKED * high if high > 1 else 0)}"
        liked = answers.get("liked", default)
        sentence = f"{rating.name!r} goes from {_short(low)} to {_short(high)}. What counts as liked?"
        questions.append(Doubt("liked", sentence, default))
        options["positive"] = liked
        roles.append(Role(rating, "rating", note=f"liked: {liked}"))
        if len(numbers) < len(rating.words):
            options["on_error"] = "drop"
    weight = table.find(WEIGHTS) if rating is None else None
    if weight is not None and weight.type == "number":
        options |= {"weight": weight.name, "weight_transform": "log", "on_error": "drop"}
        roles.append(Role(weight, "weight", note="on a log scale"))
    taken = {role.column.name for role in roles}
    others = [column for column in table.columns if column.name not in taken]
    roles += [Role(column, "unused", note="a time" if TIMES.fullmatch(column.key) else "") for column in others]
    return replace(found, interactions=table, pairs=options, pair_roles=roles, questions=questions)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
