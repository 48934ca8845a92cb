"""Fitting the gate of a space that is about to be published, on the practice requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from antiphon.base.progress import Progress, silent
from antiphon.channels.base import Channel, Resolved
from antiphon.channels.dictionary import Dictionary
from antiphon.channels.facets import FacetsChannel
from antiphon.channels.gate import BY_WORDS, VOICES, Gate, leads_of, led
from antiphon.channels.gate_training import fit_gate
from antiphon.channels.hearing import Listener
from antiphon.channels.joint import JointChannel
from antiphon.channels.mentions import Mention, Names
from antiphon.channels.mixture import covariance_of
from antiphon.channels.names import NamesChannel
from antiphon.channels.passages import Passages, PassagesChannel
from antiphon.channels.resolver import Resolver
from antiphon.channels.taste import TasteChannel, shares_of
from antiphon.channels.words import Lexical, WordsChannel
from antiphon.data.held_out import held_out_score
from antiphon.data.splits import HeldOut
from antiphon.describe.practice import Practice
from antiphon.query.columns import field_table
from antiphon.query.request import Query
from antiphon.run.publish import Contents

Floats = NDArray[np.float32]
LEADING, OTHERS = 100, 300
"""Items that each request is trained against: the best of each voice, and a draw of the rest."""
STEP = 64
BESIDE_GRID = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
LEAST_ANSWERS, MOST_ASKERS = 3, 200
"""Held-out items of a user that answer a request, at least, and users that are asked, at most."""


@dataclass(frozen=True)
class Known:
    """What a request's own text is kept from: the passages and the words of descriptions alone.

    `lexical`: of the descriptions without the items' other texts; None where these are the same. `names`: what reads
    the requests of a log.
    """

    passages: Passages | None
    lexical: Lexical | None
    names: Names | None = None


class Kept:
    """Vectors of texts that were encoded before, as a query side."""

    def __init__(self, vectors: Mapping[str, Floats]) -> None:
        self.vectors = vectors

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts, (n, in) float32."""
        return np.stack([self.vectors[text] for text in texts])


def answering(contents: Contents) -> tuple[Resolver, list[Channel]]:
    """What resolves and answers requests of a space that is not published yet, without a gate."""
    items = {"joint": contents.embedded.vectors, **contents.taste_vectors}
    searchable = contents.embedded.searchable
    columns = field_table(contents.catalog.fields, contents.catalog.field_types)
    dictionary = Dictionary.of(columns, contents.spoken, contents.language)
    if contents.facets is not None:
        dictionary = dictionary.with_degrees(contents.facets.members())
    channels: list[Channel] = [
        JointChannel(contents.embedded.vectors, contents.embedded.parts, contents.embedded.modalities),
        NamesChannel(len(searchable)),
    ]
    if contents.taste is not None:
        channels.append(TasteChannel(contents.taste_vectors, contents.taste, shares_of(contents.mixture.reranked)))
    if contents.lexical is not None:
        channels.append(WordsChannel(contents.lexical, searchable))
    if contents.passages is not None:
        channels.append(PassagesChannel(contents.passages, searchable))
    if contents.facets is not None:
        channels.append(FacetsChannel(contents.facets, dictionary, searchable))
    readers = [name for name, encoder in contents.encoders.items() if encoder.accepts == "text"]
    resolver = Resolver(
        row_of={item_id: row for row, item_id in enumerate(contents.catalog.item_ids)},
        joint=contents.embedded.vectors,
        searchable=searchable,
        model=contents.model,
        sides={"text": (readers[0], None)},
        users=None,
        taste=contents.taste,
        covariances={name: covariance_of(block, searchable) for name, block in items.items()},
        mixture=contents.mixture,
        voices=tuple(voice for channel in channels for voice in channel.voices),
        listener=Listener(dictionary=dictionary),
        facets=contents.facets,
        lexical=contents.lexical,
    )
    return resolver, channels


