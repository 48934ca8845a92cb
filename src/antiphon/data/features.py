"""Features: what an encoder made of the catalog, on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.errors import IntegrityError


@dataclass(frozen=True)
class Features:
    """Vectors of one modality for the catalog's items, in the catalog's order.

    `matrix`: (n_views, n_items, dim) float32, zeros where an item has none. `mask`: (n_views, n_items) bool. Most
    modalities have one view; text described by TEMPLATE and GEN has two, which share one projection.
    """

    modality: str
    views: tuple[str, ...]
    matrix: NDArray[np.float32]
    mask: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.matrix.ndim != 3 or self.mask.shape != self.matrix.shape[:2] or len(self.views) != len(self.matrix):
            raise IntegrityError(
                f"features of {self.modality!r}: expected (n_views, n_items, dim) vectors and (n_views, n_items) mask, "
                f"got {self.matrix.shape}, {self.mask.shape} and the views {self.views}."
            )

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.matrix.shape[2])

    @property
    def n_items(self) -> int:
        """Number of items, with or without a vector."""
        return int(self.matrix.shape[1])

    @property
    def present(self) -> NDArray[np.bool_]:
        """Items with at least one view, (n_items,) bool."""
        return np.asarray(self.mask.any(axis=0))

    def placed(self, rows: NDArray[np.int64], n_items: int) -> Features:
        """The features of a larger catalog that has these items at `rows`; the others are masked. Arrays are new."""
        matrix = np.zeros((len(self.views), n_items, self.dim), dtype=np.float32)
        mask = np.zeros((len(self.views), n_items), dtype=bool)
        matrix[:, rows], mask[:, rows] = self.matrix, self.mask
        return Features(self.modality, self.views, matrix, mask)

    def save(self, folder: Path) -> list[Path]:
        """Write <modality>.npy, <modality>.mask.npy and <modality>.json; returns the paths."""
        paths = feature_paths(folder, self.modality)
        storage.write_array(paths[0], self.matrix)
        storage.write_array(paths[1], self.mask)
        meta: dict[str, Any] = {"modality": self.modality, "views": list(self.views), "dim": self.dim}
        storage.write_json(paths[2], {**meta, "coverage": float(self.present.mean())})
        return paths

    @classmethod
    def load(cls, folder: Path, modality: str) -> Features:
        """Read what `save` wrote; the vectors are memory-mapped.

        Raises:
            IntegrityError: a file is missing or does not fit the others.
        """
        matrix, mask, meta = feature_paths(folder, modality)
        views = tuple(storage.read_json(meta).get("views", ()))
        return cls(modality, views, storage.read_array(matrix, mmap=True), storage.read_array(mask))


def feature_paths(folder: Path, modality: str) -> list[Path]:
    """Where the features of a modality are kept."""
    return [folder / f"{modality}.npy", folder / f"{modality}.mask.npy", folder / f"{modality}.json"]
