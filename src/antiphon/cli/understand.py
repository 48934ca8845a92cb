"""A request taken apart before it is answered: `antiphon search --understand`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from antiphon.space.space import Space
    from antiphon.talk.reader import Reading


def understood(
    space: Space, by: str, where: tuple[str, ...], request: dict[str, Any]
) -> tuple[list[str], tuple[str, ...], dict[str, Any]]:
    """What was understood, the filters, and the request with its text, likes and dislikes.

    Raises:
        ConfigError: a model is to read, but none is named.
    """
    from antiphon.talk.refine import exemplars

    reading = _read(space, by, request["text"])
    wish = reading.wish
    away = tuple(item for words in wish.less for item in exemplars(space, words))
    likes = tuple(dict.fromkeys((*request["likes"], *wish.likes)))
    dislikes = dict.fromkeys((*request["dislikes"], *(item for item in away if item not in likes)))
    return (
        list(reading.says), (*where, *wish.where),
        {**request, "text": wish.text, "likes": likes, "dislikes": tuple(dislikes)},
    )  # fmt: skip


def _read(space: Space, by: str, text: str) -> Reading:
    from antiphon.talk.model import model_reading
    from antiphon.talk.reader import Reader

    reader = Reader.of(space)
    if by == "rules":
        return reader.read(text)
    from antiphon.base.runtime import cache_folder
    from antiphon.chat.endpoint import Chat, Endpoint
    from antiphon.chat.ledger import Answers
    from antiphon.chat.prompt import load_prompt

    endpoint = Endpoint.of(None, None, None, timeout=30.0, retries=1)
    return model_reading(reader, text, Chat(endpoint, Answers(cache_folder() / "answers")), load_prompt("understand"))
