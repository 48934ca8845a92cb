"""Eight bits a number: products with many vectors for a fifth of what exact ones cost, and how far they may be off.

Each `BLOCK` numbers of a vector are kept as whole numbers and their scale (Dettmers et al. 2022, "8-bit optimizers via
block-wise quantization", section 2), and onnxruntime multiplies them with queries that it cuts the same way. What leads
by such products is scored exactly afterwards (`space/answer.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.errors import IntegrityError, MissingExtraError

Floats = NDArray[np.float32]
BLOCK, MOST, ZERO = 128, 127, 128
"""Numbers of a scale; the highest whole number; what stands for 0 in a byte without a sign."""
STEP = 20_000
"""Vectors that are cut at once."""
NUMBERS, SCALES, NETWORK, FACTS = "numbers.npy", "scales.npy", "products.onnx", "rough.json"
PURPOSE = "searching many passages"
EXTRA = "serve"


class Rough:
    """Products of queries with (n_rows, length) vectors of eight bits.

    `off`: the longest distance of a vector from its eight bits. `longest`: the longest vector of eight bits.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        IntegrityError: they are of more or fewer vectors, or cannot be read.
    """

    def __init__(self, folder: Path, n_rows: int) -> None:
        facts = storage.read_json(folder / FACTS)
        self.n_rows, self.length = int(facts["n_rows"]), int(facts["length"])
        if self.n_rows != n_rows:
            raise IntegrityError(f"{folder} has {self.n_rows} vectors, expected {n_rows}; build the run again.")
        self.off, self.longest = float(facts["off"]), float(facts["longest"])
        try:
            self._session = runtime.onnx_session(str(folder / NETWORK), EXTRA, PURPOSE, n_threads=runtime.n_cores())
        except MissingExtraError:
            raise
        except Exception as error:  # onnxruntime's errors share no narrower base
            raise IntegrityError(f"{folder} cannot be read: {error}; build the run again.") from error

    def products(self, queries: Floats) -> Floats:
        """Inner products of (n, length) queries with all vectors, (n, n_rows) float32, each nearly the exact one."""
        found: Floats = self._session.run(None, {"queries": np.ascontiguousarray(queries, dtype=np.float32)})[0]
        return found

    def most_off(self, queries: Floats) -> Floats:
        """The most by which any product of each query may differ from the exact one, (n,) float32.

        |q.v - q'.v'| <= |q| |v - v'| + |q - q'| |v'|, where a number of q' is half a step away at most.
        """
        squares = np.zeros(len(queries))
        for start in range(0, self.length, BLOCK):
            part = queries[:, start : start + BLOCK].astype(np.float64)
            squares += part.shape[1] * (np.abs(part).max(axis=1) / (2 * MOST)) ** 2
        lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
        # Sums of float32 are not exact either.
        rounded = lengths * self.longest * self.length * np.finfo(np.float32).eps
        return np.asarray(lengths * self.off + np.sqrt(squares) * self.longest + rounded, dtype=np.float32)


def write_rough(folder: Path, vectors: Floats) -> None:
    """Cut (n_rows, length) float32 vectors, and write them with the network that multiplies them.

    Raises:
        MissingExtraError: onnx is not installed.
    """
    n_rows, length = vectors.shape
    n_blocks = -(-length // BLOCK)
    numbers = np.empty((n_rows, n_blocks, BLOCK), dtype=np.uint8)
    scales = np.empty((n_rows, n_blocks), dtype=np.float32)
    off = longest = 0.0
    for start in range(0, n_rows, STEP):
        part = slice(start, start + STEP)
        whole = np.pad(np.asarray(vectors[part], dtype=np.float32), ((0, 0), (0, n_blocks * BLOCK - length)))
        cut = whole.reshape(-1, n_blocks, BLOCK)
        scales[part] = np.maximum(np.abs(cut).max(axis=2) / MOST, np.finfo(np.float32).tiny)
        rounded = np.rint(cut / scales[part, :, None])
        numbers[part] = rounded + ZERO
        again = rounded * scales[part, :, None]
        off = max(off, float(np.sqrt(((cut - again) ** 2).sum(axis=(1, 2), dtype=np.float64).max())))
        longest = max(longest, float(np.sqrt((again**2).sum(axis=(1, 2), dtype=np.float64).max())))
    storage.write_array(folder / NUMBERS, numbers)
    storage.write_array(folder / SCALES, scales)
    with storage.replacing(folder / NETWORK) as beside:
        beside.write_bytes(_network(folder, n_rows, length))
    facts = {"n_rows": n_rows, "length": length, "off": off, "longest": longest}
    storage.write_json(folder / FACTS, facts)


def _network(folder: Path, n_rows: int, length: int) -> bytes:
    """One operator, whose numbers are read from the arrays in the same folder."""
    onnx = runtime.library("onnx", "build", PURPOSE)
    helper, kinds = onnx.helper, onnx.TensorProto
    node = helper.make_node(
        "MatMulNBits", ["queries", "numbers", "scales"], ["products"], domain="com.microsoft",
        K=length, N=n_rows, bits=8, block_size=BLOCK, accuracy_level=4,
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "products",
        [helper.make_tensor_value_info("queries", kinds.FLOAT, ["n", length])],
        [helper.make_tensor_value_info("products", kinds.FLOAT, ["n", n_rows])],
        [
            _outside(onnx, "numbers", kinds.UINT8, folder / NUMBERS),
            _outside(onnx, "scales", kinds.FLOAT, folder / SCALES),
        ],
    )
    versions = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    found: bytes = helper.make_model(graph, opset_imports=versions, ir_version=10).SerializeToString()
    return found


def _outside(onnx: Any, name: str, kind: int, path: Path) -> Any:
    """A tensor whose numbers are those of an .npy file, after its head."""
    array: Any = storage.read_array(path, mmap=True)
    tensor = onnx.TensorProto(name=name, data_type=kind, dims=array.shape)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": path.name, "offset": array.offset, "length": array.nbytes}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor
