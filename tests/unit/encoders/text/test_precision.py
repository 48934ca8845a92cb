"""The choice of bits: by the CPU, by the cosine, and recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.encoders.text.precision import (
    N_SAMPLE,
    _flags,
    has_vnni,
    in_batches,
    is_fast,
    mean_cosine,
    sample_of,
    spread,
)


def lengths(texts):
    """Vectors that only know how long a text is."""
    return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("flags", "vnni", "fast"),
    [
        ("avx512_vnni", True, True),
        ("fma avx_vnni sse", True, True),
        ("avx512_bf16", False, False),
        ("avx avx2", False, True),
        (None, False, False),
    ],
)
def test_the_cpu_says_what_is_fast(monkeypatch: pytest.MonkeyPatch, flags, vnni, fast) -> None:
    """VNNI and AVX2 take 8 bits; a CPU without them, or one that Linux does not tell of, stays with 32."""

    def read(_, encoding):
        if flags is None:
            raise FileNotFoundError
        return f"processor : 0\nflags : {flags}\nflags : other\n"

    _flags.cache_clear()
    monkeypatch.setattr(Path, "read_text", read)
    assert (has_vnni(), is_fast()) == (vnni, fast)
    _flags.cache_clear()


def test_the_cosine_is_that_of_the_dimensions_that_are_used() -> None:
    """A vector that is turned is far away, and with the first dimension alone nothing is turned."""

    def turned(texts):
        return lengths(texts)[:, ::-1]

    texts = ["one", "three"]
    assert mean_cosine(texts, lengths, turned) == pytest.approx((6 / 10 + 10 / 26) / 2)
    assert mean_cosine(texts, lengths, turned, 1) == 1.0
    assert mean_cosine(texts, lengths, lengths) == pytest.approx(1.0)


@given(st.integers(0, 500))
def test_a_sample_has_texts_from_all_places(size: int) -> None:
    """At most N_SAMPLE different texts in order, the first and the last among them."""
    texts = [str(number) for number in range(size)]
    sample = sample_of(texts)
    assert len(sample) == min(size, N_SAMPLE)
    assert sample == sorted(set(sample), key=int)
    assert not texts or (sample[0], sample[-1]) == (texts[0], texts[-1])


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(1, 4))
def test_threads_keep_the_order(texts, n_threads) -> None:
    """Whoever encoded it, a text's vector stands in the text's place."""
    got = spread(lambda part: lengths(part).reshape(-1, 2), texts, n_threads)
    np.testing.assert_array_equal(got, lengths(texts).reshape(-1, 2))


@given(st.lists(st.text(max_size=5), max_size=20), st.integers(1, 6), st.integers(1, 4))
def test_batches_are_the_same_on_any_number_of_threads(texts, size, n_threads) -> None:
    """Each has `size` texts but the last, and vectors keep the order of the texts."""
    seen = []

    def encode(part):
        seen.append(tuple(part))
        return lengths(part).reshape(-1, 2)

    got = in_batches(encode, texts, size, n_threads)
    np.testing.assert_array_equal(got, lengths(texts).reshape(-1, 2))
    assert sorted(seen) == sorted(tuple(texts[start : start + size]) for start in range(0, max(1, len(texts)), size))
