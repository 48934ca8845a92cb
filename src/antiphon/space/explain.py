"""Why an item is an answer: shares of the modalities in its score, and the values that match."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from antiphon.query.columns import words_of
from antiphon.query.filters import Filter, conditions

MIN_SCORE = 1e-9


def shares(contributions: Mapping[str, float]) -> dict[str, float]:
    """Share of each contribution in their sum, the score; they sum to 1.

    A share is negative where it spoke against the item. Where the score is 0, contributions count by their size.
    """
    values = dict(contributions)
    if abs(sum(values.values())) < MIN_SCORE:
        values = {name: abs(value) for name, value in values.items()}
    total = sum(values.values())
    if total == 0:
        return dict.fromkeys(values, 1 / len(values))
    return {name: value / total for name, value in values.items()}


def matched_values(
    fields: Mapping[str, object],
    text: str | None,
    where: Filter | None,
    understood: Sequence[tuple[str, str]] = (),
    is_silent: Callable[[str], bool] = lambda _: False,
) -> dict[str, list[str]]:
    """Values of an item's fields that the filter tests, that the text names, or that it was `understood` to ask for.

    `is_silent`: whether a value is made of words that people put around any request, such as "artists".
    """
    tested = {condition.field for condition in conditions(where)}
    asked = {
        condition.field: {str(value).casefold() for value in words_of(condition.value)}
        for condition in conditions(where)
        if condition.operator in ("eq", "in", "any", "all")
    }
    meant = {value for _, value in understood}
    result: dict[str, list[str]] = {}
    for name, value in fields.items():
        words = words_of(value)
        kept = [
            word
            for word in words
            if word.casefold() in asked.get(name, ())
            or word.casefold() in meant
            or (_named(word, text) and not is_silent(word))
        ]
        if not kept and isinstance(value, int | float) and (name, str(int(value) // 10 * 10)) in understood:  # a decade
            kept = words
        if not kept and name in tested and name not in asked:
            kept = words
        if kept:
            result[name] = kept
    return result


def _named(word: str, text: str | None) -> bool:
    return text is not None and len(word) > 2 and re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None
