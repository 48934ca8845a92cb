"""Why an item is an answer: shares of the modalities in its score, and the values that match."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.fields import words_of
from antiphon.filters import Filter, conditions

MIN_SCORE = 1e-9


def shares(query: NDArray[np.float32], parts: NDArray[np.float32], modalities: Sequence[str]) -> dict[str, float]:
    """Share of each modality in the score of an item; they sum to 1.

    The item's vector is the normalised sum of its parts, so its inner product with the query is the sum of the parts'
    inner products, up to that norm. `query`: (dim,). `parts`: (n_modalities, dim), zeros where the item lacks one.
    Where the score is 0, the parts that cancel out are given by their size.
    """
    products = np.asarray(parts, dtype=np.float64) @ query
    total = products.sum()
    if abs(total) < MIN_SCORE:
        products, total = np.abs(products), np.abs(products).sum()
    if total == 0:
        return {name: 1 / len(modalities) for name in modalities}
    return {name: float(value / total) for name, value in zip(modalities, products, strict=True)}


def matched_values(fields: Mapping[str, object], text: str | None, where: Filter | None) -> dict[str, list[str]]:
    """Values of an item's fields that the filter tests or that the text names."""
    tested = {condition.field for condition in conditions(where)}
    asked = {
        condition.field: {str(value).casefold() for value in words_of(condition.value)}
        for condition in conditions(where)
        if condition.operator in ("eq", "in", "any", "all")
    }
    result: dict[str, list[str]] = {}
    for name, value in fields.items():
        words = words_of(value)
        kept = [word for word in words if word.casefold() in asked.get(name, ()) or _named(word, text)]
        if not kept and name in tested and name not in asked:
            kept = words
        if kept:
            result[name] = kept
    return result


def _named(word: str, text: str | None) -> bool:
    return text is not None and len(word) > 2 and re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) is not None
