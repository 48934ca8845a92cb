"""The real data sets, read through their loaders: counts, descriptions, splits."""

from __future__ import annotations

import re

import numpy as np
import pytest

from antiphon.base.progress import silent
from antiphon.base.registry import find
from antiphon.config.load import load_config
from antiphon.data.reading import read_catalog
from antiphon.data.splits import held_out, make_split, training_interactions
from antiphon.datasets.base import Dataset
from antiphon.describe.descriptions import describe
from antiphon.encoders.base import Source, make_encoder

pytestmark = pytest.mark.data
# items, users, pairs, positives, items with a precomputed vector
COUNTS = {
    "movies": (3_883, 6_040, 994_363, 832_023, 3_519),
    "music": (17_632, 1_892, 92_834, 92_834, 5_089),
    "ml-latest-small": (9_742, 610, 100_836, 61_716, None),
}


def read(name, data_dir, folder):
    """The configuration and the catalog of a data set."""
    dataset: Dataset = find("antiphon.datasets", name)
    config = load_config(dataset.make_project(folder / name, data_dir, silent))
    return config, read_catalog(config.catalog)


@pytest.mark.parametrize("name", COUNTS)
def test_a_real_catalog_has_the_counts_that_its_source_states(name, data_dir, tmp_path):
    """Nothing is dropped, every item is described, each pair is there once, splits do not overlap."""
    n_items, n_users, n_pairs, n_positives, n_vectors = COUNTS[name]
    config, catalog = read(name, data_dir, tmp_path)
    made = catalog.interactions
    assert catalog.report == ()
    assert (catalog.n_items, made.n_users, len(made)) == (n_items, n_users, n_pairs)
    assert int(made.positive.sum()) == n_positives
    assert len(np.unique(made.user.astype(np.int64) * n_items + made.item)) == n_pairs
    descriptions = describe(catalog, config.describe)
    assert descriptions.empty == 0
    check_split(catalog, config)
    if n_vectors is not None:
        check_vectors(catalog, config, descriptions, n_vectors)


def check_split(catalog, config):
    """A tenth of the users is held out, apart from validation; training sees neither."""
    made = catalog.interactions
    split = make_split(catalog, config.split, config.seed)
    together = np.concatenate([split.train, split.validation, split.test])
    assert sorted(together.tolist()) == list(range(made.n_users))
    assert len(split.test) == round(0.1 * made.n_users)
    held = held_out(made, split.test, config.split.profile, config.seed)
    for profile, truth in zip(held.profiles, held.truths, strict=True):
        assert len(profile) > 0
        assert len(truth) > 0
        assert not set(profile.tolist()) & set(truth.tolist())
    assert not set(training_interactions(made, split).user.tolist()) & set(split.test.tolist())


def check_vectors(catalog, config, descriptions, n_vectors):
    """Every vector of the file finds its item."""
    source = Source(catalog, descriptions, make_split(catalog, config.split, 0), config.split, 0)
    modality = next(item for item in config.modalities if item.encoder == "precomputed")
    features = make_encoder(modality).encode(source, None, silent)
    assert int(features.present.sum()) == n_vectors
    lengths = np.linalg.norm(features.matrix[0][features.present], axis=1)
    np.testing.assert_allclose(lengths, 1, rtol=1e-4)


def test_posters_are_found_by_their_items(data_dir, tmp_path):
    """3,519 of 3,883 films have a poster in the zip, and the same have a vector of it."""
    config, catalog = read("movies", data_dir, tmp_path)
    assert int(catalog.media["image"].present.sum()) == 3_519
    vectors = load_ids(config)
    with_poster = {item for item, there in zip(catalog.item_ids, catalog.media["image"].present, strict=True) if there}
    assert with_poster == vectors


def load_ids(config):
    """Ids of the vectors of the first precomputed modality."""
    from antiphon.base.storage import read_table

    file = next(item.options["file"] for item in config.modalities if item.encoder == "precomputed")
    return set(read_table(file, ["item_id"])["item_id"].to_pylist())


def test_descriptions_of_toy_story_and_of_an_artist(data_dir, tmp_path):
    """What the text encoder reads: the title first, tags of a shelf left out."""
    config, catalog = read("movies", data_dir, tmp_path)
    text = describe(catalog, config.describe).views["template"][catalog.item_ids.index("1")]
    assert text.startswith("Movie: Toy Story (1995). Year: 1995. Directed by: John Lasseter. Genres: animation")
    assert "Tags: pixar, " in text
    assert "tumey's dvds" not in text
    config, catalog = read("music", data_dir, tmp_path)
    texts = describe(catalog, config.describe).views["template"]
    assert all(text.startswith("The name of this artist is ") for text in texts)
    assert not [text for text in texts if re.search(r"(: |, )seen live[,.]", text)]
