"""Pictures: from the bytes of a file, which anybody may have made, to the numbers that a model sees.

A file is judged by what it holds, never by its suffix. The first frame counts; EXIF orientation is applied; palettes,
CMYK, grey and 16-bit become RGB; what is transparent becomes white.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.isolated import EndedError, Isolated
from antiphon.encoders.sent import request_bytes
from antiphon.errors import ConfigError, QueryError

MAX_FILE = 20_000_000
"""Bytes of a file."""
DECODER = "antiphon.encoders.pictures.files:decode_call"
"""What runs apart."""
MAX_PIXELS = 40_000_000
"""Pixels that are decoded: a small file may claim any number of them."""
MAX_RATIO = 50
"""Longer sides by shorter ones: a line of pixels, scaled until its short side fits, is a bomb as well."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
"""What is decoded. Pillow knows more, some of which run other programs (EPS) or are rarely looked after."""
FLAWS: Mapping[str, str] = {
    "empty": "files without any bytes",
    "large": f"files of more than {MAX_FILE:,} bytes",
    "unknown": "files that are no pictures",
    "pixels": f"pictures of more than {MAX_PIXELS:,} pixels",
    "thin": f"pictures more than {MAX_RATIO} times as long as wide",
    "damaged": "pictures that are cut off or damaged",
    "heavy": "pictures that take too long, or too much memory, to decode",
}


@dataclass(frozen=True)
class Decoded:
    """An RGB picture of Pillow's, or which of `FLAWS` the file has."""

    image: Any | None
    flaw: str | None = None


def decode(data: bytes) -> Decoded:
    """The picture that a file holds, upright and in RGB; never an exception, whatever the file."""
    if not data or len(data) > MAX_FILE:
        return Decoded(None, "large" if data else "empty")
    pillow = _pillow()
    try:
        with pillow.Image.open(io.BytesIO(data), formats=_formats(pillow)) as opened:
            flaw = _flaw_of_size(*opened.size)
            return Decoded(None, flaw) if flaw else _loaded(pillow, opened)
    except pillow.Image.DecompressionBombError:
        return Decoded(None, "pixels")
    except Exception:  # noqa: BLE001  a decoder fed with a hostile header raises whatever it likes
        return Decoded(None, "unknown")


def _flaw_of_size(width: int, height: int) -> str | None:
    if width * height > MAX_PIXELS:
        return "pixels"
    return "thin" if max(width, height) > MAX_RATIO * min(width, height) else None


def _loaded(pillow: Any, opened: Any) -> Decoded:
    try:
        opened.load()
        try:
            upright = pillow.ImageOps.exif_transpose(opened)
        except Exception:  # noqa: BLE001  a broken EXIF block is no reason to lose the picture
            upright = opened
        return Decoded(_rgb(pillow, upright))
    except Exception:  # noqa: BLE001  as above
        return Decoded(None, "damaged")


def decode_call(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """`decode` as `antiphon.base.isolated` calls it: the picture's size and its pixels, or its flaw.

    With `look` in the header it is `format_of`.
    """
    _formats(_pillow())
    if "look" in header:
        return {"format": format_of(data)}, b""
    decoded = decode(data)
    if decoded.image is None:
        return {"flaw": decoded.flaw}, b""
    return {"size": list(decoded.image.size)}, decoded.image.tobytes()


def decode_apart(process: Isolated, data: bytes) -> Decoded:
    """`decode`, in a process that is ended where a decoder hangs, grows or crashes.

    Raises:
        MissingExtraError: Pillow is not installed.
        RunError: no process could be started.
    """
    pillow = _pillow()
    if not data or len(data) > MAX_FILE:
        return decode(data)
    try:
        said, pixels = process.call({}, data)
    except EndedError:
        return Decoded(None, "heavy")
    if "size" not in said:
        return Decoded(None, said["flaw"])
    return Decoded(pillow.Image.frombytes("RGB", tuple(said["size"]), pixels))


def read_request(value: bytes | Path, process: Isolated | None = None) -> Any:
    """The picture of a request, decoded in a process of its own where one is given.

    Raises:
        QueryError: the file is none, or has a flaw.
    """
    data = request_bytes(value, "picture", MAX_FILE)
    decoded = decode(data) if process is None else decode_apart(process, data)
    if decoded.image is None:
        wanted = f"send one of {', '.join(FORMATS)}, whole, of at most {MAX_PIXELS:,} pixels and {MAX_FILE:,} bytes."
        raise QueryError(f"the picture of the request cannot be used, as are {FLAWS[str(decoded.flaw)]}; {wanted}")
    return decoded.image


def blank() -> Any:
    """A black picture."""
    return _pillow().Image.new("RGB", (64, 64))


def format_of(data: bytes) -> str | None:
    """What a file claims to be by its first bytes, such as "PNG"; None where it is no known picture."""
    pillow = _pillow()
    try:
        with pillow.Image.open(io.BytesIO(data), formats=_formats(pillow)) as opened:
            return str(opened.format)
    except Exception:  # noqa: BLE001  as in `decode`
        return None


def suffix_lies(name: str, data: bytes, process: Isolated | None = None) -> bool:
    """Whether a file is a picture, but not of the format that its suffix says; looked at apart where one is given."""
    pillow = _pillow()
    said = pillow.Image.registered_extensions().get(Path(name).suffix.lower())
    if process is None:
        found = format_of(data)
    else:
        try:
            found = process.call({"look": True}, data)[0]["format"]
        except EndedError:
            found = None
    # The pictures of some cameras are JPEG files with another one behind it.
    return found is not None and {"MPO": "JPEG"}.get(found, found) != {"MPO": "JPEG"}.get(said, said)


def _rgb(pillow: Any, image: Any) -> Any:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, dtype=np.float64)
        # 16 bits by name or by what is in them; anything else is spread over its own range.
        high = (
            65535.0 if image.mode.startswith("I") and 255 < values.max() <= 65535 else max(float(values.max()), 255.0)
        )
        image = pillow.Image.fromarray((np.clip(values, 0, high) * (255 / high)).round().astype(np.uint8))
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        ground = pillow.Image.new("RGBA", clear.size, (255, 255, 255, 255))
        image = pillow.Image.alpha_composite(ground, clear)
    return image if image.mode == "RGB" else image.convert("RGB")


