"""From bodies to the library's values, within the service's limits; and the answers that are plain documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from antiphon.errors import QueryError
from antiphon.query.filters import Filter, parse_filter
from antiphon.query.parts import MAX_MEDIA
from antiphon.query.request import MediaFile
from antiphon.serve.models import Asking, SearchBody, TalkBody, UnderstandBody, WishBody
from antiphon.serve.served import Ask, Served
from antiphon.serve.settings import Settings
from antiphon.space.space import Space
from antiphon.talk.conversation import Conversation
from antiphon.talk.reader import Reader, Reading
from antiphon.talk.wish import Wish

Interpret = Callable[[Reader, str], Reading]
"""Takes a sentence apart; `Reader.read` by rules, or one that asks a language model."""


def ask_of(
    body: Asking, settings: Settings, *, may_be_empty: bool = False, files: Mapping[str, MediaFile] | None = None
) -> Ask:
    """A request within the limits.

    Raises:
        QueryError: it is beyond a limit, empty, or its filter cannot be read.
    """
    text = body.text if body.text is None or body.text.strip() else None
    turns = tuple(turn for turn in body.turns if turn.strip())
    _check_text("\n".join([*turns, text or ""]), settings)
    for name in ("likes", "dislikes", "history", "exclude"):
        _check_items(getattr(body, name), name, settings)
    k, offset = getattr(body, "k", 10), getattr(body, "offset", 0)
    if k > settings.max_k or offset > settings.max_offset:
        raise QueryError(
            f"k is {k:,} and offset {offset:,}; this service takes at most {settings.max_k:,} and "
            f"{settings.max_offset:,}."
        )
    wish = Wish(
        text, tuple(body.more), tuple(body.less), tuple(body.likes), tuple(body.dislikes), tuple(body.exclude),
        weights=dict(body.weights),
    )  # fmt: skip
    if not may_be_empty and wish.empty and not turns and body.user is None and not body.history and not files:
        raise QueryError("the request is empty; give a text, likes, dislikes, a user or a history.")
    explain = getattr(body, "explain", False)
    fields = getattr(body, "fields", None)
    kept = None if fields is None else tuple(dict.fromkeys(fields))
    return Ask(
        wish, where_of(body.where), body.user, tuple(body.history), k, offset, explain, turns=turns,
        literal=tuple(body.literal), fields=kept, **(files or {}),
    )  # fmt: skip


def where_of(where: Any) -> Filter | None:
    """A filter; nothing, blank text and empty lists are none.

    Raises:
        FilterError: it cannot be read.
    """
    if where is None or where in ([], {}) or (isinstance(where, str) and not where.strip()):
        return None
    return parse_filter(where)


def wish_of(body: WishBody, settings: Settings) -> Wish:
    """The state of a conversation.

    Raises:
        QueryError: it is beyond a limit.
    """
    _check_text(body.text, settings)
    for name in ("likes", "dislikes", "exclude"):
        _check_items(getattr(body, name), name, settings)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name in WishBody.model_fields
        for value in [getattr(body, name)]
    }
    for part in body.where:
        parse_filter(part)
    return Wish(**values)


def conversation_of(body: TalkBody, settings: Settings) -> Conversation:
    """The conversation that a sentence goes on with, as a client sends it back.

    Raises:
        QueryError: it, or the sentence, is beyond a limit.
    """
    before = body.conversation
    _check_text("\n".join([*before.turns, body.say]), settings)
    if body.k > settings.max_k:
        raise QueryError(f"k is {body.k:,}; this service takes at most {settings.max_k:,}.")
    lists = {name: tuple(getattr(before, name)) for name in ("turns", "shown", "seen")}
    return Conversation(wish=wish_of(before.wish, settings), **lists)


def understood(served: Served, body: UnderstandBody, settings: Settings, read: Interpret) -> dict[str, Any]:
    """What a sentence was taken for, and the body of a search that asks for it.

    Raises:
        QueryError: it is empty or beyond the limit.
    """
    _check_text(body.text, settings)
    reader = served.reader
    if body.beside_search:
        reader = reader.beside({one.kind for one in served.space.read(body.text)})
    reading = read(reader, body.text)
    wish = reading.wish
    query = {"text": wish.text, "likes": list(wish.likes), "less": list(wish.less), "where": list(wish.where)}
    likes = [{"item_id": item_id, "title": served.space.titles[served.row(item_id)]} for item_id in wish.likes]
    return {
        "space_id": served.space.space_id, "by": reading.by, "says": list(reading.says),
        **query, "likes": likes, "query": {name: value for name, value in query.items() if value},
    }  # fmt: skip


def refuse_text(body: SearchBody) -> None:
    """A recommendation takes no words.

    Raises:
        QueryError: it has some.
    """
    if body.text or body.more or body.turns:
        raise QueryError("a recommendation takes no text; ask /v1/search for words and likes together.")


def media_file(kind: str, content: bytes, name: str, space: Space) -> MediaFile:
    """A picture or a sound of a request, if the space reads such files.

    Raises:
        QueryError: it does not, or the file is empty or too large.
    """
    if not space.accepts(kind):
        accepted = [name for name in MAX_MEDIA if space.accepts(name)]
        instead = f"it takes {' and '.join(accepted)} files" if accepted else "it takes no files"
        raise QueryError(f"this space has no modality that reads {kind} files; {instead}.")
    file = MediaFile(content, name)
    file.check(kind)
    return file


def facets(served: Served, ask: Ask, where: Any, n_values: int) -> dict[str, Any]:
    """Counts of field values among the candidates of a request."""
    expression = where_of(where)
    within = served.near(ask)
    mask = served.facets.mask(expression, within)
    counts = served.facets.count(expression, within, n_values)
    return {"n_items": int(mask.sum()), "within": "best answers" if within is not None else "all", "facets": counts}


def picture(served: Served, item_id: str, width: int) -> bytes:
    """An item's picture.

    Raises:
        UnknownIdError: there is no such item, or it has no picture.
    """
    served.row(item_id)
    if served.pictures is None:
        from antiphon.errors import UnknownIdError

        raise UnknownIdError("this catalog has no pictures.")
    return served.pictures.resized(item_id, width)


def describe(served: Served, settings: Settings) -> dict[str, Any]:
    """What a space is."""
    space = served.space
    return {
        "space_id": space.space_id,
        "name": space.manifest["name"],
        "n_items": space.n_items,
        "n_searchable": int(space.searchable.sum()),
        "n_users": 0 if space.users is None else len(space.users.row_of),
        "dim": space.dim,
        "modalities": {
            name: {key: space.manifest["modalities"][name][key] for key in ("encoder", "accepts", "coverage")}
            for name in space.modalities
        },
        "fields": dict(space.field_types),
        "card": served.facets.telling(),
        "images": served.pictures is not None,
        "limits": {
            "k": settings.max_k,
            "offset": settings.max_offset,
            "text": settings.max_text,
            "likes": settings.max_likes,
            "body": settings.max_body,
            "upload": settings.max_upload,
        },
        "accepts": [kind for kind in ("text", *MAX_MEDIA) if space.accepts(kind)],
        "examples": served.examples,
    }


def _check_text(text: str | None, settings: Settings) -> None:
    if text is not None and len(text) > settings.max_text:
        raise QueryError(f"the text has {len(text):,} characters; this service takes at most {settings.max_text:,}.")


def _check_items(items: list[str], name: str, settings: Settings) -> None:
    if len(items) > settings.max_likes:
        raise QueryError(f"{name} has {len(items):,} items; this service takes at most {settings.max_likes:,}.")
