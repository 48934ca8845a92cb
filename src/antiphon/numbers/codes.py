"""Four bits for a piece of a vector: product codes that tell which rows of a large matrix are worth scoring exactly.

A vector is cut into pieces of two numbers, and each piece is kept as the nearest of 16 centroids (product quantization,
Jégou et al. 2011, "Product quantization for nearest neighbor search", section 3). Before that it is turned into the
directions in which its rows differ most: the leading ones have a piece each, the next share one by two, and the others
are left out, so bits go where they tell most (after Brandt 2010, "Transform coding for fast approximate nearest
neighbor search in high dimensions", section 3). A scan of the codes by table look-ups in registers (André et al. 2017,
"Accelerated nearest neighbor search with Quick ADC"; faiss calls it FastScan) reads a twentieth of what the vectors
have. What it finds is scored exactly afterwards (`coded.py`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.errors import IntegrityError

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]
BASIS = "basis.npy"
LARGE = 200_000
"""Rows from which codes are made: fewer are all scored, and answers are exact."""
CENTROIDS, PIECE, MOST_PIECES = 16, 2, 256
"""Of a piece; numbers in a piece; pieces of a vector, of which the scan's sums of 16 bits hold no more than 257."""
TURNED = 20_000
"""Rows that the directions are learned from."""
SAMPLE, POWER = 50_000, 8
"""Rows that the centroids are learned from. They are drawn by their norm to this power: the rows with the highest inner
products are long ones, and centroids of all rows alike describe long rows worst. Measured on 1,000,000 factors of
taste, recall@200 of 3,200 candidates: .956 with all rows alike, .985 at the power 2, .998 at 8."""
ITERATIONS, STEP = 25, 20_000
ONE_BY_ONE = 11
"""The scan of faiss that takes queries one after another: the quickest for one query of many pieces."""


