"""What is learned of items, on the rows of a larger catalog; vectors of fresh items by the scale of those before."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.channels.facets import FacetReader, Facets, members
from antiphon.channels.taste import Taste
from antiphon.config.sections import DescribeConfig, ModalityConfig, SplitConfig, SyntheticConfig
from antiphon.data.additions import Merged
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.splits import make_split
from antiphon.describe.synthetic import facets_of
from antiphon.encoders.base import Encoder, Growth, Source, make_encoder
from antiphon.encoders.text.encoder import TextEncoder
from antiphon.errors import DataError
from antiphon.joint.model import Projection
from antiphon.numbers.factorization import Setting
from antiphon.numbers.vectors import unit
from antiphon.run.growing import grow_facets, grow_taste

support = runpy.run_path(str(Path(__file__).resolve().parents[2] / "support" / "tiny_text.py"))
tiny_text_model, exports_once = support["tiny_text_model"], support["exports_once"]
CONFIG = SyntheticConfig(min_items=1)


def catalog(genres: list[list[str]], tags: list[list[str]] | None = None) -> Catalog:
    """Items i0, i1, ... with genres and tags."""
    columns = {"genres": genres, "tags": tags or [[] for _ in genres]}
    ids = [f"i{row}" for row in range(len(genres))]
    fields = pa.table({name: pa.array(values, pa.list_(pa.string())) for name, values in columns.items()})
    return Catalog(pa.table({"item_id": ids, "title": ids}), fields, dict.fromkeys(columns, "list"))


def facets(of: Catalog) -> Facets:
    """A reader that knows nothing, over the facets of a catalog."""
    lists = facets_of(of, CONFIG)
    names = sorted({facet for held in lists for facet in held})
    held = [sorted(names.index(facet) for facet in one) for one in lists]
    bounds = np.concatenate([[0], np.cumsum([len(one) for one in held])]).astype(np.int64)
    by_facet = members(bounds, np.array([facet for one in held for facet in one], np.int32), len(names))
    empty = np.zeros((1, 1), np.float32)
    reader = FacetReader(Projection(empty, empty[0], empty, empty[0]), empty, empty[0])
    return Facets(reader, names, *by_facet, of.n_items)


def held_by(of: Facets) -> list[set[tuple[str, str]]]:
    """Facets of each item."""
    return [{of.names[f] for f in range(len(of.names)) if row in of.items(f)} for row in range(of.n_items)]


GENRES = st.lists(st.lists(st.sampled_from(["drama", "comedy", "War", "noir"]), max_size=3), min_size=2, max_size=8)


@given(GENRES, st.data())
def test_facets_of_fresh_items_are_those_that_the_reader_knows(genres: list[list[str]], data: st.DataObject) -> None:
    """Items from before keep theirs; a fresh one has what a build would give it, less what nobody had before."""
    whole = catalog(genres)
    n_fresh = data.draw(st.integers(1, len(genres) - 1))
    fresh = np.sort(np.random.default_rng(n_fresh).permutation(len(genres))[:n_fresh])
    known = np.setdiff1d(np.arange(len(genres)), fresh)
    old = facets(catalog([genres[row] for row in known]))
    grown = grow_facets(old, Merged(whole, known, fresh, (), ()), CONFIG, DescribeConfig())
    assert grown.names is old.names
    expected = [one & set(old.names) for one in held_by(facets(whole))]
    assert held_by(grown) == expected
    assert [held_by(grown)[row] for row in known] == held_by(old)


def test_the_same_words_are_the_same_facet() -> None:
    """A fresh item whose genre is said in the words of a tag that the reader knows has that facet."""
    old = facets(catalog([["drama"]], [["noir"]]))
    whole = catalog([["drama"], ["noir"]], [["noir"], []])
    grown = grow_facets(old, Merged(whole, np.array([0]), np.array([1]), ("i1",), ()), CONFIG, DescribeConfig())
    assert held_by(grown) == [{("genres", "drama"), ("tags", "noir")}, {("tags", "noir")}]


def test_taste_moves_with_its_items() -> None:
    """Factors stand at the items' new rows, zeros at the others; the setting stays."""
    rng = np.random.default_rng(0)
    ials, ease, left = (rng.normal(size=(3, width)).astype(np.float32) for width in (4, 2, 2))
    taste = Taste(ials, Setting(4, 1.0, 1.0, 1), ease, left, np.array([5, 2, 1], np.float32))
    known = np.array([0, 2, 4])
    grown = grow_taste(taste, known, 5)
    assert grown.setting == taste.setting
    for name in ("ials", "ease", "ease_left"):
        assert_array_equal(getattr(grown, name)[known], getattr(taste, name))
        assert not getattr(grown, name)[[1, 3]].any()
    assert grown.users.tolist() == [5, 0, 2, 0, 1]
    history = [(np.array([2], np.int32), np.ones(1, np.float32))]
    before = taste.embed([(np.array([1], np.int32), np.ones(1, np.float32))])
    for name, vectors in grown.embed(history).items():
        assert_allclose(vectors, before[name], atol=1e-6)


