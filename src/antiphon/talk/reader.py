"""Rules that take a sentence apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import ENGLISH
from antiphon.base.wording import bare, fold, names_of
from antiphon.errors import QueryError
from antiphon.query.columns import WordColumn, words_of
from antiphon.query.filters import conditions, matches, parse_filter
from antiphon.query.reading import Kind
from antiphon.talk import patterns as p
from antiphon.talk.times import LEAD, Time, filters_of, times_in
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Wish

if TYPE_CHECKING:
    from antiphon.space.space import Space

MAX_REQUEST = 1000
"""Characters; longer requests are descriptions, and are not taken apart."""
MAX_NAME_WORDS = 12
MAX_LESS_WORDS = 4
EARLIEST = 1800
"""Four digits below are no year."""


@dataclass(frozen=True)
class Reading:
    """What a sentence was taken for. `says`: each part, for people. `by`: "rules" or "model"."""

    wish: Wish
    says: tuple[str, ...] = ()
    by: str = "rules"


@dataclass
class Draft:
    """A reading that is being made: what is left of the sentence, and what was found."""

    text: str
    where: list[str] = field(default_factory=list)
    likes: list[str] = field(default_factory=list)
    less: list[str] = field(default_factory=list)
    says: list[str] = field(default_factory=list)
    mask: NDArray[np.bool_] | None = None

    def cut(self, start: int, end: int) -> None:
        """Take a piece out of the text."""
        self.text = f"{self.text[:start].rstrip()} {self.text[end:].lstrip()}"


@dataclass(frozen=True)
class Reader:
    """Reads sentences for one space. `titles`: bare title -> row. `people`: folded name -> (field, name as written).

    `left`: kinds of parts that are left in the words, since a search reads them by itself.
    """

    space: Space
    words: Vocabulary
    titles: Mapping[str, int]
    people: Mapping[str, tuple[str, str]]
    surnames: Mapping[str, str]
    left: frozenset[Kind] = frozenset()

    @classmethod
    def of(cls, space: Space, words: Vocabulary | None = None) -> Reader:
        """A reader for a space; `words` where they were collected before."""
        words = words or Vocabulary.of(space)
        titles: dict[str, int] = {}
        for row in np.argsort(words.popularity, kind="stable").tolist():
            for name in names_of(space.titles[row]):
                titles[name] = row
        people: dict[str, tuple[str, str]] = {}
        for name, kind in space.field_types.items():
            if kind in ("string", "list") and p.PERSON.search(name):
                for value in space.fields[name].to_pylist():
                    people.update({bare(word): (name, word) for word in words_of(value) if bare(word)})
        last = Counter(name.split()[-1] for name in people)
        surnames = {name.split()[-1]: name for name in people if last[name.split()[-1]] == 1}
        return cls(space, words, titles, people, surnames)

    def beside(self, read: Collection[Kind]) -> Reader:
        """This reader, which leaves parts of these kinds in the words."""
        return replace(self, left=frozenset(read))

    def read(self, sentence: str) -> Reading:
        """What the rules make of a sentence; one that is a title, or very long, stays as it is.

        A filter that no item passes together with those before it is left out: it was probably misread.

        Raises:
            QueryError: the sentence is empty.
        """
        if not sentence.strip():
            raise QueryError("the request is empty; say what you are after.")
        if len(sentence) > MAX_REQUEST or bare(sentence) in self.titles:
            return Reading(Wish(text=sentence))
        draft = Draft(" ".join(sentence.split()))
        steps: tuple[tuple[Callable[[Draft], None], frozenset[Kind]], ...] = (
            (self._titles, frozenset({"like", "unlike"})),
            (self._negations, frozenset({"without"})),
            (self._times, frozenset({"years"})),
            (self._places, frozenset()),
            (self._people, frozenset()),
        )
        for step, kinds in steps:
            if not self.left & kinds:
                step(draft)
        if not draft.says:
            return Reading(Wish(text=sentence))
        text = re.sub(r"\s+([,;.!?])", r"\1", draft.text).strip(" ,;.-")
        if not set(bare(text).split()) - p.FILLER:
            text = "" if draft.likes else sentence.strip()
        wish = Wish(
            text=text or None, less=tuple(draft.less), likes=tuple(draft.likes), where=tuple(dict.fromkeys(draft.where))
        )
        return Reading(wish, tuple(draft.says))

    def _titles(self, draft: Draft) -> None:
        """Items that the answers should be like: "like Heat and Alien"; the words go."""
        for cue in reversed(list(p.LIKE.finditer(draft.text))):
            place, rows = cue.end(), []
            while (found := self._title_at(draft.text, place)) is not None:
                rows.append(found[0])
                end = found[1]
                more = p.NEXT.match(draft.text, end)
                place = more.end() if more else len(draft.text)
            if rows:
                draft.cut(cue.start(), end)
                draft.likes += [self.space.item_ids[row] for row in rows]
                draft.says.append(f"like {', '.join(self.space.titles[row] for row in rows)}")

    def _title_at(self, text: str, start: int) -> tuple[int, int] | None:
        """Row and end of the longest title that begins at a place."""
        ends = [match.end() for match in re.finditer(r"[^\s,;]+", text[start : start + 200])][:MAX_NAME_WORDS]
        for end in reversed(ends):
            piece = text[start : start + end].rstrip(".!?")
            name = bare(piece)
            row = self.titles.get(name)
            plain = piece.strip("\"'\u201c\u201d")
            sure = plain != piece or plain[:1].isupper() or plain[:1].isdigit() or " " in name
            if row is not None and sure:
                return row, start + len(piece)
        return None

    def _negations(self, draft: Draft) -> None:
        """Filters, or words to stay away from, of "nothing with war", "no horror or gore"; the words go."""
        for match in reversed(list(p.NOT.finditer(draft.text))):
            parts = [_bared(part.strip()) for part in re.split(r"\b(?:or|and|nor)\b|/", match["what"]) if part.strip()]
            wheres = [self._refused(part) for part in parts]
            short = all(len(part.split()) <= MAX_LESS_WORDS for part in parts)
            if not parts or not (short or all(wheres)):
                continue
            for part, where in zip(parts, wheres, strict=True):
                if where is None:
                    draft.less.append(part)
                    draft.says.append(f"less {part}")
                else:
                    self.add(draft, where, f"no {part}")
            draft.cut(*match.span())

    def _refused(self, words: str) -> tuple[str, ...] | None:
        """Filters against a value, in every field that has it, a decade, or a country."""
        words = re.sub(r"^(?:from|by|in|of)\s+", "", words, flags=re.IGNORECASE)
        times = [time for time in self._named_times(words) if (time.start, time.end) == (0, len(words))]
        if times:
            return (f"not ({' and '.join(filters_of(times[0], self.words))})",)
        country = self._country(words.removesuffix("films").removesuffix("movies").strip())
        found = self.words.value(words)
        fields = [] if found is None else [
            name for name, column in self.space.columns.items()
            if isinstance(column, WordColumn) and column.holds(found[1]).any()
        ]  # fmt: skip
        if found is not None:
            return tuple(f"not {name} any {p.quoted(found[1])}" for name in fields)
        return None if country is None else (f"not ({country})",)

    def _times(self, draft: Draft) -> None:
        """Filters of "made in the sixties", "before 1980"; the words go, since the filter says them better."""
        for time in reversed(self._named_times(draft.text)):
            if self.add(draft, filters_of(time, self.words), f"{self.words.time_field} {time.says}"):
                lead = LEAD.search(draft.text[: time.start])
                draft.cut(lead.start() if lead else time.start, time.end)

    def _named_times(self, text: str) -> list[Time]:
        """Times that a text names, from the year 1800 on; none where the catalog has no field for them."""
        found = times_in(text) if self.words.time_field is not None else []
        return [time for time in found if max(time.low or 0, time.high or 0) >= EARLIEST]

    def _places(self, draft: Draft) -> None:
        """One filter for all countries that are named: "Italian films", "from Italy", "a UK drama"."""
        named = [match[0] for match in p.PEOPLE_OF.finditer(draft.text) if fold(match[0]) in ENGLISH.peoples]
        for match in p.FROM.finditer(draft.text):
            words = re.findall(r"[\w.'-]+", draft.text[match.end() :])[:4]
            tries = [" ".join(words[:n]) for n in range(len(words), 0, -1)]
            named += [piece for piece in tries if self._country(piece)][:1]
        named += p.SHORT.findall(draft.text)
        tests = {test for name in named if (test := self._country(name)) is not None}
        if tests:
            where = " or ".join(sorted(tests))
            values = {value for condition in conditions(parse_filter(where)) for value in condition.value}
            written = sorted(self.words.values.get(value, ("", value))[1] for value in values)
            self.add(draft, (where,), f"from {', '.join(written)}")

    def _country(self, words: str) -> str | None:
        """A filter for a country by its name or its people; None where no field has it."""
        folded = bare(words.replace(".", ""))
        aliases = set(ENGLISH.peoples.get(folded, ()))
        for group in ENGLISH.peoples.values():
            if folded in group:
                aliases |= set(group) if group[0] == folded or len(folded) <= 3 else {folded}
        for name, column in self.space.columns.items():
            if isinstance(column, WordColumn) and self.space.language.is_place(name):
                held = [value for value in column.vocabulary if bare(value) in aliases | {folded}]
                if held:
                    return f"{name} any {','.join(map(p.quoted, sorted(held)))}"
        return None

    def _people(self, draft: Draft) -> None:
        """Filters for people that the catalog knows: "by Sofia Coppola", or a surname that is one person's."""
        for match in p.CUE.finditer(draft.text):
            words = re.findall(r"[\w.'\u2019-]+", draft.text[match.end() :])[:5]
            tries = [bare(" ".join(words[:n])) for n in range(len(words), 0, -1)]
            name = next((name for name in tries if name in self.people), None)
            alone = bare(words[0].removesuffix("'s")) if words and words[0][:1].isupper() else ""
            name = name or (self.surnames.get(alone) if len(alone) > 3 else None)
            if name is not None:
                column, written = self.people[name]
                self.add(draft, (f"{column} any {p.quoted(written)}",), f"{column} {written}")

    def add(self, draft: Draft, where: Sequence[str], says: str) -> bool:
        """Put filters into the draft; False where no item would be left."""
        mask = matches(parse_filter(list(where)), self.space.columns) & self.space.searchable
        both = mask if draft.mask is None else mask & draft.mask
        if both.any():
            draft.mask = both
            draft.where += where
            draft.says.append(says)
        return bool(both.any())


def _bared(words: str) -> str:
    """What is refused, without the small words before it: "any romance" is romance."""
    return re.sub(r"^(?:too|any|an?|so|the)\s+", "", words, flags=re.IGNORECASE)
