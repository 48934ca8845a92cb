"""What a column of an unknown file looks like: what `antiphon init` guesses from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from antiphon.data.cells import NOTHING, date, formats_of, number, truth
from antiphon.query.columns import FieldType, guess_type, is_list, words_of
from antiphon.query.written import written_list

SAMPLE = 5_000
"""Rows that are looked at, spread over the file."""
MOST = 0.7
"""Share of the values that must be readable as a type, for a column of text to be of it."""
SEPARATORS = ("|", ";", ",", "/")
NO_VALUE = re.compile(
    r"\(?(?:no\b.*|none.*|unknown|n/?a|not (?:available|given|set|known)|tbd|null|nil|-+|\?+)\)?", re.IGNORECASE
)
"""Words of categories that say that there is none."""
_YEAR = re.compile(r"\((\d{4})\)\s*$")


@dataclass(frozen=True)
class Profile:
    """A column: its name and type, how many rows it has, and values from all over it (None where missing)."""

    name: str
    type: FieldType | Literal["vectors"] | None
    n_rows: int
    n_missing: int
    n_unique: int
    values: Sequence[Any]

    @classmethod
    def of(cls, name: str, values: pa.ChunkedArray) -> Profile:
        """The profile of a column of a file."""
        if pa.types.is_dictionary(values.type):
            values = pc.cast(values, values.type.value_type)
        kind: Any = guess_type(values.type)
        if is_list(values.type) and pa.types.is_floating(values.type.value_type):
            kind = "vectors"
        n_missing = values.null_count
        n_unique = 0
        if kind in ("string", "number", "boolean", "date") and not pa.types.is_null(values.type):
            n_unique = pc.count_distinct(values, mode="only_valid").as_py()
        if kind == "string" and not pa.types.is_null(values.type):
            n_missing = int(pc.sum(pc.fill_null(pc.equal(pc.utf8_trim_whitespace(values), ""), True)).as_py() or 0)
        step = max(1, len(values) // SAMPLE)
        shown = values.take(pa.array(range(0, len(values), step), pa.int64())).to_pylist()
        return cls(name, kind, len(values), n_missing, n_unique, shown)

    @property
    def key(self) -> str:
        """The name in lower case, without signs: movieId and movie_id are one."""
        return re.sub(r"[^a-z0-9]", "", self.name.casefold())

    @cached_property
    def words(self) -> list[str]:
        """The texts among the values, without blank ones."""
        return [value.strip() for value in self.values if isinstance(value, str) and value.strip()]

    @property
    def empty(self) -> bool:
        """Whether no row has a value."""
        return self.n_missing >= self.n_rows

    @property
    def unique_share(self) -> float:
        """Different values among those that there are."""
        return self.n_unique / max(1, self.n_rows - self.n_missing)

    @property
    def n_words(self) -> float:
        """Words of a text on average."""
        return sum(len(text.split()) for text in self.words) / max(1, len(self.words))

    @property
    def n_letters(self) -> float:
        """Characters of a text on average."""
        return sum(map(len, self.words)) / max(1, len(self.words))

    def share(self, what: Any) -> float:
        """The share of the texts that `what` holds for, words for nothing left out."""
        said = [text for text in self.words if text.casefold() not in NOTHING]
        return sum(bool(what(text)) for text in said) / max(1, len(said))

    def reads_as(self) -> FieldType | None:
        """The type that most of its texts can be read as: boolean, number or date; None where they are words."""
        if not self.words:
            return None
        if self.share(lambda text: truth(text) is not None and number(text) is None) > MOST:
            return "boolean"
        if self.share(lambda text: number(text) is not None) > MOST:
            return "number"
        forms = self.formats
        return "date" if self.share(lambda text: is_date(text, forms[0] if forms else None)) > MOST else None

    @cached_property
    def formats(self) -> list[str]:
        """The formats that most of its dates are in; several where it could be either."""
        return formats_of(set(self.words))

    def separator(self) -> str | None:
        """What separates the values within its texts; None where they are single values."""
        for sign in SEPARATORS:
            parts = [[part.strip() for part in text.split(sign) if part.strip()] for text in self.words]
            several = sum(len(found) > 1 for found in parts) / max(1, len(parts))
            flat = [part for found in parts for part in found]
            length = sum(len(part.split()) for part in flat) / max(1, len(flat))
            repeated = 1 - len({part.casefold() for part in flat}) / max(1, len(flat))
            strict = sign in ",/"
            if (
                several > (0.3 if strict else 0.1)
                and length <= (3 if strict else 5)
                and repeated > (0.5 if strict else 0.1)
            ):
                return sign
        return None

    @cached_property
    def written(self) -> list[str] | None:
        """The values of its texts, where most of these are lists that a program wrote; None where they are not."""
        if self.share(lambda text: written_list(text) is not None) <= MOST:
            return None
        return [word for text in self.words for word in written_list(text) or ()]

    def no_values(self) -> list[str]:
        """Words of its texts that say that there is no value, such as (no genres listed)."""
        found = dict.fromkeys(text for text in self.words if NO_VALUE.fullmatch(text))
        return list(found)[:10]

    def years(self) -> float:
        """The share of texts that end with a year in parentheses."""
        return self.share(lambda text: _YEAR.search(text) is not None)

    def examples(self, count: int = 3) -> list[str]:
        """Some values as a person reads them, shortened."""
        shown = [value for value in self.values if value not in (None, "", [])][:200]
        if self.written is not None:
            shown = [found for text in shown if (found := written_list(text))]
        said = [", ".join(words_of(value)) for value in shown]
        return [text if len(text) <= 28 else f"{text[:27]}…" for text in list(dict.fromkeys(said))[:count]]


def is_date(text: str, form: str | None) -> bool:
    """Whether a text says a day: in ISO 8601, or in a format."""
    return date(text, None) is not None or (form is not None and date(text, form) is not None)
