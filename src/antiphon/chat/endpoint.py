"""A chat endpoint and one way to ask it: cache, budget, pace, retries; failures come back as sentences."""

from __future__ import annotations

import email.utils
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from antiphon.base import runtime
from antiphon.chat.ledger import Answers, Budget, Question, Reply, tokens_of
from antiphon.chat.pace import Pace
from antiphon.errors import ConfigError

MODEL = "ANTIPHON_MODEL"
BASE_URL = "OPENAI_BASE_URL"
KEY_ENV = "OPENAI_API_KEY"
LONGEST_WAIT = 600.0
"""Seconds that a server's Retry-After is followed for; a longer one ends the request."""
FAILURES_IN_A_ROW = 10
"""Requests, each with all its retries, after which the server is taken to be down."""
FINAL = (401, 403, 404)
AGAIN = (408, 409, 425, 429)


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked. `key_env` names the variable with the key; the key itself is in no value and no log.

    `timeout`, `backoff`: seconds. The n-th retry waits about backoff * 2^n, or what the server's Retry-After says.
    """

    model: str
    base_url: str | None = None
    key_env: str = KEY_ENV
    timeout: float = 120.0
    retries: int = 6
    backoff: float = 1.0

    @classmethod
    def of(cls, model: str | None, base_url: str | None, key_env: str | None, **more: Any) -> Endpoint:
        """An endpoint from options, and from the environment where they are not given.

        Raises:
            ConfigError: no model is named, the URL is none, or the key is missing where the provider needs one.
        """
        model = model or os.environ.get(MODEL)
        if not model:
            raise ConfigError(f"no model is named; give --model NAME or set {MODEL}.")
        base_url = base_url or os.environ.get(BASE_URL) or None
        if base_url is not None and not re.match(r"https?://[^/\s]+", base_url):
            raise ConfigError(f"the base URL {base_url!r} does not begin with http:// or https://, as in {_EXAMPLE}.")
        endpoint = cls(model, base_url, key_env or KEY_ENV, **more)
        if base_url is None and not os.environ.get(endpoint.key_env):
            raise ConfigError(
                f"{endpoint.key_env} is not set; it holds the key of the provider. For a server without keys give "
                f"--base-url, such as {_EXAMPLE}."
            )
        return endpoint

    @classmethod
    def unasked(cls, model: str | None, base_url: str | None, key_env: str | None, **more: Any) -> Endpoint:
        """An endpoint for estimates: what is not given stays open, and answers that are kept are those of no model."""
        return cls(model or os.environ.get(MODEL) or "", base_url, key_env or KEY_ENV, **more)


_THOUGHT = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)
"""What some models think aloud before they answer."""
_EXAMPLE = "http://localhost:11434/v1"


class Chat:
    """Asks one endpoint; may be used by several threads at once.

    `closed` says why nothing more is asked: the budget, a refused key, a server that is down. Answers that are kept
    are still given. `offline`: give only those.
    """

    def __init__(
        self, endpoint: Endpoint, answers: Answers, *, budget: Budget | None = None, pace: Pace | None = None,
        offline: bool = False,
    ) -> None:  # fmt: skip
        self.endpoint, self.answers, self.offline = endpoint, answers, offline
        self.budget, self.pace = budget or Budget(), pace or Pace()
        self.retried = 0
        self.closed: str | None = None
        self.limit = "max_tokens"
        self._failed = 0

    @cached_property
    def client(self) -> Any:
        """The `openai` client, without retries of its own."""
        return client_library().OpenAI(
            api_key=os.environ.get(self.endpoint.key_env) or "none", base_url=self.endpoint.base_url,
            timeout=self.endpoint.timeout, max_retries=0,
        )  # fmt: skip

    def ask(self, request: Question) -> Reply:
        """The answer, from the cache or the model; a failure is a reply with `problem`, and is not kept."""
        key = request.key(self.endpoint.model)
        kept = self.answers.get(key)
        if kept is not None:
            return kept
        if self.offline or self.closed:
            return Reply(problem=self.closed or "not asked", final=True)
        reserved = (request.tokens, request.max_answer)
        if not self.budget.reserve(*reserved):
            self.closed = "budget"
            return Reply(problem=self.closed, final=True)
        reply = Reply(problem="stopped")
        try:
            reply = self._until_answered(request, key)
        finally:
            self.budget.settle(reserved, reply)
        self._note(reply)
        if reply.problem is None:
            self.answers.put(key, self.endpoint.model, reply)
        return reply

    def _note(self, reply: Reply) -> None:
        """Close after what no later request can mend: a refused key, or many failures in a row."""
        self._failed = 0 if reply.problem is None or reply.problem == "HTTP 400" else self._failed + 1
        if reply.final or self._failed >= FAILURES_IN_A_ROW:
            self.closed = self.closed or reply.problem

    def _until_answered(self, request: Question, key: str) -> Reply:
        reply = Reply(problem="stopped")
        for attempt in range(self.endpoint.retries + 1):
            if not self.pace.wait(self.pace.turn(request.tokens + request.max_answer)):
                return Reply(problem="stopped", final=True)
            reply, wait = self._once(request)
            if wait is None:
                return reply
            # Jitter out of the request itself: workers that failed together do not come back together.
            jitter = 0.5 + int(key[:4], 16) / 0x20000
            wait = wait if wait > 0 else min(60.0, self.endpoint.backoff * 2**attempt) * jitter
            if wait > LONGEST_WAIT or attempt == self.endpoint.retries:
                break
            self.retried += 1
            if reply.problem == "HTTP 429":
                self.pace.hold(wait)
            elif not self.pace.wait(wait):
                return Reply(problem="stopped", final=True)
        return reply

    def _once(self, request: Question) -> tuple[Reply, float | None]:
        """A reply, and None where it is the last word; else the seconds that the server asks to wait, 0 for none."""
        openai = client_library()
        try:
            answer = self.client.chat.completions.create(**body_of(request, self.endpoint.model, self.limit))
        except openai.APIStatusError as error:
            return self._refused(error)
        except openai.APITimeoutError:
            return Reply(problem="timeout"), 0.0
        except openai.APIConnectionError:
            return Reply(problem="no connection"), 0.0
        except (openai.OpenAIError, ValueError, TypeError, AttributeError):
            return Reply(problem="not the chat protocol"), 0.0
        reply = reply_of(answer, request)
        return reply, 0.0 if reply.problem else None

    def _refused(self, error: Any) -> tuple[Reply, float | None]:
        status, code = int(error.status_code), str(getattr(error, "code", None) or "")
        problem = f"HTTP {status}"
        if status in FINAL or code == "insufficient_quota":
            return Reply(problem=f"{problem}: {self.sentence(error)}", final=True), None
        if status == 400 and "max_completion_tokens" in str(error.message) and self.limit == "max_tokens":
            self.limit = "max_completion_tokens"  # the newer name of the same, which some models insist on
            return Reply(problem=problem), 0.01
        if status in AGAIN or status >= 500:
            return Reply(problem=problem), retry_after(error.response.headers)
        return Reply(problem=problem), None

    def sentence(self, error: Any) -> str:
        """What the server said, without the key, which some servers repeat in part."""
        key = os.environ.get(self.endpoint.key_env) or ""
        text = " ".join(str(getattr(error, "message", "")).split())[:300]
        if len(key) >= 8:
            text = text.replace(key, "***")
        return re.sub(r"\b(sk|key|tok)-[\w*.-]+", "***", text)


def client_library() -> Any:
    """The module `openai`.

    Raises:
        MissingExtraError: it is not installed.
    """
    return runtime.library("openai", "llm", "asking a language model")


def body_of(request: Question, model: str, limit: str = "max_tokens") -> dict[str, Any]:
    """A request as the protocol writes it; it offers the model no tools. `limit`: how the length's limit is called."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
        limit: request.max_answer,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.schema is not None:
        shape = {"name": "answer", "strict": True, "schema": dict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return body


def reply_of(answer: Any, request: Question) -> Reply:
    """A reply from a completion: an object of the client, or the same as plain values."""
    try:
        plain = answer if isinstance(answer, Mapping) else answer.model_dump(warnings=False)
        choice = plain["choices"][0]
        text = choice["message"].get("content") or ""
        finish = str(choice.get("finish_reason") or "stop")
        usage = plain.get("usage") or {}
        tokens_in = int(usage.get("prompt_tokens") or request.tokens)
        tokens_out = int(usage.get("completion_tokens") or tokens_of(str(text)))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return Reply(problem="not the chat protocol")
    if not isinstance(text, str):
        return Reply(problem="not the chat protocol")
    return Reply(_THOUGHT.sub("", text), finish, max(0, tokens_in), max(0, tokens_out))


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait: a number or a date; 0 where it does not say."""
    milliseconds, text = headers.get("retry-after-ms"), headers.get("retry-after") or ""
    try:
        return max(0.0, float(milliseconds) / 1000 if milliseconds else float(text))
    except ValueError:
        pass
    when = email.utils.parsedate_tz(text)
    return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else 0.0
