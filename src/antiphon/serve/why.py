"""Why one item answers a request, deeper than a hit says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.playlist.make import vectors_of
from antiphon.serve.served import Ask, Served
from antiphon.space.space import Space

N_LIKES = 3
N_BEST = 500
"""Answers among which an item has a place."""


def explain(served: Served, ask: Ask, item_id: str) -> dict[str, Any]:
    """Shares, matched values, the nearest likes, and the rank of the item in each modality and channel alone.

    Raises:
        QueryError: the request cannot be answered, or the item is unknown.
    """
    space, row = served.space, served.row(item_id)
    query = served.query(ask)
    resolved = space.resolve([query])
    best = space.best(resolved, N_BEST)[0][0]
    # Only the one answer is taken apart: doing so for all of them takes a second and more.
    place = int(np.flatnonzero(best == row)[0]) if row in best else None
    one = None if place is None else replace(resolved.queries[0], k=1, offset=place, explain=True)
    hit = None if one is None else space.hits_of(replace(resolved, queries=[one]))[0]
    return {
        **served.item(row),
        "rank": None if hit is None else hit.rank,
        "score": None if hit is None else round(hit.score, 6),
        "why": None if hit is None or hit.why is None else {name: round(x, 4) for name, x in hit.why.items()},
        "matched": {} if hit is None else dict(hit.matched or {}),
        "nearest_likes": _nearest(served, item_id, ask.wish.likes),
        "ranks": _ranks(space, resolved, row),
    }


def _nearest(served: Served, item_id: str, likes: tuple[str, ...]) -> list[dict[str, Any]]:
    if not likes:
        return []
    sims = vectors_of(served.space, likes) @ vectors_of(served.space, [item_id])[0]
    order = np.argsort(-sims, kind="stable")[:N_LIKES]
    space = served.space
    return [
        {"item_id": likes[i], "title": space.titles[space.row_of[likes[i]]], "similarity": round(float(sims[i]), 4)}
        for i in order
    ]


def _ranks(space: Space, resolved: Any, row: int) -> dict[str, int | None]:
    """Place of an item if only one modality or channel were asked; None where the item lacks the modality."""
    vector = resolved.vectors["joint"][0]
    ranks: dict[str, int | None] = {}
    for number, name in enumerate(space.modalities):
        ranks[name] = _place(space.parts[number] @ vector, row) if space.present[number, row] else None
    for channel in space.channels:
        if channel.name != "joint" and resolved.hears(channel):
            ranks[channel.name] = _place(channel.scores(resolved, None)[0], row)
    return ranks


def _place(scores: NDArray[np.float32], row: int) -> int:
    return int((scores > scores[row]).sum()) + 1
