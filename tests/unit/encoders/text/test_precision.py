"""The choice of bits: by the CPU, by the cosine, and recorded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.encoders.text.precision import N_SAMPLE, choose, fast_precisions, sample_of, spread


def lengths(texts):
    """Vectors that only know how long a text is."""
    return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"amx_bf16", "avx512_vnni", "avx512_bf16"}, ("bf16",)),
        ({"avx512_vnni"}, ("int8",)),
        ({"avx_vnni", "avx512_bf16"}, ("int8", "bf16")),
        ({"avx512_bf16"}, ("bf16",)),
        ({"avx2"}, ()),
        (set(), ()),
    ],
)
def test_the_cpu_says_what_is_fast(flags, expected) -> None:
    """AMX takes bf16, VNNI takes int8, and a CPU that has neither stays with 32 bits."""
    assert fast_precisions(frozenset(flags)) == expected


def test_the_first_that_keeps_the_vectors_is_taken() -> None:
    """A candidate that turns the vectors too far, or has no encoder, gives way to the next."""
    asked = []

    def turned(texts):
        asked.append("int8")
        return lengths(texts)[:, ::-1]

    def close(texts):
        return lengths(texts) + np.float32(0.01)

    assert choose(["one", "three"], lambda: lengths, {"int8": lambda: turned, "bf16": lambda: close})[0] == "bf16"
    assert asked == ["int8"]
    # With the first dimension alone nothing is turned.
    assert choose(["one", "three"], lambda: lengths, {"int8": lambda: turned}, 1) == ("int8", 1.0)
    assert choose(["one"], lambda: lengths, {"int8": lambda: None}) == ("fp32", 1.0)
    assert choose(["one"], lambda: pytest.fail("there is nothing to compare"), {}) == ("fp32", 1.0)
    assert choose([], lambda: lengths, {"int8": lambda: pytest.fail("nothing to measure on")}) == ("fp32", 1.0)


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
