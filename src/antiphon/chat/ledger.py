"""What was asked and what it cost: answers on disk by the hash of the request, and a budget."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.errors import AntiphonError, ConfigError

CHARACTERS_A_TOKEN = 4
"""For estimates: about four bytes of English are a token of today's models."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Question:
    """One question to a model: what it is told, what it is given, and how many tokens its answer may have.

    `schema`: a JSON schema that the answer must follow. `attempt`: asked again after a bad answer, it is another
    question.
    """

    system: str
    user: str
    max_answer: int = 400
    temperature: float | None = None
    schema: Mapping[str, Any] | None = None
    attempt: int = 0

    def key(self, model: str) -> str:
        """The SHA-256 of the model and everything that it sees."""
        return storage.digest("chat", 1, model, asdict(self))

    @property
    def tokens(self) -> int:
        """Estimated tokens of the request."""
        return tokens_of(self.system) + tokens_of(self.user) + 8


@dataclass(frozen=True)
class Reply:
    """An answer, or why there is none (`problem`). `final`: no other request will be answered either."""

    text: str = ""
    finish: str = "stop"
    tokens_in: int = 0
    tokens_out: int = 0
    problem: str | None = None
    final: bool = False
    cached: bool = False


class Answers:
    """Answers in a folder, one JSON file each, named by the hash of the request; written at once or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Reply | None:
        """The answer to a request; None where none is kept, or its file is damaged."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            kept = storage.read_json(path)
            return Reply(
                str(kept["text"]), str(kept["finish"]), int(kept["tokens_in"]), int(kept["tokens_out"]), cached=True
            )
        except (AntiphonError, KeyError, TypeError, ValueError):
            return None

    def put(self, key: str, model: str, reply: Reply) -> None:
        """Keep an answer; what a killed process left of the same one goes."""
        storage.sweep_beside(self._path(key))
        kept = {"text": reply.text, "finish": reply.finish, "model": model}
        storage.write_json(self._path(key), {**kept, "tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out})

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"


@dataclass
class Budget:
    """How many tokens and how much money may go; shared by threads.

    A request reserves what it may cost at most before it is sent, so the limit is not passed, as far as the estimate
    of the tokens holds. Prices are for a million tokens, in any currency.
    """

    max_tokens: int | None = None
    max_cost: float | None = None
    price_in: float = 0.0
    price_out: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    _reserved: list[int] = field(default_factory=lambda: [0, 0])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.max_cost is not None and not (self.price_in > 0 or self.price_out > 0):
            raise ConfigError(
                "a budget of money needs prices; give --price-in and --price-out, for a million tokens each."
            )

    @property
    def cost(self) -> float:
        """What was spent."""
        return self.cost_of(self.tokens_in, self.tokens_out)

    def cost_of(self, tokens_in: int, tokens_out: int) -> float:
        """The price of some tokens."""
        return (tokens_in * self.price_in + tokens_out * self.price_out) / MILLION

    def reserve(self, tokens_in: int, tokens_out: int) -> bool:
        """Set tokens aside; False where that would pass the budget."""
        with self._lock:
            total_in = self.tokens_in + self._reserved[0] + tokens_in
            total_out = self.tokens_out + self._reserved[1] + tokens_out
            if self.max_tokens is not None and total_in + total_out > self.max_tokens:
                return False
            if self.max_cost is not None and self.cost_of(total_in, total_out) > self.max_cost:
                return False
            self._reserved = [self._reserved[0] + tokens_in, self._reserved[1] + tokens_out]
            return True

    def settle(self, reserved: tuple[int, int], reply: Reply) -> None:
        """Give back what was set aside, and count what was spent."""
        with self._lock:
            self._reserved = [self._reserved[0] - reserved[0], self._reserved[1] - reserved[1]]
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out


def tokens_of(text: str) -> int:
    """Estimated tokens of a text."""
    return math.ceil(len(text.encode()) / CHARACTERS_A_TOKEN)
