"""The words channel: BM25 over the descriptions (bm25s), which knows the exact words that vectors blur.

Stemming (Snowball) and stop words of the language of the space; k1 = 1.5, b = 0.75 as in Robertson and Zaragoza 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.language import ENGLISH, Language
from antiphon.base.wording import fold
from antiphon.channels.base import ByLines, Resolved, spread_to_one
from antiphon.channels.dictionary import telling
from antiphon.errors import IntegrityError
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

    def holding(self, text: str, least: int) -> NDArray[np.int64]:
        """Rows of the items whose texts have every word of `text`; none where that is fewer than `least` words.

        Words around a request count for nothing, and neither do stop words; one that no item has finds nothing.
        """
        said = " ".join(telling(text, self.language))
        words = set(tokens([said], self.language)[0])
        nothing = np.zeros(0, dtype=np.int64)
        if len(words) < least or not words <= self._model.vocab_dict.keys():
            return nothing
        starts, rows = self._model.scores["indptr"], self._model.scores["indices"]
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


class WordsChannel(ByLines):
    """BM25 of a request's text, in standard deviations over the items that can be found.

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
        if len(asked):
            scores = scores_for(self.lexical, resolved)[asked]
            result[asked] = weights[asked, None] * spread_to_one(scores, self.searchable)
        return result
