"""TEMPLATE: an item's metadata by category, in fixed sentences (paper, tables 1 and 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from antiphon.config.sections import CategoryConfig, DescribeConfig
from antiphon.errors import ConfigError, DataError, nearest
from antiphon.query.columns import words_of
from antiphon.query.written import JSON, parts_of

MAX_CHARACTERS = 20_000

LABELS = {"director": "Directed by"}
"""Of columns that are not called what they are."""
MOVIES = ("year", "director", "starring", "genres", "country", "tags")
MUSIC = (
    "genre", "location", "decade", "mood", "lyrics", "instruments", "musicological", "sonority", "vocals", "tags",
)  # fmt: skip
PRESETS: Mapping[str, tuple[str, Sequence[str]]] = {
    "movies": ("Movie: {title}.", MOVIES),
    "music": ("The name of this artist is {title} and is described by the following tags:", MUSIC),
}


def fill_template(items: pa.Table, config: DescribeConfig) -> list[str]:
    """A TEMPLATE description for each row of `items`; a category without values is left out.

    A preset uses the categories whose columns the catalog has. Categories of the configuration replace the preset's,
    and their columns must exist.

    Raises:
        ConfigError: a column is missing, or the opening names one.
        DataError: the numbers of an item do not go with its values.
    """
    opening, categories = _resolve(items, config)
    parts = [_category(items, category) for category in categories]
    openings = _openings(items, opening)
    return [" ".join(filter(None, words))[:MAX_CHARACTERS] for words in zip(openings, *parts, strict=True)]


def _resolve(items: pa.Table, config: DescribeConfig) -> tuple[str, Sequence[CategoryConfig]]:
    opening, columns = PRESETS[config.preset] if config.preset else ("{title}.", ())
    categories = config.categories or [
        CategoryConfig(label=LABELS.get(column, column.capitalize()), column=column)
        for column in columns
        if column in items.column_names
    ]
    for category in categories:
        for column in (category.column, category.counts):
            if column is not None and column not in items.column_names:
                raise ConfigError(
                    f"describe: the items have no column {column!r} for the category {category.label!r}; "
                    f"{nearest(column, items.column_names)}"
                )
        if category.min_count > 1 and category.counts is None:
            raise ConfigError(
                f"describe: min_count of the category {category.label!r} needs `counts`, a column of numbers."
            )
    return config.opening or opening, categories


def _openings(items: pa.Table, opening: str) -> list[str]:
    unknown = [name for name in re.findall(r"\{(\w*)\}", opening) if name != "title"]
    if unknown:
        raise ConfigError(
            f"describe: the opening {opening!r} has {{{unknown[0]}}}, but only {{title}} is filled in; "
            "make the column a category."
        )
    titles = items["title"].to_pylist()
    return [opening.replace("{title}", title) for title in titles]


def _category(items: pa.Table, category: CategoryConfig) -> list[str]:
    values = items[category.column].to_pylist()
    counts = items[category.counts].to_pylist() if category.counts else None
    stop = {word.casefold() for word in category.stop}
    texts = []
    for row, value in enumerate(values):
        words = [", ".join(words_of(part)).strip() for part in _parts(value, category.separator)]
        if counts is not None:
            words = _ranked(words, _parts(counts[row], category.separator), category, items["item_id"][row].as_py())
        unique = dict.fromkeys(word for word in words if word and word.casefold() not in stop)
        kept = list(unique)[: category.max_values]
        texts.append(f"{category.label}: {', '.join(kept)}." if kept else "")
    return texts


def _parts(value: Any, separator: str | None) -> list[Any]:
    if value is None:
        return []
    if separator is not None and isinstance(value, str):
        # A value may be empty, and has a number beside it all the same.
        return parts_of(value, JSON) if separator == JSON else value.split(separator)
    return value if isinstance(value, list) else [value]


def _ranked(words: list[str], counts: list[Any], category: CategoryConfig, item_id: str) -> list[str]:
    """Words with enough people behind them, most first; a missing number is that of one person."""
    counts = counts or [None] * len(words)
    if len(counts) != len(words):
        raise DataError(
            f"describe: item {item_id!r} has {len(counts)} numbers in {category.counts!r} for {len(words)} values in "
            f"{category.column!r}; expected one for each value."
        )
    try:
        numbers = [1.0 if count is None else float(count) for count in counts]
    except (TypeError, ValueError) as error:
        raise DataError(
            f"describe: item {item_id!r}, column {category.counts!r}: expected numbers, got {counts!r}."
        ) from error
    order = sorted(range(len(words)), key=lambda place: -numbers[place])
    return [words[place] for place in order if numbers[place] >= category.min_count]
