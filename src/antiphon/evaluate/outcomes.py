"""Outcomes of a long evaluation: each is kept when it is there, so one that was killed goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.base.code import code_of
from antiphon.errors import IntegrityError
from antiphon.evaluate.results import Result, load_results, save_results

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What a measurement found: values of queries, and facts that JSON can hold."""

    results: Sequence[Result] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class NotKeptError(Exception):
    """An outcome that nobody has found yet."""


class Outcomes:
    """A folder of outcomes, told apart by the fingerprint of what they depend on and of the code that finds them.

    `common` is what all of them depend on: settings and hashes of the data.
    """

    def __init__(self, folder: Path, common: Any, notify: Notify = lambda _: None) -> None:
        self.folder, self.common, self.notify = folder, common, notify
        self.seconds: dict[str, float] = {}
        self.only_kept = False
        """Whether what is not kept is refused instead of found."""

    def fingerprint(self, name: str, depends: Any, *code: Any) -> str:
        """A hash of what a measurement depends on, and of the code that finds it."""
        return storage.digest("outcome", name, self.common, depends, code_of(*code))

    def run(self, name: str, depends: Any, work: Callable[[], Outcome], code: Sequence[Any] = ()) -> Outcome:
        """The outcome of a measurement: the one that was kept, or that of `work`.

        `code`: the functions that `work` calls, where these import less than its own module.

        Raises:
            NotKeptError: it is not kept, and `only_kept` is set.
        """
        fingerprint = self.fingerprint(name, depends, *(code or [work]))
        facts_file, results_file = self.folder / f"{name}.json", self.folder / f"{name}.parquet"
        kept = _read(facts_file)
        if (
            kept is not None
            and kept["fingerprint"] == fingerprint
            and (not kept["n_results"] or results_file.is_file())
        ):
            self.seconds[name] = kept["seconds"]
            return Outcome(load_results(results_file) if kept["n_results"] else [], kept["facts"])
        if self.only_kept:
            raise NotKeptError(name)
        start = time.perf_counter()
        outcome = work()
        self.seconds[name] = time.perf_counter() - start
        if outcome.results:
            save_results(results_file, outcome.results)
        # The facts come last: an outcome counts when they are there.
        storage.write_json(
            facts_file,
            {
                "fingerprint": fingerprint,
                "seconds": round(self.seconds[name], 2),
                "n_results": len(outcome.results),
                "facts": outcome.facts,
            },
        )
        self.notify(f"{name}: {self.seconds[name]:.1f} s")
        return outcome


def _read(path: Path) -> Any:
    try:
        return storage.read_json(path)
    except IntegrityError:
        return None
