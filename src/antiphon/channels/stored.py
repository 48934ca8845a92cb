"""A space on a store: its vectors as arrays that are fetched by row, and what of it is written as a version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.layout import SpaceLayout
from antiphon.channels.dictionary import Dictionary
from antiphon.channels.facets import Facets
from antiphon.channels.rerank import Reranker
from antiphon.channels.taste import Taste, TasteChannel
from antiphon.numbers.factorization import Setting
from antiphon.stores.contract import Batch, Ragged, Shape, Version

Floats = NDArray[np.float32]
SEARCHABLE, MET = "searchable", "met"
"""Marks of items: they have a vector, and somebody likes them."""
PRIOR = "prior"
"""Block of two columns: how many know an item, and minus what it loses beside a history where nobody liked it."""
LEFT = ("ials_left", "ease_left")
"""Kept factors that histories are folded in with; a predicted item has none."""
HELD = (
    "vectors.npy", "parts.npy", "passages/vectors.npy", "taste/ials.npy", "taste/ease.npy", "taste/ease_left.npy",
)  # fmt: skip
"""Files of a published space that a space on a store does not read."""
STEP = 4_096
"""Items that are written, or read for all of them, at once."""


class StoredRows:
    """Vectors of all items, (n_items, length) float32, of which the rows that are asked for are fetched.

    As a whole, such as by `numpy.asarray`, they are read in steps: for exports, not for requests.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, version: Version, name: str) -> None:
        self.version, self.name = version, name
        lengths = {**version.shape.blocks, **version.shape.kept}
        self.shape = (version.shape.n_items, lengths.get(name, 0))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Floats]:
        for start in range(0, len(self), STEP):
            yield from self[start : start + STEP]

    def __getitem__(self, rows: Any) -> Floats:
        wanted = np.atleast_1d(np.arange(self.shape[0])[rows])
        found = np.zeros((0, self.shape[1]), dtype=np.float32)
        if len(wanted) and self.shape[1]:
            found = self.version.vectors(self.name, wanted.astype(np.int64))
        elif len(wanted):
            found = np.zeros((len(wanted), 0), dtype=np.float32)
        return found[0] if np.ndim(rows) == 0 and not isinstance(rows, slice) else found

    def __matmul__(self, other: Floats) -> Floats:
        return np.concatenate([self[start : start + STEP] @ other for start in range(0, len(self), STEP)])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)


class StoredParts:
    """As `Space.parts`, (n_modalities, n_items, dim) float32: the rows that are asked for are fetched."""

    def __init__(self, version: Version, modalities: tuple[str, ...]) -> None:
        self.rows = [StoredRows(version, part_of(modality)) for modality in modalities]
        self.shape = (len(self.rows), *self.rows[0].shape)

    def __getitem__(self, wanted: Any) -> Any:
        if isinstance(wanted, tuple):  # parts[:, row]
            return np.stack([rows[wanted[1]] for rows in self.rows[wanted[0]]])
        return self.rows[wanted]


def part_of(modality: str) -> str:
    """The name of what is kept of a modality."""
    return f"part {modality}"


def taste_of(version: Version, layout: SpaceLayout) -> Taste:
    """The models of taste, with their factors in a store; `layout` has the small files."""
    folder = layout.taste
    settings = storage.read_json(folder / "setting.json")
    ials, ease_left = (StoredRows(version, name) for name in LEFT)
    taste = Taste(
        ials=ials,  # type: ignore[arg-type]  # read by row
        setting=Setting(**settings["ials"]),
        ease=StoredRows(version, "ease"),  # type: ignore[arg-type]
        ease_left=ease_left,  # type: ignore[arg-type]
        users=storage.read_array(folder / "users.npy", mmap=True),
        passed=storage.read_array(folder / "passed.npy", mmap=True),
        penalty=settings["ease"]["penalty"],
        reranker=Reranker.load(folder),
    )
    taste.__dict__["gram"] = np.array(version.shape.notes["gram"], dtype=np.float32)
    return taste


def shape_of(space: Any) -> Shape:
    """What a version of a loaded space holds."""
    taste: TasteChannel | None = _channel(space, TasteChannel)
    blocks = {name: int(items.shape[1]) for name, items in space.items.items()}
    kept = {part_of(modality): space.dim for modality in space.modalities}
    notes: dict[str, Any] = {"dictionary": words_digest(space.dictionary)}
    if taste is not None:
        blocks[PRIOR] = 2
        kept |= {name: length for name, length in zip(LEFT, space.taste.lengths.values(), strict=True) if length}
        notes["gram"] = space.taste.gram.tolist()
        notes["moments"] = {
            name: [mean.tolist(), covariance.tolist()] for name, (mean, covariance) in taste.known_moments.items()
        }
    terms = [name for name, there in (("words", space.lexical), ("facets", space.facets)) if there is not None]
    return Shape(
        n_items=space.n_items,
        types=space.field_types,
        blocks=blocks,
        kept=kept,
        terms=tuple(terms),
        flags=(SEARCHABLE, MET),
        passages=0 if space.passages is None else int(space.passages.vectors.shape[1]),
        notes=notes,
    )


