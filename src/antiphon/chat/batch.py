"""Answers through a provider's batch endpoint: a file of requests, a wait, a file of answers into the cache.

What was submitted is noted beside the answers, so that a killed wait is gone on with and nothing is paid twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.chat.endpoint import Chat, body_of, client_library, reply_of
from antiphon.chat.ledger import Question, Reply
from antiphon.errors import ConfigError

MOST_REQUESTS = 20_000
"""In one batch; providers take at most 50,000 requests and 200 MB."""
LONGEST_POLL = 60.0
ENDED = ("completed", "failed", "expired", "cancelled")
_ID = re.compile(r"[\w.-]{1,200}")
Notify = Callable[[str], None]


def fill_by_batch(chat: Chat, asks: Sequence[Question], notify: Notify, *, poll: float = 1.0) -> int:
    """Ask for all of `asks` by batches and keep the answers; returns how many came. What failed can be asked again.

    `poll`: seconds between the first looks; they become fewer. The budget counts: requests beyond it are not sent.

    Raises:
        ConfigError: the endpoint has no batches, or refuses this one.
    """
    came = 0
    for part in _affordable(chat, asks):
        batch = _submitted(chat, part, notify)
        while batch.status not in ENDED:
            counts = batch.request_counts
            notify(f"batch {batch.id}: {batch.status}, {getattr(counts, 'completed', 0):,} of {len(part):,} done")
            if not chat.pace.wait(poll):
                return came
            poll = min(LONGEST_POLL, poll * 1.5)
            batch = _retrieve(chat, batch.id)
        answered = _collect(chat, part, batch)
        notify(f"batch {batch.id}: {batch.status}, {answered:,} of {len(part):,} answered")
        came += answered
        _note_of(chat, part).unlink(missing_ok=True)
    return came


def _affordable(chat: Chat, asks: Sequence[Question]) -> Iterator[list[Question]]:
    """The requests that the budget allows, in parts that a provider takes."""
    part: list[Question] = []
    for ask in asks:
        if not chat.budget.reserve(ask.tokens, ask.max_answer):
            chat.closed = "budget"
            break
        part.append(ask)
        if len(part) == MOST_REQUESTS:
            yield part
            part = []
    if part:
        yield part


def _submitted(chat: Chat, part: Sequence[Question], notify: Notify) -> Any:
    """The batch of these requests: the one that was submitted before, or a new one."""
    note = _note_of(chat, part)
    if note.is_file():
        known = str(storage.read_json(note).get("batch"))
        if _ID.fullmatch(known):
            notify(f"going on with batch {known}")
            return _retrieve(chat, known)
    lines = [
        {
            "custom_id": ask.key(chat.endpoint.model), "method": "POST", "url": "/v1/chat/completions",
            "body": body_of(ask, chat.endpoint.model, chat.limit),
        }
        for ask in part
    ]  # fmt: skip
    content = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines).encode()
    file = _call(chat, lambda: chat.client.files.create(file=("requests.jsonl", content), purpose="batch"))
    batch = _call(
        chat,
        lambda: chat.client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        ),
    )
    storage.write_json(note, {"batch": batch.id})
    notify(f"batch {batch.id}: {len(part):,} requests submitted")
    return batch


def _retrieve(chat: Chat, batch_id: str) -> Any:
    return _call(chat, lambda: chat.client.batches.retrieve(batch_id))


def _collect(chat: Chat, part: Sequence[Question], batch: Any) -> int:
    """Keep the answers of a batch that has ended; those to what was not asked are left out."""
    waiting = {ask.key(chat.endpoint.model): ask for ask in part}
    came = 0
    output = batch.output_file_id
    lines = _call(chat, lambda: chat.client.files.content(output)).text.splitlines() if output else []
    for line in lines:
        try:
            answer = json.loads(line)
            key, response = answer["custom_id"], answer["response"]
            ask = waiting.pop(key)
            reply = reply_of(response["body"], ask) if response["status_code"] == 200 else Reply(problem="failed")
        except (ValueError, KeyError, TypeError):
            continue
        chat.budget.settle((ask.tokens, ask.max_answer), reply)
        if reply.problem is None:
            chat.answers.put(key, chat.endpoint.model, reply)
            came += 1
    for ask in waiting.values():
        chat.budget.settle((ask.tokens, ask.max_answer), Reply())
    return came


def _note_of(chat: Chat, part: Sequence[Question]) -> Path:
    keys = [ask.key(chat.endpoint.model) for ask in part]
    return chat.answers.folder / "batches" / f"{storage.digest(chat.endpoint.base_url, keys)[:32]}.json"


def _call(chat: Chat, work: Callable[[], Any]) -> Any:
    """A call of the client, tried again where the connection or the server fails."""
    openai = client_library()
    for attempt in range(chat.endpoint.retries + 1):
        try:
            return work()
        except openai.APIStatusError as error:
            if error.status_code < 500 and error.status_code not in (408, 409, 429):
                raise ConfigError(
                    f"the endpoint refuses a batch (HTTP {error.status_code}: {chat.sentence(error)}); leave --batch "
                    "out to ask for each item by itself."
                ) from None
        except openai.OpenAIError:
            pass
        chat.pace.wait(min(60.0, chat.endpoint.backoff * 2**attempt))
    raise ConfigError("the endpoint does not answer about its batches; the same command goes on with them later.")
