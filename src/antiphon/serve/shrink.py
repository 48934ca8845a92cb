"""A picture made small, in a process of its own: a module that loads little, because each such process loads it."""

from __future__ import annotations

import io
from typing import Any

SHRINK = "antiphon.serve.shrink:shrink_call"
"""What runs apart."""
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_PIXELS = 40_000_000
PIXELS = f"has more than {MAX_PIXELS:,} pixels"


def shrink_call(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """A picture as a JPEG that is no wider than `width`, or its flaw; see `antiphon.base.isolated`."""
    from PIL import Image

    Image.init()
    if "width" not in header:  # asked to be ready
        return {}, b""
    width = int(header["width"])
    try:
        with Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN]) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return {"flaw": PIXELS}, b""
            opened.draft("RGB", (width, width * 4))
            picture: Any = opened.convert("RGB")
            if picture.width > width:
                height = max(1, round(picture.height * width / picture.width))
                picture = picture.resize((width, height), Image.Resampling.LANCZOS)
            out = io.BytesIO()
            picture.save(out, "JPEG", quality=85, optimize=True)
            return {}, out.getvalue()
    except Image.DecompressionBombError:
        return {"flaw": PIXELS}, b""
    except Exception:  # noqa: BLE001  a decoder fed with a hostile header raises whatever it likes
        return {"flaw": "is not a picture that can be shown"}, b""
