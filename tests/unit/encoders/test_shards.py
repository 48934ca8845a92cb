"""Encoding in shards: nothing is done twice, and the bits do not depend on how often it was killed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from antiphon.base.progress import silent
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import IntegrityError


class Killed(Exception):  # noqa: N818  it is no error of the program
    """Stands for a signal."""


class Encoder:
    """Vectors that depend on a text and, like those of a real model, a little on the texts beside it."""

    def __init__(self, keys: list[str], dies_after: int | None = None) -> None:
        self.keys = keys
        self.dies_after = dies_after
        self.calls: list[list[str]] = []

    def __call__(self, positions: list[int]) -> np.ndarray:
        """Vectors of the keys at these positions."""
        if self.dies_after == len(self.calls):
            raise Killed
        batch = [self.keys[position] for position in positions]
        self.calls.append(batch)
        noise = np.float32(len(batch)) * np.float32(1e-7)
        return np.array([vector(key) + noise for key in batch], dtype=np.float32)


def vector(key: str) -> np.ndarray:
    """A vector that tells keys apart."""
    return np.frombuffer(hashlib.sha256(key.encode()).digest()[:12], dtype=np.uint8).astype(np.float32)


def run(keys: list[str], folder: Path, dies_after: int | None = None) -> tuple[np.ndarray, list[list[str]]]:
    """Encode in shards of three; the vectors and the batches that were encoded."""
    encoder = Encoder(keys, dies_after)
    return encode_in_shards(keys, encoder, folder, silent, name="x", shard_size=3), encoder.calls


KEYS = [f"text {number}" for number in range(10)]


def test_vectors_are_in_the_order_of_the_keys(tmp_path: Path) -> None:
    """Row i is the vector of key i."""
    got, calls = run(KEYS, tmp_path)
    assert_array_equal(np.round(got), [vector(key) for key in KEYS])
    assert got.dtype == np.float32
    assert calls == [KEYS[0:3], KEYS[3:6], KEYS[6:9], KEYS[9:]]


def test_nothing_is_encoded_twice(tmp_path: Path) -> None:
    """A second run encodes nothing and gives the same bits."""
    first, _ = run(KEYS, tmp_path)
    second, calls = run(KEYS, tmp_path)
    assert calls == []
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("dies_after", [0, 1, 2, 3])
def test_a_killed_job_loses_one_shard_and_no_bit(tmp_path: Path, dies_after: int) -> None:
    """What was written stays; the rest is encoded in the same batches as without the interruption."""
    whole, batches = run(KEYS, tmp_path / "whole")
    with pytest.raises(Killed):
        run(KEYS, tmp_path / "killed", dies_after)
    got, calls = run(KEYS, tmp_path / "killed")
    assert calls == batches[dies_after:]
    assert got.tobytes() == whole.tobytes()


def test_a_job_that_was_killed_between_the_two_files_of_a_shard_encodes_it_again(tmp_path: Path) -> None:
    """Keys without vectors, and vectors without keys, are no shard."""
    whole, _ = run(KEYS, tmp_path)
    for ending in (".npy", ".json"):
        next(tmp_path.glob(f"*{ending}")).unlink()
        got, calls = run(KEYS, tmp_path)
        assert len(calls) == 1
        assert got.tobytes() == whole.tobytes()


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"[1"])
@pytest.mark.parametrize("ending", [".npy", ".json"])
def test_a_damaged_shard_is_encoded_again(tmp_path: Path, damage: bytes, ending: str) -> None:
    """A build after a damage heals it; it does not stop at it for ever."""
    whole, _ = run(KEYS, tmp_path)
    next(tmp_path.glob(f"*{ending}")).write_bytes(damage)
    got, calls = run(KEYS, tmp_path)
    assert len(calls) == 1
    assert got.tobytes() == whole.tobytes()


@given(st.lists(st.integers(0, 30), unique=True, max_size=20), st.lists(st.integers(0, 30), unique=True, max_size=20))
def test_only_new_inputs_are_encoded(tmp_path_factory: pytest.TempPathFactory, old: list[int], new: list[int]) -> None:
    """Whatever changes between two runs, what is known is kept, and what nobody uses any more is removed."""
    folder = tmp_path_factory.mktemp("shards")
    before, after = [f"t{number}" for number in old], [f"t{number}" for number in new]
    run(before, folder)
    got, calls = run(after, folder)
    assert sorted(key for batch in calls for key in batch) == sorted(set(after) - set(before))
    assert len(got) == len(after)
    if after:
        assert_array_equal(np.round(got), [vector(key) for key in after])
    _, calls = run(after, folder)
    assert calls == []
    if not set(before) & set(after) and after:
        held = {path.stem for path in folder.glob("*.npy")}
        assert len(held) == -(-len(after) // 3)


@pytest.mark.parametrize("vectors", [np.zeros((2, 3)), np.full((3, 3), np.nan), np.full((3, 3), np.inf)])
def test_wrong_vectors_are_not_kept(tmp_path: Path, vectors: np.ndarray) -> None:
    """Too few vectors, or values that are not finite, end the job and leave no shard."""
    with pytest.raises(IntegrityError, match="3 inputs"):
        encode_in_shards(KEYS[:3], lambda _: vectors, tmp_path, silent, name="x")
    assert not list(tmp_path.glob("*"))


@pytest.mark.parametrize("bit", [0, 7])
@pytest.mark.parametrize("place", [-1, -40, 10, 90])
@pytest.mark.parametrize("ending", [".npy", ".json"])
def test_a_turned_bit_is_no_other_vector(tmp_path: Path, ending: str, place: int, bit: int) -> None:
    """A shard is read only if it is what was written; one bit less, and it is encoded again."""
    whole, _ = run(KEYS, tmp_path)
    file = max(tmp_path.glob(f"*{ending}"))
    data = bytearray(file.read_bytes())
    data[place % len(data)] ^= 1 << bit
    file.write_bytes(data)
    got, calls = run(KEYS, tmp_path)
    assert got.tobytes() == whole.tobytes()
    assert len(calls) == 1
