"""Multi-turn refinement: a conversation as a value, and sentences that change it, without a language model.

    wish = Wish(text="a dark thriller")
    shown = [hit.item_id for hit in answer(space, wish)]
    step = refine(space, wish, "newer, less violent, more like the second one", shown)
    hits = answer(space, step.wish)

The client holds the `Wish`; nothing is kept here. Where a language model is configured it may translate a sentence
into a `Change`, which is checked like any other; see `refine`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from antiphon.errors import QueryError, nearest
from antiphon.filters import conditions, matches, parse_filter
from antiphon.query import PARTS, Hit, Query
from antiphon.vocabulary import Vocabulary

if TYPE_CHECKING:
    from antiphon.space import Space

EXEMPLARS = 4
"""Items that stand for a word that the answers should have less of."""
MAX_WORDS = 50
Translator = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(sentence, wish as plain values with `shown`) -> a change as plain values; typically a call of a language model."""


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


def refine(
    space: Space, wish: Wish, sentence: str, shown: Sequence[str] = (), *,
    vocabulary: Vocabulary | None = None, translate: Translator | None = None,
) -> Refinement:  # fmt: skip
    """Change a wish by a sentence such as "newer", "less violent", "more like the second one".

    `shown`: ids of the answers that the person sees, in order. `vocabulary`: kept from an earlier call, it saves
    reading the fields again. `translate` is asked only where the rules have to guess; what it gives is checked.

    Raises:
        QueryError: an empty sentence, or a reference to an answer that is not there.
    """
    from antiphon.phrases import read_sentence

    if not sentence.strip():
        raise QueryError('the sentence is empty; say for example "newer" or "less violent".')
    words = vocabulary or Vocabulary.of(space)
    changes = read_sentence(sentence, words, tuple(shown), has_text=not wish.empty)
    if translate is not None and any(change.guessed for change in changes):
        changes = [change_from_plain(translate(sentence, {**wish.plain(), "shown": list(shown)}), space)]
    for change in changes:
        wish = apply_change(wish, change)
    return Refinement(wish, tuple(changes))


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


def change_from_plain(value: Mapping[str, Any], space: Space) -> Change:
    """A change from plain values, such as a language model gives; everything in it is checked.

    Raises:
        QueryError: an unknown part, an unknown item, or a filter that does not fit.
    """
    known = {item.name: item for item in fields(Change)}
    for name in value:
        if name not in known:
            raise QueryError(f"a change has no part {name!r}; {nearest(name, known)}")
    lists = ("more", "less", "likes", "dislikes", "exclude", "where", "over")
    checked: dict[str, Any] = {name: _texts(value[name], name) for name in lists if name in value}
    for name in ("likes", "dislikes", "exclude"):
        for item_id in checked.get(name, ()):
            if item_id not in space.row_of:
                raise QueryError(f"a change names the item {item_id!r}, which the catalog does not have.")
    for part in checked.get("where", ()):
        matches(parse_filter(part), space.columns)
    weights = value.get("weights", {})
    if not isinstance(weights, Mapping) or any(name not in PARTS for name in weights):
        raise QueryError(f"weights of a change are factors of {', '.join(PARTS)}, got {weights!r}.")
    says, text = str(value.get("says", "translated")), value.get("text")
    return Change(
        says=says, text=None if text is None else str(text), reset=bool(value.get("reset")),
        weights={name: float(factor) for name, factor in weights.items()}, **checked,
    )  # fmt: skip


def to_query(space: Space, wish: Wish, *, typical: Callable[[str], list[str]] | None = None, **more: Any) -> Query:
    """The query that a wish stands for; `more` are parts of `Query` such as k, offset, explain, user.

    `more` words join the text. `less` words become dislikes: the items that are most typical of them stand for them
    (negative feedback as of Rocchio, 1971), and a word that comes twice raises the weight of dislikes. `typical` finds
    these items; `exemplars` where not given.

    Raises:
        QueryError: nothing to search by, or a part that the space cannot take.
    """
    text = ", ".join(([wish.text] if wish.text else []) + list(wish.more)) or None
    counts = Counter(word.casefold().strip() for word in wish.less)
    find = typical or (lambda words: exemplars(space, words))
    away = list(dict.fromkeys(item for word in counts for item in find(word)))
    away = [item_id for item_id in away if item_id not in wish.likes]
    weights = dict(wish.weights)
    if counts:
        weights["dislikes"] = weights.get("dislikes", PARTS["dislikes"]) * (1 + 0.5 * (max(counts.values()) - 1))
    only_less = text is None and not wish.likes
    only_less = only_less and not any(more.get(part) for part in ("user", "history", "image", "audio"))
    if only_less and not wish.dislikes and away:
        raise QueryError(f'"less {wish.less[0]}" needs something to start from: say first what you are after.')
    return Query(
        text=text,
        likes=wish.likes,
        dislikes=tuple(dict.fromkeys((*wish.dislikes, *away))),
        where=parse_filter(list(wish.where)) if wish.where else None,
        weights=weights,
        exclude=wish.exclude,
        **more,
    )


def exemplars(space: Space, words: str, k: int = EXEMPLARS) -> list[str]:
    """Ids of the items that are most typical of some words: the nearest ones in the space."""
    rows, _ = space.rank([Query(text=words, k=k)], k)
    return [space.item_ids[row] for row in rows[0] if row >= 0]


def answer(space: Space, wish: Wish, *, k: int = 10, explain: bool = False) -> list[Hit]:
    """Answers to a wish, best first."""
    return space.answer(to_query(space, wish, k=k, explain=explain))


def _only_about(part: str, names: Sequence[str]) -> bool:
    tested = {condition.field for condition in conditions(parse_filter(part))}
    return bool(tested) and tested <= set(names)


def _merged(old: Sequence[str], new: Sequence[str], *, without: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(item for item in (*old, *new) if item not in without))


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise QueryError(f"{name} of a change is a list of texts, got {value!r}.")
    return tuple(value)
