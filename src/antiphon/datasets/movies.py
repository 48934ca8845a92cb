"""movies: MovieLens-1M joined with tags, posters, plots, and descriptions by a language model."""

from pathlib import Path

from antiphon.datasets.base import from_toml

MOVIES = from_toml(Path(__file__).with_suffix(".toml"))
