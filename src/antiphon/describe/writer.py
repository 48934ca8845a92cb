"""GEN: descriptions written by a language model from TEMPLATE (paper, section 3.1), each answer checked.

One request per item: what stands in an item's text can reach no other item. An answer with a fault is asked for again,
then TEMPLATE takes its place, with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from antiphon.base.progress import Progress, silent
from antiphon.chat.crowd import each
from antiphon.chat.endpoint import Chat
from antiphon.chat.ledger import Question, Reply
from antiphon.chat.prompt import Prompt, clean
from antiphon.describe.checks import Rules, Subject, find_fault

TOKENS_A_WORD = 1.4
"""Of an answer, for the estimate."""


@dataclass(frozen=True)
class Style:
    """How descriptions are to be. `grounded`: only what the TEMPLATE says; else the model may add what it knows."""

    prompt: Prompt
    grounded: bool = True
    language: str = "English"
    min_words: int = 40
    max_words: int = 120
    tries: int = 2
    temperature: float | None = None
    answer_tokens: int | None = None

    def ask(self, text: str, attempt: int = 0) -> Question:
        """The request for one item."""
        addition = self.prompt.grounded if self.grounded else self.prompt.may_add
        words = {"language": self.language, "min_words": self.min_words, "max_words": self.max_words}
        system, user = self.prompt.fill(text, addition, **words)
        return Question(system, user, self.most_tokens, self.temperature, attempt=attempt)

    @property
    def most_tokens(self) -> int:
        """Tokens that an answer may have: room for the most words, unless `answer_tokens` says otherwise."""
        return self.answer_tokens or int(self.max_words * 2.5) + 50

    def rules(self, told: str) -> Rules:
        """What answers are held to."""
        return Rules(told, self.grounded, self.min_words, self.max_words, self.language)


@dataclass(frozen=True)
class Written:
    """Descriptions of items in order. `reasons`: None for a model's own, else why TEMPLATE stands there.

    `closed`: why the work ended before all items were asked for; None where it did not.
    """

    texts: tuple[str, ...]
    reasons: tuple[str | None, ...]
    from_cache: int = 0
    closed: str | None = None

    @property
    def by_model(self) -> int:
        """Number of items that the model has described."""
        return sum(reason is None for reason in self.reasons)

    @property
    def counts(self) -> Mapping[str, int]:
        """Kinds of reasons with their numbers, most frequent first."""
        return dict(Counter(reason.split(":")[0] for reason in self.reasons if reason is not None).most_common())


@dataclass(frozen=True)
class Estimate:
    """What is still to be asked, in estimated tokens.

    `tokens_out` is what is expected, `most_out` what it would be were all answers as long as they may be.
    """

    n_items: int
    cached: int
    tokens_in: int = 0
    tokens_out: int = 0
    most_out: int = 0


@dataclass
class Writer:
    """Writes descriptions of items through a chat endpoint."""

    chat: Chat
    style: Style
    n_workers: int = 4
    progress: Progress = field(default=silent)

    def write(self, titles: Sequence[str], templates: Sequence[str]) -> Written:
        """A description of each item; TEMPLATE where the model gave none that passes."""
        texts = list(templates)
        reasons: list[str | None] = [None] * len(texts)
        from_cache = 0
        with self.progress("describing", len(texts)) as advance:
            rows = each(
                lambda row: self._describe(titles[row], templates[row]), range(len(texts)), self.n_workers,
                self.chat.pace.stop,
            )  # fmt: skip
            for row, (text, reason, cached) in rows:
                reasons[row] = reason
                texts[row] = text if reason is None else templates[row]
                from_cache += cached
                advance(1)
        return Written(tuple(texts), tuple(reasons), from_cache, self.chat.closed)

    def pending(self, titles: Sequence[str], templates: Sequence[str]) -> list[Question]:
        """The requests whose answers are not kept yet, one per item: the first that was not asked."""
        asks = (self._pending(title, template) for title, template in zip(titles, templates, strict=True))
        return [ask for ask in asks if ask is not None]

    def estimate(self, titles: Sequence[str], templates: Sequence[str]) -> Estimate:
        """Tokens of what is still to be asked; nothing is asked."""
        asks = self.pending(titles, templates)
        expected = int((self.style.min_words + self.style.max_words) / 2 * TOKENS_A_WORD)
        return Estimate(
            len(titles), len(titles) - len(asks), sum(ask.tokens for ask in asks), expected * len(asks),
            sum(ask.max_answer for ask in asks),
        )  # fmt: skip

    def _pending(self, title: str, template: str) -> Question | None:
        for attempt in range(self.style.tries if template.strip() else 0):
            ask = self.style.ask(template, attempt)
            kept = self.chat.answers.get(ask.key(self.chat.endpoint.model))
            if kept is None:
                return ask
            if self._fault(kept, ask, title, template) is None:
                return None
        return None

    def _describe(self, title: str, template: str) -> tuple[str, str | None, bool]:
        """Text, reason against it, and whether it came from the cache."""
        if not template.strip():
            return "", "nothing to describe", False
        fault: str | None = None
        reply = Reply()
        for attempt in range(self.style.tries):
            ask = self.style.ask(template, attempt)
            reply = self.chat.ask(ask)
            if reply.problem is not None:
                # What the model gave before says more than that it could not be asked again.
                return "", fault or reply.problem, False
            fault = self._fault(reply, ask, title, template)
            if fault is None:
                break
        return " ".join(reply.text.split()), fault, reply.cached

    def _fault(self, reply: Reply, ask: Question, title: str, template: str) -> str | None:
        return find_fault(reply.text, reply.finish, Subject(title, clean(template)), self.style.rules(ask.system))
