"""Why one item answers a request, deeper than a hit says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from antiphon.playlist.make import vectors_of
from antiphon.serve.served import Ask, Served

N_LIKES = 3


def explain(served: Served, ask: Ask, item_id: str) -> dict[str, Any]:
    """Shares of the modalities, matched values, the nearest likes, and the rank of the item in each modality alone.

    Raises:
        QueryError: the request cannot be answered, or the item is unknown.
    """
    space, row = served.space, served.row(item_id)
    query = served.query(ask)
    found = [hit for hit in space.answer(replace(query, k=500, offset=0, explain=True)) if hit.item_id == item_id]
    hit = found[0] if found else None
    return {
        **served.item(row),
        "rank": None if hit is None else hit.rank,
        "score": None if hit is None else round(hit.score, 6),
        "why": None if hit is None or hit.why is None else {name: round(x, 4) for name, x in hit.why.items()},
        "matched": {} if hit is None else dict(hit.matched or {}),
        "nearest_likes": _nearest(served, item_id, ask.wish.likes),
        "ranks": _ranks(served, query, row),
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


def _ranks(served: Served, query: Any, row: int) -> dict[str, int | None]:
    """Place of an item if only one modality were asked; None where the item lacks it."""
    space = served.space
    vector = space.resolve([query]).vectors["joint"][0]
    ranks: dict[str, int | None] = {}
    for number, name in enumerate(space.modalities):
        scores = space.parts[number] @ vector
        ranks[name] = int((scores > scores[row]).sum()) + 1 if space.present[number, row] else None
    return ranks
