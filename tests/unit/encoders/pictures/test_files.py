"""Pictures from files of any kind: what is read, how it becomes RGB, and what is refused."""

from __future__ import annotations

import io
import runpy
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from antiphon.encoders.pictures import files as pictures
from antiphon.encoders.pictures.files import FLAWS, Recipe, decode, read_request, suffix_lies
from antiphon.errors import ConfigError, QueryError

tiny = runpy.run_path(str(Path(__file__).resolve().parents[3] / "support" / "tiny_clip.py"))
picture, as_bytes = tiny["picture"], tiny["as_bytes"]


def values(data: bytes) -> np.ndarray:
    """What `decode` makes of a file, (height, width, 3) int."""
    decoded = decode(data)
    assert decoded.flaw is None
    assert decoded.image.mode == "RGB"
    return np.asarray(decoded.image).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_formats_are_read_by_what_they_hold(kind: str) -> None:
    """Each format that is read gives the picture that was written, up to what the format itself loses."""
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    original = np.asarray(picture(3)).astype(int)
    # GIF has 256 colours, and JPEG stores colour coarsely.
    most = 40 if kind in ("GIF", "JPEG") else 0
    assert np.abs(values(as_bytes(picture(3), kind, **options)) - original).mean() <= most


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """A picture is turned the way its camera was held: the red corner ends where the viewer sees it."""
    stored = np.zeros((16, 24, 3), dtype=np.uint8)
    stored[:8, :8, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = values(as_bytes(Image.fromarray(stored), "PNG", exif=exif.tobytes()))
    turned = {
        1: stored, 2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1], 5: stored.transpose(1, 0, 2),
        6: np.rot90(stored, -1), 7: np.rot90(stored, 2).transpose(1, 0, 2), 8: np.rot90(stored, 1),
    }  # fmt: skip
    np.testing.assert_array_equal(seen, turned[orientation])


def test_a_broken_exif_block_loses_nothing() -> None:
    """A picture whose EXIF cannot be read is taken as it lies."""
    data = as_bytes(picture(1), "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff")
    assert values(data).shape == (64, 48, 3)


