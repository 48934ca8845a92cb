"""Hearing: what a request says in words, read once: spelling, items that it names, what it refuses, years.

The answer and the chips that people see come from the same `Heard`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.base.wording import fold
from antiphon.channels.dictionary import Dictionary, telling
from antiphon.channels.eras import Era, eras_of, made_in
from antiphon.channels.mentions import Mention, Names
from antiphon.channels.refusals import Refusal, refusal_of
from antiphon.channels.spelling import Speller, changed_words
from antiphon.query.request import Query

Rows = NDArray[np.int32]
MAX_NAMED = 10_000
"""Characters of a text that are read for names."""


@dataclass(frozen=True)
class Heard:
    """The words of a request.

    `query`: all of them in one text, put right. `wanted`: the same without what they refuse; `turns`: of a
    conversation, as in `wanted`, none for a request of one text. `mentions`: the items that `query` names. `eras`: the
    years that it asks for. `refused`: rows of the items that have what is refused, or are of other years. `spelled`:
    misspelt words, and what they became. `refusals`: the words of what is refused. `name_words`: folded words that
    stand in names alone, and so ask for no value: who likes Daft Punk wants no punk.
    """

    query: Query
    wanted: Query
    turns: Sequence[str]
    mentions: Sequence[Mention]
    eras: Sequence[Era]
    refused: Rows
    spelled: Sequence[tuple[str, str]]
    refusals: Sequence[str]
    name_words: frozenset[str] = frozenset()

    @property
    def without_names(self) -> str:
        """What is wanted without the words that name items, which are no values of the catalog."""
        return _without(self.wanted.text or "", self.mentions)


COPIED_WORDS, MOST_COPIED = 3, 1
"""Words that a copied phrase has, at least, and items whose texts have all of them, at most."""


@dataclass(frozen=True)
class Listener:
    """Reads the words of requests for one space; each part is None where it is not read for.

    `names` of the items; `speller`; `dictionary` of the catalog's values; `holding`: the rows whose texts have every
    word of a text (`Lexical.holding`).
    """

    names: Names | None = None
    speller: Speller | None = None
    dictionary: Dictionary | None = None
    holding: Callable[[str, int], NDArray[np.int64]] | None = None

    def hear(self, query: Query, mentions: Sequence[Mention] | None = None) -> Heard:
        """What a request says; `mentions`: the items that it names, where they are known already."""
        said = [*query.turns, *([] if query.text is None else [query.text])]
        keep = frozenset(map(fold, query.literal))
        if mentions is None and not query.turns and (copied := self._copied(query, keep)):
            return Heard(query, query, [], copied, [], np.zeros(0, dtype=np.int32), [], [])
        pieces = said if not said or self.speller is None else [self.speller.mended(piece, keep) for piece in said]
        refusals = [self._refusal(piece, query, keep) for piece in pieces]
        wanted = [refusal.text for refusal in refusals]
        whole = replace(query, turns=(), text="\n".join(pieces) or None)
        named = _lately(self._named(whole, keep), pieces) if mentions is None else mentions
        shunned = [mention for mention in named if mention.how == "refused"]
        wanted = [_without(piece, shunned, " ").strip() or piece for piece in wanted]
        left = replace(query, turns=(), text="\n".join(wanted) or None)
        eras = self._eras(whole, left, named, keep)
        rows = [refusal.rows for refusal in refusals] + [self._of_other_years(eras)]
        return Heard(
            query=whole,
            wanted=left,
            turns=wanted if len(wanted) > 1 else [],
            mentions=named,
            eras=eras,
            refused=np.unique(np.concatenate(rows)),
            spelled=[change for pair in zip(said, pieces, strict=True) for change in changed_words(*pair)],
            refusals=[words for refusal in refusals for words in refusal.words],
            name_words=self._name_words(left.text or "", named),
        )

    def telling(self, words: str) -> str:
        """Words without those around them that name nothing: "any romance" is romance."""
        if self.dictionary is None:
            return words
        language = self.dictionary.language
        return " ".join(word for word in words.split() if not language.is_empty(fold(word))) or words

    def _named(self, query: Query, keep: frozenset[str]) -> Sequence[Mention]:
        if not query.has_text or not query.weight("names") or self.names is None:
            return ()
        return self.names.said(str(query.text)[:MAX_NAMED], keep)

    def _name_words(self, wanted: str, mentions: Sequence[Mention]) -> frozenset[str]:
        if not mentions or self.dictionary is None:  # made for texts alone: of a large catalog it takes a while
            return frozenset()
        language = self.dictionary.language
        in_names = telling(" ".join(mention.words for mention in mentions), language)
        return frozenset(in_names) - frozenset(telling(_without(wanted, mentions), language))

    def _copied(self, query: Query, keep: frozenset[str]) -> Sequence[Mention]:
        """The few items that have every word of a text: it was copied from theirs, and says nothing else.

        A name in it does not count: "like Heat, with cops" has the words of Heat. Nor does a request that is made of
        values of the catalog, whose answers are not the one item that has all of its words.
        """
        text = query.text or ""
        if not text or self.holding is None or self.names is None or not query.weight("names") or fold(text) in keep:
            return ()
        if self.dictionary is not None and self.dictionary.covers(text):
            return ()
        rows = self.holding(text, COPIED_WORDS).tolist()
        if not 0 < len(rows) <= MOST_COPIED:
            return ()
        bare = text
        for mention in self._named(query, keep):
            bare = bare.replace(mention.words, " ")
        if len(self.holding(bare, COPIED_WORDS)) < len(rows):
            return ()
        return [Mention(0, len(text), row, "asked", text) for row in rows]

    def _refusal(self, text: str, query: Query, keep: frozenset[str]) -> Refusal:
        """What a text refuses; nothing for a space that reads no names."""
        if self.names is None or self.dictionary is None or not query.weight("facets"):
            return Refusal(text, np.zeros(0, dtype=np.int32))
        return refusal_of(text, self.dictionary, keep)

    def _eras(self, query: Query, wanted: Query, mentions: Sequence[Mention], keep: frozenset[str]) -> Sequence[Era]:
        """The years that a request asks for; none for a space that reads no names, or has no years."""
        if not query.has_text or not query.weight("facets"):
            return ()
        years = None if self.names is None else self.names.years
        if years is None or self.dictionary is None:
            return ()
        examples = [mention for mention in mentions if mention.how == "example"]
        language = self.dictionary.language
        known, starts = [float(years[one.row]) for one in examples], [one.start for one in examples]
        found = eras_of(str(query.text), known, language.times, keep, starts)
        made = None if found else made_in(_without(wanted.text or "", mentions), language, keep)
        return [*found, made] if made else found

    def _of_other_years(self, eras: Sequence[Era]) -> Rows:
        nothing = np.zeros(0, dtype=np.int32)
        if not eras or self.names is None or self.names.years is None:
            return nothing
        missed = np.any([era.misses(self.names.years) for era in eras], axis=0)
        # Years that no item has were misread.
        return nothing if missed.all() else np.flatnonzero(missed).astype(np.int32)


def _without(text: str, mentions: Sequence[Mention], instead: str = " , ") -> str:
    """A text with a comma for the words of each name."""
    for mention in mentions:
        text = text.replace(mention.words, instead) if mention.words else text
    return text


def _lately(mentions: Sequence[Mention], pieces: Sequence[str]) -> Sequence[Mention]:
    """The items that the turns of a conversation name: what was asked for before the last turn that asks was given."""
    starts = np.cumsum([0, *(len(piece) + 1 for piece in pieces)])
    turns = [int(np.searchsorted(starts, mention.start, side="right")) for mention in mentions]
    last = max((turn for turn, one in zip(turns, mentions, strict=True) if one.how == "asked"), default=0)
    return [
        replace(one, how="earlier") if one.how == "asked" and turn < last else one
        for turn, one in zip(turns, mentions, strict=True)
    ]
