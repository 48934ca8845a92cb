"""Vectors made elsewhere: parquet with an `embedding` list or numeric columns, or .npy with a file of ids."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import storage
from antiphon.base.progress import Progress
from antiphon.config.sections import CatalogConfig, Section
from antiphon.data.features import Features
from antiphon.data.tables import column_of, ids_of, numbers_of, read_file
from antiphon.encoders.base import Encoder, Growth, Source
from antiphon.errors import ConfigError, DataError
from antiphon.numbers.vectors import unit
from antiphon.query.columns import guess_type, is_list, normalise


class PrecomputedOptions(Section):
    """Options of the encoder `precomputed`."""

    file: Path = Field(description="parquet, CSV or JSONL with vectors, or .npy with `ids`")
    ids: Path | None = Field(None, description="for .npy: a text file, one item_id per line, in the order of the rows")
    item_id: str = "item_id"
    column: str | None = Field(
        None, description="column with lists; `embedding`, or all numeric columns, where not given"
    )
    standardise: bool = Field(False, description="each dimension to mean 0 and variance 1 before the unit length")


class Precomputed(Encoder[PrecomputedOptions]):
    """Reads vectors from files, aligns them with the catalog, and brings them to unit length."""

    name: ClassVar[str] = "precomputed"
    Options: ClassVar[type[Section]] = PrecomputedOptions

    def check(self, catalog: CatalogConfig) -> None:
        """The files must be there."""
        self._files()

    def fingerprint(self, source: Source) -> str:
        """Hash of options, files and item ids."""
        options = self.options.model_dump(mode="json", exclude={"file", "ids"})
        sums = [storage.sha256(path) for path in self._files()]
        return storage.digest("precomputed", options, sums, source.catalog.item_ids)

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of the items that the file has; ids that the catalog lacks are left out.

        Raises:
            DataError: mixed lengths, values that are not finite, repeated ids, or no item of the catalog in the file.
        """
        with progress(f"reading {self.modality}", 1):
            ids, vectors = _read(self.options)
        self._refuse_strangers(ids, self.options.file, source)
        return self._aligned(ids, self._scaled(vectors, vectors), source)

    def encode_fresh(self, growth: Growth, workspace: Path, progress: Progress) -> Features:
        """Vectors of the fresh items from `growth.file` or from the file of the configuration, by the latter's scale.

        Raises:
            DataError: none of the ids of `growth.file` is that of a fresh item, or its vectors have another length.
        """
        with progress(f"reading {self.modality}", 1):
            ids, vectors = _read(self.options)
        scaled = self._scaled(vectors, vectors)
        if growth.file is not None:
            more_ids, more = _read(self.options.model_copy(update={"file": growth.file, "ids": None}))
            self._refuse_strangers(more_ids, growth.file, growth.source)
            if more.shape[1] != vectors.shape[1]:
                raise DataError(
                    f"{growth.file}: expected vectors of length {vectors.shape[1]}, as in {self.options.file}, "
                    f"got {more.shape[1]}."
                )
            # The later of two vectors of one item counts.
            ids, scaled = [*ids, *more_ids], np.concatenate([scaled, self._scaled(more, vectors)])
        return self._aligned(ids, scaled, growth.source)

    def _scaled(self, vectors: NDArray[np.float64], all_of: NDArray[np.float64]) -> NDArray[np.float64]:
        """Vectors less the mean of `all_of`, over its standard deviation, where that is asked for."""
        if not self.options.standardise:
            return vectors
        # Not `std > 0`: that of equal numbers is often a rounding error above 0, and dividing by it makes noise of it.
        varies = all_of.max(axis=0) > all_of.min(axis=0)
        result: NDArray[np.float64] = (vectors - all_of.mean(axis=0)) / np.where(varies, all_of.std(axis=0), 1)
        return result

    def _refuse_strangers(self, ids: list[str], file: Path, source: Source) -> None:
        item_ids = source.catalog.item_ids
        if set(ids).isdisjoint(item_ids):
            raise DataError(
                f"modality {self.modality!r}: none of the {len(ids):,} ids of {file} is in the catalog "
                f"(file: {ids[0]!r}, catalog: {item_ids[0]!r}). Are they ids of the same kind?"
            )

    def _aligned(self, ids: list[str], vectors: NDArray[np.float64], source: Source) -> Features:
        row_of = {item_id: row for row, item_id in enumerate(ids)}
        rows = np.array([row_of.get(item_id, -1) for item_id in source.catalog.item_ids])
        matrix = np.where(rows[:, None] >= 0, unit(vectors)[rows], 0).astype(np.float32)
        mask = (rows >= 0) & (np.abs(matrix).sum(axis=1) > 0)
        return Features(self.modality, ("item",), matrix[None], mask[None])

    def _files(self) -> list[Path]:
        files = [path for path in (self.options.file, self.options.ids) if path is not None]
        missing = [path for path in files if not path.is_file()]
        if missing:
            raise DataError(f"modality {self.modality!r}: {missing[0]} does not exist.")
        return files


