"""The words of a catalog: values of its fields as people write them, its titles, and its time-like field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import ENGLISH, Language
from antiphon.base.wording import fold, fold_title
from antiphon.query.columns import NumberColumn, words_of
from antiphon.talk.near import NearTitles

if TYPE_CHECKING:
    from antiphon.space.space import Space

LEAST_LETTERS, MOST_WORDS = 4, 4
"""What is shorter is not misspelt but unfinished; what is longer is a sentence."""


@dataclass(frozen=True)
class Vocabulary:
    """What a sentence may name.

    `values`: folded value -> (field, value as written), the field with most items first. `titles`: folded titles in
    the order of the items. `numbers`: number and date fields with their values, (n_items,) float64, NaN where none.
    `popularity`: (n_items,) users of each item, zeros without interactions.
    """

    values: Mapping[str, tuple[str, str]]
    titles: Sequence[str]
    item_ids: Sequence[str]
    row_of: Mapping[str, int]
    numbers: Mapping[str, NDArray[np.float64]]
    dates: frozenset[str]
    popularity: NDArray[np.int64]
    language: Language = ENGLISH

    @classmethod
    def of(cls, space: Space) -> Vocabulary:
        """The vocabulary of a space."""
        counted: Counter[tuple[str, str]] = Counter()
        written: dict[tuple[str, str], str] = {}
        hides = cache(space.hides)
        for name, kind in space.field_types.items():
            if kind not in ("string", "list"):
                continue
            for value in space.fields[name].to_pylist():
                for word in words_of(value):
                    if hides(name, word):
                        continue
                    counted[fold(word), name] += 1
                    written.setdefault((fold(word), name), word)
        values: dict[str, tuple[str, str]] = {}
        for (folded, name), _ in counted.most_common():
            values.setdefault(folded, (name, written[folded, name]))
        columns = {name: column for name, column in space.columns.items() if isinstance(column, NumberColumn)}
        numbers = {name: column.values for name, column in columns.items() if column.type in ("number", "date")}
        dates = frozenset(name for name in numbers if columns[name].type == "date")
        users = space.users
        popularity = np.zeros(space.n_items, dtype=np.int64)
        if users is not None:
            popularity = np.bincount(users.items, minlength=space.n_items)
        titles = [fold_title(title) for title in space.titles]
        return cls(values, titles, space.item_ids, space.row_of, numbers, dates, popularity, space.language)

    @property
    def time_field(self) -> str | None:
        """The field that says how new an item is; None in a catalog without one."""
        fit = [name for name in self.numbers if self.language.is_time(name) or name in self.dates]
        return min(fit, key=lambda name: not self.language.is_year(name), default=None)

    def value(self, words: str) -> tuple[str, str] | None:
        """Field and value that words name, singular or plural; None where they name none."""
        folded = fold(words)
        tries = [folded, folded.removesuffix("s"), folded.removesuffix("es"), re.sub(r"ies$", "y", folded)]
        tries += [re.sub(r"\b(films?|movies?|songs?|music|artists?|ones?)$", "", folded).strip()]
        return next((self.values[word] for word in tries if word and word in self.values), None)

    def complete(self, words: str, k: int = 10) -> list[int]:
        """Rows of the items whose titles fit what was typed.

        Beginnings first, then words, then parts; among equals those with more users first. Where no title has it,
        those that are written most like it: "matrx" finds The Matrix.
        """
        wanted = fold(words)
        if not wanted:
            return []
        found = [(self._place(title, wanted), row) for row, title in enumerate(self.titles) if wanted in title]
        if not found and len(wanted) >= LEAST_LETTERS and len(wanted.split()) <= MOST_WORDS:
            found = self.near.find(wanted)
        found.sort(key=lambda item: (item[0], -int(self.popularity[item[1]]), item[1]))
        return [row for _, row in found[:k]]

    @cached_property
    def near(self) -> NearTitles:
        """The titles by their letters, for what is misspelt."""
        return NearTitles.of(self.titles)

    @staticmethod
    def _place(title: str, wanted: str) -> int:
        if title.startswith((wanted, f"the {wanted}")):
            return 0
        return 1 if f" {wanted}" in title else 2
