"""What a column of items may be, guessed from its name and values: a kind of field, a text, or nothing of use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from antiphon.data.cells import number
from antiphon.data.profile import MOST, Profile
from antiphon.query.written import JSON

TIMES = re.compile(r".*(?:time|date|timestamp|when|created|updated)(?:at)?|.*at")
CODES = ("id", "isbn", "isbn10", "isbn13", "asin", "sku", "key", "code", "uid", "uuid", "guid", "ean", "gtin", "slug")
NAMED = (
    "author", "authors", "director", "artist", "brand", "publisher", "category", "genre", "country", "language", "type",
    "color", "colour", "label", "format", "series", "maker", "studio", "album",
)  # fmt: skip
"""Columns that people filter by, however many values they have."""
MANY = 50
"""Different values that a column may have, however few rows share each, to be one to filter by."""
LONG_VALUES = 5
"""Words of the values of a list, on average; longer ones are sentences."""
FEWEST_WORDS = 8
"""Of a text that is read sentence by sentence."""
_OWN_ID = re.compile(
    r"(?:app|game|product|book|movie|film|show|series|track|song|album|artist|article|paper|recipe|anime|manga|course|job|"
    r"hotel|place|business|listing|parent|imdb|tmdb)ids?|(?:stock|product|item|article)code"
)
_FILE = re.compile(r"(?:https?://|www\.)|.*\.(?:jpe?g|png|webp|gif|mp3|wav)$")


@dataclass(frozen=True)
class Role:
    """What a column is taken for: `role`, the options of its field or section, and how many values do not fit."""

    column: Profile
    role: str
    options: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Doubt:
    """What a person could say better than a guess."""

    key: str
    sentence: str
    default: str
    choices: Sequence[str] = ()


def is_code(name: str) -> bool:
    """Whether a name is that of ids: id, movieId, user_id, isbn, sku."""
    key = re.sub(r"[^a-z0-9]", "", name.casefold())
    return (
        key in CODES
        or bool(re.search(r"(?:[_\s-](?:id|asin|isbn|sku|uuid|guid|ean)|[a-z]I[dD]|^id)s?$", name))
        or key.endswith(("itemid", "userid"))
        or bool(_OWN_ID.fullmatch(key))
    )


def are_files(column: Profile) -> bool:
    """Whether most of its texts are addresses or names of files."""
    return column.share(lambda text: _FILE.match(text) is not None) > 0.5


def role_of(column: Profile, answers: Mapping[str, str], questions: list[Doubt]) -> Role:
    """The role of a column of items that is neither id nor title."""
    useless = _useless(column)
    if useless:
        return Role(column, "unused", note=useless)
    if column.type == "list":
        words = [str(word) for value in column.values if isinstance(value, list) for word in value if word is not None]
        return _listed(column, words)
    return _written(column, answers, questions) if column.type == "string" else _typed(column)


def _useless(column: Profile) -> str:
    """Why nothing can be made of a column; empty where something can."""
    if column.empty:
        return "empty"
    if column.type in (None, "vectors"):
        return "vectors" if column.type == "vectors" else "no type for filters"
    if is_code(column.name):
        return "another id"
    if column.type == "string" and are_files(column):
        return "addresses or file names"
    return "the same for all" if column.n_unique == 1 and not column.n_missing else ""


def _typed(column: Profile) -> Role:
    numbers = [value for value in column.values if isinstance(value, int | float)]
    if column.type == "number" and set(numbers) <= {0, 1}:
        return Role(column, "boolean", {"type": "boolean"})
    whole = column.type == "number" and numbers and all(isinstance(value, int) for value in numbers)
    if whole and TIMES.fullmatch(column.key) and 10**8 < min(numbers) < max(numbers) < 10**10:
        return Role(column, "date", {"type": "date"}, "seconds since 1970")
    return Role(column, str(column.type), {"type": column.type})


def _written(column: Profile, answers: Mapping[str, str], questions: list[Doubt]) -> Role:
    """The role of a column of texts."""
    kind = column.reads_as()
    if kind is not None:
        return _readable(column, kind, answers, questions)
    if column.written is not None:
        return _listed(column, column.written)
    missing = {"missing": column.no_values()} if column.no_values() else {}
    sign = column.separator()
    if sign is not None and column.n_letters <= 200:
        return Role(column, "list", {"type": "list", "separator": sign, **missing}, f"values separated by {sign!r}")
    few = column.unique_share <= 0.5 or column.n_unique <= MANY or column.key in NAMED
    if few and column.n_words < FEWEST_WORDS:
        return Role(column, "string", {"type": "string", **missing})
    if column.n_words >= 3:
        return Role(column, "text", note="read sentence by sentence")
    return Role(column, "unused", note="almost every value is different")


def _listed(column: Profile, words: Sequence[str]) -> Role:
    """The role of a column of lists, which a program may have written into texts: short values, sentences, numbers."""
    values = Profile(column.name, "string", len(words), 0, len(set(words)), words)
    if not words or values.share(lambda word: number(word) is not None) > MOST:
        return Role(column, "unused", note="lists of numbers" if words else "empty lists")
    if values.n_words > LONG_VALUES:
        return Role(column, "text", note="read sentence by sentence")
    options: dict[str, Any] = {"type": "list"}
    if column.type == "string":
        options["separator"] = JSON
    if gone := values.no_values():
        options["missing"] = sorted(gone)
    return Role(column, "list", options, "lists that a program wrote" if column.type == "string" else "")


def _readable(column: Profile, kind: str, answers: Mapping[str, str], questions: list[Doubt]) -> Role:
    options: dict[str, Any] = {"type": kind}
    forms = column.formats if kind == "date" else []
    if len(forms) > 1:
        key = f"format {column.name}"
        sentence = f"In which order are the dates of {column.name!r}, such as {column.examples(1)[0]}?"
        questions.append(Doubt(key, sentence, forms[0], forms))
        options["format"] = answers.get(key, forms[0])
    return Role(column, kind, options)


def numbers_of_column(column: Profile) -> list[float]:
    """The numbers of a column; none where it holds words for the most part."""
    if column.type == "number":
        return [float(value) for value in column.values if value is not None]
    said = [value for text in column.words if (value := number(text)) is not None]
    return said if len(said) > MOST * len(column.words) else []
