"""Progress of long jobs: a protocol that the library calls, and a bar for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Advance = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Advance]]


@contextmanager
def silent(name: str, total: int) -> Iterator[Advance]:
    """Progress that shows nothing: what the library uses unless told otherwise."""
    yield lambda _: None


@contextmanager
def bar(name: str, total: int) -> Iterator[Advance]:
    """A bar on standard error; standard output stays free for results."""
    from tqdm import tqdm

    with tqdm(total=total, desc=name, leave=False, dynamic_ncols=True, mininterval=0.2) as shown:
        yield shown.update


def duration(seconds: float) -> str:
    """Seconds as a person says them: 40 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{max(1, round(seconds)):,} s"
    return f"{seconds / 60:,.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"
