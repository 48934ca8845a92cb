"""The facet channel: which of the catalog's facets a text asks for, and which items have them.

Vectors blur: "Italian comedies" is near every film that sounds like one. A catalog knows which films are Italian and
which are comedies, so a text is also read as a distribution over the facets, p(f | text), and an item scores the sum
of the probabilities of the facets that it has. An unsure reading is spread over many facets and adds next to nothing
to any item, so the channel speaks up only where it understands.

The reader is a classifier over the text encoder's vector, trained on synthetic queries (`facet_training.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.base import Allowed, ByLines, Resolved, Rows, padded, spread_to_one
from antiphon.channels.dictionary import Dictionary, words_of
from antiphon.joint.model import Projection
from antiphon.numbers.codes import LARGE
from antiphon.numbers.lists import Listed, best_of
from antiphon.numbers.vectors import lists_of

Floats = NDArray[np.float32]
TEMPERATURE = 0.05
KEPT = 64
"""Facets of a text that are followed to their items: the most probable ones."""
READ = 60_000
"""Entries of lists of liked items' facets that are read for candidates in a large catalog."""
SAMPLE = 8_192
"""Items whose facets tell how far cosines spread there."""
REFUSED = np.float32(10_000)
"""What an item loses that has what a text refuses: more than any request brings."""
ARRAYS = ("bounds.npy", "rows.npy", "degrees.npy")
TENSORS = ("hidden_weight", "hidden_bias", "output_weight", "output_bias", "residual")


@dataclass(frozen=True)
class FacetReader:
    """Reads a text as facets: softmax of (projection of its vector . vector of the facet / temperature + bias).

    `vectors`: (n_facets + 1, dim) float32, unit L2. `bias`: (n_facets + 1,) float32. The last stands for no facet.
    """

    projection: Projection
    vectors: Floats
    bias: Floats

    def __call__(self, texts: Floats) -> Floats:
        """Probabilities of the facets, (n, n_facets) float32; `texts` are the encoder's, (n, in).

        What is missing from a row's sum to 1 is the chance that the text asks for no facet, such as a title.
        """
        logits = self.projection(texts) @ self.vectors.T / np.float32(TEMPERATURE) + self.bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        result: Floats = (odds / odds.sum(axis=1, keepdims=True))[:, :-1].astype(np.float32)
        return result


