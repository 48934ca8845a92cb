"""Playlists from a text: satisfaction, coherence and diversity, against top-k of raw TEXT, of BM25, of the plain space.

    python benchmarks/playlists.py RUN --queries queries.jsonl [--length 20]

RUN is a built run; a line of the queries is {"query_id", "text", "positives": [item ids]}.

- satisfaction: share of the list that is among the request's positives.
- coherence: mean similarity of neighbours in the list by how held-out users behave: the cosine of two items' sets of
  held-out test users, who took no part in training. Items without such users are left out of the mean.
- diversity: 1 - mean Jaccard overlap of the genres (the first list field) of all pairs of the list.

Means over the requests, with 95% bootstrap intervals over requests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from kept import origin

from antiphon.config.load import load_config
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.splits import make_split
from antiphon.numbers.vectors import unit
from antiphon.playlist import PlaylistRequest, Tradeoff, make_playlist
from antiphon.playlist.flow import flow_order
from antiphon.query.request import Query
from antiphon.space.loading import load
from antiphon.space.space import Space

Maker = Callable[[str, int], list[int]]


class Judge:
    """Scores lists of rows."""

    def __init__(self, run: Path, space: Space) -> None:
        import scipy.sparse as sp

        config = load_config(run / "config.toml")
        catalog = Catalog.load(run / "catalog")
        users = make_split(catalog, config.split, config.seed).test
        if catalog.interactions is None:
            raise SystemExit("the catalog has no interactions, so coherence by CF cannot be measured")
        liked = catalog.interactions.positive & np.isin(catalog.interactions.user, users)
        held = catalog.interactions.select(liked)
        shape = (catalog.n_items, catalog.interactions.n_users)
        matrix = sp.csr_matrix((np.ones(len(held)), (held.item, held.user)), shape=shape)
        norms = np.sqrt(np.asarray(matrix.sum(axis=1)).ravel())
        self.known = norms > 0
        self.cf = (sp.diags(1 / np.maximum(norms, 1)) @ matrix).tocsr()
        field = next(name for name in ("genres", *space.field_types) if space.field_types.get(name) == "list")
        self.words = [set(value or ()) for value in space.fields[field].to_pylist()]
        self.row_of = space.row_of
        self.n_users = len(users)

    def coherence(self, rows: list[int]) -> float:
        """Mean CF similarity of neighbours."""
        sims = [
            float((self.cf[one] @ self.cf[two].T)[0, 0])
            for one, two in pairwise(rows)
            if self.known[one] and self.known[two]
        ]
        return float(np.mean(sims)) if sims else float("nan")

    def diversity(self, rows: list[int]) -> float:
        """1 - mean Jaccard overlap of all pairs."""
        pairs = [(self.words[one], self.words[two]) for place, one in enumerate(rows) for two in rows[:place]]
        overlaps = [len(one & two) / len(one | two) for one, two in pairs if one | two]
        return 1 - float(np.mean(overlaps)) if overlaps else float("nan")

    def satisfaction(self, rows: list[int], positives: list[str]) -> float:
        """Share of the list that is wanted."""
        wanted = {self.row_of[item] for item in positives if item in self.row_of}
        return len(wanted & set(rows)) / len(rows) if rows else 0.0


def makers(run: Path, space: Space) -> dict[str, Maker]:
    """The systems: text and length -> rows in order."""
    import bm25s

    texts = Descriptions.load(run / "descriptions.parquet").best()
    features = Features.load(run / "features", "text")
    matrix = unit(features.matrix.mean(axis=0))  # (n_views, n_items, dim): the mean of an item's texts
    encode = space.sides["text"][1].encode  # the same encoder for raw TEXT
    retriever = bm25s.BM25()
    retriever.index(bm25s.tokenize(texts, show_progress=False), show_progress=False)

    def raw(text: str, length: int) -> list[int]:
        return np.argsort(-(matrix @ encode([text])[0]), kind="stable")[:length].tolist()

    def lexical(text: str, length: int) -> list[int]:
        found, _ = retriever.retrieve(bm25s.tokenize([text], show_progress=False), k=length, show_progress=False)
        return [int(row) for row in found[0]]

    def top(text: str, length: int) -> list[int]:
        return [space.row_of[hit.item_id] for hit in space.search(text, k=length)]

    def made(**options: Any) -> Maker:
        def make(text: str, length: int) -> list[int]:
            entries = make_playlist(space, PlaylistRequest(Query(text=text), length=length, **options)).entries
            return [space.row_of[entry.item_id] for entry in entries]

        return make

    def flowing(maker: Maker) -> Maker:
        """The same items, on a path by their texts' similarity: order without a better choice of items."""

        def make(text: str, length: int) -> list[int]:
            rows = maker(text, length)
            chosen = matrix[rows].astype(np.float32)
            return [rows[place] for place in flow_order(chosen @ chosen.T, 0)] if rows else rows

        return make

    return {
        "raw TEXT, top-k": raw,
        "raw TEXT, top-k in flow order": flowing(raw),
        "BM25, top-k": lexical,
        "BM25, top-k in flow order": flowing(lexical),
        "space, top-k": top,
        "space, top-k in flow order": made(tradeoff=Tradeoff(1, 0, 0)),
        "playlist, MMR (1, 0, 0.5)": made(tradeoff=Tradeoff(1, 0, 0.5)),
        "playlist (1, 0.5, 0.3), the default": made(),
        "playlist (1, 1.5, 0.3)": made(tradeoff=Tradeoff(1, 1.5, 0.3)),
    }


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval."""
    known = np.array([value for value in values if not np.isnan(value)])
    drawn = np.random.default_rng(0).choice(known, (1000, len(known))).mean(axis=1)
    return float(known.mean()), float(np.percentile(drawn, 2.5)), float(np.percentile(drawn, 97.5))


def main() -> None:
    """Print the table, and write it to benchmarks/results/playlists.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--length", type=int, default=20)
    given = parser.parse_args()
    space = load(given.run)
    judge = Judge(given.run, space)
    queries = [json.loads(line) for line in given.queries.read_text(encoding="utf-8").splitlines() if line.strip()]
    where = origin("playlists.json")
    print(
        f"{space.manifest['name']}, {len(queries)} requests, length {given.length}, "
        f"CF of {judge.n_users} held-out users, {where['machine']}, commit {where['commit']}\n"
    )
    print("| system | satisfaction | coherence (CF) | diversity |\n|---|---|---|---|")
    rows = []
    for name, make in makers(given.run, space).items():
        lists = [make(query["text"], given.length) for query in queries]
        row = {
            "system": name,
            "satisfaction": interval(
                [judge.satisfaction(one, query["positives"]) for one, query in zip(lists, queries, strict=True)]
            ),
            "coherence": interval([judge.coherence(one) for one in lists]),
            "diversity": interval([judge.diversity(one) for one in lists]),
        }
        rows.append(row)
        measured = (row["satisfaction"], row["coherence"], row["diversity"])
        cells = " | ".join("{:.3f} [{:.3f}, {:.3f}]".format(*one) for one in measured)
        print(f"| {name} | {cells} |", flush=True)
    out = Path(__file__).parent / "results" / "playlists.json"
    out.parent.mkdir(exist_ok=True)
    counts = {"length": given.length, "requests": len(queries), "users": judge.n_users}
    counts = {"length": given.length, "requests": len(queries), "users": judge.n_users}
    out.write_text(json.dumps({**where, **counts, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
