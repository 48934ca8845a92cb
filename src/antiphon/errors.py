"""Everything that antiphon raises on purpose.

    AntiphonError
    ├── ConfigError          antiphon.toml or an option is wrong
    ├── DataError            a file of the catalog is missing, broken or has wrong values
    ├── QueryError           a request cannot be answered as it stands
    │   ├── FilterError      a `where` expression is wrong
    │   └── UnknownIdError   an item or a user is not in the catalog
    ├── RunError             a run's folder is missing, busy or not built yet
    │   ├── IntegrityError   a file on disk is not the one that was written
    │   ├── MismatchError    two things that must belong together do not (space ids, dimensions)
    │   └── StoreError       a store cannot be reached, or lacks the version that is asked for
    ├── ServiceError         a service of antiphon cannot be reached, or refuses to answer
    └── MissingExtraError    an optional dependency is not installed

A message says what was got, what was expected, where, and what to do next. The command line prints it and exits
with 2; the HTTP service answers 4xx with the same sentence.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AntiphonError(Exception):
    """Base of all errors that antiphon raises on purpose."""


class ConfigError(AntiphonError):
    """The configuration file or an option is wrong."""


class DataError(AntiphonError):
    """A file of the catalog is missing, cannot be read, or holds values it must not."""


class QueryError(AntiphonError):
    """A request cannot be answered as it stands."""


class FilterError(QueryError):
    """A `where` expression does not parse or does not fit the catalog's fields."""


class UnknownIdError(QueryError):
    """An item or user that the catalog does not have."""


class RunError(AntiphonError):
    """A run's folder is missing, in use by another build, or not built yet."""


class IntegrityError(RunError):
    """A file on disk is not the one that was written: its checksum or shape differs."""


class MismatchError(RunError):
    """Two things that must belong together do not, such as vectors and the model that made them."""


class StoreError(RunError):
    """A store cannot be reached, refuses what is written, or does not have the version that is asked for."""


class ServiceError(AntiphonError):
    """The service cannot be reached, refuses the key, or is busy. `status`: of HTTP, None where there was no answer."""

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class MissingExtraError(AntiphonError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. "
            f"Install it with: pip install 'antiphon[{extra}]'"
        )
        self.package = package
        self.extra = extra


def nearest(word: object, known: Iterable[str]) -> str:
    """End of a sentence that names what was probably meant, whatever its case, or lists what there is."""
    names = sorted(known)
    folded = {name.casefold(): name for name in reversed(names)}
    close = difflib.get_close_matches(str(word).casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    if not names:
        return "there are none."
    shown = ", ".join(names[:12])
    return f"known are: {shown}{', ...' if len(names) > 12 else '.'}"
