"""music: Last.fm HetRec 2011 artists joined with tags, audio features, and descriptions by a language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antiphon.base.progress import Progress
from antiphon.datasets.base import Dataset

PERSONAL_TAGS = (
    "seen live",
    "favorites",
    "favourite",
    "love",
    "awesome",
    "favorite artists",
    "my favorite",
    "all",
    "good",
)
"""Tags that say something of the listener, not of the artist."""


def prepare(source: Path, out: Path, progress: Progress) -> Mapping[str, Any]:
    """The configuration; the files stay where they are."""
    return {
        "name": "music",
        "catalog": {
            "items": str(source / "items.parquet"),
            "title": "name",
            "fields": {"tags": {"type": "list"}, "mb_tags": {"type": "list"}},
            "interactions": {
                "file": str(source / "interactions.parquet"),
                "weight": "weight",
                "weight_transform": "log",
            },
        },
        "describe": {
            "opening": "The name of this artist is {title} and is described by the following tags:",
            "gen_column": "description_llm",
            "categories": [
                {
                    "label": "Tags",
                    "column": "tags",
                    "counts": "tag_counts",
                    "max_values": 30,
                    "stop": list(PERSONAL_TAGS),
                },
                {"label": "Genre", "column": "mb_tags", "max_values": 20, "stop": list(PERSONAL_TAGS)},
            ],
        },
        "synthetic": {"noun": "artists"},
        "modalities": [
            {"name": "text", "encoder": "sentence-transformers"},
            {
                "name": "audio",
                "encoder": "precomputed",
                "file": str(source / "audio_descriptors.parquet"),
                "standardise": True,
            },
            {"name": "cf", "encoder": "als"},
        ],
    }


MUSIC = Dataset(
    name="music",
    summary="17,632 artists: tags, audio descriptors, descriptions, and 92,834 play counts of 1,892 users",
    licence="HetRec 2011: non-commercial use; derived fields under their services' terms. Not to be shipped.",
    source="a joined folder (Last.fm HetRec 2011, MusicBrainz tags, audio features, AllMusic similar artists)",
    files=("items.parquet", "interactions.parquet", "audio_descriptors.parquet"),
    prepare=prepare,
)
