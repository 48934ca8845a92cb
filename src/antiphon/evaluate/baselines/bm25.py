"""Lexical search alone: the BM25 of the words channel, with settings of its own."""

from __future__ import annotations

from collections.abc import Sequence

from antiphon.channels.words import Lexical
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.systems import Floats, ScoringSystem


class BM25(ScoringSystem):
    """BM25 of requests against one text an item, whose `words` are those of `channels.words.tokens`."""

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, words: Sequence[Sequence[str]], *, k1: float = 1.5, b: float = 0.75, name: str = "bm25") -> None:
        self.name, self.lexical = name, Lexical.fit(words, k1=k1, b=b)

    def scores(self, task: Task) -> Floats:
        """BM25 scores, 0 where no word is shared."""
        return self.lexical.scores(task.texts)
