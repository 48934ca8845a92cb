"""The words channel: BM25 over the descriptions (bm25s), which knows the exact words that vectors blur.

Stemming (Snowball) and stop words of the language of the space; k1 = 1.5, b = 0.75 as in Robertson and Zaragoza 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.language import ENGLISH, Language
from antiphon.base.wording import fold
from antiphon.channels.base import Allowed, ByLines, Resolved, Rows, padded, spread_to_one
from antiphon.channels.dictionary import telling
from antiphon.channels.gate import lead_of, leads_of
from antiphon.errors import IntegrityError
from antiphon.numbers.codes import LARGE
from antiphon.numbers.lists import Listed, best_of, moments_of, sums_at
from antiphon.numbers.vectors import looked_up

Floats = NDArray[np.float32]


def tokens(texts: Sequence[str], language: Language = ENGLISH) -> list[list[str]]:
    """Words of texts: lower-cased, without stop words, stemmed (Snowball), with accents where the language keeps them.

    Raises:
        MissingExtraError: bm25s or PyStemmer is not installed.
    """
    words: list[list[str]] = runtime.bm25s().tokenize(
        list(texts) if language.keeps_accents else list(map(fold, texts)),
        stopwords=sorted(language.index_stop_words),
        stemmer=runtime.stemmer(language.stemmer),
        return_ids=False,
        show_progress=False,
    )
    return words


class Lexical:
    """BM25 scores of texts against every item (Robertson and Zaragoza 2009, equation 3.15)."""

    def __init__(self, model: Any, n_items: int, language: Language = ENGLISH) -> None:
        self._model, self.n_items, self.language = model, n_items, language

    @classmethod
    def fit(
        cls, words: Sequence[Sequence[str]], *, k1: float = 1.5, b: float = 0.75, language: Language = ENGLISH
    ) -> Lexical:
        """Index the `tokens` of the items' texts in a language, in the order of the vectors.

        `k1` says how soon a repeated word stops counting, `b` how much long texts are held back.
        """
        model = runtime.bm25s().BM25(k1=k1, b=b)
        # bm25s numbers words in the order of a set, which is another one in each process: the same texts would give
        # other files, and so another space. The empty word, which no request has, stands in if there are none.
        vocabulary = sorted({word for line in words for word in line}) or [""]
        number = {word: place for place, word in enumerate(vocabulary)}
        ids = [[number[word] for word in line] for line in words]
        model.index((ids if any(ids) else [[0], *ids[1:]], number), show_progress=False)
        return cls(model, len(words), language)

    def scores(self, texts: Sequence[str]) -> Floats:
        """Scores of all items for each text, (n_texts, n_items) float32; zeros where no word matches."""
        result = np.zeros((len(texts), self.n_items), dtype=np.float32)
        for row, known in enumerate(self._known(texts)):
            if known:
                result[row] = self._model.get_scores(known)
        return result

    def _known(self, texts: Sequence[str]) -> list[list[str]]:
        """The words of texts that the index has."""
        # "Can you recommend some films about": words around a request are none of its terms.
        said = [" ".join(telling(text, self.language)) or text for text in texts]
        return [[word for word in words if word in self._model.vocab_dict] for words in tokens(said, self.language)]

    def terms(self, text: str) -> tuple[NDArray[np.int64], Floats]:
        """The numbers of a text's words, ascending, and how often it says each, float32."""
        numbers = [self._model.vocab_dict[word] for word in self._known([text])[0]]
        ids, counts = np.unique(np.array(numbers, dtype=np.int64), return_counts=True)
        return ids, counts.astype(np.float32)

    def listed(self, text: str) -> list[Listed]:
        """The list of each of a text's words: the rows that have it, and what it adds to the score of each."""
        found = []
        for number, count in zip(*self.terms(text), strict=True):
            held = slice(*self._lists[0][number : number + 2])
            found.append(Listed(self._lists[1][held], self._lists[2][held], float(count)))
        return found

    @cached_property
    def _lists(self) -> tuple[Any, Any, Any]:
        """Bounds, rows and values of the lists as plain arrays: parts of a memmap are taken with a detour."""
        scores = self._model.scores
        return np.asarray(scores["indptr"]), np.asarray(scores["indices"]), np.asarray(scores["data"])

    def holding(self, text: str, least: int) -> NDArray[np.int64]:
        """Rows of the items whose texts have every word of `text`; none where that is fewer than `least` words.

        Words around a request count for nothing, and neither do stop words; one that no item has finds nothing.
        """
        said = " ".join(telling(text, self.language))
        words = set(tokens([said], self.language)[0])
        nothing = np.zeros(0, dtype=np.int64)
        if len(words) < least or not words <= self._model.vocab_dict.keys():
            return nothing
        starts, rows, _ = self._lists
        numbers = [self._model.vocab_dict[word] for word in words]
        held = sorted((rows[starts[number] : starts[number + 1]] for number in numbers), key=len)
        found = np.asarray(held[0], dtype=np.int64)
        for more in held[1:]:  # rows ascend: of a word that millions have, only those in question are looked for
            found = found[looked_up(more, found)[1]]
        return found

    def postings(self) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """The whole index: rows, numbers of words, and what each word adds to the score of the row."""
        scores = self._model.scores
        ids = np.repeat(np.arange(len(scores["indptr"]) - 1, dtype=np.int64), np.diff(scores["indptr"]))
        return np.asarray(scores["indices"], dtype=np.int64), ids, np.asarray(scores["data"], dtype=np.float32)

    def share(self, word: str) -> float:
        """The share of the items whose texts have a word."""
        number = self._model.vocab_dict.get(runtime.stemmer(self.language.stemmer).stemWord(word))
        ends = self._model.scores["indptr"]
        # bm25s adds the empty word behind the others: no item has it.
        return (
            0.0 if number is None or number + 1 >= len(ends) else float(ends[number + 1] - ends[number]) / self.n_items
        )

    def save(self, folder: Path) -> None:
        """Write the index as npy and JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        self._model.save(str(folder), show_progress=False)

    @classmethod
    def load(cls, folder: Path, n_items: int, language: Language = ENGLISH) -> Lexical:
        """Read what `save` wrote; its arrays are memory-mapped.

        Raises:
            IntegrityError: a file is missing or does not fit.
        """
        try:
            model = runtime.bm25s().BM25.load(str(folder), mmap=True, load_corpus=False)
        except (OSError, ValueError, KeyError) as error:
            raise IntegrityError(f"{folder} is not a readable lexical index ({error}); build the run again.") from error
        return cls(model, n_items, language)


def scores_for(lexical: Lexical, resolved: Resolved) -> Floats:
    """BM25 of each request's text against all items, (n_requests, n_items) float32, worked out once."""
    texts = [query.text or "" for query in resolved.queries]
    return np.stack(resolved.kept("bm25", lambda: list(lexical.scores(texts))))