def batches_of(space: Any, shape: Shape) -> Iterator[Batch]:
    """The items of a loaded space."""
    taste: TasteChannel | None = _channel(space, TasteChannel)
    terms: dict[str, Ragged] = {}
    if space.lexical is not None:
        items, ids, values = space.lexical.postings()
        terms["words"] = gathered(items, ids, values, space.n_items)
    if space.facets is not None:
        terms["facets"] = facet_terms(space.facets, space.dictionary)
    vectors: dict[str, Any] = dict(space.items)
    vectors |= {part_of(name): space.parts[number] for number, name in enumerate(space.modalities)}
    met = np.zeros(space.n_items, dtype=bool)
    if taste is not None:
        vectors |= {PRIOR: taste.prior, LEFT[0]: space.taste.ials, LEFT[1]: space.taste.ease_left}
        met = np.asarray(space.taste.users) > 0
    passages = None if space.passages is None else Ragged(space.passages.bounds, space.passages.vectors)
    for start in range(0, space.n_items, STEP):
        rows = slice(start, min(start + STEP, space.n_items))
        yield Batch(
            start=start,
            item_ids=space.item_ids[rows],
            titles=space.titles[rows],
            fields=[
                {name: value for name, value in line.items() if value is not None}
                for line in space.fields.select(list(space.field_types)).slice(start, STEP).to_pylist()
            ],
            vectors={name: np.asarray(vectors[name][rows]) for name in (*shape.blocks, *shape.kept)},
            terms={kind: _some(lists, rows) for kind, lists in terms.items()},
            flags={SEARCHABLE: space.searchable[rows], MET: met[rows]},
            passages=None if passages is None else _some(passages, rows),
        )


def facet_terms(facets: Facets, dictionary: Dictionary) -> Ragged:
    """What an item has for the facets channel: three kinds of terms, one after another.

    Facet f with its degree; n_facets + f with 1 over the root of how many facets the item has; 2 n_facets + d with the
    degree of entry d of the dictionary.
    """
    n_facets, counts = len(facets.names), np.diff(facets.bounds)
    own = np.bincount(facets.rows, minlength=facets.n_items)
    ids = np.repeat(np.arange(n_facets, dtype=np.int64), counts)
    rows, values = [facets.rows, facets.rows], [facets.degrees, (1 / np.sqrt(own[facets.rows])).astype(np.float32)]
    terms = [ids, n_facets + ids]
    for stems, entry in dictionary.numbers.items():
        held = dictionary.entries[stems]
        degrees = dictionary.degrees.get(stems)
        rows.append(held)
        values.append(np.ones(len(held), dtype=np.float32) if degrees is None else degrees)
        terms.append(np.full(len(held), 2 * n_facets + entry, dtype=np.int64))
    return gathered(np.concatenate(rows), np.concatenate(terms), np.concatenate(values), facets.n_items)


def gathered(rows: NDArray[Any], ids: NDArray[Any], values: Floats, n_items: int) -> Ragged:
    """Triples of a row, a term and its weight, by item; an item that has a term twice has the sum."""
    keys, places = np.unique(rows.astype(np.int64) * (int(ids.max(initial=0)) + 1) + ids, return_inverse=True)
    summed = np.bincount(places, weights=values, minlength=len(keys)).astype(np.float32)
    items, terms = np.divmod(keys, int(ids.max(initial=0)) + 1)
    return Ragged(np.searchsorted(items, np.arange(n_items + 1)).astype(np.int64), summed, terms)


def words_digest(dictionary: Dictionary) -> str:
    """What tells whether two dictionaries number their entries alike."""
    return storage.digest([list(stems) for stems in dictionary.numbers])


def _channel(space: Any, kind: type) -> Any:
    return next((channel for channel in space.channels if isinstance(channel, kind)), None)


def _some(lists: Ragged, rows: slice) -> Ragged:
    bounds = np.asarray(lists.bounds[rows.start : rows.stop + 1], dtype=np.int64)
    held = slice(int(bounds[0]), int(bounds[-1]))
    return Ragged(bounds - bounds[0], np.asarray(lists.values[held], dtype=np.float32), lists.ids[held])
