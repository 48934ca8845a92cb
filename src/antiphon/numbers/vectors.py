"""Vectors of unit length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Divide the last axis by its L2 norm; zero vectors stay zero. float32."""
    # Squares in float64: those of 1e20 overflow float32, and those of 1e-30 vanish in it.
    norms = np.sqrt(np.einsum("...i,...i->...", vectors, vectors, dtype=np.float64))[..., None]
    result: NDArray[np.float32] = np.zeros_like(vectors, dtype=np.float32)
    np.divide(vectors, norms, out=result, where=norms > 0, casting="same_kind")
    return result