def lists_for(lexical: Lexical, resolved: Resolved) -> list[list[Listed]]:
    """The lists of the words of each request's text, looked up once."""
    return resolved.kept("lists of words", lambda: [lexical.listed(query.text or "") for query in resolved.queries])


def moments_for(lexical: Lexical, resolved: Resolved, searchable: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Mean and standard deviation of each request's scores over the searchable items of a large catalog."""

    def of(lists: Sequence[Listed]) -> tuple[float, float]:
        some = lists if searchable.all() else [one.of(searchable) for one in lists]
        return moments_of(some, int(np.count_nonzero(searchable)))

    return resolved.kept("moments of words", lambda: [of(lists) for lists in lists_for(lexical, resolved)])


def leads_for(lexical: Lexical, resolved: Resolved, searchable: NDArray[np.bool_]) -> Floats:
    """How far the best item of each request stands out by its words, (n_requests, 2) float32, as `gate.leads_of`."""
    if lexical.n_items <= LARGE:
        return leads_of(scores_for(lexical, resolved), searchable)
    result = np.zeros((len(resolved), 2), dtype=np.float32)
    moments = moments_for(lexical, resolved, searchable)
    for found, lists, (mean, spread) in zip(result, lists_for(lexical, resolved), moments, strict=True):
        best = np.sort(best_of(lists, 2, lexical.n_items, None if searchable.all() else searchable))
        first, second = np.pad(np.sort(sums_at(lists, best))[::-1], (0, 2))[:2].tolist()
        found[:] = lead_of(first, second, mean, spread)
    return result


class WordsChannel(ByLines):
    """BM25 of a request's text, in standard deviations over the items that can be found.

    In a large catalog the lists of the text's words are read, and no line of all items is made.

    `searchable`: (n_items,) bool, the items that the standard deviation is taken over.
    """

    name = "words"
    voices: tuple[str, ...] = ("words",)

    def __init__(self, lexical: Lexical, searchable: NDArray[np.bool_]) -> None:
        self.lexical, self.searchable = lexical, searchable

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with an index of words."""
        return None if space.lexical is None else cls(space.lexical, space.searchable)

    def lines(self, resolved: Resolved) -> Floats:
        """Weighted standard scores; zeros for requests without a text."""
        weights = resolved.weights[self.name]
        asked = np.flatnonzero(weights)
        result = np.zeros((len(resolved), self.lexical.n_items), dtype=np.float32)
        if len(asked) and self.large:
            result[asked] = scores_for(self.lexical, resolved)[asked] * self._scales(resolved)[asked, None]
        elif len(asked):
            scores = scores_for(self.lexical, resolved)[asked]
            result[asked] = weights[asked, None] * spread_to_one(scores, self.searchable)
        return result

    @property
    def large(self) -> bool:
        """Whether lists are read instead of lines."""
        return self.lexical.n_items > LARGE

    def listed(self, resolved: Resolved, place: int) -> list[Listed] | None:
        """The lists of the text's words, weighted."""
        scale = float(self._scales(resolved)[place])
        lists = lists_for(self.lexical, resolved)[place] if scale else []
        return [Listed(one.rows, one.values, one.weight * scale) for one in lists]

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest scores; in a large catalog only those that have one of the words."""
        if not self.large:
            return super().candidates(resolved, n, allowed)
        lists = [self.listed(resolved, place) or () for place in range(len(resolved))]
        return padded([best_of(mine, n, self.lexical.n_items, allowed) for mine in lists], n)

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """As `ByLines.scores`; in a large catalog no line is made for some rows. `rows` ascend."""
        if not self.large or rows is None:
            return super().scores(resolved, rows)
        return np.stack([sums_at(self.listed(resolved, place) or (), rows) for place in range(len(resolved))])

    def _scales(self, resolved: Resolved) -> Floats:
        """What BM25 counts in each request: its weight over its standard deviation, 0 where none is asked."""
        return np.array(resolved.kept(f"{self.name} scales", lambda: self._made_scales(resolved)), dtype=np.float32)

    def _made_scales(self, resolved: Resolved) -> list[float]:
        weights = resolved.weights[self.name]
        if not weights.any():
            return [0.0] * len(resolved)
        moments = moments_for(self.lexical, resolved, self.searchable)
        return [float(w) / spread if spread > 0 else 0.0 for w, (_, spread) in zip(weights, moments, strict=True)]
