"""Cells as people write them: money, dates of many countries, yes and no; and which of them do not fit.

A column is taken as it is where it has the type of its field already. Else its cells are read one by one; one that
cannot be read is null, and is told to the caller, who refuses or counts it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.config.sections import FieldConfig
from antiphon.errors import DataError
from antiphon.query.columns import FieldType, Mask, is_text, normalise

BAD_CAST = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError)
NOTHING = frozenset(("", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "\u2013", "\u2014", "?"))
"""Words for a missing number, date or truth, in lower case."""
TRUTHS: Mapping[str, bool] = {
    "true": True, "yes": True, "y": True, "t": True, "on": True, "1": True,
    "false": False, "no": False, "n": False, "f": False, "off": False, "0": False,
}  # fmt: skip
FORMATS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d %B %Y",
    "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%d-%b-%Y", "%B %Y", "%b %Y", "%Y-%m", "%Y", "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S",
)  # fmt: skip
"""Of dates, in the order in which they are tried."""
NOUNS: Mapping[FieldType, str] = {
    "number": "no number", "date": "no date that could be read", "boolean": "neither true nor false",
    "list": "no list", "string": "no text",
}  # fmt: skip
_MONEY = re.compile(r"^(?:[€$£¥₹]|[A-Z]{3}\b|(?:US|C|A)\$)\s*|\s*(?:[€$£¥₹%]|\b[A-Z]{3})$")
_PLAIN = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_ENGLISH = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_CONTINENTAL = re.compile(r"[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?")
_COMMA = re.compile(r"[+-]?\d+,\d+")


def read_cells(values: pa.ChunkedArray, field: FieldConfig) -> tuple[pa.ChunkedArray, Mask]:
    """A column in the type of its field, and the rows (n_rows,) bool whose cell does not fit: there it is null.

    Raises:
        DataError: dates could be of two formats, and the field does not say which.
    """
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, values.type.value_type)
    if field.pattern is not None:
        values = _found(values, field.pattern)
    if field.missing:
        values = _without(values, field.missing)
    none = np.zeros(len(values), dtype=bool)
    if field.format is None or not is_text(values.type):
        try:
            return normalise(values, field.type, field.separator), none
        except BAD_CAST:
            pass
    return _one_by_one(values, field)


def number(text: str) -> float | None:
    """The number that a text says, with its currency, percent sign and thousands; None where it says none."""
    bare = _MONEY.sub("", text.strip()).strip()
    bare = re.sub(r"(?<=\d)[\s\u00a0\u202f'\u2019](?=\d{3})", "", bare)
    if _PLAIN.fullmatch(bare):
        return float(bare)
    if _ENGLISH.fullmatch(bare):
        return float(bare.replace(",", ""))
    if _CONTINENTAL.fullmatch(bare):
        return float(bare.replace(".", "").replace(",", "."))
    return float(bare.replace(",", ".")) if _COMMA.fullmatch(bare) else None


def truth(text: str) -> bool | None:
    """What a word such as yes, no, on or 0 says; None for other words."""
    return TRUTHS.get(text.strip().casefold())


def date(text: str, form: str | None) -> dt.datetime | None:
    """The moment that a text says, in UTC without a zone: in a format of `strptime`, else as ISO 8601 has it."""
    bare = text.strip()
    try:
        found = dt.datetime.strptime(bare, form) if form else dt.datetime.fromisoformat(bare)  # noqa: DTZ007
    except ValueError:
        return None
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def formats_of(texts: Iterable[str]) -> list[str]:
    """The formats that read the most of these dates, best first: several where they read the same ones.

    Texts in ISO 8601 and those that say nothing are left out of the count.
    """
    open_ = [text for text in texts if text.strip().casefold() not in NOTHING and date(text, None) is None]
    counts = {form: sum(date(text, form) is not None for text in open_) for form in FORMATS}
    most = max(counts.values(), default=0)
    return [form for form in FORMATS if counts[form] == most] if most else []


def _found(values: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    expression = re.compile(pattern)

    def first(text: str) -> str | None:
        match = expression.search(text)
        return None if match is None else match[1]

    return _mapped(pc.cast(values, pa.string()), first)


def _without(values: pa.ChunkedArray, missing: Iterable[str]) -> pa.ChunkedArray:
    """Without the words that stand for no value; within lists, the others stay."""
    gone = {word.strip().casefold() for word in missing}

    def kept(value: Any) -> Any:
        if isinstance(value, list):
            return [word for word in value if str(word).strip().casefold() not in gone]
        return None if str(value).strip().casefold() in gone else value

    return _mapped(values, kept)


def _mapped(values: pa.ChunkedArray, change: Callable[[Any], Any]) -> pa.ChunkedArray:
    changed = [None if value is None else change(value) for value in values.to_pylist()]
    return pa.chunked_array([pa.array(changed, values.type)])


def _one_by_one(values: pa.ChunkedArray, field: FieldConfig) -> tuple[pa.ChunkedArray, Mask]:
    cells = values.to_pylist()
    if is_text(values.type) and field.type in ("number", "date", "boolean"):
        read = _reader(field, cells)
        known = {text: read(text) for text in set(cells) - {None}}
        found = [None if text is None else known[text] for text in cells]
        spoken = [text is not None and text.strip().casefold() not in NOTHING for text in cells]
    else:
        alone = [_alone(cell, values.type, field) for cell in cells]
        found, spoken = alone, [cell is not None for cell in cells]
    bad = np.array([value is None and there for value, there in zip(found, spoken, strict=True)], dtype=bool)
    target = normalise(pa.chunked_array([pa.array([], pa.string())]), field.type).type
    return pa.chunked_array([pa.array(found, target)]), bad


def _reader(field: FieldConfig, cells: list[str | None]) -> Callable[[str], Any]:
    if field.type == "number":
        return number
    if field.type == "boolean":
        return truth
    forms = [field.format] if field.format else formats_of({text for text in cells if text is not None})
    if len(forms) > 1 and field.format is None:
        open_ = (text for text in cells if text and date(text, None) is None)
        example = next(text for text in open_ if date(text, forms[0]) is not None)
        raise DataError(
            f"the dates, such as {example!r}, could be of the formats {' and '.join(map(repr, forms[:2]))}; say "
            "which with `format`."
        )
    form = forms[0] if forms else None
    if field.format:
        return lambda text: date(text, form)
    return lambda text: date(text, None) or (date(text, form) if form else None)


def _alone(cell: Any, kind: pa.DataType, field: FieldConfig) -> Any:
    if cell is None:
        return None
    try:
        return normalise(pa.chunked_array([pa.array([cell], kind)]), field.type, field.separator)[0].as_py()
    except BAD_CAST:
        return None


def as_numbers(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]] | None:
    """A text column that holds numbers for the most part, as numbers, and the rows that hold none; else None."""
    if not is_text(values.type):
        return None
    found, bad = _one_by_one(values, FieldConfig(type="number"))
    n_found = len(found) - found.null_count
    return (found, bad) if n_found > bad.sum() else None
