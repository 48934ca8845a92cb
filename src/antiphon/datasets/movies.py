"""movies: MovieLens-1M joined with tags, posters, plots, and descriptions by a language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antiphon.base.progress import Progress
from antiphon.datasets.base import Dataset

PERSONAL_TAGS = (
    "own",
    "want",
    "owned",
    "seen more than once",
    "to see",
    "tumey's dvds",
    "betamax",
    "my movies",
    "dvd",
    "vhs",
)
"""Tags that say something of the tagger's shelf, not of the film."""


def prepare(source: Path, out: Path, progress: Progress) -> Mapping[str, Any]:
    """The configuration; the files stay where they are."""
    return {
        "name": "movies",
        "catalog": {
            "items": str(source / "items.parquet"),
            "title": "title",
            "fields": {
                "year": {"type": "number"},
                "genres": {"type": "list"},
                "director": {"type": "string"},
                "country": {"type": "string"},
                "tags": {"type": "list"},
            },
            "interactions": {"file": str(source / "interactions.parquet"), "positive": "ge3=1"},
            "media": {"image": {"path": str(source / "posters.zip"), "pattern": "{item_id}.jpg"}},
        },
        "describe": {
            "opening": "Movie: {title}.",
            "gen_column": "description_llm",
            "categories": [
                {"label": "Year", "column": "year"},
                {"label": "Directed by", "column": "director"},
                {"label": "Genres", "column": "genres"},
                {"label": "Country", "column": "country"},
                {
                    "label": "Tags",
                    "column": "tags",
                    "counts": "tag_counts",
                    "max_values": 30,
                    "stop": list(PERSONAL_TAGS),
                },
                {"label": "Keywords", "column": "keywords", "max_values": 10},
            ],
        },
        "synthetic": {
            "noun": "films",
            "decades": ["year"],
            "phrases": {"director": "directed by {}", "country": "from {}"},
        },
        "modalities": [
            {"name": "text", "encoder": "sentence-transformers"},
            {"name": "image", "encoder": "precomputed", "file": str(source / "image_efficientnet_lite0.parquet")},
            {"name": "cf", "encoder": "als"},
        ],
    }


MOVIES = Dataset(
    name="movies",
    summary="3,883 films: tags, posters, descriptions, and 994,363 interactions of 6,040 users",
    licence="MovieLens: research use, not commercial; posters and texts under their own terms. Not to be shipped.",
    source="a joined folder (MovieLens-1M, MovieLens-10M tags, TMDB keywords, posters)",
    files=("items.parquet", "interactions.parquet", "image_efficientnet_lite0.parquet", "posters.zip"),
    prepare=prepare,
)