def source(ids: list[str]) -> Source:
    """Items with these ids and nothing else."""
    of = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {})
    split = SplitConfig()
    return Source(of, Descriptions({"template": (None,) * len(ids)}), make_split(of, split, 0), split, 0)


def write(path: Path, vectors: dict[str, np.ndarray]) -> Path:
    """A parquet with vectors by id."""
    rows = pa.array(list(vectors.values()), pa.list_(pa.float64()))
    pq.write_table(pa.table({"item_id": list(vectors), "embedding": rows}), path)
    return path


def precomputed(file: Path) -> Encoder:
    """The encoder of a file, standardised."""
    return make_encoder(ModalityConfig(name="image", encoder="precomputed", file=str(file), standardise=True))


@pytest.mark.parametrize("apart", [True, False], ids=["in a file of their own", "in the file of the configuration"])
def test_fresh_vectors_are_brought_to_the_scale_of_the_file(tmp_path: Path, apart: bool) -> None:
    """Mean and deviation are those of the configuration's file; items from before keep their vectors."""
    rng = np.random.default_rng(1)
    vectors = {item: 5 + rng.normal(size=6) * [1, 2, 3, 4, 5, 6] for item in "abcdef"}
    file = write(tmp_path / "old.parquet", {item: vectors[item] for item in ("abcd" if apart else "abcdef")})
    encoder = precomputed(file)
    before = encoder.encode(source(["a", "b", "d"]), tmp_path / "work", silent)
    more = write(tmp_path / "new.parquet", {item: vectors[item] for item in "ef"}) if apart else None
    growth = Growth(5, np.array([0, 1, 3]), np.array([2, 4]), source(["bb", "e"]), more)
    grown = encoder.extend(before, growth, tmp_path / "work", silent)
    assert grown.mask[0].tolist() == [True, True, False, True, True]
    assert_array_equal(grown.matrix[0, [0, 1, 3]], before.matrix[0])
    scale = np.stack([vectors[item] for item in ("abcd" if apart else "abcdef")])
    assert_allclose(grown.matrix[0, 4], unit((vectors["e"] - scale.mean(axis=0)) / scale.std(axis=0)), atol=1e-6)


def test_vectors_of_nobody_or_of_another_length_are_refused(tmp_path: Path) -> None:
    """The sentence names the file."""
    encoder = precomputed(write(tmp_path / "old.parquet", {"a": np.arange(3.0), "b": np.ones(3)}))
    before = encoder.encode(source(["a", "b"]), tmp_path / "work", silent)
    rows = np.array([0, 1])
    for vectors, message in (
        ({"z": np.ones(3)}, "none of the 1 ids"),
        ({"c": np.ones(2)}, "expected vectors of length 3"),
    ):
        file = write(tmp_path / "new.parquet", vectors)
        with pytest.raises(DataError, match=f"(?s)new.parquet.*{message}|{message}.*new.parquet"):
            encoder.extend(before, Growth(3, rows, np.array([2]), source(["c"]), file), tmp_path / "work", silent)


def test_fresh_texts_have_the_precision_of_the_others(
    tmp_path: Path, tiny_text_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was chosen for the descriptions before is used again, and stands where it stood."""
    encoder = make_encoder(ModalityConfig(name="text", encoder="sentence-transformers", model=str(tiny_text_model)))
    chosen = {"key": "k", "documents": "int8", "cosine": 0.99}
    storage.write_json(tmp_path / "precision.json", chosen)
    used: list[tuple[str, int]] = []

    def make(self: TextEncoder, precision: str) -> Callable[[Sequence[str]], np.ndarray]:
        def encode(texts: Sequence[str]) -> np.ndarray:
            used.append((precision, len(texts)))
            return np.ones((len(texts), 16), np.float32)

        return encode

    monkeypatch.setattr(TextEncoder, "_encoder", make)
    alone = replace(source(["x", "y"]), descriptions=Descriptions({"template": ("a film", None)}))
    before = Features("text", ("template",), np.eye(16, dtype=np.float32)[None, :3], np.ones((1, 3), bool))
    growth = Growth(5, np.array([0, 1, 2]), np.array([3, 4]), alone)
    grown = encoder.extend(before, growth, tmp_path, silent)
    assert used == [("int8", 1)]
    assert grown.mask[0].tolist() == [True, True, True, True, False]
    assert storage.read_json(tmp_path / "precision.json") == chosen
    assert [path.parent.name.endswith("-int8") for path in tmp_path.glob("shards-*/*.npy")] == [True]


def test_features_are_placed() -> None:
    """Vectors and masks stand at the new rows; the others are masked zeros."""
    old = Features("m", ("a",), np.ones((1, 2, 3), np.float32), np.array([[True, False]]))
    new = old.placed(np.array([3, 1]), 4)
    assert new.mask.tolist() == [[False, False, False, True]]
    assert new.matrix[0].any(axis=1).tolist() == [False, True, False, True]
