"""Making a playlist: candidates from the space, a choice among them, and an order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import QueryError, UnknownIdError, nearest
from antiphon.numbers.vectors import unit
from antiphon.playlist.flow import flow_order
from antiphon.playlist.request import Playlist, PlaylistRequest
from antiphon.playlist.select import Limits, choose
from antiphon.query.hits import Hit
from antiphon.query.parts import MAX_K

if TYPE_CHECKING:
    from antiphon.space.space import Space

Floats = NDArray[np.float32]
MIN_POOL = 200
POOL_PER_ITEM = 12


def make_playlist(space: Space, request: PlaylistRequest) -> Playlist:
    """An ordered list for a request; the same request on the same space gives the same list.

    Raises:
        QueryError: the request is empty, names unknown ids or fields.
    """
    for name in request.max_per:
        if name not in space.field_types:
            raise QueryError(f"the catalog has no field {name!r} to limit; {nearest(name, space.field_types)}")
    kept = [_hit(space, item_id) for item_id in request.query.likes] if request.include_seeds else []
    kept = kept[: request.length]
    hits = _choose_from(space, request, kept)
    hits = [*kept, *hits]
    entries, links = _ordered(space, hits, request.query.history, flow=request.flow)
    return Playlist(space.space_id, entries, links, _short(len(entries), request))


def reorder(space: Space, item_ids: Sequence[str], after: Sequence[str] = ()) -> Playlist:
    """The same items in an order that flows, from the first one on.

    Raises:
        UnknownIdError: the catalog does not have one of them.
    """
    hits = [_hit(space, item_id) for item_id in dict.fromkeys(item_ids)]
    entries, links = _ordered(space, hits, tuple(after), flow=True)
    return Playlist(space.space_id, entries, links)


def as_given(space: Space, item_ids: Sequence[str]) -> Playlist:
    """Items in the order given, with the similarity of neighbours.

    Raises:
        UnknownIdError: the catalog does not have one of them.
    """
    hits = [_hit(space, item_id) for item_id in dict.fromkeys(item_ids)]
    entries, links = _ordered(space, hits, (), flow=False)
    return Playlist(space.space_id, entries, links)


def vectors_of(space: Space, item_ids: Sequence[str]) -> Floats:
    """Vectors of items, (n, dim) float32, unit L2.

    Raises:
        UnknownIdError: the catalog does not have one of them.
    """
    for item_id in item_ids:
        if item_id not in space.row_of:
            raise UnknownIdError(f"the catalog has no item {item_id!r}; ids are those of the items file.")
    rows = np.array([space.row_of[item_id] for item_id in item_ids], dtype=np.int64)
    return unit(np.asarray(space.vectors[rows], dtype=np.float32))


def _choose_from(space: Space, request: PlaylistRequest, kept: Sequence[Hit]) -> list[Hit]:
    """Choose among the best candidates; where limits use them up, among more."""
    wanted = request.length - len(kept)
    given = vectors_of(space, [*request.query.history, *(hit.item_id for hit in kept)])
    pool = min(max(MIN_POOL, POOL_PER_ITEM * request.length), MAX_K)
    while True:
        hits = space.answer(replace(request.query, k=pool))
        limits = Limits(request.max_per)
        for item_id in request.query.history:
            earlier = _hit(space, item_id)
            limits.add(earlier.title, earlier.fields)
        for hit in kept:
            limits.add(hit.title, hit.fields)
        chosen = choose(
            vectors_of(space, [hit.item_id for hit in hits]),
            _fit(hits, request),
            [(hit.title, hit.fields) for hit in hits],
            wanted,
            request.tradeoff,
            limits,
            given,
        )
        if len(chosen) == wanted or len(hits) < pool or pool == MAX_K:
            return [hits[position] for position in chosen]
        pool = min(4 * pool, MAX_K)


def _fit(hits: Sequence[Hit], request: PlaylistRequest) -> Floats:
    """Scores from 0 to 1 over the candidates, with noise where variety is asked for."""
    scores = np.array([hit.score for hit in hits], dtype=np.float32)
    if len(scores) == 0:
        return scores
    low, high = scores.min(), scores.max()
    fit = (scores - low) / (high - low) if high > low else np.ones_like(scores)
    if request.variety:
        noise = np.random.default_rng(request.seed).random(len(fit), dtype=np.float32)
        fit = fit + request.variety * noise
    return np.asarray(fit, dtype=np.float32)


def _ordered(
    space: Space, hits: Sequence[Hit], after: Sequence[str], *, flow: bool
) -> tuple[tuple[Hit, ...], tuple[float | None, ...]]:
    if not hits:
        return (), ()
    before = after[-1:]
    vectors = vectors_of(space, [*before, *(hit.item_id for hit in hits)])
    sims = vectors @ vectors.T
    order = flow_order(sims, 0) if flow else list(range(len(vectors)))
    steps: list[float | None] = [float(sims[one, two]) for one, two in pairwise(order)]
    links = steps if before else [None, *steps]
    shift = len(before)
    entries = [hits[position - shift] for position in order[shift:]]
    ranked = [
        Hit(rank, hit.item_id, hit.title, hit.score, hit.fields, hit.why, hit.matched)
        for rank, hit in enumerate(entries, 1)
    ]
    return tuple(ranked), tuple(links)


def _hit(space: Space, item_id: str) -> Hit:
    if item_id not in space.row_of:
        raise UnknownIdError(f"the catalog has no item {item_id!r}; ids are those of the items file.")
    row = space.row_of[item_id]
    fields = {name: space.fields[name][row].as_py() for name in space.field_types}
    return Hit(0, item_id, space.titles[row], 1.0, fields)


def _short(n_entries: int, request: PlaylistRequest) -> str | None:
    if n_entries == request.length:
        return None
    causes = [f"at most {most} per {name}" for name, most in request.max_per.items()]
    causes += ["the filter"] if request.query.where is not None else []
    reason = f"{' and '.join(causes)} leaves no more" if causes else "the catalog has no more"
    return f"{n_entries} of {request.length} items: {reason}."
