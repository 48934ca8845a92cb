"""Personalised search: a user's request, answered by what the user likes among what satisfies it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from antiphon.errors import ConfigError
from antiphon.evaluate.protocols import Items, Part, Task, recommend_task, retrieve_task
from antiphon.evaluate.rundata import RunData
from antiphon.numbers.metrics import Relevance
from antiphon.query.request import Query

PARTS = ("text and history", "text alone", "history alone")
MIN_TRUTHS = 3
"""A pair of a user and a request needs this many held-out positives that satisfy it."""


def personal_tasks(data: RunData, queries: Path, part: Part = "test") -> Mapping[str, Task]:
    """The same requests by the text, the history, and both; the truth is what both ask for.

    Each held-out user has one request, drawn among those that at least `MIN_TRUTHS` of the held-out positives
    satisfy. Items of the profile are never answers, whoever asks.

    Raises:
        ConfigError: no user likes enough of what any request asks for.
    """
    users, requests = recommend_task(data, part), retrieve_task(data, queries, part)
    pairs = list(_pairs(users, requests, data.config.seed))
    if not pairs:
        raise ConfigError(f"no {part} user likes {MIN_TRUTHS} items that any request of {queries} asks for.")
    chosen = users.take([user for user, _, _ in pairs])
    texts = tuple(requests.texts[request] for _, request, _ in pairs)
    ids = tuple(f"{users.ids[user]}:{requests.ids[request]}" for user, request, _ in pairs)
    base = replace(
        chosen, name=f"personalise-{part}", kind="retrieve", ids=ids, texts=texts,
        relevance=Relevance.from_lists(truth for _, _, truth in pairs),
    )  # fmt: skip
    known = [query.history for query in chosen.queries]
    asked = {
        PARTS[0]: [Query(text=text, history=items) for text, items in zip(texts, known, strict=True)],
        PARTS[1]: [Query(text=text, exclude=items) for text, items in zip(texts, known, strict=True)],
        PARTS[2]: [Query(history=items) for items in known],
    }
    return {name: replace(base, queries=tuple(made)) for name, made in asked.items()}


def _pairs(users: Task, requests: Task, seed: int) -> Iterator[tuple[int, int, Items]]:
    """User, request and truth: at most one request per user."""
    rng = np.random.default_rng([seed, 14])
    answers = [requests.relevance.row(row) for row in range(len(requests))]
    for user in range(len(users)):
        liked = users.relevance.row(user)
        for request in rng.permutation(len(requests)):
            truth: Items = np.intersect1d(liked, answers[request]).astype(np.int32)
            if len(truth) >= MIN_TRUTHS:
                yield user, int(request), truth
                break