def _formats(pillow: Any) -> list[str]:
    pillow.Image.init()
    return [name for name in FORMATS if name in pillow.Image.OPEN]


def _pillow() -> Any:
    for name in ("PIL.Image", "PIL.ImageOps"):
        runtime.library(name, "image", "reading pictures")
    return runtime.library("PIL", "image", "reading pictures")


@dataclass(frozen=True)
class Recipe:
    """How a picture becomes what a model was trained on.

    `resize`: the length of the shorter side, or (height, width) whatever the shape. `crop`: (height, width) of the
    middle that is kept. `resample`: Pillow's number of a filter. `scale`, `mean`, `std`: (value * scale - mean) / std.
    `even`: where an odd number of pixels is cut off, halves are rounded to even, as torchvision does, else down.
    """

    resize: int | tuple[int, int] | None
    crop: tuple[int, int] | None
    resample: int
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    even: bool = False

    @classmethod
    def of_transformers(cls, settings: Mapping[str, Any]) -> Recipe:
        """The recipe that a preprocessor_config.json describes.

        Raises:
            ConfigError: it resizes in a way that is not known.
        """
        size, crop = settings.get("size"), settings.get("crop_size")
        resize: int | tuple[int, int] | None = None
        if settings.get("do_resize", True):
            if isinstance(size, int):
                resize = size
            elif isinstance(size, Mapping) and size.get("shortest_edge"):
                resize = int(size["shortest_edge"])
            elif isinstance(size, Mapping) and size.get("height") and size.get("width"):
                resize = (int(size["height"]), int(size["width"]))
            else:
                raise ConfigError(f"preprocessor_config.json resizes to {size!r}, which is not known here.")
        cut = None
        if settings.get("do_center_crop", False) and crop:
            cut = (crop, crop) if isinstance(crop, int) else (int(crop["height"]), int(crop["width"]))
        normal = settings.get("do_normalize", True)
        return cls(
            resize, cut, int(settings.get("resample", 3)),
            float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0,
            tuple(settings["image_mean"]) if normal else (0.0, 0.0, 0.0),
            tuple(settings["image_std"]) if normal else (1.0, 1.0, 1.0),
        )  # fmt: skip

    @classmethod
    def of_timm(cls, settings: Mapping[str, Any]) -> Recipe:
        """The recipe of a timm model's data configuration.

        Raises:
            ConfigError: it crops in a way that is not known.
        """
        _, height, width = settings["input_size"]
        share, mode = settings.get("crop_pct") or 1.0, settings.get("crop_mode") or "center"
        filters = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
        large = (int(height / share), int(width / share))
        if mode not in ("center", "squash") or (mode == "center" and height != width):
            raise ConfigError(f"the timm model crops by {mode!r} to {height} x {width}, which is not known here.")
        resize: int | tuple[int, int] = large[0] if mode == "center" else large
        resample = filters[settings.get("interpolation", "bicubic")]
        return cls(
            resize, (height, width), resample, 1 / 255, tuple(settings["mean"]), tuple(settings["std"]), even=True
        )  # fmt: skip

    def apply(self, image: Any) -> NDArray[np.float32]:
        """What the model sees of an RGB picture, (3, height, width) float32."""
        if isinstance(self.resize, tuple):
            image = image.resize(self.resize[::-1], self.resample)
        elif self.resize is not None:
            image = image.resize(_by_short_side(image.size, self.resize), self.resample)
        if self.crop is not None:
            (height, width), (wide, high) = self.crop, image.size
            left, top = (round(rest / 2) if self.even else rest // 2 for rest in (wide - width, high - height))
            image = image.crop((left, top, left + width, top + height))
        values: NDArray[np.float32] = np.asarray(image, dtype=np.float32) * np.float32(self.scale)
        values -= np.asarray(self.mean, dtype=np.float32)
        values /= np.asarray(self.std, dtype=np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1))


def _by_short_side(size: tuple[int, int], wanted: int) -> tuple[int, int]:
    width, height = size
    if width <= height:
        return wanted, int(wanted * height / width)
    return int(wanted * width / height), wanted