@dataclass(frozen=True)
class Facets:
    """A reader, and the items of each facet.

    `names`: field and value of each facet. Facet f has the item rows rows[bounds[f]:bounds[f + 1]], with as many
    `degrees`, float32 up to 1; all 1 where not given.
    """

    reader: FacetReader
    names: Sequence[tuple[str, str]]
    bounds: NDArray[np.int64]
    rows: NDArray[np.int32]
    n_items: int
    degrees: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        if not len(self.degrees):
            object.__setattr__(self, "degrees", np.ones(len(self.rows), dtype=np.float32))

    def scores(self, probabilities: Floats) -> Floats:
        """Sum of the probabilities of the facets that an item has, times their degrees, (n, n_items) float32, 0 to 1.

        `probabilities`: (n, n_facets), as the reader gives them.
        """
        kept = min(KEPT, probabilities.shape[1])
        result = np.zeros((len(probabilities), self.n_items), dtype=np.float32)
        # Plain arrays: parts of a memmap are fetched with a detour.
        bounds, rows, degrees = (np.asarray(part) for part in (self.bounds, self.rows, self.degrees))
        for row, line in enumerate(probabilities):
            for facet in np.argpartition(line, -kept)[-kept:]:
                held = slice(bounds[facet], bounds[facet + 1])
                result[row, rows[held]] += line[facet] * degrees[held]
        return result

    def kept(self, probabilities: Floats) -> Floats:
        """One line of probabilities, (n_facets,), with zeros for facets that are not followed."""
        n_kept = min(KEPT, len(probabilities))
        result = np.zeros(len(probabilities), dtype=np.float32)
        best = np.argpartition(probabilities, -n_kept)[-n_kept:]
        result[best] = probabilities[best]
        return result

    def weights_alike(self, liked: NDArray[np.int32]) -> Floats:
        """How often liked rows have each facet, (n_facets,) float32, over the norm of these counts."""
        counts = np.bincount(self.facets_of(liked), minlength=len(self.bounds) - 1).astype(np.float32)
        size = np.linalg.norm(counts)
        return counts / np.float32(size) if size else counts

    def sums_at(self, weights: Floats, rows: Rows, *, alike: bool = False) -> Floats:
        """What `scores` of kept probabilities, or `alike` of weights of liked rows, give some rows, (n,) float32."""
        return self.held_by(rows).sums(weights, alike=alike)

    def held_by(self, rows: Rows) -> Held:
        """What some items have."""
        starts, held = self._by_item
        places, bounds = lists_of(starts, rows)
        entries = held[places].view(np.int32).reshape(-1, 2)
        return Held(entries[:, 0].astype(np.int64), entries[:, 1].view(np.float32), bounds)

    def lists(self, weights: Floats) -> list[Listed]:
        """The lists of the facets whose weights, (n_facets,) float32, are at least a hundredth of the most."""
        bounds, rows, degrees = self._lists
        asked = np.flatnonzero(weights > weights.max(initial=0) / 100).tolist()
        held = {facet: slice(bounds[facet], bounds[facet + 1]) for facet in asked}
        return [Listed(rows[part], degrees[part], float(weights[facet])) for facet, part in held.items()]

    @cached_property
    def _lists(self) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
        """Bounds, rows and degrees as plain arrays: parts of a memmap are taken with a detour."""
        return np.asarray(self.bounds), np.asarray(self.rows), np.asarray(self.degrees)

    def lists_alike(self, weights: Floats, scale: float, *, most: int) -> list[Listed]:
        """The lists that cosines with liked items are sums of, times `scale`: the shorter ones, with `most` rows.

        `weights`: those of `weights_alike`. Long lists tell little.
        """
        bounds, rows, _ = self._lists
        asked = np.flatnonzero(weights > weights.max(initial=0) / 100)
        asked = asked[np.argsort(np.diff(bounds)[asked], kind="stable")]
        n_read = max(1, int((np.cumsum(np.diff(bounds)[asked]) <= most).sum()))
        held = {int(facet): rows[bounds[facet] : bounds[facet + 1]] for facet in asked[:n_read]}
        return [Listed(mine, self._shares[mine], scale * float(weights[facet])) for facet, mine in held.items()]

    @cached_property
    def _shares(self) -> Floats:
        """What one facet counts in the cosine of an item, (n_items,) float32: 1 over the root of how many it has."""
        own = np.bincount(self.rows, minlength=self.n_items)
        return (1 / np.sqrt(np.maximum(own, 1))).astype(np.float32)

    def alike(self, liked: NDArray[np.int32]) -> Floats:
        """Cosine of each item's facets with those of the liked rows together, (n_items,) float32."""
        result = np.zeros(self.n_items, dtype=np.float32)
        held, counts = np.unique(self.facets_of(liked), return_counts=True)
        for facet, count in zip(held, counts, strict=True):
            result[self.items(facet)] += count
        own = np.diff(self._by_item[0])
        np.divide(result, np.sqrt(own), out=result, where=own > 0)
        size = np.linalg.norm(counts)
        return result / np.float32(size) if size else result

    @cached_property
    def _by_item(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The facets of item i, ascending, are at bounds[i]:bounds[i + 1].

        Facet and degree of each stand side by side, as one number: they are read together.
        """
        entries = np.empty((len(self.rows), 2), dtype=np.int32)
        entries[:, 0] = np.repeat(np.arange(len(self.bounds) - 1, dtype=np.int32), np.diff(self.bounds))
        entries[:, 1] = np.asarray(self.degrees, dtype=np.float32).view(np.int32)
        order, starts = sorted_by(self.rows, self.n_items)
        return starts, entries.view(np.int64).ravel()[order]

    def facets_of(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """The facets that items have, item after item."""
        starts, held = self._by_item
        parts = [held[starts[row] : starts[row + 1]] for row in rows]
        found = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        return found.view(np.int32)[::2]

    def items(self, facet: int) -> NDArray[np.int32]:
        """Rows of the items that have a facet."""
        return self.rows[self.bounds[facet] : self.bounds[facet + 1]]

    def with_words(self, words: Iterable[str]) -> list[int]:
        """The facets whose values have one of some folded words."""
        return [facet for word in words for facet in self._by_word.get(word, ())]

    @cached_property
    def _by_word(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for facet, (_, value) in enumerate(self.names):
            for word in words_of(value):
                found.setdefault(word, []).append(facet)
        return found

    def members(self) -> Iterator[tuple[str, NDArray[np.int32], Floats]]:
        """The value of each facet, the rows of its items, and their degrees."""
        for facet, (_, value) in enumerate(self.names):
            held = slice(self.bounds[facet], self.bounds[facet + 1])
            yield value, self.rows[held], self.degrees[held]

    def understood(self, text: Floats, least: float = 0.05) -> list[tuple[int, float]]:
        """Facets that a text, (in,) float32, asks for with at least this probability, the likeliest first."""
        probabilities = self.reader(text[None])[0]
        order = np.argsort(-probabilities, kind="stable")[:KEPT]
        return [(int(facet), float(probabilities[facet])) for facet in order if probabilities[facet] >= least]

    def save(self, folder: Path) -> None:
        """Write the reader as safetensors, names as JSON and members as npy."""
        tensors = {name: getattr(self.reader.projection, name) for name in TENSORS}
        tensors |= {"vectors": self.reader.vectors, "bias": self.reader.bias}
        storage.write_tensors(folder / "reader.safetensors", tensors)
        storage.write_json(folder / "facets.json", {"n_items": self.n_items, "names": [list(n) for n in self.names]})
        storage.write_array(folder / "bounds.npy", self.bounds)
        storage.write_array(folder / "rows.npy", self.rows)
        storage.write_array(folder / "degrees.npy", self.degrees)

    @staticmethod
    def paths(folder: Path) -> list[Path]:
        """The files that `save` writes."""
        return [folder / name for name in ("reader.safetensors", "facets.json", *ARRAYS)]

    @classmethod
    def load(cls, folder: Path) -> Facets:
        """Read what `save` wrote.

        Raises:
            IntegrityError: a file is missing or incomplete.
        """
        meta = storage.read_json(folder / "facets.json")
        tensors = storage.read_tensors(folder / "reader.safetensors", (*TENSORS, "vectors", "bias"))
        reader = FacetReader(
            Projection(**{name: tensors[name] for name in TENSORS}), tensors["vectors"], tensors["bias"]
        )
        names = [(str(name), str(value)) for name, value in meta["names"]]
        bounds, rows, degrees = (storage.read_array(folder / name, mmap=name != ARRAYS[0]) for name in ARRAYS)
        return cls(reader, names, bounds, rows, int(meta["n_items"]), degrees)


@dataclass(frozen=True)
class Held:
    """What some items have: facets, int64, and their degrees, float32, those of item i at bounds[i]:bounds[i + 1]."""

    facets: NDArray[np.int64]
    degrees: Floats
    bounds: NDArray[np.int64]

    def sums(self, weights: Floats, *, alike: bool = False) -> Floats:
        """As `Facets.sums_at`."""
        values = weights[self.facets]
        if not alike:
            values *= self.degrees
        lengths = np.diff(self.bounds)
        some, result = lengths > 0, np.zeros(len(lengths), dtype=np.float32)
        if len(values):
            result[some] = np.add.reduceat(values, self.bounds[:-1][some])
        if alike:
            result /= np.sqrt(np.maximum(lengths, 1)).astype(np.float32)
        return result


class FacetsChannel(ByLines):
    """The chance that an item has what a text asks for, the values that a text names, and facets of liked items.

    The first two are not standardised, so that an unsure reading stays quiet; the third is, over
    the `searchable` items. What has something that the text refuses goes behind everything else.
    """

    name = "facets"
    voices: tuple[str, ...] = ("facets", "named", "alike", "refused")

    def __init__(
        self, facets: Facets, dictionary: Dictionary | Callable[[], Dictionary], searchable: NDArray[np.bool_]
    ) -> None:
        self.facets, self._dictionary, self.searchable = facets, dictionary, searchable

    @cached_property
    def dictionary(self) -> Dictionary:
        """The catalog's values, made at the first text where they are many."""
        return self._dictionary if isinstance(self._dictionary, Dictionary) else self._dictionary()

    @classmethod
    def of(cls, space: Any) -> Self | None:
        """That of a space with a reader of facets."""
        return None if space.facets is None else cls(space.facets, lambda: space.dictionary, space.searchable)

    def lines(self, resolved: Resolved) -> Floats:
        """Weighted chances and standard scores; zeros for requests without a text or liked items."""
        by_text, by_name, by_likes, refusing = (resolved.weights[voice] for voice in self.voices)
        result = np.zeros((len(resolved), self.facets.n_items), dtype=np.float32)
        asked, shown = np.flatnonzero(by_text), np.flatnonzero(by_likes)
        if len(asked) and resolved.texts is not None:
            read = chances_of(self.facets, resolved)[asked]
            result[asked] = by_text[asked, None] * self.facets.scores(read)
        for place in np.flatnonzero(by_name).tolist():
            result[place] += by_name[place] * self.dictionary.scores(resolved.without_names(place))
        for place in np.flatnonzero(refusing).tolist():
            result[place, resolved.refused[place]] -= refusing[place] * REFUSED
        if len(shown):
            alike = np.stack([self.facets.alike(resolved.likes[int(place)]) for place in shown])
            if self.large:
                result[shown] += alike * self._scales(resolved)[shown, None]
            else:
                result[shown] += by_likes[shown, None] * spread_to_one(alike, self.searchable)
        return result

    @property
    def large(self) -> bool:
        """Whether candidates come from some lists, and scores of rows from their own facets."""
        return self.facets.n_items > LARGE

    def candidates(self, resolved: Resolved, n: int, allowed: Allowed | None) -> Rows:
        """The rows with the highest scores; in a large catalog of those that the shorter lists find."""
        if not self.large or n >= self.facets.n_items:
            return super().candidates(resolved, n, allowed)
        n_items = self.facets.n_items
        best = [
            best_of(self._asked(resolved, place, READ), n, n_items, self._open(resolved, place, allowed))
            for place in range(len(resolved))
        ]
        return padded(best, n)

    def listed(self, resolved: Resolved, place: int) -> list[Listed] | None:
        """The lists of what the text asks for and names, and of liked items; None where something is refused."""
        return self._asked(resolved, place, READ) if self.large and not resolved.weights["refused"][place] else None

    def _asked(self, resolved: Resolved, place: int, most: int) -> list[Listed]:
        by_text, by_name, by_likes = (float(resolved.weights[voice][place]) for voice in ("facets", "named", "alike"))
        lists: list[Listed] = []
        if by_text and resolved.texts is not None:
            lists += self.facets.lists(np.float32(by_text) * self._read(resolved, place))
        if by_name:
            named = {value.stems: value for value in self.dictionary.named(resolved.without_names(place))}
            lists += [Listed(value.rows, value.degrees, by_name) for value in named.values()]
        if by_likes and (scale := float(self._scales(resolved)[place])):
            weights = self.facets.weights_alike(resolved.likes[place])
            lists += self.facets.lists_alike(weights, scale, most=most)
        return lists

    def _open(self, resolved: Resolved, place: int, allowed: Allowed | None) -> Allowed | None:
        """The allowed rows without those that the request refuses, which would take the place of others."""
        if not resolved.weights["refused"][place]:
            return allowed
        open_ = np.ones(self.facets.n_items, dtype=bool) if allowed is None else allowed.copy()
        open_[resolved.refused[place]] = False
        return open_

    def scores(self, resolved: Resolved, rows: Rows | None) -> Floats:
        """As `ByLines.scores`; in a large catalog no line is made for some rows. `rows` ascend."""
        if not self.large or rows is None:
            return super().scores(resolved, rows)
        by_text, by_name, _, refusing = (resolved.weights[voice] for voice in self.voices)
        result, scales = np.zeros((len(resolved), len(rows)), dtype=np.float32), self._scales(resolved)
        for place in range(len(resolved)):
            if by_text[place] and resolved.texts is not None:
                result[place] += by_text[place] * self.facets.sums_at(self._read(resolved, place), rows)
            if by_name[place]:
                result[place] += by_name[place] * self.dictionary.scores_at(resolved.without_names(place), rows)
            if scales[place]:
                weights = self.facets.weights_alike(resolved.likes[place])
                result[place] += scales[place] * self.facets.sums_at(weights, rows, alike=True)
            if refusing[place]:
                result[place, np.isin(rows, resolved.refused[place])] -= refusing[place] * REFUSED
        return result

    def _read(self, resolved: Resolved, place: int) -> Floats:
        return self.facets.kept(chances_of(self.facets, resolved)[place])

    def _scales(self, resolved: Resolved) -> Floats:
        """What a cosine of facets counts in each request: its weight over the spread in a sample of the items."""
        return np.array(resolved.kept(f"{self.name} scales", lambda: self._made_scales(resolved)), dtype=np.float32)

    def _made_scales(self, resolved: Resolved) -> list[float]:
        result = []
        for place, weight in enumerate(resolved.weights["alike"].tolist()):
            spread = 0.0
            if weight:
                weights = self.facets.weights_alike(resolved.likes[place])
                spread = float(self._sample.sums(weights, alike=True).std())
            result.append(weight / spread if spread else 0.0)
        return result

    @cached_property
    def _sample(self) -> Held:
        rows = np.flatnonzero(self.searchable)
        chosen = np.random.default_rng(0).choice(rows, min(SAMPLE, len(rows)), replace=False)
        return self.facets.held_by(np.sort(chosen))


def chances_of(facets: Facets, resolved: Resolved) -> Floats:
    """What the reader makes of requests, (n_requests, n_facets), read once; a request without a text has no say.

    It reads no name: a value whose words stand in a name alone has no chance.
    """
    assert resolved.texts is not None  # noqa: S101  asked where there is a text
    texts = resolved.texts

    def read() -> list[Floats]:
        lines = facets.reader(texts)
        for line, heard in zip(lines, resolved.heard, strict=False):
            line[facets.with_words(heard.name_words)] = 0
        return list(lines)

    return np.stack(resolved.kept("chances", read))


def members(
    bounds: NDArray[np.int64], facets: NDArray[np.int32], n_facets: int
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Items by facet, of facets by item: item i has facets[bounds[i]:bounds[i + 1]].

    Returns bounds (n_facets + 1,) int64 and rows int32, ascending within a facet.
    """
    items = np.repeat(np.arange(len(bounds) - 1, dtype=np.int32), np.diff(bounds))
    order, starts = sorted_by(facets, n_facets)
    return starts, items[order]


def sorted_by(numbers: NDArray[np.int32], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order in which numbers below n ascend, equal ones as they stand, and where each begins, (n + 1,) int64."""
    order = np.argsort(numbers, kind="stable")
    return order, np.searchsorted(numbers[order], np.arange(n + 1)).astype(np.int64)
