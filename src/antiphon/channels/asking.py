"""What each channel asks of a store: a resolved request as parts, with the weights that it has in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.base import Channel, Folded, Resolved
from antiphon.channels.facets import KEPT, REFUSED, FacetsChannel, chances_of
from antiphon.channels.joint import JointChannel
from antiphon.channels.passages import Passages, PassagesChannel, sampled
from antiphon.channels.rerank import DEPTH, HEAD
from antiphon.channels.stored import MET, PRIOR, SEARCHABLE
from antiphon.channels.taste import TasteChannel
from antiphon.channels.words import WordsChannel
from antiphon.stores.answering import answer
from antiphon.stores.contract import PASSAGES, Part, Ragged, Version, Wanted
from antiphon.stores.filters import lowered

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass
class Says:
    """What a channel says of one request to a store."""

    parts: list[Part] = field(default_factory=list)
    known: dict[str, tuple[Rows, Floats]] = field(default_factory=dict)
    last: Rows = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


class StoredPassages:
    """As `Passages`, with the vectors in a store: a sample of them is fetched once."""

    def __init__(self, version: Version, searchable: NDArray[np.bool_]) -> None:
        self.version = version
        self._rows = sampled(searchable)
        self._sample: Passages | None = None

    def spread(self, text: Floats, sentences: Floats) -> float:
        """The standard deviation of the scores of a request over the sample."""
        if self._sample is None:
            self._sample = self.of(self._rows)
        return float(self._sample.scores(text, sentences).std())

    def of(self, rows: Rows) -> Passages:
        """The passages of some items."""
        found: Ragged = self.version.passages(rows)
        return Passages(found.values, found.bounds)

    def nearest(self, texts: Floats) -> Floats:
        """Cosine of each text with the nearest passage of all items, (n_texts,) float32; -1 where there is none."""
        found = []
        for text in texts:
            part = Part(PASSAGES, PASSAGES, text[None])
            ranking = answer(self.version, Wanted([part], 1, 1, flag=SEARCHABLE))
            found.append(ranking.scores[0] if len(ranking.scores) else -1)
        return np.array(found, dtype=np.float32)


class StoredPassagesChannel(PassagesChannel):
    """The passages channel of a space on a store; scores of given rows only."""

    passages: StoredPassages  # type: ignore[assignment]  # the same verbs, of a store

    def scores(self, resolved: Resolved, rows: NDArray[Any] | None) -> Floats:
        """Of the first request, for explanations."""
        assert rows is not None  # noqa: S101  a store gives candidates
        result = np.zeros((len(resolved), len(rows)), dtype=np.float32)
        for place in range(len(resolved)):
            for part in passages_parts(self, resolved, place).parts:
                assert part.vectors is not None  # noqa: S101  over passages
                found = self.passages.of(rows.astype(np.int64)).scores(part.vectors[0], part.vectors[1:])
                result[place] = np.float32(part.scale) * found
        return result


class StoredTasteChannel(TasteChannel):
    """The taste channel of a space on a store: the second stage takes the store's first items."""

    version: Version

    def leading_of(self, resolved: Resolved, place: int, near: Rows | None) -> tuple[Rows, Floats]:
        """As in memory; the items that lead by taste are asked for."""
        history, where = resolved.histories[place], resolved.queries[place].where
        assert history is not None  # noqa: S101  asked for requests with one
        check = lowered(where, self.version.shape.types)
        parts = [
            Part(self.name, name, (scale * history.vectors[name])[None]) for name, scale in self.scales(history).items()
        ]
        hidden = np.unique(history.rows).astype(np.int64)
        ranking = answer(self.version, Wanted(parts, DEPTH, HEAD * DEPTH, where=check, flag=MET, hidden=hidden))
        order = np.argsort(ranking.rows)
        return ranking.rows[order], ranking.scores[order]

    def scores_at(self, history: Folded, rows: Rows, blocks: Sequence[str]) -> dict[str, Floats]:
        """As in memory, by the store."""
        asked = [Part(self.name, name, history.vectors[name][None]) for name in blocks]
        return dict(zip(blocks, self.version.scores(asked, rows), strict=True))

    def on(self, version: Version) -> StoredTasteChannel:
        """The channel with a store; the moments of its vectors come with the version."""
        self.version = version
        self.__dict__["known_moments"] = {
            name: (np.array(mean), np.array(covariance))
            for name, (mean, covariance) in version.shape.notes["moments"].items()
        }
        return self


def joint_parts(channel: JointChannel, resolved: Resolved, place: int) -> Says:
    """The joint vector."""
    vector = resolved.vectors[channel.name][place]
    return Says([Part(channel.name, channel.name, vector[None])] if vector.any() else [])


