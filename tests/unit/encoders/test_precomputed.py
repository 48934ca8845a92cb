"""Vectors made elsewhere: every format, aligned with the catalog, and refused where they are broken."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.base.progress import silent
from antiphon.config.load import load_config
from antiphon.config.sections import ModalityConfig, SplitConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.reading import read_catalog
from antiphon.data.splits import make_split
from antiphon.encoders.base import Source, make_encoder
from antiphon.errors import ConfigError, DataError

VECTORS = np.array([[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]])
IDS = ["b", "x", "c"]


def source_of(catalog):
    """Everything that an encoder may read."""
    descriptions = Descriptions({"template": ("text",) * catalog.n_items})
    return Source(catalog, descriptions, make_split(catalog, SplitConfig(), 0), SplitConfig(), 0)


def small(ids=("a", "b", "c")):
    """A catalog of some ids."""
    items = pa.table({"item_id": list(ids), "title": list(ids)})
    return source_of(Catalog(items, items.select(["item_id"]), {}))


def encode(file, source=None, **options):
    """Features of the items a, b and c from a file."""
    encoder = make_encoder(ModalityConfig(name="image", encoder="precomputed", file=str(file), **options))
    return encoder.encode(source or small(), file.parent, silent)


def lists(vectors, kind=None):
    """Rows of numbers as an arrow column of lists."""
    return pa.array([None if row is None else list(row) for row in vectors], kind or pa.list_(pa.float32()))


def write(path, ids=IDS, vectors=VECTORS, kind=None, **columns):
    """A parquet with item_id and embedding."""
    pq.write_table(pa.table({"item_id": ids, "embedding": lists(vectors, kind), **columns}), path)
    return path


def test_vectors_are_aligned_with_the_catalog_and_of_unit_length(tmp_path):
    """Items without one are masked and zero; ids that the catalog lacks are left out."""
    features = encode(write(tmp_path / "v.parquet"))
    assert (features.modality, features.views, features.dim, features.n_items) == ("image", ("item",), 2, 3)
    assert features.mask.tolist() == [[False, True, True]]
    assert features.matrix.dtype == np.float32
    np.testing.assert_allclose(features.matrix[0], [[0, 0], [0.6, 0.8], [-1, 0]], rtol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 2), pa.list_(pa.float16()),
     pa.list_(pa.int64()), pa.list_(pa.decimal128(10, 3))],
)  # fmt: skip
def test_lists_of_every_kind_are_read(tmp_path, kind):
    """Fixed, large, of halves, of whole numbers."""
    vectors = [[int(number) for number in row] for row in VECTORS] if "float" not in str(kind) else VECTORS
    if kind == pa.list_(pa.float16()):
        vectors = VECTORS.astype(np.float16)
    expected = encode(write(tmp_path / "expected.parquet"))
    got = encode(write(tmp_path / "v.parquet", vectors=vectors, kind=kind))
    np.testing.assert_array_equal(got.matrix, expected.matrix)


def test_every_format_gives_the_same_vectors(tmp_path):
    """Lists, numeric columns, CSV, JSONL, and .npy with ids."""
    expected = encode(write(tmp_path / "v.parquet")).matrix
    columns = pa.table({"item_id": IDS, "x": VECTORS[:, 0], "y": VECTORS[:, 1], "note": ["n"] * 3, "ok": [True] * 3})
    pq.write_table(columns, tmp_path / "columns.parquet")
    lines = [f"{item},{x},{y}\n" for item, (x, y) in zip(IDS, VECTORS.tolist(), strict=True)]
    (tmp_path / "v.csv").write_text("item_id,x,y\n" + "".join(lines))
    rows = [{"item_id": item, "embedding": row} for item, row in zip(IDS, VECTORS.tolist(), strict=True)]
    (tmp_path / "v.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    np.save(tmp_path / "v.npy", VECTORS)
    (tmp_path / "ids.txt").write_text("b\nx\nc\n")
    for name in ("columns.parquet", "v.csv", "v.jsonl"):
        np.testing.assert_array_equal(encode(tmp_path / name).matrix, expected)
    for ids in ("b\nx\nc\n", "b\nx\nc", "b\r\nx\r\nc\r\n", "\ufeffb\nx\nc\n"):
        (tmp_path / "ids.txt").write_bytes(ids.encode())
        np.testing.assert_array_equal(encode(tmp_path / "v.npy", ids=str(tmp_path / "ids.txt")).matrix, expected)


def test_columns_may_have_other_names_and_ids_may_be_numbers(tmp_path):
    """`item_id` and `column` say which; the index that pandas writes is no dimension."""
    table = pa.table({"id": [7, 9], "poster": lists([[1, 0], [0, 1]]), "embedding": lists([[1], [1]])})
    pq.write_table(table, tmp_path / "v.parquet")
    features = encode(tmp_path / "v.parquet", small(["7", "8"]), item_id="id", column="poster")
    assert features.matrix.tolist() == [[[1, 0], [0, 0]]]
    pq.write_table(
        pa.table({"item_id": IDS, "x": [1.0, 2.0, 3.0], "__index_level_0__": [0, 1, 2]}), tmp_path / "p.parquet"
    )
    assert encode(tmp_path / "p.parquet").dim == 1


def test_ids_of_a_csv_keep_their_zeros(tmp_path):
    """'007' is the item 007."""
    (tmp_path / "v.csv").write_text("item_id,x\n007,1\n7,-1\n")
    assert encode(tmp_path / "v.csv", small(["007"])).matrix.tolist() == [[[1.0]]]


def test_a_null_vector_is_an_item_without_one(tmp_path):
    """And so is a vector of zeros: it has no direction."""
    features = encode(write(tmp_path / "v.parquet", ["a", "b", "c"], [None, [0.0, 0.0], [2.0, 0.0]]))
    assert features.mask.tolist() == [[False, False, True]]


def test_standardised_dimensions_have_mean_zero_and_variance_one(tmp_path):
    """Over the vectors of the file; a dimension that never changes becomes zero, not noise."""
    rng = np.random.default_rng(0)
    raw = np.stack([rng.normal(120, 30, 50), rng.uniform(0, 1, 50), np.full(50, 0.1)], axis=1)
    ids = [f"i{row:02}" for row in range(50)]
    pq.write_table(
        pa.table({"item_id": ids, "tempo": raw[:, 0], "mood": raw[:, 1], "same": raw[:, 2]}), tmp_path / "v.parquet"
    )
    got = encode(tmp_path / "v.parquet", small(ids), standardise=True).matrix[0]
    expected = np.zeros_like(raw)
    expected[:, :2] = (raw[:, :2] - raw[:, :2].mean(axis=0)) / raw[:, :2].std(axis=0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(got, expected, atol=1e-5)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 1000), st.booleans())
def test_the_order_of_the_file_does_not_matter(tmp_path_factory, n_vectors, dim, seed, standardise):
    """Shuffled rows are the same features."""
    rng = np.random.default_rng(seed)
    ids = [f"i{row}" for row in range(n_vectors)]
    vectors = rng.normal(size=(n_vectors, dim)).astype(np.float32)
    order = rng.permutation(n_vectors)
    folder = tmp_path_factory.mktemp("v")
    one = encode(write(folder / "one.parquet", ids, vectors), small(ids), standardise=standardise)
    shuffled = write(folder / "two.parquet", [ids[row] for row in order], vectors[order])
    two = encode(shuffled, small(ids), standardise=standardise)
    np.testing.assert_allclose(one.matrix, two.matrix, atol=1e-5)
    np.testing.assert_array_equal(one.mask, two.mask)


@pytest.mark.parametrize(
    ("ids", "vectors", "sentence"),
    [
        (IDS, [[1, 2], [1, 2, 3], [1, 2]], r"must have one length; most have 2, but 1 differ, .* 'x' with 3"),
        (IDS, [[1, 2], [], [1, 2]], r"such as that of 'x' with 0"),
        (IDS, [[], [], []], r"vectors must have one length; most have 0"),
        (IDS, [[1, 2], [np.nan, 2], [1, np.inf]], r"2 vectors have values .* not finite, such as those of 'x', 'c'"),
        (IDS, [[1, None], [1, 2], [1, 2]], r"1 vectors have values that are not finite, such as those of 'b'"),
        (["a", "b", "a"], VECTORS, r"1 ids have more than one vector, such as 'a'"),
        (["a", None, "b"], VECTORS, r"1 vectors have no id, such as that of row 1"),
        (["a", " ", ""], VECTORS, r"2 vectors have no id, such as that of row 1"),
        (["x", "y", "z"], VECTORS, r"none of the 3 ids .* is in the catalog \(file: 'x', catalog: 'a'\)"),
        ([], [], r"v\.parquet has no vectors"),
        (["a"], [None], r"v\.parquet has no vectors"),
    ],
)  # fmt: skip
def test_broken_vectors_are_refused(tmp_path, ids, vectors, sentence):
    """With the file, how many, and which."""
    with pytest.raises(DataError, match=sentence):
        encode(write(tmp_path / "v.parquet", pa.array(ids, pa.string()), vectors))


@pytest.mark.parametrize(
    ("columns", "options", "sentence"),
    [
        ({"embedding": ["1,2"] * 3}, {}, r"column 'embedding': expected lists of numbers, got string"),
        ({"embedding": [["a"]] * 3}, {}, r"column 'embedding': expected lists of numbers, got list<"),
        ({"note": ["n"] * 3}, {}, r"neither a column 'embedding' nor numeric columns; name the column with `column`"),
        ({"embeding": [[1.0]] * 3}, {"column": "embedding"}, r"no column 'embedding'; did you mean 'embeding'\?"),
        ({"x": [1.0, None, 2.0]}, {}, r"1 vectors have values that are not finite, such as those of 'x'"),
        ({"x": [1.0] * 3}, {"item_id": "id"}, r"no column 'id'"),
    ],
)
def test_a_table_without_vectors_is_refused(tmp_path, columns, options, sentence):
    """With what was found in their place."""
    pq.write_table(pa.table({"item_id": IDS, **columns}), tmp_path / "v.parquet")
    with pytest.raises(DataError, match=sentence):
        encode(tmp_path / "v.parquet", **options)


@pytest.mark.parametrize(
    ("array", "ids", "sentence"),
    [
        (VECTORS, "b\nx\n", r"has the shape \(3, 2\), expected \(2, dim\): .*ids\.txt has 2 ids"),
        (VECTORS[0], "b\nx\n", r"has the shape \(2,\)"),
        (np.empty((3, 0)), "b\nx\nc\n", r"has the shape \(3, 0\)"),
        (VECTORS.astype("U5"), "b\nx\nc\n", r"expected one array of numbers, got <U5"),
        (VECTORS.astype(complex), "b\nx\nc\n", r"expected one array of numbers, got complex128"),
        (VECTORS, "b\n\nc\n", r"1 vectors have no id, such as that of row 1"),
        (VECTORS, None, r"ids\.txt does not exist"),
    ],
)
def test_an_array_that_does_not_go_with_its_ids_is_refused(tmp_path, array, ids, sentence):
    """Shape, dtype, and the file of ids."""
    np.save(tmp_path / "v.npy", array)
    if ids is not None:
        (tmp_path / "ids.txt").write_text(ids)
    options = {"file": str(tmp_path / "v.npy"), "ids": str(tmp_path / "ids.txt")}
    encoder = make_encoder(ModalityConfig(name="image", encoder="precomputed", **options))

    def work():
        encoder.fingerprint(small())
        encoder.encode(small(), tmp_path, silent)

    with pytest.raises(DataError, match=sentence):
        work()


def test_an_array_without_a_file_of_ids_is_refused(tmp_path):
    """The option is named."""
    np.save(tmp_path / "v.npy", VECTORS)
    with pytest.raises(ConfigError, match=r"a \.npy file needs `ids`"):
        encode(tmp_path / "v.npy")


@pytest.mark.parametrize("name", ["v.npy", "v.parquet", "v.csv"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_was_cut_is_named(tmp_path, name, share):
    """In the middle, or before it began."""
    if name == "v.npy":
        np.save(tmp_path / name, VECTORS)
    elif name == "v.parquet":
        write(tmp_path / name)
    else:
        (tmp_path / name).write_text("item_id,x\na,1\nb,2,\nc,3\n")
    (tmp_path / "ids.txt").write_text("b\nx\nc\n")
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)] if name != "v.csv" or not share else content)
    with pytest.raises(DataError, match=f"{name}.*(cannot be read|not a complete parquet file)"):
        encode(tmp_path / name, **({"ids": str(tmp_path / "ids.txt")} if name == "v.npy" else {}))


def test_arrays_of_objects_and_archives_are_refused(tmp_path):
    """Nothing is unpickled."""
    (tmp_path / "ids.txt").write_text("b\nx\nc\n")
    np.save(tmp_path / "v.npy", VECTORS.astype(object), allow_pickle=True)
    with pytest.raises(DataError, match=r"v\.npy.*cannot be read.*allow_pickle"):
        encode(tmp_path / "v.npy", ids=str(tmp_path / "ids.txt"))
    np.savez(tmp_path / "v.npz", x=VECTORS)
    (tmp_path / "v.npz").replace(tmp_path / "v.npy")
    with pytest.raises(DataError, match="expected one array of numbers, got an archive"):
        encode(tmp_path / "v.npy", ids=str(tmp_path / "ids.txt"))


def test_the_fingerprint_changes_with_what_the_vectors_depend_on(tmp_path):
    """Contents, options and ids; not the name of the file, nor the rest of the catalog."""

    def fingerprint(file, source, **options):
        return make_encoder(ModalityConfig(name="image", encoder="precomputed", file=str(file), **options)).fingerprint(
            source
        )

    one, source = write(tmp_path / "one.parquet"), small()
    base = fingerprint(one, source)
    assert fingerprint(write(tmp_path / "copy.parquet"), source) == base
    assert fingerprint(one, replace(source, seed=5)) == base
    assert fingerprint(write(tmp_path / "two.parquet", vectors=VECTORS * -1), source) != base
    assert fingerprint(one, source, standardise=True) != base
    assert fingerprint(one, small(["a", "b"])) != base


def test_the_generated_catalog_has_vectors_for_six_of_seven_films(make_catalog):
    """Through the configuration, as a build does it."""
    config = load_config(make_catalog())
    features = make_encoder(config.modalities[1]).encode(source_of(read_catalog(config.catalog)), None, silent)
    assert features.present.tolist() == [row % 7 != 6 for row in range(40)]
    np.testing.assert_allclose(np.linalg.norm(features.matrix[0][features.present], axis=1), 1, rtol=1e-5)
