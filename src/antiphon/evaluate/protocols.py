"""What is asked and what counts as right: tasks, from a run's held-out users or from files that anyone can bring.

A task says its queries twice, as `Query` values for a space and as item rows or texts for the other systems, so that
all of them answer the same question. Paper, section 3.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antiphon.data.jsonl import json_lines, spoken
from antiphon.data.splits import held_out
from antiphon.data.tables import column_of, ids_of, read_file
from antiphon.errors import ConfigError, DataError
from antiphon.evaluate.rundata import RunData
from antiphon.numbers.metrics import Relevance
from antiphon.query.request import Query

EXPECTED = 'expected {"query_id": "1", "text": "..." or "turns": ["...", ...], "positives": ["item id", ...]}'
"""A line of a file of requests."""
Kind = Literal["recommend", "similar", "retrieve", "cold"]
Part = Literal["validation", "test", "all"]
Items = NDArray[np.int32]
KINDS: tuple[Kind, ...] = ("recommend", "similar", "retrieve", "cold")
VALIDATION_SHARE: Mapping[str, float] = {"retrieve": 0.5, "similar": 0.2}
"""Share of the queries that hyperparameters may be chosen on; the others are the test."""


@dataclass(frozen=True, eq=False)
class Task:
    """Queries with their truths, one entry per query.

    `profiles`: item rows that are known and never count as answers, sorted; empty where there is only a text.
    `weights`: as many weights as the profile has items. `allowed`: (n_items,) bool, the items that may be answers;
    None for all. `ignored_ids`: truths that the catalog lacks. `ignored`: what else was left out, by reason.
    """

    name: str
    kind: Kind
    ids: tuple[str, ...]
    queries: tuple[Query, ...]
    profiles: tuple[Items, ...]
    weights: tuple[NDArray[np.float32], ...]
    texts: tuple[str, ...]
    relevance: Relevance
    n_items: int
    allowed: NDArray[np.bool_] | None = None
    ignored_ids: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, wanted: Sequence[int] | NDArray[np.int64]) -> Task:
        """The task with some of its queries, in the order given."""
        rows = [int(row) for row in wanted]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            queries=tuple(self.queries[row] for row in rows),
            profiles=tuple(self.profiles[row] for row in rows),
            weights=tuple(self.weights[row] for row in rows),
            texts=tuple(self.texts[row] for row in rows),
            relevance=Relevance.from_lists(self.relevance.row(row) for row in rows),
        )


def recommend_task(data: RunData, part: Part = "test") -> Task:
    """Held-out users: a random half of what they like is known, the other half is the truth.

    Raises:
        ConfigError: the run holds out no users.
    """
    users, share = _users(data, part), data.config.split.profile
    held = held_out(data.interactions, users, share, data.config.seed)
    weights = [data.weights(user, items) for user, items in zip(held.users, held.profiles, strict=True)]
    names = [data.interactions.user_ids[user] for user in held.users]
    return _profile_task(data, f"recommend-{part}", "recommend", names, held.profiles, weights, held.truths)


def cold_task(data: RunData, part: Part = "test", *, among: Literal["cold", "all"] = "cold") -> Task:
    """Held-out users, what they like of the cold items: those that collaborative filtering never saw.

    The profile has no cold items. `among`: rank the cold items only, or all items. Users without a warm profile or
    without a cold truth are left out and counted.

    Raises:
        ConfigError: the run has no cold items or holds out no users.
    """
    cold = np.zeros(data.catalog.n_items, dtype=bool)
    cold[data.split.cold_items] = True
    if not cold.any():
        raise ConfigError(
            "the run has no cold items; build one that hides some: antiphon build antiphon.toml --set split.cold=0.2"
        )
    task = wanted_task(data, f"cold-{part}-{among}", part, hidden=cold, wanted=cold)
    return task if among == "cold" else replace(task, allowed=None)


def wanted_task(data: RunData, name: str, part: Part, *, hidden: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> Task:
    """Held-out users, what they like of the items `wanted`, ranked among these; `hidden` ones are in no profile.

    `hidden`, `wanted`: (n_items,) bool, `wanted` within `hidden`. Users without a profile or without a truth are left
    out and counted.
    """
    held = held_out(data.interactions, _users(data, part), data.config.split.profile, data.config.seed)
    names, profiles, weights, truths = [], [], [], []
    for user, profile, truth in zip(held.users, held.profiles, held.truths, strict=True):
        liked = np.concatenate([profile, truth])
        known, asked = profile[~hidden[profile]], np.sort(liked[wanted[liked]])
        if len(known) and len(asked):
            names.append(data.interactions.user_ids[user])
            profiles.append(known)
            weights.append(data.weights(user, known))
            truths.append(asked)
    task = _profile_task(data, name, "cold", names, profiles, weights, truths)
    left = {"users without a warm profile or a cold truth": len(held.users) - len(names)}
    return replace(task, allowed=wanted, ignored=left)


def similar_task(data: RunData, path: Path, part: Part = "all") -> Task:
    """Items whose similar items are known from a table of item_id and similar_id.

    Ids that the catalog lacks are dropped and counted; an item is not similar to itself.

    Raises:
        DataError: the file cannot be read, lacks a column, or names no item of the catalog.
    """
    table = read_file(path, ["item_id", "similar_id"])
    sources = ids_of(column_of(table, "item_id", path), path, "item_id").to_pylist()
    targets = ids_of(column_of(table, "similar_id", path), path, "similar_id").to_pylist()
    row_of = data.row_of
    truths: dict[str, set[int]] = {}
    unknown, itself, unanswered = 0, 0, set()
    for source, target in zip(sources, targets, strict=True):
        if source == target:
            itself += 1
        elif source in row_of and target in row_of:
            truths.setdefault(source, set()).add(row_of[target])
        else:
            unknown += 1
            unanswered |= {source} & row_of.keys()
    names = [name for name in sorted(truths) if _is_in(part, "similar", name, data.config.seed)]
    ignored = {
        "pairs of an item with itself": itself,
        "items whose similar items are all outside the catalog": len(unanswered - truths.keys()),
    }
    if not names:
        raise DataError(
            f"{path}: none of its {len(sources):,} pairs has both ids in the catalog "
            f"(file: {sources[0] if sources else None!r}, catalog: {data.catalog.item_ids[0]!r})."
        )
    rows = [np.array([row_of[name]], dtype=np.int32) for name in names]
    task = _profile_task(
        data, f"similar-{part}", "similar", names, rows, [np.ones(1, dtype=np.float32)] * len(names),
        [np.array(sorted(truths[name]), dtype=np.int32) for name in names],
    )  # fmt: skip
    return replace(task, queries=tuple(Query(likes=(name,)) for name in names), ignored_ids=unknown, ignored=ignored)


def retrieve_task(data: RunData, path: Path, part: Part = "all") -> Task:
    """Requests in plain words from a file of lines {"query_id", "text" or "turns", "positives"}.

    Positives that the catalog lacks are dropped and counted, as are requests without any positive left.

    Raises:
        DataError: the file is missing, a line is malformed (the sentence has its number), or nothing is left.
    """
    ids, asked, truths = [], [], []
    unknown = empty = 0
    for place, value in json_lines(path, EXPECTED):
        query_id, query, positives = _request(value, place)
        known = [data.row_of[item] for item in positives if item in data.row_of]
        unknown += len(positives) - len(known)
        empty += not known
        if known and _is_in(part, "retrieve", query_id, data.config.seed):
            ids.append(query_id)
            asked.append(query)
            truths.append(known)
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise DataError(f"{path}: the query_id {twice!r} is there more than once; give each request its own.")
    if not ids:
        raise DataError(f"{path}: no request has a positive that is an item of the catalog ({unknown:,} ids unknown).")
    nothing = np.empty(0, dtype=np.int32)
    return Task(
        name=f"retrieve-{part}", kind="retrieve", ids=tuple(ids), queries=tuple(asked), profiles=(nothing,) * len(ids),
        weights=(nothing.astype(np.float32),) * len(ids), texts=tuple(str(query.spoken) for query in asked),
        relevance=Relevance.from_lists(truths), n_items=data.catalog.n_items,
        ignored_ids=unknown, ignored={"requests without a positive in the catalog": empty},
    )  # fmt: skip


def _profile_task(
    data: RunData, name: str, kind: Kind, ids: Sequence[str], profiles: Sequence[Items],
    weights: Sequence[NDArray[np.float32]], truths: Sequence[Items],
) -> Task:  # fmt: skip
    item_ids = data.item_ids
    queries = [Query(history=tuple(item_ids[row] for row in profile)) for profile in profiles]
    return Task(
        name, kind, tuple(ids), tuple(queries), tuple(profiles), tuple(weights), ("",) * len(ids),
        Relevance.from_lists(truths), data.catalog.n_items,
    )  # fmt: skip


def _users(data: RunData, part: Part) -> NDArray[np.int64]:
    split = data.split
    users = {"test": split.test, "validation": split.validation}.get(part, np.union1d(split.test, split.validation))
    if not len(users):
        raise ConfigError(
            f"the run holds out no {part} users, so recommendations cannot be evaluated; it needs interactions, and "
            f"split.{'test' if part == 'all' else part} above 0 in antiphon.toml."
        )
    return users


def _is_in(part: Part, kind: str, name: str, seed: int) -> bool:
    """Whether a query belongs to a part: a function of its id and the run's seed, so that it never changes sides."""
    if part == "all":
        return True
    drawn = f"antiphon:{kind}:{name}" + (f":{seed}" if seed else "")
    draw = int.from_bytes(hashlib.sha256(drawn.encode()).digest()[:8]) / 2**64
    return (draw < VALIDATION_SHARE[kind]) == (part == "validation")


def _request(value: dict[str, Any], place: str) -> tuple[str, Query, list[str]]:
    """The parts of one line, checked."""
    turns = None if "text" in value else spoken(value)
    if turns is not None:
        value["text"] = "\n".join(turns)
    for key, kind in (("query_id", str | int), ("text", str), ("positives", list)):
        if not isinstance(value.get(key), kind) or isinstance(value.get(key), bool):
            raise DataError(f"{place}: {key!r} is {value.get(key)!r}; {EXPECTED}.")
    if not value["text"].strip():
        raise DataError(f"{place}: the text is empty; {EXPECTED}.")
    odd = [item for item in value["positives"] if not isinstance(item, str | int) or isinstance(item, bool)]
    if odd:
        raise DataError(f"{place}: the positive {odd[0]!r} is no item id; {EXPECTED}.")
    said = [turn for turn in turns or () if turn.strip()]
    query = Query(turns=tuple(said)) if said else Query(text=value["text"])
    return str(value["query_id"]), query, [str(item) for item in value["positives"]]
