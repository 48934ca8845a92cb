"""Tools for language models over the Model Context Protocol, with the official SDK.

Results are short: an id, a title, the fields that say what an item is, and why it came. Errors are the sentences of
the library, so that a model can mend its call.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import ToolAnnotations
from pydantic import Field

from antiphon.base.package import __version__
from antiphon.errors import AntiphonError, QueryError, UnknownIdError, nearest
from antiphon.playlist import PlaylistRequest, make_playlist
from antiphon.query.columns import words_of
from antiphon.query.hits import Hit, plain
from antiphon.query.parts import ABOUT, MAX_MEDIA
from antiphon.query.request import MediaFile, Query
from antiphon.serve.requests import facets as count_facets
from antiphon.serve.requests import media_file, where_of
from antiphon.serve.served import Ask, Served
from antiphon.serve.settings import Settings
from antiphon.space.space import Space
from antiphon.talk.wish import Wish

Text = Annotated[str | None, Field(max_length=2000, description=ABOUT["text"])]
Turns = Annotated[
    list[str], Field(max_length=200, description=f"{ABOUT['turns']} `text` is what is said last. All of it counts.")
]
Shown = Annotated[list[str], Field(max_length=1000, description="item_ids that were shown before: no answers again.")]
Likes = Annotated[list[str], Field(max_length=200, description=f"{ABOUT['likes']} item_ids, as tools return them.")]
Dislikes = Annotated[list[str], Field(max_length=200, description=f"{ABOUT['dislikes']} item_ids.")]
Less = Annotated[list[str], Field(max_length=20, description='Qualities to go away from, such as "violent".')]
Where = Annotated[
    str | None,
    Field(description=f"{ABOUT['where']} `facets` lists fields and values."),
]
Image = Annotated[str | None, Field(description=f"{ABOUT['image']} What a JPEG or PNG file holds, as base64.")]
Audio = Annotated[str | None, Field(description=f"{ABOUT['audio']} What a file such as WAV holds, as base64.")]
K = Annotated[int, Field(ge=1, le=50, description=ABOUT["k"])]
MAX_WORDS = 6
READ_ONLY = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
AT_WORK = 2
"""Searches with files that are at work at the same time, as in the service: each takes a core for a while."""
_A = {"image": "a picture", "audio": "a sound"}
Current = Callable[[], Served]


def make_server(current: Current, settings: Settings | None = None) -> MCPServer:
    """The server; `current` gives the space in use, `settings` how large a file may be."""
    space = current().space
    server = MCPServer(
        "antiphon",
        version=__version__,
        log_level="WARNING",
        instructions=(
            f"A catalog of {space.n_items:,} items ({space.manifest['name']}) that can be searched in plain words, by "
            "example, and with filters. Refer to items by title when you talk, by item_id when you call. Call facets "
            "before you filter by a value that you have not seen."
        ),
        tools=[_search_tool(current, settings or Settings())],
    )
    _add_answers(server, current)
    _add_lookups(server, current)
    return server


def http_app(current: Current, settings: Settings) -> Any:
    """The server over streamable HTTP at /mcp, without sessions, so that any request can be answered."""
    return make_server(current, settings).streamable_http_app(
        stateless_http=True, json_response=True, max_request_body_size=max(settings.max_upload, settings.max_body)
    )


def _search_tool(current: Current, settings: Settings) -> Tool:
    """Search, with `image` and `audio` among its arguments where the space reads such files.

    Where it does not, a file that is sent all the same is refused in a sentence.
    """
    places = threading.Semaphore(AT_WORK)

    def search(
        text: Text = None, likes: Likes = [], dislikes: Dislikes = [], less: Less = [], where: Where = None, k: K = 10,
        image: Image = None, audio: Audio = None, turns: Turns = [], shown: Shown = [],
    ) -> dict[str, Any]:  # fmt: skip
        wish = replace(_wish(text, likes, dislikes, less), exclude=tuple(shown))
        served, ask = current(), Ask(wish, k=k, explain=True, turns=tuple(turns))
        given = {kind: value for kind, value in (("image", image), ("audio", audio)) if value}
        if not given:
            return _hits(served, ask, where)
        if not places.acquire(timeout=settings.timeout):
            raise ToolError("other searches with files are under way; ask again in a moment.")
        try:
            files = _said(lambda: _files(served.space, given, settings.max_upload))
            return _hits(served, replace(ask, **files), where)
        finally:
            places.release()

    read = [kind for kind in MAX_MEDIA if current().space.accepts(kind)]
    by = "".join(f"by {_A[kind]}, " for kind in read)
    said = f"Find items by plain words, by example (likes), {by}with filters, or all of them at once; best first."
    tool = Tool.from_function(search, description=said, annotations=READ_ONLY)
    for kind in set(MAX_MEDIA) - set(read):
        del tool.parameters["properties"][kind]
    return tool


def _files(space: Space, given: Mapping[str, str], most: int) -> dict[str, MediaFile]:
    """Files of a request out of base64 text, bare or as a data URL.

    Raises:
        QueryError: the text is no base64, the file is empty or too large, or the space does not read such files.
    """
    files = {}
    for kind, text in given.items():
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        if len(encoded) // 4 * 3 > most + 3:
            raise QueryError(f"the {kind} is too large; this service takes at most {most:,} bytes.")
        try:
            content = base64.b64decode("".join(encoded.split()), validate=True)
        except ValueError as error:
            raise QueryError(f"the {kind} is no base64 ({error}); send what the file holds as base64 text.") from error
        files[kind] = media_file(kind, content, "the file", space)
    return files


def _add_answers(server: MCPServer, current: Current) -> None:
    @server.tool(annotations=READ_ONLY)
    def recommend(
        likes: Likes = [], dislikes: Dislikes = [], user: str | None = None, where: Where = None, k: K = 10
    ) -> dict[str, Any]:
        """Recommend from what a person likes (item_ids) or for a user of the catalog."""
        return _hits(current(), Ask(_wish(None, likes, dislikes, []), user=user, k=k, explain=True), where)

    @server.tool(annotations=READ_ONLY)
    def playlist(
        text: Text = None,
        likes: Likes = [],
        after: Annotated[list[str], Field(max_length=200, description="A list to continue, in order.")] = [],
        where: Where = None,
        length: Annotated[int, Field(ge=1, le=100)] = 15,
        max_per: Annotated[dict[str, int], Field(description='Such as {"director": 1}.')] = {},
        turns: Turns = [],
    ) -> dict[str, Any]:
        """Make an ordered list in which each item is close to the one before, from words, examples, or both."""

        def work() -> dict[str, Any]:
            query = Query(
                text=text, likes=tuple(likes), history=tuple(after), where=where_of(where), turns=tuple(turns)
            )
            request = PlaylistRequest(query, length=length, max_per=max_per)
            made = make_playlist(current().space, request)
            if not made.entries:
                raise QueryError(f"no list can be made: {made.short or 'nothing passes the filter'}")
            return {"items": [_short(hit) for hit in made.entries], "note": made.short}

        return _said(work)


def _add_lookups(server: MCPServer, current: Current) -> None:
    @server.tool(annotations=READ_ONLY)
    def item(
        item_id: Annotated[str | None, Field(description="The id, where you have it.")] = None,
        title: Annotated[str | None, Field(description="Or a part of the title.")] = None,
    ) -> dict[str, Any]:
        """Look an item up by id or title; with a title, the best known matches."""

        def work() -> dict[str, Any]:
            served = current()
            if item_id is not None:
                return {"items": [_card(served, served.row(item_id))]}
            if not title or not title.strip():
                raise QueryError("give an item_id, or a part of a title.")
            rows = served.vocabulary.complete(title, 8)
            if not rows:
                raise UnknownIdError(
                    f"no title has {title!r}; try another part of it, or `search` for what it is about."
                )
            return {"items": [_card(served, row) for row in rows]}

        return _said(work)

    @server.tool(annotations=READ_ONLY)
    def facets(
        where: Where = None,
        field: Annotated[str | None, Field(description="Only this field, with more of its values.")] = None,
    ) -> dict[str, Any]:
        """List the fields that filters may use, with their most frequent values or their range, and counts."""

        def work() -> dict[str, Any]:
            served = current()
            known = served.space.field_types
            if field is not None and field not in known:
                raise QueryError(f"there is no field {field!r}; {nearest(field, known)}")
            counted = count_facets(served, Ask(Wish()), where, 12 if field is None else 60)
            if not counted["n_items"]:
                raise QueryError(f"nothing passes the filter {where!r}; loosen it.")
            shown = [_facet(facet) for facet in counted["facets"] if field in (None, facet["field"])]
            return {"n_items": counted["n_items"], "facets": shown}

        return _said(work)


def _wish(text: str | None, likes: list[str], dislikes: list[str], less: list[str]) -> Wish:
    return Wish(text=text or None, likes=tuple(likes), dislikes=tuple(dislikes), less=tuple(less))


def _hits(served: Served, ask: Ask, where: str | None) -> dict[str, Any]:
    def work() -> dict[str, Any]:
        asked = replace(ask, where=where_of(where))
        resolved = served.space.resolve([served.query(asked)])
        hits = served.space.hits_of(resolved)
        read = [one.says for one in served.space.readings(resolved)[0]]
        if hits:
            return {"items": [_short(hit) for hit in hits], **({"understood": read} if read else {})}
        loosen = served.facets.loosen(asked.where)
        hint = [f"without {part['filter']!r}: {part['would_match']} items" for part in loosen]
        if where is None:
            raise QueryError("there are no more items that could be an answer; ask for fewer things at once.")
        costs = f": {'; '.join(hint)}" if hint else ""
        raise QueryError(f"nothing passes the filter {where!r}; loosen it{costs}.")

    return _said(work)


def _said(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except AntiphonError as error:
        raise ToolError(str(error)) from error


def _short(hit: Hit) -> dict[str, Any]:
    shown: dict[str, Any] = {"item_id": hit.item_id, "title": hit.title, **_fields(hit.fields)}
    if hit.why is not None:
        best = sorted(hit.why.items(), key=lambda item: -item[1])
        said = ", ".join(f"{name} {share:.0%}" for name, share in best if share > 0)
        matched = "; ".join(f"{name}: {', '.join(words)}" for name, words in (hit.matched or {}).items())
        shown["why"] = f"{said}{'; matches ' + matched if matched else ''}"
    return shown


def _card(served: Served, row: int) -> dict[str, Any]:
    found = served.item(row)
    return {"item_id": found["item_id"], "title": found["title"], **_fields(found["fields"])}


def _fields(fields: Any) -> dict[str, Any]:
    """Fields with the first few of many values: a model reads every word."""
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, list):
            words = words_of(value)
            more = f" and {len(words) - MAX_WORDS} more" if len(words) > MAX_WORDS else ""
            shown[name] = ", ".join(words[:MAX_WORDS]) + more
        else:
            shown[name] = plain(value)
    return {name: value for name, value in shown.items() if value not in (None, "")}


def _facet(facet: dict[str, Any]) -> dict[str, Any]:
    if "bins" in facet:
        return {"field": facet["field"], "type": facet["type"], "min": facet["min"], "max": facet["max"]}
    values = {value["value"]: value["count"] for value in facet["values"]}
    return {"field": facet["field"], "type": facet["type"], "values": values, "n_values": facet["n_values"]}
