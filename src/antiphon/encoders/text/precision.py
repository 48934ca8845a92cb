"""8 bits for many texts: whether this CPU is faster with them, and whether they keep the vectors.

They are taken for many texts only, and only where the mean cosine to the vectors in 32 bits, on texts of the catalog
itself, is at least MIN_COSINE.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.numbers.vectors import unit

Precision = Literal["fp32", "int8"]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]

MIN_COSINE = 0.99
MANY_TEXTS = 2_000
"""From so many different texts on, `auto` looks whether 8 bits will do; below it, little time is at stake."""
N_SAMPLE = 96


def has_vnni() -> bool:
    """Whether the CPU adds products of 8 bits in 32; False where Linux does not say it."""
    return not {"avx512_vnni", "avx_vnni"}.isdisjoint(_flags())


def is_fast() -> bool:
    """Whether the CPU multiplies faster in 8 bits than in 32: four times with VNNI, twice with AVX2 alone."""
    return has_vnni() or "avx2" in _flags()


@functools.cache
def _flags() -> frozenset[str]:
    """What the CPU can do, by Linux's names; empty where it does not say it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def sample_of(texts: Sequence[str]) -> list[str]:
    """Up to N_SAMPLE texts from all places of the list."""
    places = np.unique(np.linspace(0, len(texts) - 1, min(N_SAMPLE, len(texts))).astype(int))
    return [texts[place] for place in places] if len(texts) else []


def mean_cosine(sample: Sequence[str], one: Encode, other: Encode, dim: int | None = None) -> float:
    """Mean cosine between two encoders' vectors of some texts; `dim`: how many dimensions are used, all where None."""
    return float((unit(one(sample)[:, :dim]) * unit(other(sample)[:, :dim])).sum(axis=1).mean())


def spread(encode: Encode, texts: Sequence[str], n_threads: int) -> NDArray[np.float32]:
    """Vectors of texts that threads encode in turns; for encoders whose vectors do not depend on the other texts."""
    if len(texts) < 2 or n_threads < 2:
        return encode(texts)
    with ThreadPoolExecutor(n_threads) as pool:
        parts = list(pool.map(encode, [texts[start::n_threads] for start in range(n_threads)]))
    vectors = np.empty((len(texts), parts[0].shape[1]), dtype=np.float32)
    for start, part in enumerate(parts):
        vectors[start::n_threads] = part
    return vectors


def in_batches(encode: Encode, texts: Sequence[str], size: int, n_threads: int) -> NDArray[np.float32]:
    """Vectors of texts, `size` of them at a time, on several threads: the same batches, and bits, on any number."""
    batches = [texts[start : start + size] for start in range(0, len(texts), size)]
    if len(batches) < 2:
        return encode(texts)
    with ThreadPoolExecutor(max(1, n_threads)) as pool:
        return np.concatenate(list(pool.map(encode, batches)))
