"""Many texts and what has them, held as arrays: a list and a dictionary of a million take a quarter of a gigabyte."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

STEP = 65_536
"""Texts that are made at once."""


class ByText:
    """Numbers by texts, twelve bytes for each pair; those of a text in the order in which they were given.

    A text is kept as its hash, which this process gives it: whoever asks checks what is found.
    """

    def __init__(self, pairs: Iterable[tuple[str, int]]) -> None:
        hashes, numbers = array("q"), array("i")
        for text, number in pairs:
            hashes.append(hash(text))
            numbers.append(number)
        given: NDArray[np.int64] = np.frombuffer(hashes, dtype=np.int64) if hashes else np.zeros(0, dtype=np.int64)
        order = np.argsort(given, kind="stable")
        self._hashes = given[order]
        self._numbers = np.array(numbers, dtype=np.int32)[order]

    def of(self, texts: Sequence[str]) -> list[list[int]]:
        """For each text the numbers that may be its own."""
        asked = np.fromiter(map(hash, texts), dtype=np.int64, count=len(texts))
        first, last = (np.searchsorted(self._hashes, asked, side=side) for side in ("left", "right"))
        nothing: list[int] = []
        return [
            self._numbers[start:stop].tolist() if stop > start else nothing
            for start, stop in zip(first.tolist(), last.tolist(), strict=True)
        ]


class Texts(Sequence[str]):
    """The texts of an arrow column without nulls, each made a str when it is asked for."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        self._array: Any = pc.cast(column, pa.large_string()).combine_chunks()

    def __len__(self) -> int:
        return len(self._array)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            some: list[str] = self._array[place].to_pylist()
            return some
        one: str = self._array[int(place)].as_py()
        return one

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), STEP):
            yield from self[start : start + STEP]

    def __arrow_array__(self, type: Any = None) -> Any:  # noqa: A002  the protocol's name
        return self._array if type is None else self._array.cast(type)


class Places(Mapping[str, int]):
    """The place of each of many different texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._known = ByText((text, place) for place, text in enumerate(texts))

    def __getitem__(self, text: str) -> int:
        for place in self._known.of([text])[0]:
            if self._texts[place] == text:
                return place
        raise KeyError(text)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)
