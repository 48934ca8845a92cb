"""Filter expressions: which items may be answers at all.

As text, on the command line and in antiphon.toml::

    year>=1980 and genres any sci-fi,horror and not country=USA

As a mapping, in Python and over HTTP::

    {"year": {"gte": 1980}, "genres": {"any": ["sci-fi", "horror"]}, "not": {"country": "USA"}}

An item without a value equals nothing: `ne` matches it, every range refuses it, `exists` asks for a value. Values
with blanks, `and`, `or`, parentheses, commas or signs are quoted: title='Love and Death (1975)'.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from antiphon.errors import FilterError, nearest
from antiphon.query.columns import Column, FieldTable, Mask

Operator = Literal["eq", "ne", "in", "any", "all", "gt", "gte", "lt", "lte", "exists"]
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "in", "any", "all", "gt", "gte", "lt", "lte", "exists")
SYMBOLS: Mapping[str, Operator] = {
    ">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "=": "eq", "==": "eq", "!=": "ne",
    "in": "in", "any": "any", "all": "all",
}  # fmt: skip
MAX_DEPTH = 32
MAX_VALUES = 10_000
MAX_SHOWN = 200
_MANY = (list, tuple, set, frozenset)

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>'[^']*'(?![^\s()<>=!,\[\]])|"[^"]*"(?![^\s()<>=!,\[\]]))
        |(?P<symbol>>=|<=|==|!=|[()<>=,\[\]])
        |(?P<word>(?:[^\s()<>=!,\[\]'"]|!(?!=))(?:[^\s()<>=!,\[\]]|!(?!=))*)  # O'Brien, Airplane!
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Condition:
    """A test of one field."""

    field: str
    operator: Operator
    value: Any


@dataclass(frozen=True)
class Group:
    """All or any of some filters."""

    kind: Literal["and", "or"]
    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Not:
    """The items that a filter leaves out."""

    part: Filter


Filter = Condition | Group | Not
Where = str | Mapping[str, Any] | Sequence[str] | Filter


def parse_filter(where: Where) -> Filter:
    """Read a filter from text, from a mapping, or from several texts that must all hold.

    Raises:
        FilterError: the expression does not parse.
    """
    if isinstance(where, Condition | Group | Not):
        return where
    if isinstance(where, str):
        return _Parser(where).parse()
    if isinstance(where, Mapping):
        return _from_mapping(where, 0)
    if not isinstance(where, list | tuple) or not where:
        raise FilterError(
            f"a filter is a text, a mapping, or a list of them, got {_shown(where)}; leave it out for none."
        )
    for part in where:
        if isinstance(part, list | tuple):
            raise FilterError(f"a list of filters holds texts and mappings, got {_shown(part)} in it.")
    parts = tuple(parse_filter(part) for part in where)
    return parts[0] if len(parts) == 1 else Group("and", parts)


def matches(expression: Filter, fields: FieldTable) -> Mask:
    """Rows that pass, (n_items,) bool.

    Raises:
        FilterError: an unknown field, or a value or operator that does not fit it.
    """
    if isinstance(expression, Not):
        return ~matches(expression.part, fields)
    if isinstance(expression, Group):
        masks = [matches(part, fields) for part in expression.parts]
        combine = np.logical_and if expression.kind == "and" else np.logical_or
        return np.asarray(combine.reduce(masks))
    return _test(expression, fields)


def conditions(expression: Filter | None) -> list[Condition]:
    """The conditions of a filter that an answer meets because of it, negated ones left out."""
    if expression is None or isinstance(expression, Not):
        return []
    if isinstance(expression, Condition):
        return [expression]
    return [condition for part in expression.parts for condition in conditions(part)]


def _test(condition: Condition, fields: FieldTable) -> Mask:
    column = fields.get(condition.field)
    if column is None:
        known = nearest(condition.field, fields)
        raise FilterError(f"the catalog has no field {condition.field!r} to filter on; {known}")
    if condition.operator == "exists" or condition.value is None:
        return _test_presence(condition, column)
    if condition.operator in ("gt", "gte", "lt", "lte"):
        return _test_range(condition, column)
    if condition.operator in ("eq", "ne"):
        return _test_equality(condition, column)
    masks = [column.holds(value) for value in _values(condition)]
    if condition.operator == "all":
        if column.type != "list":
            raise FilterError(f"{condition.field!r} has one value per item, so 'all' does not fit it; use = or in.")
        return np.asarray(np.logical_and.reduce(masks))
    return np.asarray(np.logical_or.reduce(masks))


def _test_equality(condition: Condition, column: Column) -> Mask:
    if isinstance(condition.value, _MANY):
        raise FilterError(
            f"{condition.field!r} {condition.operator}: expected one value, got {_shown(condition.value)}; "
            "use in or any."
        )
    mask = column.holds(condition.value)
    return ~mask if condition.operator == "ne" else mask


def _test_presence(condition: Condition, column: Column) -> Mask:
    if condition.operator not in ("exists", "eq", "ne"):
        raise FilterError(f"{condition.field!r}: null fits only = and !=, not {condition.operator!r}; or use exists.")
    if condition.operator == "exists" and not isinstance(condition.value, bool):
        raise FilterError(f"{condition.field!r}: exists takes true or false, got {condition.value!r}.")
    wanted = condition.value if condition.operator == "exists" else condition.operator == "ne"
    return column.present() if wanted else ~column.present()


def _test_range(condition: Condition, column: Column) -> Mask:
    value = condition.value
    upwards = condition.operator in ("gt", "gte")
    mask = column.between(value, None) if upwards else column.between(None, value)
    return mask & ~column.holds(value) if condition.operator in ("gt", "lt") else mask


def _values(condition: Condition) -> Sequence[Any]:
    value = condition.value
    values = list(value) if isinstance(value, _MANY) else [value]
    if any(item is None for item in values):
        raise FilterError(
            f"{condition.field!r} {condition.operator}: null is no value of a list; use = null or exists."
        )
    if not values:
        raise FilterError(f"{condition.field!r} {condition.operator}: the list of values is empty; name at least one.")
    if len(values) > MAX_VALUES:
        raise FilterError(
            f"{condition.field!r} {condition.operator}: {len(values)} values, at most {MAX_VALUES} are taken."
        )
    return values


def _from_mapping(where: Mapping[str, Any], depth: int) -> Filter:
    if depth > MAX_DEPTH:
        raise FilterError(f"the filter is nested more than {MAX_DEPTH} deep; write it flatter.")
    if not where:
        raise FilterError("the filter is empty; leave it out, or write for example {'year': {'gte': 1980}}.")
    parts = tuple(_entry(key, value, depth) for key, value in where.items())
    return parts[0] if len(parts) == 1 else Group("and", parts)


def _entry(key: str, value: Any, depth: int) -> Filter:
    if key in ("and", "or"):
        if not isinstance(value, list | tuple) or not value:
            raise FilterError(f"{key!r} takes a list of filters, got {_shown(value)}.")
        return Group("and" if key == "and" else "or", tuple(_mapping(part, depth) for part in value))
    if key == "not":
        return Not(_mapping(value, depth))
    if not isinstance(value, Mapping):
        return Condition(key, "any" if isinstance(value, _MANY) else "eq", _flat(key, value))
    if not value:
        raise FilterError(f"{key!r} has no condition; write for example {{'{key}': {{'eq': ...}}}}.")
    tests = tuple(_condition(key, operator, operand) for operator, operand in value.items())
    return tests[0] if len(tests) == 1 else Group("and", tests)


def _mapping(value: Any, depth: int) -> Filter:
    if not isinstance(value, Mapping):
        raise FilterError(f"a filter is a mapping of field to condition, got {_shown(value)}.")
    return _from_mapping(value, depth + 1)


def _condition(field: str, operator: str, value: Any) -> Condition:
    if operator not in OPERATORS:
        raise FilterError(f"{field!r}: unknown operator {operator!r}; {nearest(operator, OPERATORS)}")
    return Condition(field, operator, _flat(field, value))


def _flat(field: str, value: Any) -> Any:
    """A value, or a list of values; nothing that holds others inside them."""
    items = value if isinstance(value, _MANY) else [value]
    for item in items:
        if isinstance(item, (*_MANY, Mapping)):
            raise FilterError(f"{field!r}: expected a value or a list of values, got {_shown(value)}.")
    return value


def _shown(value: Any) -> str:
    """A value for a sentence: short, however long or deep it is."""
    return reprlib.repr(value)


class _Parser:
    """Recursive descent over: or := and ('or' and)*; and := not ('and' not)*; not := 'not' not | '(' or ')' | test."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokenise(text)
        self.position = 0
        self.depth = 0

    def parse(self) -> Filter:
        result = self._or()
        if self._peek() is not None:
            raise self._error(f"did not expect {self._peek()!r} here; quote values with blanks or signs")
        return result

    def _tokenise(self, text: str) -> list[tuple[str, str]]:
        tokens, position, end = [], 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise self._error(
                    f"cannot read {text[position : position + 40].strip()[:20]!r}; quote values with signs"
                )
            tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()
        return tokens

    def _or(self) -> Filter:
        return self._chain("or", self._and)

    def _and(self) -> Filter:
        return self._chain("and", self._not)

    def _chain(self, kind: Literal["and", "or"], part: Any) -> Filter:
        parts = [part()]
        while self._is_word(kind):
            self.position += 1
            parts.append(part())
        return parts[0] if len(parts) == 1 else Group(kind, tuple(parts))

    def _not(self) -> Filter:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self._error(f"it is nested more than {MAX_DEPTH} deep")
        if self._is_word("not"):
            self.position += 1
            result: Filter = Not(self._not())
        elif self._peek() == "(":
            self.position += 1
            result = self._or()
            self._take(")")
        else:
            result = self._test()
        self.depth -= 1
        return result

    def _test(self) -> Filter:
        kind, field = self._next("a field name")
        if kind == "symbol":
            raise self._error(f"expected a field name, got {field!r}")
        if kind == "quoted":
            field = field[1:-1]
        if self._is_word("exists"):
            self.position += 1
            return Condition(field, "exists", True)
        _, symbol = self._next(f"an operator after {field!r}")
        operator = SYMBOLS.get(symbol.lower())
        if operator is None:
            raise self._error(
                f"expected an operator after {field!r}, got {symbol!r}; known are: {', '.join(SYMBOLS)}, exists"
            )
        values = self._values(field)
        if operator in ("in", "any", "all"):
            return Condition(field, operator, values)
        if len(values) > 1:
            raise self._error(f"{symbol!r} takes one value, got {len(values)}; use in, any or all")
        return Condition(field, operator, values[0])

    def _values(self, field: str) -> list[Any]:
        bracketed = self._peek() == "["
        self.position += bracketed
        values = [self._value(field)]
        while self._peek() == ",":
            self.position += 1
            values.append(self._value(field))
        if bracketed:
            self._take("]")
        return values

    def _value(self, field: str) -> Any:
        kind, text = self._next(f"a value for {field!r}")
        if kind == "quoted":
            return text[1:-1]
        if kind == "symbol":
            raise self._error(f"expected a value for {field!r}, got {text!r}")
        words = [text]
        while self._kind() == "word" and not any(self._is_word(word) for word in ("and", "or")):
            words.append(self._next("a word")[1])
        return _scalar(" ".join(words))

    def _peek(self) -> str | None:
        return self.tokens[self.position][1] if self.position < len(self.tokens) else None

    def _kind(self) -> str | None:
        return self.tokens[self.position][0] if self.position < len(self.tokens) else None

    def _is_word(self, word: str) -> bool:
        return self._kind() == "word" and str(self._peek()).lower() == word

    def _next(self, wanted: str) -> tuple[str, str]:
        if self.position >= len(self.tokens):
            raise self._error(f"expected {wanted}, but it ends here")
        self.position += 1
        return self.tokens[self.position - 1]

    def _take(self, symbol: str) -> None:
        _, got = self._next(repr(symbol))
        if got != symbol:
            raise self._error(f"expected {symbol!r}, got {got!r}")

    def _error(self, what: str) -> FilterError:
        text, what = (said if len(said) <= MAX_SHOWN else said[:MAX_SHOWN] + "..." for said in (self.text, what))
        return FilterError(
            f"the filter {text!r} cannot be read: {what}. Write for example: year>=1980 and genres any drama,war"
        )


def _scalar(word: str) -> str | None:
    # A column knows its type and turns the word into it: '007' stays a word where the field holds text.
    return None if word.lower() == "null" else word
