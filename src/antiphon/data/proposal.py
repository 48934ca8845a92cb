"""A guess as an antiphon.toml: its settings, and the file as text with a comment wherever something was guessed."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import tomli_w

from antiphon.config.sections import FieldConfig
from antiphon.data.cells import NOUNS, read_cells
from antiphon.data.guessing import Guess, Table
from antiphon.data.reading import media_sizes
from antiphon.data.roles import Role

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
SOUNDS = (".mp3", ".wav", ".flac", ".ogg", ".m4a")
FEWEST_USERS = 20
"""For collaborative filtering."""
RESERVED = ("and", "or", "not")
SHELVES = (
    "*dvd*", "*vhs*", "*blu-ray*", "*netflix*", "*library*", "own", "owned", "own it", "seen *", "not seen", "to see",
    "to watch", "to read", "to-read", "to-watch", "to buy", "wishlist", "favorites", "favourites",
)  # fmt: skip
"""What people tag of their shelves, and not of an item; * is anything."""


@dataclass(frozen=True)
class FoundMedia:
    """Files of items in a folder or zip: how they are named, and how many items have one."""

    kind: str
    path: Path
    pattern: str
    n_items: int


def media_among(guess: Guess, places: Sequence[Path]) -> tuple[list[FoundMedia], dict[str, str]]:
    """Folders and zips whose files are named by the items' ids; and why the others are not used."""
    ids = set(guess.ids().to_pylist())
    found: dict[str, FoundMedia] = {}
    unused = {}
    for place in places:
        names = [name for name in media_sizes(place) if Path(name).suffix.lower() in (*PICTURES, *SOUNDS)]
        patterns = Counter(pattern for name in names if (pattern := _pattern(name, ids)) is not None)
        if not patterns:
            unused[place.name] = "no file is named by an item's id" if names else "no pictures and no sounds"
            continue
        pattern, count = patterns.most_common(1)[0]
        kind = "image" if Path(pattern).suffix.lower() in PICTURES else "audio"
        if kind in found:
            unused[place.name] = f"the items have files of this kind already, in {found[kind].path.name}"
            continue
        found[kind] = FoundMedia(kind, place, pattern, count)
    return list(found.values()), unused


def _pattern(name: str, ids: set[str]) -> str | None:
    path = Path(name)
    if path.stem not in ids:
        return None
    return (path.parent / f"{{item_id}}{path.suffix}").as_posix()


def checked(guess: Guess) -> Guess:
    """The guess with every cell looked at: fields with some that do not fit leave these empty, and say how many."""
    return replace(guess, roles=[_checked(role, guess) for role in guess.roles])


def _checked(role: Role, guess: Guess) -> Role:
    if role.role not in ("number", "date", "boolean") or role.column.type != "string" or "pattern" in role.options:
        return role
    field = FieldConfig(**role.options)
    cells, bad = read_cells(guess.items.rows[role.column.name], field)
    if not bad.any():
        return role
    values = guess.items.rows[role.column.name].filter(bad)
    examples = ", ".join(map(repr, dict.fromkeys(values.slice(0, 50).to_pylist()).keys()))[:60]
    note = f"{int(bad.sum()):,} of {len(cells):,} are {NOUNS[field.type]}, such as {examples}: left empty"
    return replace(role, options={**role.options, "on_error": "null"}, note=note)


def settings_of(guess: Guess, media: Sequence[FoundMedia], folder: Path, *, pictures: bool) -> dict[str, Any]:
    """The settings of an antiphon.toml in `folder`. `pictures`: whether the encoder of pictures is installed."""
    fields = {field_name(role): _field(role) for role in guess.roles if "type" in role.options}
    fields |= {name: {"type": "list"} for name in guess.lists}
    catalog: dict[str, Any] = {"items": _relative(guess.items.path, folder)}
    # Without a column of ids it has to be said: others of the file may look like one.
    catalog["item_id"] = guess.named("id") or guess.named("title")
    if guess.named("title") is not None:
        catalog["title"] = guess.named("title")
    ids = guess.ids()
    if len(ids) > pc.count_distinct(ids, mode="only_valid").as_py() + ids.null_count:
        catalog["duplicates"] = "drop"
    if guess.named("id") is not None and _blank(ids):
        catalog["keep"] = f"{guess.named('id')}!=null"
    catalog["fields"] = fields
    if guess.lists:
        lists = {name: {**section, "file": _relative(section["file"], folder)} for name, section in guess.lists.items()}
        catalog["lists"] = lists
    if guess.interactions is not None:
        catalog["interactions"] = {**guess.pairs, "file": _relative(guess.interactions.path, folder)}
    if media:
        catalog["media"] = {
            item.kind: {"path": _relative(item.path, folder), "pattern": item.pattern} for item in media
        }
    years = [name for name, field in fields.items() if field["type"] == "number" and name.casefold().endswith("year")]
    return {
        "name": _name(guess, folder),
        "catalog": catalog,
        "describe": _describe(guess, fields),
        "synthetic": {"noun": noun_of(guess), **({"decades": years} if years else {})},
        "modalities": _modalities(guess, media, pictures=pictures),
        **({"hide": hidden} if (hidden := _hidden(guess)) else {}),
    }


