"""Versions of a made-up space for the tests of stores: items with vectors, terms, passages and fields, and requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np

from antiphon.stores.contract import PASSAGES, Batch, Part, Ragged, Shape, Wanted

N_ITEMS = 600
N_TERMS = 200
GENRES = ("Drama", "comedy", "Thriller", "sci-fi", "Été", "東京", 'it\'s "quoted"')
LENGTHS = {"joint": 16, "ials": 8, "known": 2}
PASSAGE = 12
SHAPE = Shape(
    n_items=N_ITEMS,
    types={"year": "number", "genres": "list", "country": "string", "released": "date", "seen": "boolean"},
    blocks=LENGTHS,
    kept={"part text": 16},
    terms=("words", "facets"),
    flags=("searchable", "met"),
    passages=PASSAGE,
    notes={"gram": [[1.5, 0.25], [0.25, 2.0]]},
)


def fields(row: int, rng: np.random.Generator) -> dict[str, Any]:
    """Fields of an item; some have no value."""
    year = int(rng.integers(1950, 2025))
    found: dict[str, Any] = {
        "year": None if row % 11 == 10 else float(year),
        "genres": [str(genre) for genre in rng.choice(GENRES, size=int(rng.integers(0, 4)), replace=False)],
        "country": ("France", "italy", None, "Japan")[row % 4],
        "released": None if row % 13 == 0 else dt.datetime(year, row % 12 + 1, 15, 1, 2, 3, 40),  # noqa: DTZ001
        "seen": (True, False, None)[row % 3],
    }
    return {name: value for name, value in found.items() if value is not None}


def ragged(rng: np.random.Generator, n: int, most: int, n_terms: int) -> Ragged:
    """Up to `most` terms an item."""
    lists = [np.sort(rng.choice(n_terms, size=int(rng.integers(0, most + 1)), replace=False)) for _ in range(n)]
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    ids = np.concatenate(lists).astype(np.int64)
    return Ragged(bounds, rng.random(len(ids)).astype(np.float32) + np.float32(0.1), ids)


def batches(seed: int = 0, size: int = 250, n_items: int = N_ITEMS) -> Iterator[Batch]:
    """The items of a version."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(9, 16)).astype(np.float32)
    for start in range(0, n_items, size):
        n = min(size, n_items - start)
        joint = centres[rng.integers(0, 9, n)] + rng.normal(scale=0.6, size=(n, 16)).astype(np.float32)
        counts = rng.integers(0, 4, n)
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        yield Batch(
            start=start,
            item_ids=[f"item/{start + place:04}" for place in range(n)],
            titles=[f'Title "{start + place}" \\ \t東' for place in range(n)],
            fields=[fields(start + place, rng) for place in range(n)],
            vectors={
                "joint": (joint / np.linalg.norm(joint, axis=1, keepdims=True)).astype(np.float32),
                "ials": rng.normal(size=(n, 8)).astype(np.float32) * rng.random((n, 1)).astype(np.float32),
                "known": rng.normal(size=(n, 2)).astype(np.float32),
                "part text": rng.normal(size=(n, 16)).astype(np.float32),
            },
            terms={"words": ragged(rng, n, 12, N_TERMS), "facets": ragged(rng, n, 5, 40)},
            flags={"searchable": rng.random(n) < 0.95, "met": rng.random(n) < 0.7},
            passages=Ragged(bounds, rng.normal(size=(int(counts.sum()), PASSAGE)).astype(np.float32)),
        )


def part(rng: np.random.Generator, over: str) -> Part:
    """One part of a request."""
    if over in LENGTHS:
        return Part(
            "joint" if over == "joint" else "taste", over, rng.normal(size=(1, LENGTHS[over])).astype(np.float32)
        )
    if over == PASSAGES:
        n_vectors = int(rng.choice([1, 6]))
        return Part(PASSAGES, over, rng.normal(size=(n_vectors, PASSAGE)).astype(np.float32), scale=0.7)
    ids = np.sort(rng.choice(N_TERMS if over == "words" else 40, size=4, replace=False)).astype(np.int64)
    return Part(over, over, ids=ids, weights=rng.random(4).astype(np.float32) * 2)


def wanted(seed: int, k: int = 50, depth: int = 400, **more: Any) -> Wanted:
    """A request; which parts it has, is drawn."""
    rng = np.random.default_rng([seed, 1])
    overs = [over for over in (*LENGTHS, "words", "facets", PASSAGES) if seed % 5 == 0 or rng.random() < 0.6]
    parts = [part(rng, over) for over in overs or ["joint"]]
    return Wanted(parts, k, depth, flag="searchable", **more)
