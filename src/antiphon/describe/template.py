"""TEMPLATE: an item's metadata by category, in fixed sentences (paper, tables 1 and 3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from antiphon.config import CategoryConfig, DescribeConfig
from antiphon.errors import ConfigError, nearest
from antiphon.fields import words_of

MAX_CHARACTERS = 20_000

MOVIES = (
    CategoryConfig(label="Year", column="year"),
    CategoryConfig(label="Directed by", column="director"),
    CategoryConfig(label="Starring", column="starring"),
    CategoryConfig(label="Genres", column="genres"),
    CategoryConfig(label="Country", column="country"),
    CategoryConfig(label="Tags", column="tags"),
)
MUSIC = tuple(
    CategoryConfig(label=name.capitalize(), column=name)
    for name in (
        "genre",
        "location",
        "decade",
        "mood",
        "lyrics",
        "instruments",
        "musicological",
        "sonority",
        "vocals",
        "tags",
    )
)
PRESETS: Mapping[str, tuple[str, Sequence[CategoryConfig]]] = {
    "movies": ("Movie: {title}.", MOVIES),
    "music": ("The name of this artist is {title} and is described by the following tags:", MUSIC),
}


def fill_template(items: pa.Table, config: DescribeConfig) -> list[str]:
    """A TEMPLATE description for each row of `items`; a category without values is left out.

    A preset uses the categories whose columns the catalog has. Categories of the configuration replace the preset's,
    and their columns must exist.

    Raises:
        ConfigError: a column is missing, or nothing is left to describe items by.
    """
    opening, categories = _resolve(items, config)
    parts = [_category(items, category) for category in categories]
    openings = _openings(items, opening)
    return [" ".join(filter(None, words))[:MAX_CHARACTERS] for words in zip(openings, *parts, strict=True)]


def _resolve(items: pa.Table, config: DescribeConfig) -> tuple[str, Sequence[CategoryConfig]]:
    opening, categories = PRESETS[config.preset] if config.preset else ("{title}.", ())
    categories = [category for category in categories if category.column in items.column_names]
    if config.categories:
        categories = list(config.categories)
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
    titles = items["title"].to_pylist()
    return [opening.replace("{title}", title) for title in titles]


def _category(items: pa.Table, category: CategoryConfig) -> list[str]:
    values = items[category.column].to_pylist()
    counts: Iterable[Any] = items[category.counts].to_pylist() if category.counts else [None] * len(values)
    stop = {word.casefold() for word in category.stop}
    return [
        f"{category.label}: {', '.join(kept)}." if (kept := _kept(value, count, category, stop)) else ""
        for value, count in zip(values, counts, strict=True)
    ]


def _kept(value: Any, counts: Sequence[int] | None, category: CategoryConfig, stop: set[str]) -> list[str]:
    if category.separator is not None and isinstance(value, str):
        value = value.split(category.separator)
    words = [word.strip() for word in words_of(value)]
    if counts is not None:
        if len(counts) != len(words):
            raise ConfigError(
                f"describe: {category.counts!r} has {len(counts)} numbers, {category.column!r} has {len(words)} values."
            )
        ranked = sorted(zip(words, counts, strict=True), key=lambda pair: -(pair[1] or 0))
        words = [word for word, count in ranked if (count or 0) >= category.min_count]
    unique = dict.fromkeys(word for word in words if word and word.casefold() not in stop)
    return list(unique)[: category.max_values]
