"""Pictures of items: files of their folder, and of no other place."""

from __future__ import annotations

import io
import zipfile

import pytest
from PIL import Image

from antiphon.errors import QueryError, UnknownIdError
from antiphon.serve.media import Pictures


def picture():
    """A small JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (20, 20), (200, 10, 10)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path):
    """A folder of media with one picture, beside a secret one."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "good.jpg").write_bytes(picture())
    (tmp_path / "secret.jpg").write_bytes(picture())
    return tmp_path / "media"


IDS = ["../secret", "..\\secret", "/etc/passwd", "./good", "good.jpg/../good", "good\x00", "", ".", "media/good"]


def test_an_id_names_no_file_elsewhere(folder):
    """An id that is a path is an item without a picture, in a folder and in a zip."""
    with zipfile.ZipFile(folder.parent / "m.zip", "w") as archive:
        archive.writestr("good.jpg", picture())
        archive.writestr("../secret.jpg", picture())
    pictures = Pictures(folder, "{item_id}.jpg")
    assert pictures.resized("good", 80)
    zipped = Pictures(folder.parent / "m.zip", "{item_id}.jpg")
    for item_id in IDS:
        assert not pictures.has(item_id), item_id
        with pytest.raises(UnknownIdError):
            pictures.resized(item_id, 80)
        assert zipped.has(item_id) == (item_id == "../secret")  # a name in the zip: it opens nothing else
    assert zipped.resized("../secret", 80)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["m.zip", "media", "secret.jpg"]


def test_a_link_out_of_the_folder_is_no_picture(folder):
    """One that leads elsewhere is not followed, also where it comes later; one inside the folder is."""
    (folder / "out.jpg").symlink_to(folder.parent / "secret.jpg")
    (folder / "inside.jpg").symlink_to(folder / "good.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    pictures = Pictures(folder, "{item_id}.jpg")
    assert [pictures.has(name) for name in ("good", "inside", "out", "loop")] == [True, True, False, False]
    (folder / "good.jpg").unlink()
    (folder / "good.jpg").symlink_to(folder.parent / "secret.jpg")
    with pytest.raises(QueryError, match="not a file of its folder"):
        pictures.resized("good", 80)
