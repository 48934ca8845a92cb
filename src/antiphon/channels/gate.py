"""The gate: how much each channel counts for one request, by what the request looks like.

No constant is right: for "Italian comedies" the facets should decide, for a long memory of a plot the texts, for "I
loved Heat and Ronin" who likes what. The gate reads a few facts of a request (its length, the share of its words that
are values of the catalog, how sure the reader of facets is, the items that it names) and gives each voice a weight:

    w = scale * softplus(A (x - mean) / spread + b)

It is learned from requests of every kind made from the catalog (`gate_training.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.dictionary import Dictionary, stems_of, telling

Floats = NDArray[np.float32]
VOICES = ("text", "passages", "words", "facets", "named", "likes", "liked", "alike", "popularity", "names")
"""What the gate weighs. `text`, `likes` are parts of the joint vector; `liked` is the taste of liked items."""
SCALES = {"facets": 8.0}
"""What a weight of 1 is for voices that are not standardised: chances go from 0 to 1, other scores beyond 3."""
SILENT = -1000.0
"""Before the softplus: no weight."""
FACTS = (
    "words", "telling words", "covered", "values", "surest facet", "surest three", "any facet", "unsureness",
    "examples?", "asked?", "examples", "wholly covered", "best text", "lead of the best text",
)  # fmt: skip


def facts_of(
    texts: Sequence[str],
    chances: Floats | None,
    n_examples: Sequence[int],
    n_asked: Sequence[int],
    dictionary: Dictionary,
    leads: Floats | None = None,
) -> Floats:
    """What requests look like, (n_requests, len(FACTS)) float32.

    `chances`: (n_requests, n_facets), what the reader of facets makes of them; None without one. `n_examples`,
    `n_asked`: items that each names as examples or asks for by name. `leads`: (n_requests, 2), see `leads_of`.
    """
    rows = np.zeros((len(texts), len(FACTS)), dtype=np.float32)
    chances = np.zeros((len(texts), 1), dtype=np.float32) if chances is None else chances
    for row, text, chance, examples, asked in zip(rows, texts, chances, n_examples, n_asked, strict=True):
        stems = stems_of(text, dictionary.language)
        n_telling = len(telling(text, dictionary.language))
        named = dictionary.named(text)
        covered = min(1.5, sum(value.end - value.start for value in named) / max(1, n_telling))
        first = np.sort(chance)[-3:][::-1]
        row[:] = (
            np.log1p(len(stems)) / 2, np.log1p(n_telling) / 2, covered, min(len(named), 6) / 3,
            first[0], first.sum(), chance.sum(), -float((chance * np.log(chance + 1e-9)).sum()) / 4,
            examples > 0, asked > 0, np.log1p(examples), covered > 0.99, 0, 0,
        )  # fmt: skip
    return rows if leads is None else led(rows, leads)


def led(facts: Floats, leads: Floats) -> Floats:
    """The facts with leads of the best text, as far as the catalog's values leave words of the request over.

    Where a request is made of values, hundreds of items have its words, and which of them leads is chance.
    """
    uncovered = 1 - np.minimum(1, facts[:, FACTS.index("covered"), None])
    facts[:, LEADS] = leads * uncovered
    return facts


def leads_of(scores: Floats, searchable: NDArray[np.bool_]) -> Floats:
    """How far the best item of each line of BM25 scores, (n, n_items), stands out, and its lead: (n, 2) float32.

    In standard deviations over the searchable items: who copies a phrase of a text finds one item far ahead.
    """
    known = scores if searchable.all() else scores[:, searchable]
    result = np.zeros((len(scores), 2), dtype=np.float32)
    for line, found in zip(known, result, strict=True):
        spread = float(line.std()) if len(line) > 1 else 0.0
        if spread > 0:  # passes and no sorting: lines may be long
            best = int(line.argmax())
            first = float(line[best])
            second = max(float(line[:best].max(initial=-np.inf)), float(line[best + 1 :].max(initial=-np.inf)))
            found[:] = lead_of(first, second, float(line.mean()), spread)
    return result


def lead_of(first: float, second: float, mean: float, spread: float) -> tuple[float, float]:
    """How far the best of some scores is from their mean and from the second, in standard deviations; 0 without any."""
    return ((first - mean) / spread, (first - second) / spread) if spread > 0 else (0.0, 0.0)


LEADS = slice(FACTS.index("best text"), FACTS.index("lead of the best text") + 1)
BY_WORDS = tuple(
    FACTS.index(fact) for fact in ("covered", "values", "wholly covered", "best text", "lead of the best text")
)
"""Facts that the catalog's own words tell: none of them where a request says what it wants in other words."""


@dataclass(frozen=True)
class Gate:
    """Weights of the voices as a function of a request's facts.

    `mean`, `spread`: (n_facts,) of the facts in training. `weights`: (n_facts, n_voices), `bias`: (n_voices,).
    """

    mean: Sequence[float]
    spread: Sequence[float]
    weights: Sequence[Sequence[float]]
    bias: Sequence[float]

    def __call__(self, facts: Floats) -> dict[str, Floats]:
        """The weight of each voice for each request, (n_requests,) float32, 0 or more."""
        # The gate of an older space has learned fewer facts; new ones stand behind the others.
        scaled = (facts[:, : len(self.mean)] - np.asarray(self.mean)) / np.asarray(self.spread)
        # A request may be longer than any that was trained on: no fact goes further than training did.
        raw = np.clip(scaled, -3, 3) @ np.asarray(self.weights) + np.asarray(self.bias)
        found = np.logaddexp(0, raw).astype(np.float32)
        return {voice: found[:, place] * np.float32(SCALES.get(voice, 1)) for place, voice in enumerate(VOICES)}

    def without(self, voices: Sequence[str]) -> Gate:
        """The gate with some voices silent."""
        kept = [voice not in voices for voice in VOICES]
        weights = [[weight * keep for weight, keep in zip(line, kept, strict=True)] for line in self.weights]
        bias = [value if keep else SILENT for value, keep in zip(self.bias, kept, strict=True)]
        return Gate(self.mean, self.spread, weights, bias)

    @classmethod
    def load(cls, values: Mapping[str, Sequence[float]] | None) -> Gate | None:
        """A gate from its values in JSON; None if there is none."""
        return None if values is None else cls(**values)  # type: ignore[arg-type]  # checked by its checksum