def taste_parts(channel: StoredTasteChannel, resolved: Resolved, place: int) -> Says:
    """A vector for each block of taste, how many know an item and doubts of it, and what the second stage changes."""
    says = Says()
    for name in channel.items:
        if (vector := resolved.vectors[name][place]).any():
            says.parts.append(Part(channel.name, name, vector[None]))
    prior = np.array([resolved.weights[voice][place] for voice in ("popularity", "doubt")], dtype=np.float32)
    if prior.any():
        says.parts.append(Part(channel.name, PRIOR, prior[None]))
    moved = channel.second(resolved)[place]
    if moved is not None:
        says.known[channel.name] = moved
    return says


def words_parts(channel: WordsChannel, resolved: Resolved, place: int) -> Says:
    """The words of the text, each as often as it is said, over the standard deviation of all scores."""
    weight = float(resolved.weights[channel.name][place])
    if not weight:
        return Says()
    text = str(resolved.queries[place].text)
    ids, counts = channel.lexical.terms(text)
    spread = float(channel.lexical.scores([text])[0, channel.searchable].std())
    return Says([Part(channel.name, channel.name, ids=ids, weights=counts, scale=weight / spread)] if spread else [])


def passages_parts(channel: StoredPassagesChannel, resolved: Resolved, place: int) -> Says:
    """The text and its sentences, over the standard deviation of a sample."""
    weight = float(resolved.weights[channel.name][place])
    if not weight or resolved.texts is None:
        return Says()
    text, sentences = resolved.texts[place], resolved.sentences[place]
    vectors = np.concatenate([text[None], sentences]) if len(sentences) else text[None]
    spread = channel.passages.spread(text, sentences)
    return Says([Part(channel.name, PASSAGES, vectors, scale=weight / spread)] if spread else [])


def facets_parts(channel: FacetsChannel, resolved: Resolved, place: int) -> Says:
    """Chances of facets, the values that the text names, the facets of liked items; what is refused comes last."""
    by_text, by_name, by_likes, refusing = (float(resolved.weights[voice][place]) for voice in channel.voices)
    facets, n_facets = channel.facets, len(channel.facets.names)
    weights: dict[int, float] = {}
    if by_text and resolved.texts is not None:
        line = chances_of(facets, resolved)[place]
        kept = np.argpartition(line, -min(KEPT, len(line)))[-min(KEPT, len(line)) :]
        weights |= {int(facet): by_text * float(line[facet]) for facet in kept}
    if by_name:
        number = channel.dictionary.numbers
        named = {value.stems for value in channel.dictionary.named(resolved.without_names(place))}
        weights |= {2 * n_facets + number[stems]: by_name for stems in named}
    if by_likes:
        liked = resolved.likes[place]
        spread = float(facets.alike(liked)[channel.searchable].std())
        held, counts = np.unique(facets.facets_of(liked), return_counts=True)
        size = float(np.linalg.norm(counts)) * spread
        weights |= {n_facets + int(f): by_likes * float(c) / size for f, c in zip(held, counts, strict=True) if size}
    says = Says()
    if weights:
        ids = np.array(sorted(weights), dtype=np.int64)
        values = np.array([weights[term] for term in ids.tolist()], dtype=np.float32)
        says.parts.append(Part(channel.name, channel.name, ids=ids, weights=values))
    if refusing and len(refused := resolved.refused[place]):
        says.last = refused.astype(np.int64)
        lost = np.full(len(refused), -refusing * float(REFUSED), dtype=np.float32)
        says.known[channel.name] = says.last, lost
    return says


ASKS: Mapping[type, Callable[[Any, Resolved, int], Says]] = {
    JointChannel: joint_parts,
    TasteChannel: taste_parts,
    WordsChannel: words_parts,
    PassagesChannel: passages_parts,
    FacetsChannel: facets_parts,
}


def says_of(channel: Channel, resolved: Resolved, place: int) -> Says:
    """What a channel asks; one that is not of antiphon's scores all items in this process, and asks for no vectors."""
    for kind, ask in ASKS.items():
        if isinstance(channel, kind):
            return ask(channel, resolved, place)
    line = channel.scores(resolved, None)[place]
    rows = np.flatnonzero(line)
    return Says(known={channel.name: (rows.astype(np.int64), line[rows])} if len(rows) else {})


def wanted_of(channels: Sequence[Channel], resolved: Resolved, place: int, **more: Any) -> Wanted:
    """One request as a store takes it."""
    said = [says_of(channel, resolved, place) for channel in channels]
    known = {name: scores for one in said for name, scores in one.known.items()}
    return Wanted(
        parts=[part for one in said for part in one.parts],
        known=known,
        last=np.unique(np.concatenate([one.last for one in said])),
        hidden=np.unique(resolved.hidden[place]).astype(np.int64),
        flag=SEARCHABLE,
        **more,
    )


def on_store(kind: type[Channel], space: Any, version: Version) -> Channel | None:
    """A channel of a space whose vectors are in a store; None where the space has nothing for it."""
    stored: dict[Any, Any] = {TasteChannel: StoredTasteChannel, PassagesChannel: StoredPassagesChannel}
    made: Channel | None = stored.get(kind, kind).of(space)
    return made.on(version) if isinstance(made, StoredTasteChannel) else made