def gate_of(
    practice: Practice,
    vectors: Mapping[str, Floats],
    resolver: Resolver,
    channels: Sequence[Channel],
    known: Known,
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Gate | None:
    """The gate that brings the answers of the practice requests to the top; None if there are none.

    `resolver` is that of the space without a gate; texts are read with `vectors` alone.
    """
    if not len(practice):
        return None
    resolver = _reading(resolver, vectors)
    rng = np.random.default_rng([seed, 20])
    facts, scores, answers = [], [], []
    with progress("practising requests", len(practice)) as advance:
        for start in range(0, len(practice), STEP):
            part = range(start, min(start + STEP, len(practice)))
            found = _voices(practice, part, resolver, channels, known)
            for place, fact, lines in zip(part, *found, strict=True):
                rows = _candidates(lines, practice, place, resolver.searchable, rng)
                right = np.isin(rows, practice.answers[place])
                if not right.any():
                    continue
                seen = [(fact, lines[rows])]
                if practice.kinds[place] == "facets":
                    seen.append(_in_other_words(fact, lines[rows]))
                for one, line in seen:
                    facts.append(one)
                    scores.append(line)
                    answers.append(right)
            advance(len(part))
    return fit_gate(np.stack(facts), scores, answers, seed=seed, progress=progress) if scores else None


def beside_of(
    practice: Practice, vectors: Mapping[str, Floats], resolver: Resolver, channels: Sequence[Channel], check: HeldOut,
    item_ids: Sequence[str], *, seed: int = 0,
) -> float:  # fmt: skip
    """How much louder a text is to speak beside a history: so that users find what they like of what they ask for.

    Each user is given a practice request that some of the held-out items answer. `resolver` is that of the space with
    its gate. 1 where there are no such users.
    """
    pairs = _askers(practice, check, np.random.default_rng([seed, 21]))
    if not pairs:
        return 1.0
    queries = [
        Query(text=practice.texts[place], history=tuple(item_ids[row] for row in check.profiles[user]))
        for user, place, _ in pairs
    ]
    truth = HeldOut(
        np.arange(len(pairs)), tuple(check.profiles[user] for user, _, _ in pairs), tuple(rows for _, _, rows in pairs)
    )
    # A text's part of the scores is as large as it is loud: two of them tell all.
    resolver = _reading(resolver, vectors)
    alone, both = (
        _scores_of(queries, replace(resolver, mixture=replace(resolver.mixture, beside=beside)), channels)
        for beside in (0.0, 1.0)
    )
    text, closed = both - alone, np.where(resolver.searchable, 0, -np.inf).astype(np.float32)
    values = {beside: held_out_score(alone + np.float32(beside) * text + closed, truth) for beside in BESIDE_GRID}
    return max(values, key=lambda beside: values[beside])


def _reading(resolver: Resolver, vectors: Mapping[str, Floats]) -> Resolver:
    """One that takes texts from the vectors that they were encoded to."""
    return replace(resolver, sides={**resolver.sides, "text": (resolver.sides["text"][0], Kept(vectors))})


def _scores_of(queries: Sequence[Query], resolver: Resolver, channels: Sequence[Channel]) -> Floats:
    """Scores of all items for requests that name none, (n_requests, n_items) float32."""
    lines = []
    for start in range(0, len(queries), STEP):
        part = queries[start : start + STEP]
        resolved = resolver.resolve(part, said=[()] * len(part))
        heard = [channel for channel in channels if resolved.hears(channel)]
        lines.append(np.sum([channel.scores(resolved, None) for channel in heard], axis=0))
    scores: Floats = np.concatenate(lines)
    return scores


def _askers(practice: Practice, check: HeldOut, rng: np.random.Generator) -> list[tuple[int, int, NDArray[np.int32]]]:
    """Validation users, a request of each, and which of the held-out items answer it."""
    places = [place for place, kind in enumerate(practice.kinds) if kind == "facets"]
    found = []
    for user in range(len(check.users)):
        for place in rng.permutation(places).tolist():
            rows = np.intersect1d(check.truths[user], practice.answers[place]).astype(np.int32)
            if len(rows) >= LEAST_ANSWERS:
                found.append((user, place, rows))
                break
        if len(found) == MOST_ASKERS:
            break
    return found


def _in_other_words(fact: Floats, lines: Floats) -> tuple[Floats, Floats]:
    """A request as it looks, and its scores, where it says none of the catalog's own words: "frightening", not horror.

    Practice requests are made of the catalog's words; people say others, and then only the reader of facets and the
    vectors can know what is meant.
    """
    fact, lines = fact.copy(), lines.copy()
    fact[list(BY_WORDS)] = 0
    lines[:, [VOICES.index("named"), VOICES.index("words")]] = 0
    return fact, lines


def _voices(
    practice: Practice, part: range, resolver: Resolver, channels: Sequence[Channel], known: Known
) -> tuple[Floats, Floats]:
    """Facts of some requests, and the scores of each voice alone, (n_requests, n_items, n_voices)."""
    queries = [Query(text=practice.texts[place]) for place in part]
    said = [_named(practice, place, known) for place in part]
    lines = np.zeros((len(part), len(resolver.searchable), len(VOICES)), dtype=np.float32)
    asked = resolver.resolve(queries, said=said)
    for number, voice in enumerate(VOICES):
        alone = {name: np.full(len(part), float(name == voice), dtype=np.float32) for name in VOICES}
        resolved = resolver.weighed(asked, alone)
        heard = [channel for channel in channels if resolved.hears(channel)]
        if heard:
            lines[..., number] = np.sum([channel.scores(resolved, None) for channel in heard], axis=0)
        if voice in ("passages", "words"):
            _silence_own(lines[..., number], practice, part, resolved, voice, known)
    facts = resolver.facts(asked)
    if resolver.lexical is not None:
        # As the words are in practice, where an own text may be silenced.
        facts = led(facts, leads_of(lines[..., VOICES.index("words")], resolver.searchable))
    return facts, lines


def _named(practice: Practice, place: int, known: Known) -> Sequence[Mention]:
    """The items that a request names: known for those that were made, read for those of a log."""
    if practice.kinds[place] == "log":
        return () if known.names is None else known.names.said(practice.texts[place])
    asked = practice.asked[place]
    examples = [Mention(0, 0, int(row), "example") for row in practice.examples[place] if row not in asked]
    return [*examples, *(Mention(0, 0, int(row), "asked") for row in asked)]


def _silence_own(lines: Floats, practice: Practice, part: range, resolved: Resolved, voice: str, known: Known) -> None:
    """A memory is of what nobody wrote down: the text that it was made from says nothing for its item."""
    for place, row in enumerate(practice.own[number] for number in part):
        if row < 0:
            continue
        if voice == "words" and known.lexical is not None:
            full = known.lexical.scores([str(resolved.queries[place].text)])[0]
            lines[place, row] = full[row] / (full.std() or 1)
        elif voice == "passages" and known.passages is not None and resolved.texts is not None:
            first = known.passages.first(row)
            bare = first.scores(resolved.texts[place], resolved.sentences[place])[0]
            others = known.passages.scores(resolved.texts[place], resolved.sentences[place])
            lines[place, row] = bare / (others.std() or 1)


def _candidates(
    lines: Floats, practice: Practice, place: int, searchable: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Rows that a request is trained against: its answers, the leading items of each voice, and some of the rest."""
    may = searchable.copy()
    may[practice.examples[place]] = False
    may[practice.asked[place]] = searchable[practice.asked[place]]
    open_ = np.flatnonzero(may)
    if len(open_) <= LEADING * len(VOICES):
        return open_
    leading = [
        open_[np.argpartition(-lines[open_, voice], LEADING)[:LEADING]]
        for voice in range(len(VOICES))
        if lines[open_, voice].any()
    ]
    answers = practice.answers[place]
    return np.unique(
        np.concatenate([*leading, answers[may[answers]], rng.choice(open_, min(OTHERS, len(open_)), replace=False)])
    )
