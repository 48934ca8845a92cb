"""How many bits texts are encoded with: the fastest way of this CPU that keeps the vectors.

Fewer bits are taken for many texts only, and only where the mean cosine to the vectors in 32 bits, on texts of the
catalog itself, is at least MIN_COSINE.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.numbers.vectors import unit

Precision = Literal["fp32", "bf16", "int8"]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]

MIN_COSINE = 0.99
MANY_TEXTS = 20_000
"""From so many different texts on, `auto` looks for a faster precision; below it, minutes are not at stake."""
N_SAMPLE = 96


@functools.cache
def cpu_flags() -> frozenset[str]:
    """What the CPU can do, as Linux names it; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def fast_precisions(flags: frozenset[str]) -> tuple[Precision, ...]:
    """Precisions that are faster than 32 bits on a CPU with these flags, the best one first.

    With AMX, bf16 is as fast as int8 and more exact. Without it, products of bf16 are twice as fast as those of 32
    bits where the CPU has them at all, and those of int8 four times.
    """
    if "amx_bf16" in flags:
        return ("bf16",)
    found: list[Precision] = []
    if flags & {"avx512_vnni", "avx_vnni"}:
        found.append("int8")
    if "avx512_bf16" in flags:
        found.append("bf16")
    return tuple(found)


def sample_of(texts: Sequence[str]) -> list[str]:
    """Up to N_SAMPLE texts from all places of the list."""
    places = np.unique(np.linspace(0, len(texts) - 1, min(N_SAMPLE, len(texts))).astype(int))
    return [texts[place] for place in places] if len(texts) else []


def choose(
    sample: Sequence[str],
    exact: Callable[[], Encode],
    candidates: Mapping[Precision, Callable[[], Encode | None]],
    dim: int | None = None,
) -> tuple[Precision, float]:
    """The first candidate that keeps the sample's vectors, and its mean cosine; fp32 and 1 where none does.

    `exact` makes the encoder in 32 bits when there is something to compare; a candidate has none (None) at times.
    `dim`: how many dimensions are used, all where None.
    """
    if not sample or not candidates:
        return "fp32", 1.0
    reference = unit(exact()(sample)[:, :dim])
    for precision, make in candidates.items():
        encode = make()
        if encode is not None:
            cosine = float((unit(encode(sample)[:, :dim]) * reference).sum(axis=1).mean())
            if cosine >= MIN_COSINE:
                return precision, cosine
    return "fp32", 1.0


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
