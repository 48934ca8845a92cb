"""Which code each kept file of results is valid for: a hash of the modules that its numbers depend on.

    python benchmarks/kept.py     say of each file whether the code is still that; exit code 1 where it is not

Scripts stamp what they write by `origin`. The hash is the one by which stages are told apart (`antiphon.base.code`):
comments, docstrings and other modules do not change it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from antiphon.base.code import code_of
from antiphon.reproduce.summary import code, commit, machine

RESULTS = Path(__file__).resolve().parent / "results"
DEPENDS: Mapping[str, Sequence[str]] = {
    "audio.json": ("antiphon.encoders.sounds.models",),
    "chaos.json": ("antiphon.run.growing", "antiphon.serve.app"),
    "encoding.json": ("antiphon.encoders.text.encoder",),
    "growth.json": ("antiphon.run.build",),
    "fuzz.json": ("antiphon.serve.app", "antiphon.encoders.pictures.files", "antiphon.encoders.sounds.files"),
    "first.json": ("antiphon.run.build", "antiphon.data.proposal"),
    "movies/metrics.json": ("antiphon.reproduce.summary",),
    "music/metrics.json": ("antiphon.reproduce.summary",),
    "page.json": ("antiphon.serve.app",),
    "playlists.json": ("antiphon.playlist.make", "antiphon.run.build"),
    "scale.json": ("antiphon.space.loading", "antiphon.run.publish"),
    "service.json": ("antiphon.serve.app",),
    "soak.json": ("antiphon.serve.app",),
    "speed.md": ("antiphon.run.build", "antiphon.space.loading"),
    "tuning.json": ("antiphon.evaluate.tune", "antiphon.reproduce.reproduce"),
    "understanding.json": ("antiphon.talk.reader", "antiphon.run.build"),
}
"""Kept files, and the modules that their numbers depend on, with all that these import."""


def code_for(file: str) -> str:
    """The hash of the code that a file's numbers depend on, as it is now."""
    if file.endswith("metrics.json"):
        return code()
    return code_of(*(import_module(name) for name in DEPENDS[file]))


def origin(file: str) -> dict[str, Any]:
    """What a kept file says of itself: commit, machine and the hash of its code."""
    return {"commit": commit(), "machine": machine(), "code": code_for(file)}


def named(file: str) -> list[str]:
    """The hashes that a kept file names; several where its parts were measured apart."""
    text = (RESULTS / file).read_text(encoding="utf-8")
    if file.endswith(".md"):
        return re.findall(r"code `([0-9a-f]{64})`", text)
    document = json.loads(text)
    parts = [document, document.get("where"), *document.values()]
    found = [part["code"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("code"), str)]
    return list(dict.fromkeys(found))


def main() -> int:
    """Say it of each file."""
    stale = False
    for file in DEPENDS:
        if not (RESULTS / file).is_file():
            continue
        valid = named(file) == [code_for(file)]
        said = "of this code" if valid else "of other code"
        print(f"{file}: {said}")
        stale = stale or not valid
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
