"""What a text, or a liked item, adds to scores beside its vector: the channels of words and of facets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.facets import Facets
from antiphon.channels.mixture import Mixture
from antiphon.channels.rerank import Reranking
from antiphon.channels.words import Lexical
from antiphon.query.request import Query
from antiphon.space.embedder import Folded

Floats = NDArray[np.float32]
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Channels:
    """Scores that are no inner products with the item vectors.

    `searchable`: (n_items,) bool, the items that a standard deviation is taken over.
    """

    lexical: Lexical | None
    facets: Facets | None
    mixture: Mixture
    searchable: NDArray[np.bool_]
    reranking: Reranking | None = None

    def added(
        self, queries: Sequence[Query], encoded: Floats | None, liked: Sequence[Rows], folded: Folded | None = None
    ) -> dict[str, Floats]:
        """What each channel adds, (n_queries, n_items) float32 by its name; empty where no query speaks to any.

        `words`: BM25 in standard deviations over the catalog. `facets`: the chance that an item has what is asked
        for, and the facets that it shares with liked items, in standard deviations. `encoded`: (n_queries, in), the
        texts as the text encoder sees them. `liked`: rows of the liked items of each query. `taste`: what the second
        stage changes for those of the histories `folded` that stand alone.
        """
        asked = [row for row, query in enumerate(queries) if query.has_text]
        result: dict[str, Floats] = {}
        if asked and self.lexical is not None and self.mixture.lexical > 0:
            scores = self._standard(self.lexical.scores([str(queries[row].text) for row in asked]))
            result["words"] = self._weighted(queries, "text", asked, scores * np.float32(self.mixture.lexical))
        if asked and self.facets is not None and self.mixture.facets > 0 and encoded is not None:
            scores = self.facets.scores(encoded[asked]) * np.float32(self.mixture.facets)
            result["facets"] = self._weighted(queries, "text", asked, scores)
        shown = [row for row, rows in enumerate(liked) if len(rows) and queries[row].weight("likes") > 0]
        if shown and self.facets is not None and self.mixture.alike > 0:
            scores = self._standard(np.stack([self.facets.alike(liked[row]) for row in shown]))
            more = self._weighted(queries, "likes", shown, scores * np.float32(self.mixture.alike))
            result["facets"] = result["facets"] + more if "facets" in result else more
        alone = [] if folded is None else [row for row in folded.asked if queries[row].only_history]
        if folded is not None and self.reranking is not None and alone:
            part = folded.of(alone)
            more = self.reranking.added(part.vectors, part.spreads, part.rows) * np.float32(self.mixture.rerank)
            result["taste"] = self._weighted(queries, "user", alone, more)
        return result

    def _standard(self, scores: Floats) -> Floats:
        spread = scores[:, self.searchable].std(axis=1, keepdims=True)
        result: Floats = np.zeros_like(scores)
        np.divide(scores, spread, out=result, where=spread > 0)
        return result

    def _weighted(self, queries: Sequence[Query], part: str, asked: Sequence[int], scores: Floats) -> Floats:
        """`scores` of the queries `asked`, times the weight of a part; zeros for the others."""
        weights = np.array([queries[row].weight(part) for row in asked], dtype=np.float32)
        if len(asked) == len(queries):
            return scores * weights[:, None]
        result = np.zeros((len(queries), scores.shape[1]), dtype=np.float32)
        result[asked] = scores * weights[:, None]
        return result
