"""An encoder of one's own: films of one time lie together, by their year.

    python examples/own_encoder.py

An installed package would register it in its pyproject.toml:

    [project.entry-points."antiphon.encoders"]
    era = "own_encoder:Era"
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np

import antiphon
from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import Section
from antiphon.data.features import Features
from antiphon.encoders.base import Encoder, Source
from antiphon.numbers.vectors import unit


class EraOptions(Section):
    """Options of the encoder `era`."""

    field: str = "year"
    width: float = 10.0


class Era(Encoder[EraOptions]):
    """A year as its nearness to each decade, (n_items, 20)."""

    name: ClassVar[str] = "era"
    Options: ClassVar[type[Section]] = EraOptions

    def fingerprint(self, source: Source) -> str:
        """Everything that the vectors depend on: change it, and they are made again."""
        return storage.digest("era", self.options.model_dump(mode="json"), self._years(source).tolist())

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of the items, in the catalog's order, and a mask of those that have one."""
        years = self._years(source)
        known = np.isfinite(years)
        distance = (np.where(known, years, 0)[:, None] - np.arange(1850, 2050, 10)) / self.options.width
        vectors = np.where(known[:, None], unit(np.exp(-(distance**2))), 0).astype(np.float32)
        return Features(self.modality, ("item",), vectors[None], known[None])

    def _years(self, source: Source) -> np.ndarray:
        column = source.catalog.fields[self.options.field]
        return np.array([np.nan if year is None else year for year in column.to_pylist()])


def register(folder: Path) -> None:
    """Do for this script what installing a package does: an entry point that Python can find."""
    entry = folder / "own_encoder-1.0.dist-info"
    entry.mkdir(parents=True)
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: own-encoder\nVersion: 1.0\n", encoding="utf-8")
    (entry / "entry_points.txt").write_text("[antiphon.encoders]\nera = own_encoder:Era\n", encoding="utf-8")
    sys.path[:0] = [str(folder), str(Path(__file__).parent)]


def main() -> None:
    """Build the generated catalog from words and years, and ask it."""
    from antiphon.base.progress import silent
    from antiphon.datasets.generated import GENERATED

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register(folder / "site")
        project = GENERATED.make_project(folder / "films", None, silent)
        modalities = (
            'modalities=[{name="text", encoder="sentence-transformers"}, {name="era", encoder="era", width=5.0}]'
        )
        antiphon.build(antiphon.load_config(project, [modalities, "quick=true"]), folder / "run")
        space = antiphon.load(folder / "run")
        for hit in space.similar("film-010", k=5, explain=True):
            print(hit.title, hit.why)


if __name__ == "__main__":
    main()