def _read(options: PrecomputedOptions) -> tuple[list[str], NDArray[np.float64]]:
    """Ids and vectors of a file, checked."""
    file = options.file
    ids, vectors = _read_npy(options) if file.suffix == ".npy" else _read_table(options)
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        shown = ", ".join(repr(ids[row]) for row in np.flatnonzero(bad)[:3])
        raise DataError(f"{file}: {bad.sum():,} vectors have values that are not finite, such as those of {shown}.")
    blank = [row for row, item_id in enumerate(ids) if not item_id or not item_id.strip()]
    if blank:
        raise DataError(f"{file}: {len(blank):,} vectors have no id, such as that of row {blank[0]}.")
    if len(set(ids)) < len(ids):
        twice = next(item_id for item_id, count in Counter(ids).items() if count > 1)
        raise DataError(f"{file}: {len(ids) - len(set(ids)):,} ids have more than one vector, such as {twice!r}.")
    return ids, vectors


def _read_npy(options: PrecomputedOptions) -> tuple[list[str], NDArray[np.float64]]:
    if options.ids is None:
        raise ConfigError(f"{options.file}: a .npy file needs `ids`, a text file with one item_id per line.")
    try:
        vectors = np.load(options.file, allow_pickle=False)
        # Not `splitlines`: it takes more signs than the line feed for the end of a line.
        ids = options.ids.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{options.file} or {options.ids} cannot be read: {error}.") from error
    if not isinstance(vectors, np.ndarray) or vectors.dtype.kind not in "fiu":
        raise DataError(
            f"{options.file}: expected one array of numbers, got {getattr(vectors, 'dtype', 'an archive')}."
        )
    if vectors.ndim != 2 or vectors.shape[1] == 0 or len(vectors) != len(ids):
        raise DataError(
            f"{options.file} has the shape {vectors.shape}, expected ({len(ids):,}, dim): {options.ids} has "
            f"{len(ids):,} ids."
        )
    return ids, vectors.astype(np.float64)


def _read_table(options: PrecomputedOptions) -> tuple[list[str], NDArray[np.float64]]:
    path = options.file
    table = read_file(path, [options.item_id])
    column = options.column or ("embedding" if "embedding" in table.column_names else None)
    if column is not None:
        # A null is an item without a vector.
        table = table.filter(pc.is_valid(column_of(table, column, path)))
    ids = ids_of(column_of(table, options.item_id, path), path, options.item_id).to_pylist()
    if not ids:
        raise DataError(f"{path} has no vectors.")
    if column is not None:
        return ids, _lists(column_of(table, column, path).combine_chunks(), ids, path, column)
    numeric = [
        name
        for name in table.column_names
        if name != options.item_id
        and not name.startswith("__index_level_")
        and guess_type(table[name].type) == "number"
    ]
    if not numeric:
        raise DataError(f"{path} has neither a column 'embedding' nor numeric columns; name the column with `column`.")
    return ids, np.stack([numbers_of(table, name, path) for name in numeric], axis=1)


def _lists(values: pa.Array, ids: list[str], path: Path, column: str) -> NDArray[np.float64]:
    kind = values.type
    if not is_list(kind) or guess_type(kind.value_type) != "number":
        raise DataError(f"{path}, column {column!r}: expected lists of numbers, got {kind}.")
    lengths = np.asarray(pc.fill_null(pc.list_value_length(values), 0))
    usual = int(np.median(lengths))
    odd = np.flatnonzero(lengths != usual)
    if len(odd) or usual == 0:
        row = int(odd[0]) if len(odd) else 0
        raise DataError(
            f"{path}, column {column!r}: vectors must have one length; most have {usual}, but {len(odd):,} differ, "
            f"such as that of {ids[row]!r} with {lengths[row]}."
        )
    flat = normalise(pc.list_flatten(values), "number")
    return np.asarray(pc.fill_null(flat, float("nan"))).reshape(-1, usual)
