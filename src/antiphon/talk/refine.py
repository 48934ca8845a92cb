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
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from antiphon.errors import QueryError, nearest
from antiphon.query.filters import matches, parse_filter
from antiphon.query.hits import Hit
from antiphon.query.parts import PARTS
from antiphon.query.request import Query
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Change, Refinement, Wish, apply_change

if TYPE_CHECKING:
    from antiphon.space.space import Space

EXEMPLARS = 4
"""Items that stand for a word that the answers should have less of."""
Translator = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""(sentence, wish as plain values with `shown`) -> a change as plain values; typically a call of a language model."""


def refine(
    space: Space, wish: Wish, sentence: str, shown: Sequence[str] = (), *,
    vocabulary: Vocabulary | None = None, translate: Translator | None = None,
) -> Refinement:  # fmt: skip
    """Change a wish by a sentence such as "newer", "less violent", "more like the second one".

    `shown`: ids of the answers that the person sees, in order. `vocabulary`: kept from an earlier call, it saves
    reading the fields again. `translate` is asked only where the rules have to guess; what it gives is checked.

    Raises:
        QueryError: an empty sentence, or a reference to an answer that is not shown.
    """
    from antiphon.talk.rules import read_sentence

    if not sentence.strip():
        raise QueryError('the sentence is empty; say for example "newer" or "less violent".')
    words = vocabulary or Vocabulary.of(space)
    changes = read_sentence(sentence, words, tuple(shown), has_text=not wish.empty)
    if translate is not None and any(change.guessed for change in changes):
        changes = [change_from_plain(translate(sentence, {**wish.plain(), "shown": list(shown)}), space)]
    for change in changes:
        wish = apply_change(wish, change)
    return Refinement(wish, tuple(changes))


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
    only_less = only_less and not any(more.get(part) for part in ("turns", "user", "history", "image", "audio"))
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
    return space.rank([Query(text=words, k=k)], k)[0][0]


def answer(space: Space, wish: Wish, *, k: int = 10, explain: bool = False) -> list[Hit]:
    """Answers to a wish, best first."""
    return space.answer(to_query(space, wish, k=k, explain=explain))


def _texts(value: Any, name: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise QueryError(f"{name} of a change is a list of texts, got {value!r}.")
    return tuple(value)
