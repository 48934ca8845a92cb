"""Languages: the words by which requests are read and practised, one TOML file each.

Those that come with antiphon stand in `languages/`, and are known by the names of their files; any other is a file of
its own.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from antiphon.base import runtime
from antiphon.base.wording import fold
from antiphon.errors import ConfigError, nearest

FOLDER = Path(__file__).with_name("languages")
ENDING = ".toml"
Words = tuple[str, ...]
Patterns = Annotated[tuple[str, ...], "patterns"]
"""Regular expressions, any of which may match."""


def any_of(patterns: Patterns) -> str:
    """One pattern for all of them."""
    return "|".join(patterns)


@dataclass(frozen=True)
class Decades:
    """How decades are spoken: names -> their first years; forms with {decade} (1980) and {short} (80)."""

    names: Mapping[str, int]
    forms: Words

    def spoken(self, decade: int) -> list[str]:
        """How a decade is said, by its first year."""
        forms = [form.format(decade=decade, short=f"{decade % 100:02}") for form in self.forms]
        return [*forms, *(name for name, first in self.names.items() if first == decade)]


@dataclass(frozen=True)
class Fields:
    """Names of fields that say where an item is from, in which year it came out, and how new it is."""

    place: Patterns
    year: Patterns
    time: Patterns


@dataclass(frozen=True)
class Refusals:
    """How people say what they do not want, and what may stand before that and after it.

    `slightly`: after these, one thing is refused, and what follows is wanted: "not too scary horror".
    """

    refusing: Patterns
    before: Patterns
    after: Patterns
    slightly: Patterns


@dataclass(frozen=True)
class Times:
    """How years are said, four digits after most of them, and how items are compared with examples.

    `between`, `joint`: "between 1980 and 1985". `compared`: what may stand after "older" and "newer", beside the end of
    a clause; `than`: what stands after them and before the name of an example. `refused`: what stands before a time and
    turns it round. `made`: what stands before the decade or the year that items are from. `kind`: what stands before
    a decade that says of which kind they are, "an 80s thriller", beside the beginning; `no_kind`: what stands after one
    that does not, "80s music".
    """

    before: Patterns
    until: Patterns
    since: Patterns
    after: Patterns
    between: Patterns
    joint: Patterns
    older: Patterns
    newer: Patterns
    compared: Patterns
    than: Patterns
    refused: Patterns
    made: Patterns
    kind: Patterns
    no_kind: Patterns


@dataclass(frozen=True)
class Naming:
    """How names of items stand in sentences. `capitals`: whether a capital says that a word is a name."""

    capitals: bool
    articles: Words
    small_words: Words
    conjunction: str
    cue: Patterns
    between: Patterns
    weak_cue: Patterns
    example: Patterns
    asked: Patterns
    asking: Patterns
    refused: Patterns
    refused_until: Patterns
    seen: Patterns


@dataclass(frozen=True)
class Synthetic:
    """Phrasings of requests made of facets: {facets} and {noun}, {} for a title, {decade} and {short}."""

    phrases: Words
    joints: Words
    plain: Words
    decades: Words


@dataclass(frozen=True)
class PracticeWords:
    """Phrasings of practice requests, {} for what they are about."""

    greetings: Words
    openings: Words
    likings: Words
    askings: Words
    wishes: Words
    chats: Words
    named: Words
    memories: Words
    joint: str
    this: str


@dataclass(frozen=True)
class Language:
    """The words of one language.

    `stemmer`: its Snowball stemmer. `irregular`: word -> the word whose stem it has, folded. `synonyms`:
    groups of names of one thing, in the catalog's values and in requests. `peoples`: adjective ->
    names of the country, folded. `stop_words` and `request_words` name nothing; `index_stop_words` are left out of the
    index of words, and `keeps_accents` says whether words with and without accents are different ones there.
    """

    name: str
    stemmer: str
    keeps_accents: bool
    stop_words: frozenset[str]
    request_words: frozenset[str]
    index_stop_words: frozenset[str]
    irregular: Mapping[str, str]
    synonyms: tuple[Words, ...]
    decades: Decades
    peoples: Mapping[str, Words]
    fields: Fields
    refusals: Refusals
    times: Times
    names: Naming
    synthetic: Synthetic
    practice: PracticeWords
    key: str = field(default="", compare=False)
    """What it is known by; nothing for one in a file of its own."""
    source: str = field(default="", compare=False)
    """The text of such a file, which a space keeps."""

    def is_empty(self, word: str) -> bool:
        """Whether a word, folded or in lower case, names nothing."""
        return word in self.stop_words or word in self.request_words

    def is_place(self, field_name: str) -> bool:
        """Whether a field says where an item is from."""
        return re.search(any_of(self.fields.place), field_name, re.IGNORECASE) is not None

    def is_year(self, field_name: str) -> bool:
        """Whether a field says in which year an item came out."""
        return re.search(any_of(self.fields.year), field_name, re.IGNORECASE) is not None

    def is_time(self, field_name: str) -> bool:
        """Whether a field says how new an item is."""
        return re.search(any_of(self.fields.time), field_name, re.IGNORECASE) is not None


def known_languages() -> list[str]:
    """Names of the languages that come with antiphon."""
    return sorted(path.stem for path in FOLDER.glob(f"*{ENDING}"))


def language_of(name: str | Path) -> Language:
    """A language that comes with antiphon, by its name, or one in a file, by its path.

    Raises:
        ConfigError: there is none, or its file is wrong.
    """
    return read_language(name) if isinstance(name, Path) else _known(name)


def unknown(name: str) -> str:
    """What is said of a language that does not come with antiphon."""
    return f"there is no language {name!r}; {nearest(name, known_languages())} Another one is a file: '{name}{ENDING}'"


@cache
def _known(name: str) -> Language:
    if name not in known_languages():
        raise ConfigError(f"{unknown(name)}.")
    return dataclasses.replace(read_language(FOLDER / f"{name}{ENDING}"), key=name, source="")


def read_language(path: Path) -> Language:
    """Read and check the file of a language.

    Raises:
        ConfigError: it is missing or no TOML, a key is missing, unknown or of another type, a pattern is broken, or
            there is no such stemmer.
    """
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"the language {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the language {path} is not valid TOML: {error}.") from error
    _check_keys(Language, raw, str(path), "")
    language = _typed(raw, path)
    _check_patterns(language, path)
    _check_phrasings(language, path)
    if runtime.has("Stemmer"):  # without it nothing is stemmed
        runtime.stemmer(language.stemmer)
    return dataclasses.replace(language, source=text)


def _check_keys(kind: type[Any], raw: Any, path: str, prefix: str) -> None:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: {prefix.rstrip('.')!r} is a table, got {raw!r}.")
    hints = get_type_hints(kind)
    known = [part.name for part in dataclasses.fields(kind) if part.name not in ("key", "source")]
    for key in raw:
        if key not in known:
            raise ConfigError(f"{path}: unknown key {prefix + key!r}; {nearest(key, known)}")
    for key in known:
        if key not in raw:
            raise ConfigError(f"{path}: {prefix + key!r} is missing; en{ENDING} has it with an example.")
        if dataclasses.is_dataclass(hints[key]):
            _check_keys(hints[key], raw[key], path, f"{prefix}{key}.")


def _typed(raw: Mapping[str, Any], path: Path) -> Language:
    """The values with their types; words that are compared with folded ones also without accents."""
    from pydantic import TypeAdapter, ValidationError

    try:
        language = TypeAdapter(Language).validate_python(dict(raw))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path}: {where!r}: {first['msg']}, got {first['input']!r}.") from error
    return dataclasses.replace(
        language,
        stop_words=_folded_too(language.stop_words),
        request_words=_folded_too(language.request_words),
        index_stop_words=_folded_too(language.index_stop_words),
        irregular={fold(word): fold(other) for word, other in language.irregular.items()},
        peoples={fold(people): tuple(map(fold, names)) for people, names in language.peoples.items()},
    )


def _folded_too(words: frozenset[str]) -> frozenset[str]:
    return words | {fold(word) for word in words}


def _check_patterns(language: Language, path: Path) -> None:
    for table in ("fields", "refusals", "times", "names"):
        part = getattr(language, table)
        hints = get_type_hints(type(part), include_extras=True)
        for key in (name for name, kind in hints.items() if kind == Patterns):
            if not getattr(part, key):
                raise ConfigError(f"{path}: '{table}.{key}' is empty; give at least one.")
            for pattern in getattr(part, key):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ConfigError(f"{path}: '{table}.{key}': {pattern!r} is no pattern: {error}.") from error


def _check_phrasings(language: Language, path: Path) -> None:
    """None is drawn from an empty list, and a request made of facets has them."""
    for table in ("synthetic", "practice"):
        part = getattr(language, table)
        for key in (each.name for each in dataclasses.fields(part)):
            if not getattr(part, key):
                raise ConfigError(f"{path}: '{table}.{key}' is empty; give at least one.")
    for phrase in language.synthetic.phrases:
        if "{facets}" not in phrase or set(re.findall(r"[{][^}]*[}]?|[}]", phrase)) - {"{facets}", "{noun}"}:
            raise ConfigError(
                f"{path}: 'synthetic.phrases': expected {{facets}}, and {{noun}} or nothing more, got {phrase!r}."
            )
    for key, forms in (("decades.forms", language.decades.forms), ("synthetic.decades", language.synthetic.decades)):
        for form in forms:
            if "{decade}" not in form and "{short}" not in form:
                raise ConfigError(f"{path}: {key!r}: {form!r} has neither {{decade}} nor {{short}}.")


ENGLISH = language_of("en")
