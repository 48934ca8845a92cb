"""Query: everything that a request can say, as one value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from antiphon.base.registry import names
from antiphon.errors import QueryError, nearest
from antiphon.query.filters import Filter
from antiphon.query.parts import CHANNELS, MAX_ITEMS, MAX_K, MAX_MEDIA, MAX_TEXT, MAX_TURNS, PARTS


@dataclass(frozen=True)
class MediaFile:
    """A picture or a sound of a request: what the file holds, and what it is called in messages."""

    content: bytes = field(repr=False)
    name: str = "the file"

    @classmethod
    def of(cls, value: MediaInput, kind: str) -> MediaFile:
        """A file from its contents or its path; `kind` is "image" or "audio".

        Raises:
            QueryError: there is no such file, or it cannot be read or is too large.
        """
        if isinstance(value, MediaFile):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return cls(bytes(value))
        path = Path(value)
        try:
            with path.open("rb") as file:
                # One byte more than is taken: a file may be longer than it says, or have no end.
                return cls(file.read(MAX_MEDIA[kind] + 1), path.name)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise QueryError(f"the {kind} file {str(value)!r} cannot be read ({reason}).") from error

    def check(self, kind: str) -> None:
        """Refuse what no decoder needs to see.

        Raises:
            QueryError: it is empty or too large.
        """
        if not self.content:
            raise QueryError(f"the {kind} {self.name!r} is empty: it has no bytes.")
        if len(self.content) > MAX_MEDIA[kind]:
            raise QueryError(f"the {kind} {self.name!r} is too large; at most {MAX_MEDIA[kind]:,} bytes are taken.")


MediaInput: TypeAlias = MediaFile | str | Path | bytes | bytearray | memoryview
"""A path, or what the file holds."""


@dataclass(frozen=True)
class Query:
    """A request: words, a picture, a sound, liked and disliked items, a user or a new history, filters, and weights.

    The one definition of a request: the command line, HTTP, playlists and the tools for language models are views of
    it, and say of each part what `ABOUT` says. Items that are liked, disliked or in the history are not answers.
    All `turns` of a conversation count, the later ones more; the text, where there is one, is said last.
    """

    text: str | None = None
    turns: tuple[str, ...] = ()
    literal: tuple[str, ...] = ()
    image: MediaFile | None = None
    audio: MediaFile | None = None
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    user: str | None = None
    history: tuple[str, ...] = ()
    where: Filter | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    k: int = 10
    offset: int = 0
    exclude: tuple[str, ...] = ()
    explain: bool = False

    def __post_init__(self) -> None:
        if self.text is not None and not self.text.strip():
            raise QueryError("the text of the request is empty; say what you are after, or leave the text out.")
        self._check_turns()
        if len(self.spoken or "") > MAX_TEXT:
            raise QueryError(f"the text has {len(self.spoken or ''):,} characters; at most {MAX_TEXT:,} are taken.")
        _check_unicode(self.spoken or "")
        said = self.spoken or self.image or self.audio or self.likes or self.dislikes or self.history
        if not said and self.user is None:
            raise QueryError("the request is empty; give a text, a picture, a sound, likes, dislikes or a history.")
        for kind in MAX_MEDIA:
            if (file := getattr(self, kind)) is not None:
                file.check(kind)
        if self.k < 1 or self.k + self.offset > MAX_K:
            raise QueryError(
                f"k is {self.k:,} and offset {self.offset:,}; k is at least 1, both together at most {MAX_K:,}."
            )
        if self.offset < 0:
            raise QueryError(f"offset is {self.offset}; it is 0 or more.")
        self._check_lists()
        self._check_weights()

    def _check_turns(self) -> None:
        for name in ("turns", "literal"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise QueryError(f"{name} is a list of texts, got the text {value!r}.")
        if len(self.turns) > MAX_TURNS:
            raise QueryError(f"the conversation has {len(self.turns):,} turns; at most {MAX_TURNS:,} are taken.")
        for number, turn in enumerate(self.turns, 1):
            if not turn.strip():
                raise QueryError(f"turn {number} of the conversation is empty; leave it out.")

    def _check_lists(self) -> None:
        for name in ("likes", "dislikes", "history", "exclude"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise QueryError(f"{name} is a list of item ids, got the text {value!r}.")
            if len(value) > MAX_ITEMS:
                raise QueryError(f"{name} has {len(value):,} items; at most {MAX_ITEMS:,} are taken.")

    def _check_weights(self) -> None:
        for name, weight in self.weights.items():
            if name not in PARTS and name not in CHANNELS and name not in names("antiphon.channels"):
                raise QueryError(f"there is no part or channel {name!r} to weigh; {nearest(name, (*PARTS, *CHANNELS))}")
            if not math.isfinite(weight) or weight < 0:
                raise QueryError(f"the weight of {name!r} is {weight}; weights are finite and 0 or more.")

    @property
    def spoken(self) -> str | None:
        """Everything that was said, a turn a line; None for a request without words."""
        return "\n".join([*self.turns, *([] if self.text is None else [self.text])]) or None

    @property
    def has_text(self) -> bool:
        """Whether the query has words that count."""
        return self.spoken is not None and self.weight("text") > 0

    @property
    def only_history(self) -> bool:
        """Whether the query asks by a user or a history, and by nothing else."""
        other = self.has_text or self.image or self.audio or self.likes or self.dislikes or self.weight("folded")
        return not other and (self.user is not None or bool(self.history))

    def weight(self, part: str) -> float:
        """The weight of a part in this query."""
        return float(self.weights.get(part, PARTS.get(part, 1.0)))


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            f"the text is not valid Unicode: it has half a surrogate pair at character {error.start}; take it out."
        ) from error
