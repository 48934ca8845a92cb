"""Playlists: what is chosen, in which order, within which limits, and how they are written down."""

from __future__ import annotations

import csv
import io
import itertools
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import QueryError
from antiphon.playlist import FORMATS, Playlist, PlaylistRequest, Tradeoff, export
from antiphon.playlist.flow import flow_order
from antiphon.playlist.select import Limits, choose
from antiphon.query.hits import Hit
from antiphon.query.request import Query


def unit_rows(seed, n_items, dim=6):
    """Random unit vectors."""
    vectors = np.random.default_rng(seed).normal(size=(n_items, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow_mmr(vectors, fit, length, tradeoff):
    """The formula of `Tradeoff`, written as loops."""
    chosen = []
    while len(chosen) < min(length, len(vectors)):
        best, most = None, -np.inf
        for item in range(len(vectors)):
            if item in chosen:
                continue
            sims = [float(vectors[item] @ vectors[other]) for other in chosen]
            gain = tradeoff.relevance * fit[item]
            if sims:
                gain += tradeoff.coherence * sum(sims) / len(sims) - tradeoff.diversity * max(sims)
            if gain > most + 1e-6:
                best, most = item, gain
        chosen.append(best)
    return chosen


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
def test_the_choice_is_the_formula(seed, n_items, length):
    """The vectorised choice equals the formula in loops, for several trade-offs."""
    vectors, fit = unit_rows(seed, n_items), np.random.default_rng(seed + 1).random(n_items).astype(np.float32)
    described = [(f"title {row}", {}) for row in range(n_items)]
    for tradeoff in (Tradeoff(), Tradeoff(1, 0, 1), Tradeoff(0.2, 1, 0)):
        got = choose(vectors, fit, described, length, tradeoff, Limits({}), vectors[:0])
        assert got == slow_mmr(vectors, fit, length, tradeoff)


def test_limits_count_every_value_of_a_list_and_repeated_titles():
    """An item whose director or genre is used up is passed over, and so is a title that is there already."""
    described = [
        ("A", {"director": "x", "genres": ["drama", "war"]}),
        ("a", {"director": "y", "genres": []}),
        ("B", {"director": "X", "genres": []}),
        ("C", {"director": "z", "genres": ["war"]}),
        ("D", {"director": None, "genres": None}),
    ]
    vectors, fit = unit_rows(0, 5), np.linspace(1, 0, 5, dtype=np.float32)
    limits = Limits({"director": 1, "genres": 1})
    assert choose(vectors, fit, described, 5, Tradeoff(1, 0, 0), limits, vectors[:0]) == [0, 4]


def path_sum(sims, order):
    """Sum of the similarities of neighbours."""
    return sum(float(sims[one, two]) for one, two in itertools.pairwise(order))


@given(st.integers(0, 1000), st.integers(1, 7))
def test_flow_is_near_the_best_order(seed, n_items):
    """The order begins where asked, has every item once, beats the given one, and is close to the best of all."""
    vectors = unit_rows(seed, n_items)
    sims = vectors @ vectors.T
    order = flow_order(sims, 0)
    assert order[0] == 0
    assert sorted(order) == list(range(n_items))
    every = [path_sum(sims, (0, *rest)) for rest in itertools.permutations(range(1, n_items))]
    assert path_sum(sims, order) >= path_sum(sims, range(n_items)) - 1e-5
    assert path_sum(sims, order) >= max(every) - 0.35 * max(1.0, abs(max(every)))
    assert flow_order(sims, 0) == order


def test_no_reversal_improves_a_flow():
    """The order is a local optimum: reversing any stretch after the first item does not help."""
    vectors = unit_rows(3, 15)
    sims = vectors @ vectors.T
    order = flow_order(sims, 4)
    for first, last in itertools.combinations(range(1, 15), 2):
        other = [*order[:first], *order[first : last + 1][::-1], *order[last + 1 :]]
        assert path_sum(sims, other) <= path_sum(sims, order) + 1e-4


NASTY = ["plain", 'quoted "x" & <b>', "two\nlines", "=SUM(A1)", "#EXTM3U", "日本 🎬", "bell\x07", "-1"]


@pytest.fixture
def nasty():
    """A playlist of titles that try to break out of their format."""
    entries = [
        Hit(rank, f"id {rank}/?", title, 0.5, {"year": 1980.0, "tags": ["a", "b"]})
        for rank, title in enumerate(NASTY, 1)
    ]
    return Playlist("space", tuple(entries), (None, *([0.5] * (len(NASTY) - 1))))


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_titles_cannot_break_out(nasty, kind):
    """Whatever a title holds, a file has exactly the list's entries, and a spreadsheet sees no formula."""
    text = export(nasty, kind, name="my\nlist")
    if kind == "m3u8":
        assert sum(not line.startswith("#") for line in text.splitlines()) == len(NASTY)
        assert text.count("#EXTINF") == len(NASTY)
    elif kind == "xspf":
        tracks = ET.fromstring(text).findall(".//{http://xspf.org/ns/0/}title")
        assert len(tracks) == len(NASTY) + 1
    elif kind == "csv":
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert len(rows) == len(NASTY)
        assert not any(row["title"].startswith(("=", "-", "+", "@")) for row in rows)
        assert rows[0]["year"] == "1980"
    else:
        assert [item["title"] for item in json.loads(text)["items"]] == NASTY


def test_places_follow_a_pattern(nasty):
    """`location` says where a player finds an item; ids are quoted; a pattern without the id is refused."""
    assert "music/id%201%2F%3F.flac" in export(nasty, "m3u8", location="music/{item_id}.flac")
    with pytest.raises(QueryError, match=r"no \{item_id\}"):
        export(nasty, "m3u8", location="music/")
    with pytest.raises(QueryError, match="did you mean 'xspf'"):
        export(nasty, "xsp")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"length": 0}, "1 to 500"),
        ({"variety": 2}, "from 0 to 1"),
        ({"max_per": {"director": 0}}, "leaves nothing"),
        ({"seed": -1}, "0 or more"),
    ],
)
def test_requests_are_checked(options, said):
    """A request that makes no sense is refused with a sentence."""
    with pytest.raises(QueryError, match=said):
        PlaylistRequest(Query(text="x"), **options)


def test_tradeoffs_are_checked():
    """Weights are finite, not negative, and not all 0."""
    with pytest.raises(QueryError, match="all 0"):
        Tradeoff(0, 0, 0)
    with pytest.raises(QueryError, match="from 0 to 100"):
        Tradeoff(float("nan"))
