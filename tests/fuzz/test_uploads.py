"""Files: bombs, stumps, lies. Each is a picture, a sound, or a flaw with a name; what decodes them stays small."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.base.isolated import Isolated
from antiphon.encoders.pictures import files as pictures
from antiphon.encoders.sounds import files as sounds
from antiphon.serve.shrink import shrink_call

settings.load_profile("fuzz")

KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" onload="x()"><image href="file:///etc/passwd"/></svg>"""


@pytest.fixture(scope="module")
def decoder():
    """A process for pictures, with less memory than the bombs want."""
    made = Isolated(pictures.DECODER, seconds=20.0, memory=1_000_000_000)
    yield made
    made.close()


def picture(kind: str, size: tuple[int, int] = (37, 23)) -> bytes:
    """A picture of a kind."""
    from PIL import Image

    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, kind)
    return out.getvalue()


def png(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    """A PNG that says it has a size, with compressed data that may be anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), *(chunk(b"zTXt", body) for body in more), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def wav(rate: int, channels: int, samples: bytes, said: int | None = None) -> bytes:
    """A WAV file whose header may lie about its length."""
    size = len(samples) if said is None else said
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 % 2**32, channels * 2 % 2**16, 16)
    return (
        b"RIFF"
        + struct.pack("<I", (size + 36) % 2**32)
        + b"WAVEfmt \x10\0\0\0"
        + form
        + b"data"
        + struct.pack("<I", size)
        + samples
    )


ZEROS = zlib.compress(bytes(50_000_000), 9)
BOMBS = {
    "more pixels than a header may have": png(2**31 - 1, 2**31 - 1, ZEROS),
    "as many pixels as are taken": png(6_000, 6_000, ZEROS),
    "pixels that are not there": png(6_000, 6_000, b""),
    "a line": png(40_000_000, 1, ZEROS),
    "no pixels": png(0, 0, b""),
    "text that unpacks to much": png(4, 4, zlib.compress(bytes(52)), *[b"a\0\0" + ZEROS] * 8),
    "markup": SVG,
    "zeros": bytes(1_000_000),
    "a signature": b"\x89PNG\r\n\x1a\n",
    "a JPEG of a size that is not there": picture("JPEG").replace(b"\x00\x17\x00\x25", b"\xff\xff\xff\xff"),
    "an archive": b"PK\x03\x04" + bytes(200),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_picture_or_a_flaw(decoder, name):
    """Nothing hangs, nothing grows, and what is no picture has a flaw that has a sentence."""
    found = pictures.decode_apart(decoder, BOMBS[name])
    assert (found.image is None) == (found.flaw is not None)
    assert found.flaw is None or found.flaw in pictures.FLAWS
    said, data = shrink_call({"width": 80}, BOMBS[name])
    assert ("flaw" in said) == (not data)


@st.composite
def damaged(draw):
    """A picture that was cut, changed, or had a piece put in or taken out."""
    data = bytearray(picture(draw(st.sampled_from(KINDS))))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data = data[: max(1, place)]
            case 1:
                data[place : place + 4] = draw(st.binary(min_size=4, max_size=4))
            case 2:
                data[place:place] = draw(st.binary(max_size=40))
            case _:
                del data[place : place + draw(st.integers(1, 40))]
    return bytes(data)


@given(damaged() | st.binary(max_size=200))
def test_a_damaged_picture_is_a_picture_or_a_flaw(decoder, data):
    """Apart and here alike."""
    found = pictures.decode_apart(decoder, data)
    here = pictures.decode(data)
    assert found.flaw == here.flaw
    if found.image is not None:
        assert found.image.tobytes() == here.image.tobytes()


LIES = {
    "a length that is not there": wav(16_000, 1, bytes(64_000), 2**32 - 1),
    "a rate of nothing": wav(0, 1, bytes(64_000)),
    "a rate of a radio": wav(2**31, 1, bytes(64_000)),
    "many channels": wav(16_000, 65_535, bytes(64_000)),
    "no channel": wav(16_000, 0, bytes(64_000)),
    "an odd byte": wav(16_000, 2, bytes(63_999)),
    "nothing": wav(16_000, 1, b""),
    "zeros": bytes(100_000),
    "a stump": b"RIFF",
    "an endless MP3 frame": b"\xff\xfb\x90\x00" * 5_000,
    "a FLAC of nothing": b"fLaC\x00\x00\x00\x22" + bytes(34),
    "an OGG of nothing": b"OggS\x00\x02" + bytes(200),
}
HEARING = sounds.Hearing(16_000, 16_000, 3)


@pytest.fixture(scope="module")
def ear():
    """A process for sounds."""
    made = Isolated(sounds.DECODER, seconds=20.0)
    yield made
    made.close()


@pytest.mark.parametrize("name", LIES)
def test_a_header_that_lies_is_a_sound_or_a_flaw(ear, name):
    """Rates, channels and lengths that are not there, and files that are nothing."""
    found = sounds.listen_apart(ear, LIES[name], HEARING)
    assert (found.windows is None) == (found.flaw is not None)
    assert found.flaw is None or found.flaw in sounds.FLAWS


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.binary(max_size=5_000), st.integers(0, 2**32 - 1))
def test_any_header_is_a_sound_or_a_flaw(ear, rate, channels, samples, said):
    """Apart and here alike."""
    data = wav(rate % 2**31, channels, samples, said)
    found, here = sounds.listen_apart(ear, data, HEARING), sounds.listen(data, HEARING)
    assert (found.flaw, found.lengths, found.remarks) == (here.flaw, here.lengths, here.remarks)
    if found.windows is not None:
        np.testing.assert_array_equal(found.windows, here.windows)
