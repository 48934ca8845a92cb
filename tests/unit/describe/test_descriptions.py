"""TEMPLATE, GEN, or both; on disk and back."""

from __future__ import annotations

import pyarrow as pa
import pytest

from antiphon.config.load import load_config
from antiphon.config.sections import DescribeConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.reading import read_catalog
from antiphon.describe.descriptions import describe
from antiphon.errors import ConfigError, DataError


@pytest.fixture
def catalog():
    """Three items, of which one has a GEN description of its own."""
    gen = ["A quiet film.", "  ", None]
    items = pa.table({"item_id": ["a", "b", "c"], "title": ["A", "B", "C"], "gen": gen, "tags": [["x"]] * 3})
    return Catalog(items, items.select(["item_id"]), {})


def test_template_alone_is_one_view(catalog):
    """Nothing stands in for anything."""
    made = describe(catalog, DescribeConfig())
    assert made == Descriptions({"template": ("A.", "B.", "C.")})


def test_gen_falls_back_on_the_template_and_counts(catalog):
    """Blank and null are missing."""
    made = describe(catalog, DescribeConfig(mode="gen", gen_column="gen"))
    assert made.views == {"gen": ("A quiet film.", "B.", "C.")}
    assert made.fallbacks == 2


def test_both_are_two_views_and_an_item_may_lack_one(catalog):
    """The text modality has two embeddings an item; a missing one is masked."""
    made = describe(catalog, DescribeConfig(mode="template+gen", gen_column="gen"))
    assert list(made.views) == ["template", "gen"]
    assert made.views["gen"] == ("A quiet film.", None, None)
    assert made.fallbacks == 2
    assert made.best() == ["A. A quiet film.", "B.", "C."]


def test_items_without_any_text_are_counted(catalog):
    """An opening without words and no category leaves nothing."""
    made = describe(catalog, DescribeConfig(opening=" ", mode="template+gen", gen_column="gen"))
    assert made.views["template"] == (None, None, None)
    assert made.empty == 2
    assert made.best() == ["A quiet film.", "", ""]


def test_a_gen_column_that_is_not_there_gets_the_nearest(catalog):
    """Or one that holds no text."""
    with pytest.raises(ConfigError, match=r"no column 'gem'; did you mean 'gen'\?"):
        describe(catalog, DescribeConfig(mode="gen", gen_column="gem"))
    with pytest.raises(ConfigError, match=r"gen_column 'tags' holds list<.*>, expected text"):
        describe(catalog, DescribeConfig(mode="gen", gen_column="tags"))


def test_descriptions_round_trip(catalog, tmp_path):
    """Views in order, nulls, and the count of fallbacks."""
    made = describe(catalog, DescribeConfig(mode="template+gen", gen_column="gen"))
    made.save(tmp_path / "descriptions.parquet", catalog.item_ids)
    assert Descriptions.load(tmp_path / "descriptions.parquet") == made


def test_damaged_descriptions_are_named(catalog, tmp_path):
    """A file that was cut."""
    path = tmp_path / "descriptions.parquet"
    describe(catalog, DescribeConfig()).save(path, catalog.item_ids)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match=r"descriptions\.parquet"):
        Descriptions.load(path)


def test_the_generated_catalog_is_described(make_catalog):
    """Every film has a sentence with its title; noisy tags are gone."""
    config = load_config(make_catalog())
    catalog = read_catalog(config.catalog)
    made = describe(catalog, config.describe)
    for title, description in zip(catalog.items["title"].to_pylist(), made.views["template"], strict=True):
        assert description.startswith(f"Movie: {title}. ")
        assert " own" not in description
        assert ".0" not in description