@dataclass(frozen=True)
class Cut:
    """Columns start:stop of vectors, and how many of the directions in which they differ most are kept.

    `alone`: have a piece each. `paired`: pieces that two of the next share.
    """

    start: int
    stop: int
    alone: int
    paired: int

    @classmethod
    def of(cls, columns: Sequence[int], alone: float, paired: float) -> Cut:
        """By shares of the columns."""
        start, stop = (int(column) for column in columns)
        n_alone = min(stop - start, math.ceil(alone * (stop - start)))
        return cls(start, stop, n_alone, min((stop - start - n_alone + 1) // 2, math.ceil(paired * (stop - start))))


class Codes:
    """Product codes of (n_rows, length) float32 vectors, and the search over them.

    `centroids`: (n_pieces, 16, numbers of a piece) float32. `codes`: (n_rows, n_pieces / 2) uint8, two pieces a byte.
    `basis`: (in, width) float32, what the first numbers of a vector are turned into; none where they stay. A vector is
    filled up with zeros to n_pieces times the numbers of a piece.

    Raises:
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, centroids: Floats, codes: NDArray[np.uint8], length: int, basis: Floats | None = None) -> None:
        self.centroids, self.length, self.n_rows, self.basis = centroids, length, len(codes), basis
        faiss, (n_pieces, _, piece) = runtime.faiss(), centroids.shape
        width = n_pieces * piece
        one_list = faiss.IndexFlatIP(width)
        one_list.add(np.zeros((1, width), dtype=np.float32))
        plain = faiss.IndexIVFPQ(one_list, width, 1, n_pieces, 4, faiss.METRIC_INNER_PRODUCT)
        plain.by_residual, plain.is_trained = False, True
        faiss.copy_array_to_vector(np.ascontiguousarray(centroids, dtype=np.float32).ravel(), plain.pq.centroids)
        # faiss is given addresses: the arrays must live as long as the call.
        numbers, held = np.arange(self.n_rows, dtype=np.int64), np.ascontiguousarray(codes)
        plain.invlists.add_entries(0, self.n_rows, faiss.swig_ptr(numbers), faiss.swig_ptr(held))
        plain.ntotal = self.n_rows
        # One list, since only lists take a selector: filters are applied inside of the scan.
        self._index = faiss.IndexIVFPQFastScan(plain)
        self._index.nprobe, self._index.implem = 1, ONE_BY_ONE
        self._list = one_list  # the index keeps its address only

    @property
    def n_bytes(self) -> int:
        """What the codes and row numbers take in memory."""
        return self.n_rows * (int(self.centroids.shape[0]) // 2 + 8)

    def nearest(self, queries: Floats, n: int, allowed: NDArray[np.bool_] | None = None) -> Rows:
        """For each query about the n rows with the highest inner products, (n_queries, n) int64, -1 where fewer are.

        Rows whose code has the lowest sum that there is are not found.

        `queries`: (n_queries, length) float32. `allowed`: (n_rows,) bool, the rows that may be found; None for all.
        """
        faiss = runtime.faiss()
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        chosen = None if bits is None else faiss.IDSelectorBitmap(bits)
        options = faiss.SearchParametersIVF(sel=chosen, nprobe=1)
        turned = queries
        if self.basis is not None:
            inner = len(self.basis)
            turned = np.concatenate([queries[:, :inner] @ self.basis, queries[:, inner:]], axis=1)
        found: Rows = self._index.search(_wide(turned, self.centroids), min(n, self.n_rows), params=options)[1]
        return found if n <= self.n_rows else np.pad(found, ((0, 0), (0, n - self.n_rows)), constant_values=-1)

    def save(self, folder: Path, codes: NDArray[np.uint8]) -> None:
        """Write as npy and JSON; `codes` as they were given."""
        storage.write_array(folder / "centroids.npy", self.centroids)
        storage.write_array(folder / "codes.npy", codes)
        storage.write_json(folder / "codes.json", {"length": self.length})
        if self.basis is not None:
            storage.write_array(folder / BASIS, self.basis)

    @staticmethod
    def paths(folder: Path) -> list[Path]:
        """The files that `save` writes, the last where vectors are turned."""
        return [folder / name for name in ("centroids.npy", "codes.npy", "codes.json", BASIS)]

    @classmethod
    def load(cls, folder: Path, n_rows: int) -> Codes:
        """Read what `save` wrote, of so many rows.

        Raises:
            IntegrityError: there are more or fewer.
            MissingExtraError: faiss is not installed.
        """
        centroids, codes = (storage.read_array(folder / name) for name in ("centroids.npy", "codes.npy"))
        if codes.shape != (n_rows, centroids.shape[0] // 2):
            raise IntegrityError(f"{folder} has codes of {len(codes)} rows, expected {n_rows}; build the run again.")
        length, basis = int(storage.read_json(folder / "codes.json")["length"]), folder / BASIS
        return cls(centroids, codes, length, storage.read_array(basis) if basis.is_file() else None)


def fit_codes(
    vectors: Floats, beside: Floats | None = None, *, cuts: Sequence[Cut] = (), seed: int = 0
) -> tuple[Codes, NDArray[np.uint8]]:
    """The codes of (n_rows, length) float32 vectors, with centroids learned from some rows; the same for the same seed.

    `vectors`: an array, or what gives its rows. `beside`: (n_rows,) float32, one more number of each row, which the
    codes have as their last. `cuts`: how the columns are turned, side by side; they stay as they are where there are
    none.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    faiss, length = runtime.faiss(), int(vectors.shape[1]) + (beside is not None)
    basis = basis_of(vectors, cuts, seed) if cuts else None
    vectors = vectors if basis is None else Turned(vectors, basis)  # type: ignore[assignment]  # gives rows
    n_pieces, piece = shape_of(int(vectors.shape[1]) + (beside is not None))
    empty = np.zeros((n_pieces, CENTROIDS, piece), dtype=np.float32)
    quantizer = faiss.ProductQuantizer(n_pieces * piece, n_pieces, 4)
    quantizer.cp.seed, quantizer.cp.niter, quantizer.cp.min_points_per_centroid = seed + 1, ITERATIONS, 1
    rows = _drawn(vectors, np.random.default_rng(seed))
    quantizer.train(_wide(_joined(vectors[rows], None if beside is None else beside[rows]), empty))
    centroids = faiss.vector_to_array(quantizer.centroids).reshape(empty.shape)
    codes = np.empty((len(vectors), n_pieces // 2), dtype=np.uint8)
    for start in range(0, len(vectors), STEP):
        part = slice(start, start + STEP)
        whole = _joined(vectors[part], None if beside is None else beside[part])
        codes[part] = quantizer.compute_codes(_wide(whole, empty))
    return Codes(centroids, codes, length, basis), codes


class Turned:
    """Rows of vectors in a basis, (n_rows, width) float32, made when they are asked for."""

    def __init__(self, vectors: Floats, basis: Floats) -> None:
        self.vectors, self.basis, self.shape = vectors, basis, (len(vectors), basis.shape[1])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, wanted: Any) -> Floats:
        result: Floats = np.asarray(self.vectors[wanted]) @ self.basis
        return result


def basis_of(vectors: Floats, cuts: Sequence[Cut], seed: int = 0) -> Floats:
    """What turns (n_rows, length) vectors into the directions of the cuts, (length, width) float32.

    Two columns are a piece: a direction that has its own stands beside zeros.
    """
    rows = np.sort(np.random.default_rng([seed, 1]).choice(len(vectors), min(TURNED, len(vectors)), replace=False))
    sample, parts = np.asarray(vectors[rows], dtype=np.float64), []
    for cut in cuts:
        own = sample[:, cut.start : cut.stop]
        directions = np.linalg.eigh(np.cov(own.T).reshape(own.shape[1], -1))[1][:, ::-1]
        part = np.zeros((sample.shape[1], PIECE * (cut.alone + cut.paired)))
        part[cut.start : cut.stop, : PIECE * cut.alone : PIECE] = directions[:, : cut.alone]
        paired = directions[:, cut.alone : cut.alone + PIECE * cut.paired]
        part[cut.start : cut.stop, PIECE * cut.alone :][:, : paired.shape[1]] = paired
        parts.append(part)
    return np.ascontiguousarray(np.concatenate(parts, axis=1), dtype=np.float32)


def shape_of(length: int) -> tuple[int, int]:
    """How vectors of a length are cut: an even number of pieces, and the numbers in each."""
    piece = max(PIECE, -(-length // MOST_PIECES))
    n_pieces = -(-length // piece)
    return n_pieces + n_pieces % 2, piece


def _wide(vectors: Floats, centroids: Floats) -> Floats:
    width = centroids.shape[0] * centroids.shape[2]
    missing = width - vectors.shape[1]
    wide = np.pad(vectors, ((0, 0), (0, missing))) if missing else vectors
    return np.ascontiguousarray(wide, dtype=np.float32)


def _joined(vectors: Floats, beside: Floats | None) -> Floats:
    return vectors if beside is None else np.concatenate([vectors, beside[:, None]], axis=1)


def _steps(vectors: Floats) -> Iterator[Floats]:
    for start in range(0, len(vectors), STEP):
        yield np.asarray(vectors[start : start + STEP], dtype=np.float32)


def _drawn(vectors: Floats, rng: np.random.Generator) -> Rows:
    """Rows to learn from, ascending, none twice; as many as there are centroids at least, rows repeated."""
    norms = np.concatenate([np.linalg.norm(part, axis=1) for part in _steps(vectors)]).astype(np.float64)
    weights = (norms / (norms.max() or 1)) ** POWER
    # Exponential waiting times: the first to come are a sample without replacement by the weights.
    waits = rng.standard_exponential(len(norms)) / np.maximum(weights, 1e-300)
    rows = np.sort(np.argpartition(waits, SAMPLE)[:SAMPLE]) if len(norms) > SAMPLE else np.arange(len(norms))
    return np.resize(rows, max(len(rows), CENTROIDS))
