"""Whether an answer of a language model is a description of the item: length, language, name, no echo, grounded.

The checks look for reasons to refuse. A refused answer costs little, since the TEMPLATE stands in its place, so they
are strict where an item's text reads like instructions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from antiphon.base.language import ENGLISH
from antiphon.base.wording import bare, fold, fold_title

INSTRUCTIONS = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.]{0,40}\b(?:above|previous|prior|earlier|instructions?|prompts?|"
    r"rules?|everything|marks?)\b"
    r"|\b(?:system|developer|hidden|initial)\s+(?:prompt|message|instructions?)\b"
    r"|\byou (?:are|must|will|should) (?:now|only|instead|always|answer|reply|output|write|say)\b"
    r"|\b(?:new|updated|real|following) instructions?\b"
    r"|\b(?:respond|reply|answer)\s+(?:only|just|exactly|instead|with)\b"
    r"|\b(?:write|output|print|say|repeat)\s+(?:only|just|exactly|instead)\b"
    r"|\b(?:write|output|print|say|repeat)\s+the (?:word|phrase|following)\b"
    r"|<\|[^|>]{1,40}\|>|\[/?inst\]|</?item-|^\s*(?:system|assistant|user)\s*:|\bdo anything now\b|\bjailbreak",
    re.IGNORECASE | re.MULTILINE,
)
"""What reads like an instruction to a model, in an item's text or in an answer."""
_REFUSAL = re.compile(
    r"\bas an? (?:ai|language model|assistant)\b|\bi(?:'m| am) (?:sorry|unable|not able)\b"
    r"|\bi (?:can(?:no|')t|won't) (?:help|assist|provide|write|describe|do|comply|fulfil|answer|create|generate)"
    r"|^(?:sure|certainly|of course|okay|here(?:'s| is))\b|\bdescription between\b|\bthe (?:provided|given) metadata\b",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"https?:|www\.|\b[\w-]{1,63}\.(?:com|net|org|io|ru|biz|xyz|info)\b|\b[\w.-]{1,64}@[\w.-]{1,64}\.\w{2}"
    r"|\]\(|```|</?\w{1,20}[^>]{0,200}>",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DIGITS = re.compile(r"\d+")
_SENTENCE_START = re.compile(r"(?:^|[.!?\u2026][\"'\u201d\u2019)]*\s+|[\"\u201c(]|\s[-\u2013\u2014]\s+)$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FREE = _words(
    "i i'm i'd the a an dr mr mrs ms st north south east west northern southern eastern western english tv dvd"
)
"""Capitalised words that name nothing."""
ECHO_WORDS = 9
"""So many words in a row that the instructions have too are an echo."""

STOP_WORDS: Mapping[str, frozenset[str]] = {
    "english": _words("the of and a in is to with that it its by as for from this an are on his her their was"),
    "german": _words("der die das und ist von mit ein eine in den dem des auf aus im zu sich als für wird nicht"),
    "french": _words("le la les de des et est un une du dans que qui avec pour sur par au son sa ce il"),
    "spanish": _words("el la los las de y es un una del en que con por para su se al como lo"),
    "italian": _words("il la lo gli le di e è un una del della in che con per si dal nel sono da"),
    "portuguese": _words("o a os as de e é um uma do da em que com por para se no na seu sua"),
}
"""Frequent words: what tells these languages apart."""


@dataclass(frozen=True)
class Subject:
    """An item as the checks see it: its title, and the text that the model was given.

    Text from the first thing on that reads like an instruction is no fact.
    """

    title: str
    text: str

    @cached_property
    def facts(self) -> str:
        """The text up to what reads like an instruction."""
        found = INSTRUCTIONS.search(self.text)
        return self.text if found is None else self.text[: found.start()]

    @cached_property
    def suspicious(self) -> str:
        """The text from there on; empty for nearly all items."""
        return self.text[len(self.facts) :]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What the item may be called: without its year, with the article in front, and without a subtitle."""
        plain = re.sub(r"\s*\([^)]*\)", "", self.title).strip() or self.title
        moved = fold_title(plain)
        shorter = re.split(r"\s*(?::|\s[-\u2013]\s)\s*", moved)[0]
        names = [bare(moved), bare(plain)] + [bare(shorter)] * (len(shorter) >= 4)
        names += [name for name in map(_without_article, names) if len(name) >= 4]
        return tuple(dict.fromkeys(name for name in names if name)) or (fold(self.title),)


@dataclass(frozen=True)
class Rules:
    """What an answer has to keep to. `told`: the instructions, which it must not repeat."""

    told: str
    grounded: bool
    min_words: int = 30
    max_words: int = 160
    language: str = "english"


def find_fault(answer: str, finish: str, subject: Subject, rules: Rules) -> str | None:
    """Why an answer is no description of the item, "kind: detail"; None for one that may be used.

    Lengths have some room: half of the fewest words, one and a half times the most.
    """
    text = answer.strip()
    faults = (test(text, finish, subject, rules) for test in _TESTS)
    return next((fault for fault in faults if fault is not None), None)


def ungrounded(answer: str, subject: Subject) -> list[str]:
    """Numbers and capitalised words of an answer that the item's facts lack.

    A decade is in the facts where one of its years is, the people of a country where the country is. A capitalised
    word that begins a sentence is taken for an ordinary word, unless it is a possessive.
    """
    facts = f"{subject.title} {subject.facts}"
    numbers = set(_NUMBER.findall(facts))
    decades = {f"{number[:3]}0" for number in numbers if len(number) == 4}
    numbers |= decades | {decade[2:] for decade in decades}
    folded = f" {bare(facts)} "
    known = set(folded.split())
    words = [match for match in _WORD.finditer(answer) if not _is_known(match[0], folded, known)]
    # With what joins digits to larger numbers ("1,500"), which are no words.
    strange = [number for number in _NUMBER.findall(answer) if not {number, number.replace(",", "")} & numbers]
    strange = [
        number for number in strange if any(part in match[0] for match in words for part in _DIGITS.findall(number))
    ]
    for match in words:
        word = match[0]
        possessive = re.search(r"['\u2019]s$", word) is not None
        if word[0].isupper() and (possessive or not _SENTENCE_START.search(answer[: match.start()])):
            strange.append(word)
    return list(dict.fromkeys(strange))


def is_language(text: str, language: str) -> bool:
    """Whether the frequent words of a text are those of the language; true for languages that are not known here.

    Texts in another script are refused for languages written in Latin letters.
    """
    wanted = STOP_WORDS.get(language.casefold())
    if wanted is None:
        return True
    letters = [sign for sign in text if sign.isalpha()]
    latin = sum(sign < "\u0250" for sign in letters)
    if not letters or latin < 0.7 * len(letters):
        return False
    words = [word.casefold() for word in _WORD.findall(text)]
    counts = {name: sum(word in frequent for word in words) for name, frequent in STOP_WORDS.items()}
    own = counts[language.casefold()]
    return own >= 0.08 * len(words) and own >= max(counts.values())


def _without_article(name: str) -> str:
    return re.sub(r"^(?:the|a|an) | (?:the|a|an)$", "", name)


def _is_known(word: str, folded: str, known: set[str]) -> bool:
    """Whether a word, its possessive, its plural, or all parts of a compound are in the facts."""
    plain = re.sub(r"['\u2019]s$", "", word)
    if fold(plain) in _FREE:
        return True
    form = bare(plain)
    forms = {form, bare(word), form.removesuffix("s"), f"{form}s"}
    if any(parts and set(parts) <= known for parts in map(str.split, forms)):
        return True
    return any(f" {country} " in folded for country in ENGLISH.peoples.get(form, ()))


def _echoes(text: str, subject: Subject, rules: Rules) -> bool:
    if INSTRUCTIONS.search(text):
        return True
    told = f" {bare(rules.told)} "
    words = bare(text).split()
    runs = (" ".join(words[start : start + ECHO_WORDS]) for start in range(len(words) - ECHO_WORDS + 1))
    if any(f" {run} " in told for run in runs):
        return True
    planted = set(bare(subject.suspicious).split()) - set(bare(f"{subject.title} {subject.facts}").split())
    frequent = STOP_WORDS["english"] | {"film", "movie", "artist", "album", "band", "music", "song"}
    return any(word in planted and len(word) >= 4 and word not in frequent for word in words)


def _form(text: str, finish: str, subject: Subject, rules: Rules) -> str | None:
    if not text:
        return "empty"
    if finish == "length":
        return "cut off"
    if finish == "content_filter" or _REFUSAL.search(text):
        return "refused"
    signs = any(not sign.isprintable() and sign not in "\n\t" for sign in text)
    return "links or markup" if signs or _LINK.search(text) else None


def _length(text: str, finish: str, subject: Subject, rules: Rules) -> str | None:
    n_words = len(text.split())
    if n_words < rules.min_words * 0.5:
        return f"too short: {n_words} words"
    too_long = n_words > rules.max_words * 1.5 or len(text) > rules.max_words * 15
    return f"too long: {n_words} words" if too_long else None


def _content(text: str, finish: str, subject: Subject, rules: Rules) -> str | None:
    owner_less = re.sub(r"['\u2019]s?(?!\w)", "", text)  # "Smith's" is Smith
    said = f" {bare(text)} {bare(owner_less)} "
    if not any(f" {name} " in said for name in subject.names):
        return "name missing"
    if _echoes(text, subject, rules):
        return "instructions repeated"
    return None if is_language(text, rules.language) else "another language"


def _grounding(text: str, finish: str, subject: Subject, rules: Rules) -> str | None:
    if not rules.grounded and not subject.suspicious:
        return None
    strange = ungrounded(text, subject)
    return f"not grounded: {', '.join(strange[:5])}" if strange else None


_TESTS = (_form, _length, _content, _grounding)
