"""Files are replaced whole or not at all, and broken files are named."""

from __future__ import annotations

import errno
import os
import stat

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from antiphon.base import storage
from antiphon.errors import DataError, IntegrityError, RunError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)  # fmt: skip


def names(folder):
    """Names of everything in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_process_left_of_one_file_is_removed(tmp_path):
    """And nothing else: not the file, nor what another file was to become."""
    for name in ("a[1].txt", ".a[1].txt.123.part", ".a1.txt.123.part", ".b.txt.456.part"):
        (tmp_path / name).touch()
    storage.sweep_beside(tmp_path / "a[1].txt")
    assert names(tmp_path) == [".a1.txt.123.part", ".b.txt.456.part", "a[1].txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path, error):
    """Half of the new content is never seen, whatever went wrong."""
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")

    def fail_half_way():
        with storage.replacing(path) as beside:
            beside.write_text("half of the n")
            raise error

    with pytest.raises((ValueError, KeyboardInterrupt, RunError)):
        fail_half_way()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_full_disk_is_a_sentence_that_names_the_file(tmp_path):
    """The operating system's reason is in it."""
    path = tmp_path / "a.txt"
    with pytest.raises(RunError, match=r"a\.txt: No space left on device\. Check"), storage.replacing(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_the_new_file_is_not_seen_before_it_is_complete(tmp_path):
    """Readers have the old one until the block ends."""
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")
    with storage.replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_folders_are_made_on_the_way(tmp_path):
    """A path below folders that are not there yet can be written."""
    storage.write_text(tmp_path / "a" / "b" / "c.txt", "x")
    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "x"


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    """A file where a folder should be stands in for every unwritable place, also for the superuser."""
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*file/x\.json: .*permissions and free space"):
        storage.write_json(tmp_path / "file" / "x.json", {})


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write to read-only folders")
def test_a_read_only_folder_is_a_sentence(tmp_path):
    """Permission denied, with the file's name."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            storage.write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o700)


def test_files_are_as_readable_as_the_umask_allows(tmp_path):
    """A run built by one user can be served by another."""
    before = os.umask(0o022)
    try:
        storage.write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o644


@given(JSON)
def test_json_round_trips(tmp_path_factory, value):
    """What was written is what is read, in any script."""
    path = tmp_path_factory.mktemp("json") / "a.json"
    storage.write_json(path, value)
    assert storage.read_json(path) == value


def test_json_is_the_same_bytes_for_the_same_content(tmp_path):
    """Checksums do not depend on the order of keys."""
    storage.write_json(tmp_path / "a.json", {"b": 1, "a": 2})
    storage.write_json(tmp_path / "b.json", {"a": 2, "b": 1})
    assert storage.sha256(tmp_path / "a.json") == storage.sha256(tmp_path / "b.json")


def test_json_refuses_nan(tmp_path):
    """NaN is not JSON: a reader in another language would fail on it."""
    with pytest.raises(ValueError, match="JSON compliant"):
        storage.write_json(tmp_path / "a.json", float("nan"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"\xff\xfe", b"{}}"])
def test_broken_json_is_named(tmp_path, content):
    """Truncated, of another encoding, or with something behind it."""
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"a\.json is not readable as JSON .*build the run again"):
        storage.read_json(tmp_path / "a.json")


@pytest.mark.parametrize("content", [b"[store", b"name = ", b"\xff\xfe", b"a = 1\na = 2"])
def test_broken_toml_is_named(tmp_path, content):
    """Truncated, of another encoding, or with a key twice; and a missing file is said to be missing."""
    (tmp_path / "a.toml").write_bytes(content)
    with pytest.raises(IntegrityError, match=r"a\.toml is not readable as TOML .*build the run again"):
        storage.read_toml(tmp_path / "a.toml")
    with pytest.raises(IntegrityError, match=r"b\.toml is missing"):
        storage.read_toml(tmp_path / "b.toml")


def test_missing_files_are_named(tmp_path):
    """Each reader says which file is not there."""
    with pytest.raises(IntegrityError, match=r"a\.json is missing"):
        storage.read_json(tmp_path / "a.json")
    with pytest.raises(IntegrityError, match=r"a\.npy is missing"):
        storage.read_array(tmp_path / "a.npy")
    with pytest.raises(IntegrityError, match=r"a\.safetensors cannot be read \(No such file"):
        storage.read_tensors(tmp_path / "a.safetensors")
    with pytest.raises(DataError, match=r"a\.parquet does not exist"):
        storage.read_table(tmp_path / "a.parquet")


@given(hnp.arrays(st.sampled_from([np.float32, np.int64, np.bool_]), hnp.array_shapes(min_dims=1, min_side=0)))
def test_arrays_round_trip(tmp_path_factory, array):
    """Values, dtype and shape, in memory and memory-mapped, empty ones too."""
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    storage.write_array(path, array)
    for mmap in (False, True):
        got = storage.read_array(path, mmap=mmap)
        assert got.dtype == array.dtype
        np.testing.assert_array_equal(got, array)


@given(st.integers(0, 175))
def test_a_truncated_array_is_refused_wherever_it_was_cut(tmp_path_factory, length):
    """128 bytes of header and 48 of numbers: no cut goes unnoticed."""
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    storage.write_array(path, np.arange(6, dtype=np.float64))
    content = path.read_bytes()
    assert len(content) == 176
    path.write_bytes(content[:length])
    for mmap in (False, True):
        with pytest.raises(IntegrityError, match=r"a\.npy is not a complete \.npy file"):
            storage.read_array(path, mmap=mmap)


def test_pickled_arrays_are_neither_written_nor_read(tmp_path):
    """An array of objects would run code when it is read."""
    array = np.array([{}, None], dtype=object)
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        storage.write_array(tmp_path / "a.npy", array)
    np.save(tmp_path / "b.npy", array, allow_pickle=True)
    with pytest.raises(IntegrityError, match=r"b\.npy"):
        storage.read_array(tmp_path / "b.npy")


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), max_size=8),
        hnp.arrays(st.sampled_from([np.float32, np.int64, np.bool_]), hnp.array_shapes(min_dims=0, min_side=0)),
        max_size=3,
    )
)
def test_tensors_round_trip(tmp_path_factory, tensors):
    """Names, values, dtypes and shapes, also of arrays that do not lie in one piece."""
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    tensors = {name: array.T for name, array in tensors.items()}
    storage.write_tensors(path, tensors)
    got = storage.read_tensors(path, tensors)
    assert got.keys() == tensors.keys()
    for name, array in tensors.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(got[name], array)


@given(st.floats(0, 0.99))
def test_truncated_tensors_are_refused_wherever_they_were_cut(tmp_path_factory, share):
    """No cut goes unnoticed, and the file is named."""
    path = tmp_path_factory.mktemp("tensors") / "a.safetensors"
    storage.write_tensors(path, {"a": np.arange(6.0), "b": np.ones((2, 3), np.float32)})
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(IntegrityError, match=r"a\.safetensors cannot be read \(.*build the run again"):
        storage.read_tensors(path)


def test_tensors_that_are_asked_for_must_be_there(tmp_path):
    """A file without one of them is refused with its name; others are no error."""
    storage.write_tensors(tmp_path / "a.safetensors", {"a": np.ones(2), "b": np.zeros(1)})
    assert set(storage.read_tensors(tmp_path / "a.safetensors", ["b"])) == {"a", "b"}
    with pytest.raises(IntegrityError, match=r"a\.safetensors cannot be read \('c'\); build the run again"):
        storage.read_tensors(tmp_path / "a.safetensors", ["b", "c"])


def test_an_archive_of_arrays_is_not_an_array(tmp_path):
    """Numpy opens a .npz under any name."""
    np.savez(tmp_path / "a.npz", x=np.ones(2))
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(IntegrityError, match="several arrays"):
        storage.read_array(tmp_path / "a.npy")


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_a_truncated_table_is_named(tmp_path, share):
    """A download that stopped."""
    path = tmp_path / "a.parquet"
    storage.write_table(path, pa.table({"x": list(range(1000))}))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=r"a\.parquet is not a complete parquet file \(.+\)"):
        storage.read_table(path)


def test_a_table_whose_pages_are_damaged_is_named(tmp_path):
    """The footer is whole, the data is not."""
    path = tmp_path / "a.parquet"
    storage.write_table(path, pa.table({"x": [f"value {number}" for number in range(5000)]}))
    content = bytearray(path.read_bytes())
    content[4:2000] = os.urandom(1996)
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.parquet"):
        storage.read_table(path)


def test_a_table_in_a_folder_with_an_equals_sign_has_its_own_columns_only(tmp_path):
    """'year=2020' in a path is no column."""
    storage.write_table(tmp_path / "year=2020" / "a.parquet", pa.table({"x": [1]}))
    assert storage.read_table(tmp_path / "year=2020" / "a.parquet").column_names == ["x"]


def test_a_tree_is_copied_whole(tmp_path):
    """Files in folders in folders, and folders that are empty."""
    source = tmp_path / "source"
    storage.write_text(source / "a" / "b.txt", "b")
    storage.write_text(source / "c.txt", "c")
    (source / "empty").mkdir()
    storage.copy_tree(source, tmp_path / "target")
    copied = {path.relative_to(tmp_path / "target").as_posix() for path in (tmp_path / "target").rglob("*")}
    assert copied == {"a", "a/b.txt", "c.txt", "empty"}
    assert (tmp_path / "target" / "a" / "b.txt").read_text() == "b"


def test_a_tree_can_be_copied_again_over_itself(tmp_path):
    """A build that was killed after copying copies again."""
    source = tmp_path / "source"
    storage.write_text(source / "a.txt", "one")
    storage.copy_tree(source, tmp_path / "target")
    storage.copy_tree(source, tmp_path / "target")
    storage.write_text(source / "a.txt", "two")
    storage.copy_tree(source, tmp_path / "target")
    assert (tmp_path / "target" / "a.txt").read_text() == "two"


def test_a_copy_keeps_its_content_when_the_original_is_replaced(tmp_path):
    """Copies may share blocks on the disk; replacing one leaves the other."""
    source = tmp_path / "source"
    storage.write_text(source / "a.txt", "one")
    storage.copy_tree(source, tmp_path / "target")
    storage.write_text(source / "a.txt", "two")
    assert (tmp_path / "target" / "a.txt").read_text() == "one"


def test_files_are_copied_where_links_cannot_be_made(tmp_path, monkeypatch):
    """Across file systems."""
    storage.write_text(tmp_path / "source" / "a.txt", "one")

    def refuse(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    storage.copy_tree(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target" / "a.txt").read_text() == "one"


def test_a_copy_that_cannot_be_written_is_a_sentence(tmp_path):
    """The target is named."""
    storage.write_text(tmp_path / "source" / "a.txt", "one")
    (tmp_path / "target").write_text("a file")
    with pytest.raises(RunError, match=r"cannot write .*target"):
        storage.copy_tree(tmp_path / "source", tmp_path / "target")


def test_a_cached_checksum_notices_a_change(tmp_path):
    """Another content of the same length has another time of change."""
    path = tmp_path / "a.txt"
    path.write_text("one")
    os.utime(path, ns=(1, 1))
    first = storage.cached_sha256(path)
    assert first == storage.sha256(path)
    path.write_text("two")
    os.utime(path, ns=(2, 2))
    assert storage.cached_sha256(path) == storage.sha256(path) != first


def test_digests_tell_values_dtypes_and_shapes_apart():
    """A fingerprint changes with whatever could change a result."""
    ones = np.ones((2, 3), dtype=np.float32)
    different = [ones, ones.astype(np.float64), ones.reshape(3, 2), ones * 2, np.empty((0, 3), dtype=np.float32)]
    assert len({storage.array_digest(array) for array in different}) == len(different)
    assert storage.array_digest(ones.T) == storage.array_digest(np.ascontiguousarray(ones.T))
    assert storage.digest("a", "b") != storage.digest("ab")
    assert storage.digest({"a": 1, "b": 2}) == storage.digest({"b": 2, "a": 1})


@given(st.dictionaries(st.text(max_size=4).filter(lambda key: key != storage.SEAL), JSON, min_size=1, max_size=3))
def test_sealed_documents_come_back(tmp_path_factory, value):
    """Without their checksum, and equal."""
    path = tmp_path_factory.mktemp("sealed") / "a.json"
    storage.write_sealed(path, value)
    assert storage.read_sealed(path) == value


def test_a_turned_bit_of_a_sealed_document_is_seen(tmp_path):
    """Each bit of it: the document is refused, or says the same."""
    path, value = tmp_path / "a.json", {"name": "Été", "n": 1.5, "inner": {"a": [1, None]}}
    storage.write_sealed(path, value)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            path.write_bytes(data)
            try:
                assert storage.read_sealed(path, ("name", "n", "inner")) == value
            except IntegrityError as error:
                assert "build the run again" in str(error)  # noqa: PT017  whether it is raised depends on the bit


def test_texts_of_a_table_may_be_numbers_of_a_dictionary(tmp_path):
    """Which are read as the texts that they stand for."""
    table = pa.table({"x": [1.0, 2.0], "word": ["a", None], "words": [["a", "b"], []]})
    storage.write_table(tmp_path / "a.parquet", table)
    coded = storage.read_table(tmp_path / "a.parquet", coded=True)
    assert pa.types.is_dictionary(coded["word"].type)
    assert coded.to_pylist() == table.to_pylist()
