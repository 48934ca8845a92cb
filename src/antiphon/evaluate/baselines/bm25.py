"""Lexical search: BM25 over the descriptions, by bm25s, with English stemming (Snowball) and stop words."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.errors import MissingExtraError
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.systems import Floats, ScoringSystem


class BM25(ScoringSystem):
    """Okapi BM25 (Robertson and Zaragoza 2009, equation 3.15) of requests against one text an item.

    `words`: the items' descriptions as `tokens` makes them. `k1` says how soon a repeated word stops counting, `b` how
    much long texts are held back.

    Raises:
        MissingExtraError: bm25s is not installed.
    """

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, words: Sequence[Sequence[str]], *, k1: float = 1.5, b: float = 0.75, name: str = "bm25") -> None:
        self.name, self.n_items = name, len(words)
        self.index: Any = _load("bm25s").BM25(k1=k1, b=b)
        self.index.index([list(line) for line in words], show_progress=False)

    def scores(self, task: Task) -> Floats:
        """BM25 scores, 0 where no word is shared."""
        result = np.zeros((len(task), self.n_items), dtype=np.float32)
        for row, words in enumerate(tokens(task.texts)):
            known = [word for word in words if word in self.index.vocab_dict]
            if known:
                result[row] = self.index.get_scores(known)
        return result


def tokens(texts: Sequence[str]) -> list[list[str]]:
    """Words of texts: lower-cased, without English stop words, stemmed (Snowball).

    Raises:
        MissingExtraError: bm25s or PyStemmer is not installed.
    """
    stemmer = _load("Stemmer").Stemmer("english")
    words: list[list[str]] = _load("bm25s").tokenize(
        list(texts), stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False
    )
    return words


def _load(package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        known = {"Stemmer": "PyStemmer"}.get(package, package)
        raise MissingExtraError(known, "build", "lexical search (BM25)") from error