def _hidden(guess: Guess) -> dict[str, list[str]]:
    """Of the lists that people have written: the words for shelves that they have."""
    found = {}
    for name, section in guess.lists.items():
        column = Table.of(Path(section["file"])).rows[section["column"]]
        values = {str(value).casefold() for value in pc.unique(column).to_pylist() if value is not None}
        found[name] = [mark for mark in SHELVES if any(fnmatchcase(value, mark) for value in values)]
    return {name: marks for name, marks in found.items() if marks}


def field_name(role: Role) -> str:
    """The name of a column as a field: signs that filters use are left out."""
    name = re.sub(r"[^\w]+", "_", role.column.name).strip("_") or "field"
    return f"{name}_" if name.casefold() in RESERVED else name


def noun_of(guess: Guess) -> str:
    """What the items are called: the file's name where it is a plural, such as books."""
    word = re.sub(r"[^a-z]+", " ", guess.items.path.stem.casefold()).strip().split(" ")[-1]
    return word if word.endswith("s") and len(word) > 3 else "items"


def _field(role: Role) -> dict[str, Any]:
    column = {} if "column" in role.options or field_name(role) == role.column.name else {"column": role.column.name}
    return {**role.options, **column}


def _blank(ids: Any) -> bool:
    trimmed = pc.utf8_trim_whitespace(ids)
    return bool(pc.any(pc.fill_null(pc.equal(trimmed, ""), True)).as_py())


def _describe(guess: Guess, fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    categories: list[dict[str, Any]] = []
    for name, field in fields.items():
        if field["type"] not in ("string", "list", "number"):
            continue
        column = name if "pattern" in field or name in guess.lists else field.get("column", name)
        category: dict[str, Any] = {"label": name.replace("_", " ").capitalize(), "column": column}
        if name in guess.lists:
            category |= {"counts": f"{name}_counts", "max_values": 30}
        category |= {"separator": field["separator"]} if "separator" in field else {}
        category |= {"stop": list(field["missing"])} if "missing" in field else {}
        categories.append(category)
    texts = [role.column.name for role in guess.roles if role.role == "text"]
    return {"opening": "{title}.", **({"texts": texts} if texts else {}), "categories": categories}


def _modalities(guess: Guess, media: Sequence[FoundMedia], *, pictures: bool) -> list[dict[str, Any]]:
    found = [{"name": "text", "encoder": "sentence-transformers"}]
    if pictures and any(item.kind == "image" for item in media):
        found.append({"name": "image", "encoder": "efficientnet-lite"})
    if guess.interactions is not None:
        users = guess.interactions.rows[str(guess.pairs["user_id"])]
        if pc.count_distinct(users).as_py() >= FEWEST_USERS:
            found.append({"name": "cf", "encoder": "als"})
    return found


def _name(guess: Guess, folder: Path) -> str:
    stem = guess.items.path.stem if guess.items.path.stem not in ("items", "data") else folder.resolve().name
    return re.sub(r"[^\w-]+", "-", stem.casefold()).strip("-") or "catalog"


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def toml_of(settings: Mapping[str, Any], comments: Mapping[str, str], head: str) -> str:
    """Settings as the text of a file; `comments`: dotted keys -> what is said of them, behind the line."""
    lines = [*(f"# {line}" for line in head.splitlines()), *_lines(settings, "", comments)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any], path: str, comments: Mapping[str, str]) -> list[str]:
    lines, below = list[str](), list[str]()
    for key, value in table.items():
        dotted = f"{path}.{key}".strip(".")
        if isinstance(value, Mapping):
            inner = _lines(value, dotted, comments)
            plain = any(not isinstance(held, Mapping) for held in value.values())
            below += [*(["", f"[{dotted}]"] if plain else []), *inner]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for entry in value:
                below += ["", f"[[{dotted}]]", *_lines(entry, dotted, comments)]
        else:
            comment = f"  # {comments[dotted]}" if dotted in comments else ""
            lines.append(f"{key} = {_value(value)}{comment}")
    return lines + below


def _value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()


def comments_of(guess: Guess, media: Sequence[FoundMedia]) -> dict[str, str]:
    """What is said of the settings that were guessed."""
    said = {
        "catalog.items": f"{guess.items.rows.num_rows:,} rows",
        "catalog.duplicates": "rows that repeat an id are dropped, the first is kept",
        "catalog.keep": "rows without an id are left out",
        "describe.texts": "each is read sentence by sentence",
        "describe.opening": "the first sentence of an item's description; the categories below follow",
        "synthetic.noun": "what the items are called in requests",
        "synthetic.decades": "years that are spoken of as decades",
        "catalog.interactions.positive": "what counts as liked",
        "catalog.interactions.weight_transform": "counts on a log scale",
    }
    for name in guess.lists:
        said[f"hide.{name}"] = "words of shelves: filters, the map and sentences leave them out"
    for role in guess.roles:
        if role.note and "type" in role.options:
            said[f"catalog.fields.{field_name(role)}.type"] = role.note
    for item in media:
        said[f"catalog.media.{item.kind}.pattern"] = f"{item.n_items:,} files"
    return said