def test_transparent_becomes_white() -> None:
    """Alpha, alpha of grey, and a transparent colour of a palette lie on white."""
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert (values(as_bytes(clear, "PNG")) == 255).all()
    assert (values(as_bytes(Image.new("LA", (8, 8), (0, 0)), "PNG")) == 255).all()
    indexed = Image.new("P", (8, 8), 1)
    indexed.putpalette([0, 0, 0, 200, 0, 0])
    assert (values(as_bytes(indexed, "PNG", transparency=1)) == 255).all()
    half = values(as_bytes(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"))
    assert np.abs(half - 127).max() <= 1


def test_other_colours_become_rgb() -> None:
    """Palettes, CMYK, one bit, grey and 16-bit grey keep their look."""
    assert (values(as_bytes(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"))[0, 0] == [255, 0, 0]).all()
    jpeg = values(as_bytes(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=100))
    assert np.abs(jpeg[8, 8] - [255, 0, 0]).max() < 8
    assert (
        values(as_bytes(picture(1).convert("P"), "PNG")) == np.asarray(picture(1).convert("P").convert("RGB"))
    ).all()
    assert set(np.unique(values(as_bytes(picture(1).convert("1"), "PNG")))) == {0, 255}
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(8, axis=0)
    seen = values(as_bytes(Image.fromarray(ramp), "PNG"))[0, :, 0]
    np.testing.assert_allclose(seen, np.linspace(0, 255, 64), atol=1)


def test_the_first_frame_counts() -> None:
    """Of an animation, the first frame is the picture."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    seen = values(as_bytes(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert (seen[0, 0] == [255, 0, 0]).all()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_claim_of_many_pixels_is_refused_before_they_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of some bytes that says it is 60,000 x 60,000 is not decoded."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"")) + _chunk(b"IEND", b"")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    assert decode(bomb).flaw == "pixels"


def test_a_text_that_unpacks_to_much_is_refused() -> None:
    """A PNG whose text chunk unpacks to hundreds of megabytes is no picture that is read."""
    good = as_bytes(picture(1), "PNG")
    text = _chunk(b"zTXt", b"note\x00\x00" + zlib.compress(b"\x00" * 200_000_000, 9))
    assert decode(good[:33] + text + good[33:]).flaw in ("unknown", "damaged")


@given(st.binary(max_size=300))
def test_noise_never_raises(data: bytes) -> None:
    """Whatever the bytes, the answer is a picture or the name of a flaw."""
    decoded = decode(data)
    assert (decoded.image is None) == (decoded.flaw in FLAWS)


@given(st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]), st.randoms(use_true_random=False))
def test_damaged_pictures_never_raise(kind: str, random: Any) -> None:
    """A picture with bytes changed, or its end cut off, is a picture or the name of a flaw."""
    data = bytearray(as_bytes(picture(2, (40, 40)), kind))
    for _ in range(random.randint(1, 12)):
        data[random.randrange(len(data))] = random.randrange(256)
    decoded = decode(bytes(data[: random.randint(1, len(data))]))
    assert (decoded.image is None) == (decoded.flaw in FLAWS)


def test_a_file_over_the_limit_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with more bytes than the limit is refused by its size."""
    monkeypatch.setattr(pictures, "MAX_FILE", 100)
    assert decode(as_bytes(picture(1))).flaw == "large"


@pytest.mark.parametrize(
    ("name", "kind", "lies"),
    [("a.jpg", "JPEG", False), ("a.jpeg", "JPEG", False), ("a.JPG", "JPEG", False), ("a.jpg", "PNG", True),
     ("a", "PNG", True), ("a.png", "PNG", False)],
)  # fmt: skip
def test_suffixes_are_compared_with_contents(name: str, kind: str, lies: bool) -> None:
    """A suffix that says another format is noticed; two suffixes of one format are one."""
    assert suffix_lies(name, as_bytes(picture(1), kind)) is lies


def test_what_is_no_picture_does_not_lie() -> None:
    """A file that is no picture is another matter."""
    assert not suffix_lies("a.jpg", b"text")


def test_a_request_s_picture_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """The sentence says what is wrong, and what can be sent."""
    with pytest.raises(QueryError, match=r"files that are no pictures; send one of JPEG"):
        read_request(b"text")
    with pytest.raises(QueryError, match=r"nowhere\.jpg' cannot be read"):
        read_request(tmp_path / "nowhere.jpg")


@pytest.mark.parametrize("settings", [{"size": {"longest_edge": 9}}, {"size": None}])
def test_unknown_ways_of_resizing_are_refused(settings: dict[str, Any]) -> None:
    """A recipe that is not understood is an error, not a guess."""
    with pytest.raises(ConfigError, match="resizes to"):
        Recipe.of_transformers({"image_mean": [0, 0, 0], "image_std": [1, 1, 1], **settings})


def test_older_ways_to_write_a_recipe_are_read() -> None:
    """Plain numbers as size and crop are those of the shorter side and of a square."""
    recipe = Recipe.of_transformers({"size": 40, "crop_size": 32, "do_center_crop": True, "do_normalize": False})
    assert (recipe.resize, recipe.crop) == (40, (32, 32))
    seen = recipe.apply(picture(1))
    assert seen.shape == (3, 32, 32)
    assert seen.dtype == np.float32
    assert 0 <= seen.min() < seen.max() <= 1


def test_a_picture_survives_its_own_file() -> None:
    """The bytes may be released once a picture is decoded."""
    data = io.BytesIO(as_bytes(picture(1), "PNG")).getvalue()
    image = decode(data).image
    del data
    assert np.asarray(image).shape == (64, 48, 3)
