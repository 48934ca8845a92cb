"""Lexical search alone: the BM25 of the words channel, with settings of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from antiphon.base.language import ENGLISH, Language
from antiphon.channels.words import Lexical
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem
from antiphon.numbers.random_search import log_uniform


class BM25(ScoringSystem):
    """BM25 of requests against one text per item; its `words` are those of `channels.words.tokens`."""

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(
        self,
        words: Sequence[Sequence[str]],
        *,
        k1: float = 1.5,
        b: float = 0.75,
        name: str = "bm25",
        language: Language = ENGLISH,
    ) -> None:
        self.name, self.lexical = name, Lexical.fit(words, k1=k1, b=b, language=language)

    def scores(self, task: Task) -> Floats:
        """BM25 scores, 0 where no word is shared."""
        return self.lexical.scores(task.texts)


def baselines(data: RunData) -> Sequence[Baseline]:
    """BM25 over the descriptions, and over each view of them where there are several."""
    views = data.descriptions.views
    return [_over(data, view) for view in (None, *(views if len(views) > 1 else ()))]


def _over(data: RunData, view: str | None) -> Baseline:
    name = "bm25" if view is None else f"bm25-{view}"

    def draw(rng: np.random.Generator) -> dict[str, float]:
        return {"k1": log_uniform(rng, 0.3, 4), "b": float(rng.uniform(0, 1))}

    return Baseline(
        name,
        ("retrieve",),
        {"k1": 1.5, "b": 0.75},
        draw,
        lambda values: BM25(data.words(view), name=name, language=data.space.language, **values),
    )
