"""A language model that takes a sentence apart, by a JSON schema; the rules where its answer cannot be used."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from antiphon.base.wording import bare
from antiphon.chat.endpoint import Chat
from antiphon.chat.ledger import Question
from antiphon.chat.prompt import Prompt
from antiphon.errors import QueryError
from antiphon.query.columns import words_of
from antiphon.talk.reader import MAX_LESS_WORDS, MAX_REQUEST, Draft, Reader, Reading
from antiphon.talk.wish import Wish

if TYPE_CHECKING:
    from antiphon.space.space import Space

SHOWN_VALUES = 12
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": ["string", "null"]},
        **{name: {"type": "array", "items": {"type": "string"}} for name in ("where", "titles", "less")},
    },
    "required": ["text", "where", "titles", "less"],
    "additionalProperties": False,
}
"""What a model answers."""


def model_reading(reader: Reader, sentence: str, chat: Chat, prompt: Prompt) -> Reading:
    """What a model makes of a sentence; what the rules make of it where its answer cannot be used.

    The answer follows a JSON schema. Filters must fit the fields and leave some item, titles must be in the catalog,
    and the text must not be longer than the sentence.
    """
    system, user = prompt.fill(sentence[:MAX_REQUEST], fields=_fields_of(reader.space))
    reply = chat.ask(Question(system, user, 400, 0.0, schema=SCHEMA))
    problem: object = reply.problem
    if problem is None:
        try:
            return _checked(reader, sentence, json.loads(reply.text))
        except (QueryError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            problem = error
    fallback = reader.read(sentence)
    return replace(fallback, says=(*fallback.says, f"the model's reading cannot be used: {problem}"))


def _checked(reader: Reader, sentence: str, answer: Mapping[str, Any]) -> Reading:
    """A reading out of a model's answer.

    Raises:
        QueryError: a part is of another kind, a filter does not fit, or no item passes.
    """
    for name in ("where", "titles", "less"):
        if not isinstance(answer[name], list) or not all(isinstance(part, str) for part in answer[name]):
            raise QueryError(f"{name} is {answer[name]!r}, expected a list of texts")
    text = answer["text"]
    if text is not None and (not isinstance(text, str) or len(text) > len(sentence) + 20):
        raise QueryError("the text is not that of the request")
    draft = Draft(text or "")
    for part in answer["where"]:
        if not reader.add(draft, (part,), part):
            raise QueryError(f"no item passes {part!r}")
    rows = [reader.titles.get(bare(title)) for title in answer["titles"]]
    likes = tuple(reader.space.item_ids[row] for row in rows if row is not None)
    less = tuple(part for part in answer["less"] if part.strip() and len(part.split()) <= MAX_LESS_WORDS)
    words = (text or "").strip() or (None if likes else sentence.strip())
    says = [*draft.says, *(f"like {reader.space.titles[row]}" for row in rows if row is not None)]
    says += [f"less {part}" for part in less]
    return Reading(Wish(text=words, less=less, likes=likes, where=tuple(draft.where)), tuple(says), "model")


def _fields_of(space: Space) -> str:
    """Fields with their types and their most frequent short values, a line each."""
    lines = []
    for name, kind in space.field_types.items():
        line = f"- {name} ({kind})"
        if kind in ("string", "list"):
            counted = Counter(word for value in space.fields[name].to_pylist() for word in words_of(value))
            values = [word for word, _ in counted.most_common(60) if re.fullmatch(r"[\w' &-]{1,30}", word)]
            line += f": {', '.join(values[:SHOWN_VALUES])}"
        lines.append(line)
    return "\n".join(lines)
