"""music: Last.fm HetRec 2011 artists joined with tags, audio features, and descriptions by a language model."""

from pathlib import Path

from antiphon.datasets.base import from_toml

MUSIC = from_toml(Path(__file__).with_suffix(".toml"))
