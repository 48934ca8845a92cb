"""The generated catalog: complete, the same each time, and something to learn in it."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from antiphon.base.progress import silent
from antiphon.config.load import load_config
from antiphon.data.reading import read_catalog
from antiphon.datasets.generated import GENERATED, GENRES
from antiphon.describe.descriptions import describe
from antiphon.encoders.base import make_encoder


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project's antiphon.toml."""
    monkeypatch.delenv("ANTIPHON_DATA", raising=False)
    return GENERATED.make_project(tmp_path / "project", None, silent)


def test_it_needs_nothing_and_reads_without_findings(project):
    """400 films, each described; 300 users."""
    config = load_config(project)
    catalog = read_catalog(config.catalog)
    assert catalog.report == ()
    assert (catalog.n_items, catalog.interactions.n_users) == (400, 300)
    assert describe(catalog, config.describe).empty == 0
    for modality in config.modalities:
        make_encoder(modality)


def test_it_is_the_same_each_time(project, tmp_path):
    """To the byte."""
    again = GENERATED.make_project(tmp_path / "again", None, silent)
    for name in ("antiphon.toml", "items.parquet", "interactions.parquet", "image.parquet"):
        assert (project.parent / name).read_bytes() == (again.parent / name).read_bytes()


def test_users_have_tastes(project):
    """The films of a user share genres more than films at random do."""
    catalog = read_catalog(load_config(project).catalog)
    has = np.array([[genre in row for genre in GENRES] for row in catalog.items["genres"].to_pylist()], dtype=float)
    made = catalog.interactions
    bounds = made.bounds()
    shares = [np.max(has[made.item[bounds[user] : bounds[user + 1]]].mean(axis=0)) for user in range(made.n_users)]
    assert np.mean(shares) > 2 * has.mean()


def test_image_vectors_are_of_one_length(project):
    """One for each film."""
    table = pq.read_table(project.parent / "image.parquet")
    assert table.num_rows == 400
    assert {len(row) for row in table["embedding"].to_pylist()} == {32}
