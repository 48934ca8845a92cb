"""Files of items: where they are, what tells them apart, and limits that no header can talk away."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from antiphon.data.catalog import Media
from antiphon.encoders.files import MediaFiles, read_findings, write_findings
from antiphon.errors import DataError


def files_of(path: Path, ids: list[str], max_bytes: int = 1000) -> MediaFiles:
    """All items but those whose id is `none` have a file."""
    return MediaFiles(Media(path, "{item_id}.bin", np.array([one != "none" for one in ids])), ids, max_bytes)


def write(folder: Path, archive: Path, contents: dict[str, bytes]) -> None:
    """The same files in a folder and in a zip."""
    folder.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in contents.items():
            (folder / f"{name}.bin").write_bytes(data)
            made.writestr(f"{name}.bin", data)


def test_folder_and_zip_hold_the_same(tmp_path: Path) -> None:
    """Contents and keys do not depend on where the files are; equal files share a key, an item without one has none."""
    write(tmp_path / "f", tmp_path / "f.zip", {"a": b"one", "b": b"two", "c": b"one"})
    ids = ["a", "b", "c", "none"]
    for files in (files_of(tmp_path / "f", ids), files_of(tmp_path / "f.zip", ids)):
        assert [files.read(row) for row in range(3)] == [b"one", b"two", b"one"]
        keys = [files.key(row) for row in range(4)]
        assert keys[0] == keys[2] != keys[1]
        assert keys[3] is None
    assert files_of(tmp_path / "f", ids).key(1) == files_of(tmp_path / "f.zip", ids).key(1)


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    """A member that unpacks to much is read up to one byte over the limit, whatever its header says."""
    write(tmp_path / "f", tmp_path / "f.zip", {"a": b"\0" * 5_000_000})
    for path in (tmp_path / "f", tmp_path / "f.zip"):
        assert len(files_of(path, ["a"]).read(0)) == 1001


def test_stamps_follow_changes(tmp_path: Path) -> None:
    """A file that changes changes the stamp, in a folder and in a zip; a file that is gone has one as well."""
    write(tmp_path / "f", tmp_path / "f.zip", {"a": b"one", "b": b"two"})
    before = [files_of(path, ["a", "b"]).stamp() for path in (tmp_path / "f", tmp_path / "f.zip")]
    assert [files_of(path, ["a", "b"]).stamp() for path in (tmp_path / "f", tmp_path / "f.zip")] == before
    (tmp_path / "f" / "b.bin").write_bytes(b"three")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as made:
        made.writestr("a.bin", b"one")
        made.writestr("b.bin", b"owt")
    after = [files_of(path, ["a", "b"]).stamp() for path in (tmp_path / "f", tmp_path / "f.zip")]
    assert before[0] != after[0]
    assert before[1] != after[1]
    (tmp_path / "f" / "a.bin").unlink()
    assert files_of(tmp_path / "f", ["a", "b"]).stamp() != after[0]


def test_what_cannot_be_read_has_a_key_and_an_error(tmp_path: Path) -> None:
    """A file that is gone is an error that names it, and a key of its own."""
    write(tmp_path / "f", tmp_path / "f.zip", {"a": b"one"})
    files = files_of(tmp_path / "f", ["a"])
    (tmp_path / "f" / "a.bin").unlink()
    with pytest.raises(DataError, match=r"a\.bin cannot be read"):
        files.read(0)
    assert str(files.key(0)).startswith("unreadable-")


def test_findings_come_back(tmp_path: Path) -> None:
    """What was found is kept with examples; kinds without files are left out, and no look means no findings."""
    assert read_findings(tmp_path) == []
    write_findings(tmp_path, [("broken", name) for name in "abcd"], {"broken": "no vector", "fine": ""}, Path("p.zip"))
    (finding,) = read_findings(tmp_path)
    assert (finding.kind, finding.count, finding.examples, finding.policy) == (
        "broken",
        4,
        ("a", "b", "c"),
        "no vector",
    )


def test_a_link_to_another_folder_is_not_read(tmp_path: Path) -> None:
    """A symbolic link inside the folder is a file like others; one that leads out is an error that names it."""
    (tmp_path / "f").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "f" / "a.bin").write_bytes(b"one")
    (tmp_path / "f" / "b.bin").symlink_to(tmp_path / "f" / "a.bin")
    (tmp_path / "f" / "c.bin").symlink_to(tmp_path / "secret")
    files = files_of(tmp_path / "f", ["a", "b", "c"])
    assert [files.read(0), files.read(1)] == [b"one", b"one"]
    with pytest.raises(DataError, match=r"c\.bin is a symbolic link to another folder"):
        files.read(2)
    assert str(files.key(2)).startswith("unreadable-")
