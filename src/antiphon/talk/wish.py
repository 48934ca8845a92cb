"""Wish: what a conversation has come to, as a value, and the changes that a sentence makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from antiphon.errors import QueryError
from antiphon.query.filters import conditions, parse_filter
from antiphon.query.parts import PARTS

if TYPE_CHECKING:
    pass


MAX_WORDS = 50


@dataclass(frozen=True)
class Wish:
    """What a conversation has come to.

    `more`, `less`: words to go towards and away from; a word that is there twice counts twice. `likes`, `dislikes`,
    `exclude`: item ids. `where`: filters that must all hold. `weights`: as in `Query`.
    """

    text: str | None = None
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("more", "less"):
            words = getattr(self, name)
            if len(words) > MAX_WORDS or any(not word.strip() or len(word) > 500 for word in words):
                raise QueryError(f"{name} takes at most {MAX_WORDS} phrases of 1 to 500 characters.")

    @property
    def empty(self) -> bool:
        """Whether there is nothing to search by."""
        return not (self.text or self.more or self.less or self.likes or self.dislikes)

    def plain(self) -> dict[str, Any]:
        """The wish as plain values, for JSON."""
        return {
            name.name: dict(value) if isinstance(value, Mapping) else list(value) if isinstance(value, tuple) else value
            for name in fields(self)
            for value in [getattr(self, name.name)]
        }


@dataclass(frozen=True)
class Change:
    """What one sentence changes. `over`: fields whose earlier conditions go, because new ones take their place."""

    says: str
    text: str | None = None
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    reset: bool = False
    guessed: bool = False


@dataclass(frozen=True)
class Refinement:
    """The wish after a sentence, and what was changed. `guessed`: a part fitted no rule and was added as words."""

    wish: Wish
    changes: tuple[Change, ...]

    @property
    def guessed(self) -> bool:
        """Whether a part of the sentence was only added as words."""
        return any(change.guessed for change in self.changes)


def apply_change(wish: Wish, change: Change) -> Wish:
    """The wish after a change."""
    if change.reset:
        wish = Wish()
    kept = [part for part in wish.where if not _only_about(part, change.over)]
    opposite = {word.casefold() for word in change.more}, {word.casefold() for word in change.less}
    return replace(
        wish,
        text=change.text or wish.text,
        more=(*(word for word in wish.more if word.casefold() not in opposite[1]), *change.more),
        less=(*(word for word in wish.less if word.casefold() not in opposite[0]), *change.less),
        likes=_merged(wish.likes, change.likes, without=change.dislikes + change.exclude),
        dislikes=_merged(wish.dislikes, change.dislikes, without=change.likes),
        exclude=_merged(wish.exclude, change.exclude, without=change.likes),
        where=tuple(dict.fromkeys((*kept, *change.where))),
        weights={**wish.weights, **{
            name: round(min(4.0, max(0.1, wish.weights.get(name, PARTS[name]) * factor)), 4)
            for name, factor in change.weights.items()
        }},
    )  # fmt: skip


def _only_about(part: str, names: Sequence[str]) -> bool:
    tested = {condition.field for condition in conditions(parse_filter(part))}
    return bool(tested) and tested <= set(names)


def _merged(old: Sequence[str], new: Sequence[str], *, without: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for item in (*old, *new) if item not in without))
