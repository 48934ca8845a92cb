"""A run over generated films with pictures that a tiny CLIP reads, and sounds that a plugin of the tests reads."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow.parquet as pq
import tomli_w

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import Section
from antiphon.data.features import Features
from antiphon.encoders.base import Encoder, QueryKind, QuerySide, Source
from antiphon.encoders.files import MediaFiles
from antiphon.errors import QueryError
from antiphon.numbers.vectors import unit

HERE = Path(__file__).resolve().parent
films = runpy.run_path(str(HERE.parent / "conftest.py"))
tiny = runpy.run_path(str(HERE / "tiny_clip.py"))
N_ITEMS = 42
MAGIC = b"SOUND"


def hear(data: bytes) -> np.ndarray:
    """A file as shares of its byte values, (16,) float32; stands for an encoder of sound."""
    if not data.startswith(MAGIC):
        raise QueryError("the sound of the request cannot be used: it is no SOUND file.")
    counts = np.bincount(np.frombuffer(data[len(MAGIC) :], np.uint8) // 16, minlength=16)
    return unit(counts.astype(np.float32))


class EarOptions(Section):
    """Options of the encoder `ear`: none."""


class Ear(Encoder[EarOptions]):
    """Hears the files of [catalog.media.sound]."""

    name: ClassVar[str] = "ear"
    Options: ClassVar[type[Section]] = EarOptions
    accepts: ClassVar[QueryKind | None] = "audio"

    def fingerprint(self, source: Source) -> str:
        """What the files look like from outside."""
        return storage.digest("ear", MediaFiles.of(source.catalog, "sound", 10**6).stamp())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """A vector for each file."""
        files = MediaFiles.of(source.catalog, "sound", 10**6)
        matrix = np.stack([hear(files.read(row)) for row in range(source.catalog.n_items)])
        return Features(self.modality, ("item",), matrix[None], np.ones((1, len(matrix)), dtype=bool))

    def publish(self, workspace: Path, folder: Path) -> None:
        """There is nothing to keep."""
        storage.write_json(folder / "ear.json", {})

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Hears the bytes of requests."""
        return EarSide()


class EarSide:
    """The query side of `ear`."""

    def encode(self, inputs: Sequence[bytes | Path]) -> np.ndarray:
        """(n, 16) float32."""
        return np.stack([hear(value.read_bytes() if isinstance(value, Path) else value) for value in inputs])


def register(folder: Path) -> Path:
    """Make the entry point `ear` visible in this process; returns the folder that is to be on the path."""
    entry = folder / "ear_plugin-1.0.dist-info"
    entry.mkdir(parents=True, exist_ok=True)
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: ear-plugin\nVersion: 1.0\n", encoding="utf-8")
    (entry / "entry_points.txt").write_text("[antiphon.encoders]\near = media_films:Ear\n", encoding="utf-8")
    for path in (folder, HERE):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))
    return folder


def sound(number: int) -> bytes:
    """A file that no other number gives."""
    return MAGIC + np.random.default_rng(number).integers(0, 256, 40, dtype=np.uint8).tobytes()


def write_films(folder: Path, text_model: Path, clip: Path) -> Path:
    """The antiphon.toml of films with pictures for all but every seventh, one of which is broken, and sounds."""
    folder.mkdir(parents=True, exist_ok=True)
    items, tastes = films["film_table"](np.random.default_rng(3), N_ITEMS)
    pq.write_table(items, folder / "items.parquet")
    pq.write_table(
        films["interaction_table"](np.random.default_rng(4), items, tastes, 30), folder / "interactions.parquet"
    )
    ids = items["item_id"].to_pylist()
    pictures = {f"{one}.jpg": tiny["as_bytes"](tiny["picture"](n)) for n, one in enumerate(ids) if n % 7 != 6}
    pictures[f"{ids[4]}.jpg"] = pictures[f"{ids[4]}.jpg"][:700]
    tiny["write_zip"](folder / "pictures.zip", pictures)
    (folder / "sounds").mkdir()
    for number, one in enumerate(ids):
        (folder / "sounds" / f"{one}.snd").write_bytes(sound(number))
    settings: dict[str, Any] = films["film_settings"]()
    settings["modalities"] = [
        {"name": "text", "encoder": "sentence-transformers", "model": str(text_model)},
        {"name": "image", "encoder": "clip", "model": str(clip), "text_side": True},
        {"name": "sound", "encoder": "ear"},
    ]
    settings["catalog"]["media"] = {
        "image": {"path": "pictures.zip", "pattern": "{item_id}.jpg"},
        "sound": {"path": "sounds", "pattern": "{item_id}.snd"},
    }
    settings["train"] = {"epochs": 8, "batch_size": 16}
    (folder / "antiphon.toml").write_text(tomli_w.dumps(settings), encoding="utf-8")
    return folder / "antiphon.toml"
