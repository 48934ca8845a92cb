"""An encoder of one's own that reads files of items and files of requests: pictures by their colours.

    python examples/own_picture_encoder.py

It needs Pillow. An installed package would register it in its pyproject.toml:

    [project.entry-points."antiphon.encoders"]
    palette = "own_picture_encoder:Palette"
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import antiphon
from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import CatalogConfig, Section
from antiphon.data.features import Features
from antiphon.encoders.base import Encoder, QueryKind, QuerySide, Source
from antiphon.encoders.files import MediaFiles, check_media
from antiphon.encoders.pictures.files import MAX_FILE, decode, read_request
from antiphon.numbers.vectors import unit


def palette(picture: Any, levels: int) -> np.ndarray:
    """How much of each colour a picture has, (levels ** 3,) float32."""
    pixels = np.asarray(picture.resize((32, 32)), dtype=np.int64) * levels // 256
    codes = (pixels[..., 0] * levels + pixels[..., 1]) * levels + pixels[..., 2]
    return np.bincount(codes.ravel(), minlength=levels**3).astype(np.float32)


class PaletteOptions(Section):
    """Options of the encoder `palette`."""

    media: str = "image"
    levels: int = 4


class Palette(Encoder[PaletteOptions]):
    """Pictures by their colours."""

    name: ClassVar[str] = "palette"
    Options: ClassVar[type[Section]] = PaletteOptions
    accepts: ClassVar[QueryKind | None] = "image"

    def check(self, catalog: CatalogConfig) -> None:
        """Refuse what can be seen to be wrong before anything is read."""
        check_media(catalog, self.options.media, self.modality)

    def fingerprint(self, source: Source) -> str:
        """Everything that the vectors depend on: the options, and what the files look like from outside."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        return storage.digest("palette", self.options.levels, files.stamp())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of the items' pictures; `decode` turns hostile files into no picture, never into an error."""
        files = MediaFiles.of(source.catalog, self.options.media, MAX_FILE)
        matrix = np.zeros((source.catalog.n_items, self.options.levels**3), dtype=np.float32)
        for row, name in enumerate(files.names):
            picture = None if name is None else decode(files.read(row)).image
            if picture is not None:
                matrix[row] = palette(picture, self.options.levels)
        return Features(self.modality, ("item",), unit(matrix)[None], matrix.any(axis=1)[None])

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write what the query side needs."""
        storage.write_json(folder / "palette.json", {"levels": self.options.levels})

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote."""
        return PaletteSide(storage.read_json(folder / "palette.json")["levels"])


class PaletteSide:
    """Pictures of requests by their colours."""

    def __init__(self, levels: int) -> None:
        self.levels = levels

    def encode(self, inputs: Sequence[bytes | Path]) -> np.ndarray:
        """Vectors, (n, dim) float32; `read_request` refuses what is no picture in a sentence."""
        return unit(np.stack([palette(read_request(value), self.levels) for value in inputs]))


def register(folder: Path) -> None:
    """Do for this script what installing a package does: an entry point that Python can find."""
    entry = folder / "own_picture_encoder-1.0.dist-info"
    entry.mkdir(parents=True)
    (entry / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: own-picture-encoder\nVersion: 1.0\n", encoding="utf-8"
    )
    points = "[antiphon.encoders]\npalette = own_picture_encoder:Palette\n"
    (entry / "entry_points.txt").write_text(points, encoding="utf-8")
    sys.path[:0] = [str(folder), str(Path(__file__).parent)]


def paint(folder: Path, item_ids: Sequence[str]) -> None:
    """A picture of one colour for each item."""
    from PIL import Image

    folder.mkdir()
    for number, item_id in enumerate(item_ids):
        colour = (number * 37 % 256, number * 91 % 256, number * 17 % 256)
        Image.new("RGB", (60, 90), colour).save(folder / f"{item_id}.png")


def main() -> None:
    """Build the generated catalog with painted posters, and search it with a picture, alone and with words."""
    from antiphon.base.progress import silent
    from antiphon.data.reading import read_catalog
    from antiphon.datasets.generated import GENERATED

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register(folder / "site")
        project = GENERATED.make_project(folder / "films", None, silent)
        paint(folder / "posters", read_catalog(antiphon.load_config(project).catalog).item_ids)
        settings = [
            f'catalog.media={{image={{path="{(folder / "posters").as_posix()}", pattern="{{item_id}}.png"}}}}',
            'modalities=[{name="text", encoder="sentence-transformers"}, {name="colour", encoder="palette"}]',
            "quick=true",
        ]
        antiphon.build(antiphon.load_config(project, settings), folder / "run")
        space = antiphon.load(folder / "run")
        poster = folder / "posters" / "film-010.png"
        for hit in [*space.search(image=poster, k=3), *space.search("a quiet drama", image=poster, k=3)]:
            print(hit.title, round(hit.score, 3))


if __name__ == "__main__":
    main()
