"""Misspelt words of the catalog: "Hitchcok suspence" is Hitchcock and suspense.

A word that nobody knows is read as the catalog's word that is one letter away: one left out, one too many, one other,
or two that changed places. Words of a few letters, and of long stories, stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from antiphon.base.language import ENGLISH, Language
from antiphon.base.texts import ByText
from antiphon.base.wording import fold, is_story

LEAST_LETTERS = 5
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Speller:
    """The catalog's words. `near`: by a word, and by what is left of it without one letter, its place in `words`.

    `counts`: how many titles and values have each. `known`: whether the catalog's texts have a word, however it ends.
    `usual`: whether a word, as it was said, is one that people use anyway, so that "newer" is no slip for "never".
    """

    near: ByText
    words: Sequence[str]
    counts: Mapping[str, int]
    known: Callable[[str], bool]
    language: Language = ENGLISH
    usual: Callable[[str], bool] = lambda _: False

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        known: Callable[[str], bool],
        language: Language = ENGLISH,
        usual: Callable[[str], bool] = lambda _: False,
    ) -> Speller:
        """Of titles and values. `known`: whether the catalog's texts have a word, however it ends."""
        counts = Counter(word for text in texts for word in set(_WORD.findall(fold(text))))
        words = [word for word in counts if len(word) >= LEAST_LETTERS]
        left = ((left, place) for place, word in enumerate(words) for left in {word, *_without_one(word)})
        return cls(ByText(left), words, counts, known, language, usual)

    def mended(self, text: str, keep: Container[str] = ()) -> str:
        """The text with words of the catalog in the place of misspelt ones, but for those of `keep`, folded."""
        if is_story(text):
            return text
        return _WORD.sub(lambda match: match[0] if fold(match[0]) in keep else self._mend(match[0]), text)

    def _mend(self, said: str) -> str:
        word = fold(said)
        ours = word in self.counts or self.known(word)
        if len(word) < LEAST_LETTERS or ours or self.language.is_empty(word) or self.usual(said.casefold()):
            return said
        places = {place for places in self.near.of([word, *_without_one(word)]) for place in places}
        found = {near for near in (self.words[place] for place in places) if _is_near(word, near)}
        if not found:
            return said
        best = max(sorted(found), key=lambda near: self.counts[near])
        return best.capitalize() if said[0].isupper() else best


def _without_one(word: str) -> Iterator[str]:
    return (word[:at] + word[at + 1 :] for at in range(len(word)))


def _is_near(word: str, other: str) -> bool:
    """Whether one letter is missing, added, changed, or two neighbours have changed places; the first letter stays."""
    if word[0] != other[0] or abs(len(word) - len(other)) > 1:
        return False
    if len(word) != len(other):
        short, long = sorted((word, other), key=len)
        return short in _without_one(long)
    wrong = [at for at, (one, two) in enumerate(zip(word, other, strict=True)) if one != two]
    swapped = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and word[wrong[0]] == other[wrong[1]]
    return len(wrong) == 1 or (swapped and word[wrong[1]] == other[wrong[0]])


def changed_words(text: str, mended: str) -> list[tuple[str, str]]:
    """The words of a text that were put right, and what they became."""
    pairs = zip(_WORD.findall(text), _WORD.findall(mended), strict=True)
    return [(said, meant) for said, meant in pairs if said != meant]
