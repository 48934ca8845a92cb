"""Sentences that change a wish, read by rules: one rule a kind of sentence, the first that fits is taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from antiphon.base.language import ENGLISH, any_of
from antiphon.base.registry import every
from antiphon.errors import QueryError
from antiphon.talk.patterns import LIKING, quoted
from antiphon.talk.times import filters_of, test, time_of
from antiphon.talk.times import shown as as_shown
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Change

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
COMPARED = {
    "shorter": (r"runtime|duration|length|minutes", "<"), "longer": (r"runtime|duration|length|minutes", ">"),
    "cheaper": (r"price|cost", "<"), "more expensive": (r"price|cost", ">"),
    "faster": (r"tempo|bpm|speed", ">"), "slower": (r"tempo|bpm|speed", "<"),
    "louder": (r"loud", ">"), "quieter": (r"loud", "<"), "better rated": (r"rating|score", ">"),
    "more popular": (r"popular|listeners|plays", ">"), "less popular": (r"popular|listeners|plays", "<"),
}  # fmt: skip
_REFERENCE = re.compile(
    rf"(?:the |no\.? ?|number |#)?(?:({'|'.join(ORDINALS)}|last)|(\d+)(?:st|nd|rd|th)?)"
    r"(?: (?:one|film|movie|song|artist|item))?"
)

_CLAUSES = re.compile(
    r"[,;.!]+|\bbut\b|\bthen\b|\band (?=(?:no|not|more|less|fewer|without|only|newer|older|from|before|after|since)\b)",
    re.IGNORECASE,
)

Rule = Callable[[re.Match[str], Vocabulary, tuple[str, ...]], Change | None]


def read_sentence(sentence: str, words: Vocabulary, shown: tuple[str, ...], *, has_text: bool) -> list[Change]:
    """The changes that a sentence asks for, clause by clause.

    Raises:
        QueryError: a reference to an answer that is not shown.
    """
    changes: list[Change] = []
    clauses = [part for part in _CLAUSES.split(sentence) if part.strip()]
    for clause in clauses:
        # Before anything is shown, "like Alien but newer" compares with Alien.
        beside = shown or tuple(item_id for change in changes for item_id in change.likes)
        pieces = [clause] if read_clause(clause, words, beside) else re.split(r"\band\b", clause)
        read = [read_clause(piece, words, beside) for piece in pieces if piece.strip()]
        if all(read):
            changes += [change for change in read if change]
        else:
            changes.append(_as_words(clause.strip(), has_text or bool(changes)))
    return changes or [_as_words(sentence.strip(), has_text)]


def _as_words(clause: str, has_text: bool) -> Change:
    if not has_text:
        return Change(f"looking for: {clause}", text=clause)
    return Change(f"added to the request: {clause}", more=(clause,), guessed=True)


@cache
def all_rules(language: str) -> tuple[tuple[str, Rule], ...]:
    """Rules of other packages (the entry points `antiphon.rules`, a pattern and a function each), then those below.

    Those below are English: "aber" is no comparative.
    """
    own = tuple(every("antiphon.rules").values())
    return (*own, *(RULES if language == ENGLISH.name else ()))


def read_clause(clause: str, words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    """The change that one clause asks for; None where no rule fits it."""
    text = " ".join(clause.lower().replace("i've", "ive").replace("i'd", "id").split()).strip(" ?:")
    text = re.sub(r"^(?:please|now|ok|and|or|something|make it|show me|give me|i want|id like)\s+", "", text)
    for pattern, rule in all_rules(words.language.name):
        match = re.fullmatch(pattern, text)
        change = rule(match, words, shown) if match else None
        if change is not None:
            return change
    return None


def _reset(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change:
    return Change("started over", reset=True)


def _like(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    found = _items(match["what"], words, shown)
    return Change(f"more like {_names(found, words)}", likes=found) if found else None


def _unlike(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    found = _items(match["what"], words, shown)
    return Change(f"less like {_names(found, words)}", dislikes=found) if found else None


def _drop(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    found = _items(match["what"], words, shown, titles=False)
    return Change(f"without {_names(found, words)}", exclude=found) if found else None


def _time(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    name = words.time_field
    if name is None:
        return None
    newer = match["how"] in _NEWER.split("|")
    return _compare(name, ">" if newer else "<", words, shown, far=bool(match["far"]))


def _number(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    pattern, symbol = COMPARED[match["how"]]
    name = next((name for name in words.numbers if re.search(pattern, name, re.IGNORECASE)), None)
    return _compare(name, symbol, words, shown, far=False) if name else None


def _compare(name: str, symbol: str, words: Vocabulary, shown: Sequence[str], *, far: bool) -> Change | None:
    """A bound at the middle of what is shown; further out where a lot is asked for."""
    rows = [words.row_of[item_id] for item_id in shown if item_id in words.row_of]
    values = words.numbers[name][rows] if rows else words.numbers[name]
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    bound = float(np.quantile(values, (0.9 if symbol == ">" else 0.1) if far else 0.5))
    everything = words.numbers[name]
    if symbol == ">" and not (everything > bound).any():
        return None
    if symbol == "<" and not (everything < bound).any():
        return None
    if name not in words.dates and (everything[~np.isnan(everything)] % 1 == 0).all():
        # "After 1988.5" is no year; after 1988 lets the same ones pass.
        bound = float(np.floor(bound) if symbol == ">" else np.ceil(bound))
    return Change(
        f"{name} {symbol} {as_shown(bound, name, words)}", where=(test(name, symbol, bound, words),), over=(name,)
    )


def _years(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    name, found = words.time_field, time_of(match["when"], begun=True)
    if name is None or found is None:
        return None
    return Change(f"{name} {found.says}", where=filters_of(found, words), over=(name,))


def _only(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    found = words.value(match["what"])
    if found is None:
        return None
    name, value = found
    return Change(f"only {name} {value}", where=(f"{name} any {quoted(value)}",))


def _without(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    found = words.value(match["what"])
    if found is None:
        return Change(f"less {match['what']}", less=(match["what"],))
    name, value = found
    return Change(f"no {name} {value}", where=(f"not {name} any {quoted(value)}",))


def _less(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change:
    times = 2 if match["far"] else 1
    return Change(f"less {match['what']}", less=(match["what"],) * times)


def _more(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change:
    return Change(f"more {match['what']}", more=(match["what"],))


def _comparative(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change | None:
    word = match["what"]
    base = re.sub(r"ier$", "y", word) if word.endswith("ier") else re.sub(r"([bdgmnpt])\1er$|er$", r"\1", word)
    return Change(f"more {base}", more=(base,)) if len(base) > 2 else None


def _taste(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change:
    return Change("closer to your taste", weights={"text": 0.5, "likes": 1.5, "user": 1.5})


def _words(match: re.Match[str], words: Vocabulary, shown: tuple[str, ...]) -> Change:
    return Change("closer to your words", weights={"text": 1.5, "likes": 0.67, "user": 0.67})


def _items(text: str, words: Vocabulary, shown: tuple[str, ...], *, titles: bool = True) -> tuple[str, ...]:
    """Ids that a phrase means: "the first and third", "these", or a title."""
    if re.fullmatch(r"(?:all (?:of )?)?(?:these|those|them)", text):
        return shown[:5]
    if re.fullmatch(r"this|that|this one|that one|it", text):
        return shown[:1]
    parts = [part.strip() for part in re.split(r"\band\b|&", text) if part.strip()]
    references = [_REFERENCE.fullmatch(part) for part in parts]
    if parts and all(references):
        return tuple(dict.fromkeys(_shown_item(reference, shown) for reference in references if reference))
    if not titles or len(text) < 2:
        return ()
    rows = words.complete(text, 1)
    return tuple(words.item_ids[row] for row in rows)


def _shown_item(reference: re.Match[str], shown: tuple[str, ...]) -> str:
    word, number = reference.groups()
    place = (len(shown) if word == "last" else ORDINALS.index(word) + 1) if word else int(number[:9])
    if not 1 <= place <= len(shown):
        raise QueryError(f"{reference[0]!r} means answer {place}, but {len(shown)} are shown.")
    return shown[place - 1]


def _names(item_ids: Sequence[str], words: Vocabulary) -> str:
    return ", ".join(
        words.titles[words.row_of[item_id]] if item_id in words.row_of else item_id for item_id in item_ids
    )


_NEWER = "newer|more recent|more modern|later|recent|modern"
_FAR = r"(?:(?P<far>(?:a lot|much|even|far|way)) |(?:(?:a )?(?:bit|little)|slightly) )?"
RULES: tuple[tuple[str, Rule], ...] = (
    (r"start over|reset|clear|forget (?:it|that|everything)|something else", _reset),
    (r"(?:closer to|trust|use) my taste|more personal", _taste),
    (r"(?:closer to|trust) my words|more literal(?:ly)?", _words),
    (rf"(?:(?:more|closer|similar) (?:like|to)|{LIKING}) (?P<what>.+)", _like),
    (r"(?:less like|unlike|not like|nothing like) (?P<what>.+)", _unlike),
    (r"(?:not|drop|remove|without|hide|skip|ive seen|i have seen|seen) (?P<what>.+)", _drop),
    (rf"{_FAR}(?P<how>{_NEWER}|older|earlier|more classic|classics?)(?: ones?)?", _time),
    (rf"{_FAR}(?P<how>{'|'.join(COMPARED)})(?: ones?)?", _number),
    (r"(?P<when>.+)", _years),
    (r"(?:only|just|nothing but|by|with|from|directed by) (?P<what>.+)", _only),
    (rf"{_FAR}(?:less|fewer|not (?:so|too|as)) (?P<what>.+)", _less),
    (rf"(?:{any_of(ENGLISH.refusals.refusing)}|exclude) (?P<what>.+)", _without),
    (rf"{_FAR}more (?P<what>.+)", _more),
    (rf"{_FAR}(?P<what>[a-z]{{3,}}er)", _comparative),
)  # fmt: skip
