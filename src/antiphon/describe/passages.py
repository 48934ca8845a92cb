"""Passages: the long texts of an item, cut where sentences end into pieces that an encoder reads whole."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from antiphon.base.wording import SENTENCE_END
from antiphon.config.sections import DescribeConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions, View
from antiphon.errors import ConfigError, nearest
from antiphon.query.columns import is_list, normalise
from antiphon.query.written import written_list

TEXTS = "texts"
"""The key of [describe] that names the columns."""
MAX_WORDS, MAX_PASSAGES = 160, 10
"""Words of a passage, and passages that are read of one text."""


def texts_of(catalog: Catalog, config: DescribeConfig) -> dict[str, View]:
    """The columns of `texts`, (n_items,) each, None where an item has no text.

    Raises:
        ConfigError: a column is missing, or does not hold text.
    """
    return {name: text_column(catalog, name, TEXTS) for name in config.texts}


def passages_of(catalog: Catalog, config: DescribeConfig) -> Descriptions:
    """The texts cut into passages, each a view: "plot 1", "plot 2" and so on."""
    views: dict[str, View] = {}
    for name, texts in texts_of(catalog, config).items():
        pieces = [cut(text) if text else [] for text in texts]
        for number in range(max(map(len, pieces), default=0)):
            views[f"{name} {number + 1}"] = tuple(parts[number] if number < len(parts) else None for parts in pieces)
    return Descriptions(views)


def cut(text: str) -> list[str]:
    """Passages of at most `MAX_WORDS` words; a sentence is cut only where it is longer than that."""
    passages: list[list[str]] = [[]]
    for sentence in SENTENCE_END.split(text.strip()):
        words = sentence.split()
        for start in range(0, len(words), MAX_WORDS):
            piece = words[start : start + MAX_WORDS]
            if passages[-1] and len(passages[-1]) + len(piece) > MAX_WORDS:
                passages.append([])
            passages[-1] += piece
    return [" ".join(words) for words in passages if words][:MAX_PASSAGES]


def lexical_texts(catalog: Catalog, descriptions: Descriptions, texts: Sequence[View] = ()) -> list[str]:
    """What words are looked up in: the description, all values of lists (a description keeps some), and the texts."""
    lists = [catalog.fields[name].to_pylist() for name, kind in catalog.field_types.items() if kind == "list"]
    parts = [[", ".join(values or ()) for values in column] for column in lists]
    return [" ".join(filter(None, line)) for line in zip(descriptions.best(), *parts, *texts, strict=True)]


def gen_texts(catalog: Catalog, config: DescribeConfig) -> View:
    """Descriptions by a language model that the configuration names and that no view has; nothing where it has none."""
    if config.mode != "template" or config.gen_column is None:
        return ()
    return text_column(catalog, config.gen_column, "gen_column")


def text_column(catalog: Catalog, name: str, key: str, longest: int | None = None) -> View:
    """A column of texts, (n_items,), None where an item has none; `key` is what names it in [describe].

    Of `texts` a list, also one that a program wrote into a text, is one text: its parts after another.

    Raises:
        ConfigError: the column is missing, or does not hold text.
    """
    if name not in catalog.items.column_names:
        raise ConfigError(f"describe: the items have no column {name!r}; {nearest(name, catalog.items.column_names)}")
    try:
        column = catalog.items[name]
        if is_list(column.type) and key == TEXTS:
            lists = normalise(column, "list").to_pylist()
            values = [" ".join(word.strip() for word in words or () if word) for words in lists]
        else:
            values = [value or "" for value in normalise(column, "string").to_pylist()]
            values = list(map(_joined, values)) if key == TEXTS else values
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConfigError(
            f"describe: {key} {name!r} holds {catalog.items[name].type}, expected text; name another column."
        ) from error
    return tuple(value.strip()[:longest] or None for value in values)


def _joined(text: str) -> str:
    """The sentences of a list that a program wrote into a text, with a stop after each; other texts as they are."""
    parts = written_list(text)
    return " ".join(part if part[-1] in ".!?" else f"{part}." for part in parts) if parts else text
