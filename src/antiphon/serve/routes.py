"""What the service answers, under /v1."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from antiphon.errors import AntiphonError, QueryError, nearest
from antiphon.playlist import FORMATS, Playlist, PlaylistRequest, Tradeoff, export, make_playlist, reorder
from antiphon.playlist.make import as_given
from antiphon.serve import requests, uploads, why
from antiphon.serve.live import Live
from antiphon.serve.metrics import Metrics
from antiphon.serve.models import (
    BatchBody,
    OrderBody,
    PlaylistBody,
    RefineBody,
    SearchBody,
    TalkBody,
    UnderstandBody,
    Understood,
    WhyBody,
)
from antiphon.serve.problems import OverloadError, of_error
from antiphon.serve.served import Answer, Ask, Served
from antiphon.serve.settings import Settings
from antiphon.talk.conversation import reply
from antiphon.talk.refine import Translator, refine
from antiphon.talk.wish import Wish

ItemId = Annotated[str, Path(max_length=500, examples=["1"])]
WhereText = Annotated[str | None, Query(max_length=10_000, examples=["year>=1980"])]
K = Annotated[int, Query(ge=1, le=10_000)]
JSON = "application/json"
_LISTS: dict[int | str, dict[str, Any]] = {200: {"content": {kind.media_type: {} for kind in FORMATS.values()}}}
"""What a playlist may be sent as, for the description of the API."""


def as_json(value: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), headers=headers, media_type=JSON)


def make_router(
    live: Live, metrics: Metrics, settings: Settings, translate: Translator | None, understand: requests.Interpret
) -> APIRouter:
    """All routes over a live space."""
    router = APIRouter()
    _add_searches(router, live, metrics, settings)
    _add_uploads(router, live, metrics, settings)
    _add_items(router, live, metrics, settings)
    _add_catalog(router, live, settings)
    _add_playlists(router, live, settings)
    _add_talk(router, live, settings, translate)
    _add_understanding(router, live, settings, understand)
    _add_health(router, live, metrics)
    return router


async def _answered(live: Live, metrics: Metrics, ask: Ask) -> Response:
    served, start = live.served, time.perf_counter()
    _check_fields(served, ask)
    answer = await live.batcher.submit(ask)
    return _hits(served, metrics, ask, answer, start)


def _check_fields(served: Served, ask: Ask) -> None:
    """Refuse fields that the catalog does not have."""
    for name in ask.fields or ():
        if name not in served.space.field_types:
            raise QueryError(f"fields: there is no field {name!r}; {nearest(name, served.space.field_types)}")


async def _one_of_many(live: Live, metrics: Metrics, body: SearchBody, settings: Settings) -> str:
    """A request of a batch as JSON text: its hits, or the problem that it has."""
    try:
        ask = requests.ask_of(body, settings)
        _check_fields(live.served, ask)
        answer = await live.batcher.submit(ask)
    except AntiphonError as error:
        return bytes(of_error(error).body).decode()
    metrics.results.observe(answer.n_hits)
    doubt = "" if answer.fits else ',"nothing_fits":true'
    return f'{{"hits":{answer.hits},"next_offset":{_next(ask, answer)}{doubt}}}'


def _next(ask: Ask, answer: Answer) -> str:
    """Where the next page begins; null where this one is not full."""
    return str(ask.offset + ask.k) if answer.n_hits == ask.k else "null"


def _hits(served: Served, metrics: Metrics, ask: Ask, answer: Answer, start: float) -> Response:
    metrics.results.observe(answer.n_hits)
    took = (time.perf_counter() - start) * 1000
    parts = {"read": answer.read, "loosen": answer.loosen, "nothing_fits": not answer.fits}
    more = "".join(f',"{name}":{json.dumps(part, ensure_ascii=False)}' for name, part in parts.items() if part)
    head = f'{{"space_id":"{served.space.space_id}","took_ms":{took:.2f}'
    text = f'{head},"hits":{answer.hits},"next_offset":{_next(ask, answer)}'
    return Response(f"{text}{more}}}".encode(), media_type=JSON)


def _tagged(served: Served) -> dict[str, str]:
    """Headers that let a client keep an answer for as long as the space is the same."""
    return {"etag": f'"{served.space.space_id}"', "cache-control": "private, no-cache"}


def _unchanged(served: Served, request: Request) -> Response | None:
    """304 where the client has the answer of this space."""
    headers = _tagged(served)
    if request.headers.get("if-none-match") != headers["etag"]:
        return None
    return Response(status_code=304, headers=headers)


def _add_searches(router: APIRouter, live: Live, metrics: Metrics, settings: Settings) -> None:
    @router.post("/v1/search", tags=["search"])
    async def search(body: SearchBody, request: Request) -> Response:
        """Answer a request: words, likes, dislikes, a user or a history, filters, in any mix; best first."""
        ask = requests.ask_of(body, settings)
        request.state.asked = {"text": body.text, "likes": body.likes, "history": body.history}
        return await _answered(live, metrics, ask)

    @router.post("/v1/search/batch", tags=["search"])
    async def search_batch(body: BatchBody) -> Response:
        """Answer several requests at once; each has its hits, or the problem that it has alone."""
        served, start = live.served, time.perf_counter()
        found = await asyncio.gather(*(_one_of_many(live, metrics, one, settings) for one in body.requests))
        took = (time.perf_counter() - start) * 1000
        text = f'{{"space_id":"{served.space.space_id}","took_ms":{took:.2f},"answers":[{",".join(found)}]}}'
        return Response(text.encode(), media_type=JSON)

    @router.post("/v1/recommend", tags=["search"])
    async def recommend(body: SearchBody, request: Request) -> Response:
        """Recommend from likes, dislikes, a user or a history: a search without words."""
        requests.refuse_text(body)
        return await _answered(live, metrics, requests.ask_of(body, settings))

    @router.post("/v1/why", tags=["search"])
    async def explain(body: WhyBody) -> Response:
        """Why an item answers a request: shares, matched words, the nearest likes, its rank in each modality alone."""
        ask, served = requests.ask_of(body, settings), live.served
        return as_json(await asyncio.to_thread(why.explain, served, ask, body.item_id))


def _add_uploads(router: APIRouter, live: Live, metrics: Metrics, settings: Settings) -> None:
    # Decoding and encoding a file takes a core for a while. It must not keep the batches of other requests waiting, nor
    # may files that wait for it fill the memory.
    turns, places = asyncio.Semaphore(2), asyncio.Semaphore(uploads.MOST)

    @router.post(uploads.ROUTE, tags=["search"], openapi_extra=uploads.OPENAPI)
    async def search_media(request: Request) -> Response:
        """Search with a picture or a sound, alone or together with what /v1/search takes; best first."""
        if places.locked():
            raise OverloadError(f"{uploads.MOST} requests with files are under way; ask again in a moment.")
        served, start = live.served, time.perf_counter()
        async with places:
            body, files = await uploads.read(request, served.space)
            ask = requests.ask_of(body, settings, files=files)
            request.state.asked = {"text": body.text, "files": sorted(files)}
            async with turns:
                answer = (await asyncio.to_thread(served.answer, [ask]))[0]
        if isinstance(answer, Exception):
            raise answer
        return _hits(served, metrics, ask, answer, start)


def _add_items(router: APIRouter, live: Live, metrics: Metrics, settings: Settings) -> None:
    @router.get("/v1/items", tags=["items"])
    async def complete(q: Annotated[str, Query(max_length=200, examples=["star"])], k: K = 10) -> Response:
        """Items whose titles fit what was typed so far."""
        served, k = live.served, min(k, settings.max_k)
        rows = await asyncio.to_thread(served.vocabulary.complete, q, k)
        return as_json({"items": [served.item(row) for row in rows]})

    @router.get("/v1/items/{item_id:path}/similar", tags=["items"])
    async def similar(item_id: ItemId, k: K = 10, where: WhereText = None, explain: bool = False) -> Response:
        """Items like one item, best first."""
        live.served.row(item_id)
        body = SearchBody(likes=[item_id], k=k, where=where, explain=explain)
        return await _answered(live, metrics, requests.ask_of(body, settings))

    @router.get(
        "/v1/items/{item_id:path}/image",
        tags=["items"],
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}}},
    )
    async def image(item_id: ItemId, w: Annotated[int, Query(ge=1, le=10_000)] = 240) -> Response:
        """The item's picture, resized."""
        served = live.served
        data = await asyncio.to_thread(requests.picture, served, item_id, w)
        return Response(data, media_type="image/jpeg", headers={"cache-control": "private, max-age=86400"})

    # Behind the others: an id may have slashes, as Face/Off has.
    @router.get("/v1/items/{item_id:path}", tags=["items"])
    async def item(item_id: ItemId, request: Request) -> Response:
        """One item: title, fields, and the modalities that it has. Its ETag is that of the space."""
        served = live.served
        row = served.row(item_id)
        if (known := _unchanged(served, request)) is not None:
            return known
        present = dict(zip(served.space.modalities, served.space.present[:, row].tolist(), strict=True))
        return as_json({**served.item(row), "modalities": present}, _tagged(served))


def _add_catalog(router: APIRouter, live: Live, settings: Settings) -> None:
    @router.get("/v1/facets", tags=["catalog"])
    async def facets(where: WhereText = None, values: Annotated[int, Query(ge=1, le=1_000)] = 40) -> Response:
        """Counts of field values, and histograms of numbers, among the items that pass a filter."""
        return as_json(await asyncio.to_thread(requests.facets, live.served, Ask(Wish()), where, values))

    @router.post("/v1/facets", tags=["catalog"])
    async def facets_of(body: SearchBody) -> Response:
        """Counts among the best answers to a request."""
        ask = requests.ask_of(body, settings, may_be_empty=True)
        return as_json(await asyncio.to_thread(requests.facets, live.served, ask, ask.where, 40))

    @router.get("/v1/space", tags=["catalog"])
    async def space(request: Request) -> Response:
        """What this space is: name, sizes, modalities with their coverage, fields, limits, example requests."""
        served = live.served
        return _unchanged(served, request) or as_json(requests.describe(served, settings), _tagged(served))

    @router.get("/v1/map", tags=["catalog"])
    async def atlas(request: Request) -> Response:
        """All items on a map of two dimensions, with names of regions."""
        served = live.served
        if (known := _unchanged(served, request)) is not None:
            return known
        return Response(served.map_document, headers=_tagged(served), media_type=JSON)

    @router.get("/v1/map/colours", tags=["catalog"])
    async def colours(field: Annotated[str, Query(max_length=200, examples=["year"])]) -> Response:
        """A field's value of each item, for colouring the map."""
        return as_json(await asyncio.to_thread(live.served.atlas.colours, field))


def _add_playlists(router: APIRouter, live: Live, settings: Settings) -> None:
    @router.post("/v1/playlist", tags=["playlists"], responses=_LISTS)
    async def playlist(body: PlaylistBody) -> Response:
        """An ordered list from words, seeds (`likes`) or a list to continue (`after`)."""
        served, start = live.served, time.perf_counter()
        ask = requests.ask_of(body, settings, may_be_empty=bool(body.after))
        made = await asyncio.to_thread(_make, served, body, ask)
        return _playlist_response(served, made, body, start)

    @router.post("/v1/playlist/order", tags=["playlists"], responses=_LISTS)
    async def order(body: OrderBody) -> Response:
        """The same items in an order that flows, or as they are; with the similarity of neighbours."""
        served, start = live.served, time.perf_counter()
        for item_id in body.item_ids:
            served.row(item_id)
        work = reorder if body.flow else as_given
        made = await asyncio.to_thread(work, served.space, body.item_ids)
        return _playlist_response(served, made, body, start)


def _make(served: Served, body: PlaylistBody, ask: Ask) -> Playlist:
    history = tuple(dict.fromkeys((*ask.history, *body.after)))
    query = served.query(replace(ask, history=history, k=1, offset=0))
    settings = body.model_dump(include={"length", "max_per", "include_seeds", "flow", "variety", "seed"})
    request = PlaylistRequest(
        replace(query, likes=ask.wish.likes), tradeoff=Tradeoff(**body.tradeoff.model_dump()), **settings
    )
    return make_playlist(served.space, request)


def _playlist_response(served: Served, made: Playlist, body: PlaylistBody | OrderBody, start: float) -> Response:
    if body.format != "json":
        text = export(made, body.format, name=body.name, location=body.location)
        return Response(text.encode(errors="replace"), media_type=FORMATS[body.format].media_type)
    links = [None if link is None else round(link, 4) for link in made.links]
    items = ",".join(served.hit_text(hit, link=link) for hit, link in zip(made.entries, links, strict=True))
    took = (time.perf_counter() - start) * 1000
    rest = json.dumps({"coherence": made.coherence, "short": made.short}, ensure_ascii=False)[1:]
    text = f'{{"space_id":"{made.space_id}","took_ms":{took:.2f},"items":[{items}],{rest}'
    return Response(text.encode(), media_type=JSON)


def _add_talk(router: APIRouter, live: Live, settings: Settings, translate: Translator | None) -> None:
    @router.post("/v1/refine", tags=["talk"])
    async def refined(body: RefineBody) -> Response:
        """Change a request by a sentence: "newer", "less violent", "more like the second one".

        The state is `wish`; the client holds it and sends it back.
        """
        wish, served = requests.wish_of(body.wish, settings), live.served
        step = await asyncio.to_thread(
            refine, served.space, wish, body.say, body.shown, vocabulary=served.vocabulary, translate=translate
        )
        changes = [{"says": change.says, "guessed": change.guessed} for change in step.changes]
        return as_json({"wish": step.wish.plain(), "changes": changes, "guessed": step.guessed})

    @router.post("/v1/talk", tags=["talk"])
    async def talk(body: TalkBody, request: Request) -> Response:
        """Answer the next sentence of a conversation: all that was said counts, nothing that was shown comes again.

        The state is `conversation`; the client holds it and sends it back.
        """
        said, served, start = requests.conversation_of(body, settings), live.served, time.perf_counter()
        request.state.asked = {"text": body.say}
        made = await asyncio.to_thread(
            reply, served.space, said, body.say, vocabulary=served.vocabulary, typical=served.typical, user=body.user,
            k=body.k,
        )  # fmt: skip
        hits = ",".join(served.hit_text(hit) for hit in made.hits)
        after = json.dumps({"says": made.says, "conversation": made.conversation.plain()}, ensure_ascii=False)[1:]
        took = (time.perf_counter() - start) * 1000
        text = f'{{"space_id":"{served.space.space_id}","took_ms":{took:.2f},"hits":[{hits}],{after}'
        return Response(text.encode(), media_type=JSON)


def _add_understanding(router: APIRouter, live: Live, settings: Settings, understand: requests.Interpret) -> None:
    @router.post("/v1/understand", tags=["talk"], responses={200: {"model": Understood}})
    async def understood(body: UnderstandBody, request: Request) -> Response:
        """Take a sentence apart: words that remain, filters, liked items, and the query to send to /v1/search.

        Nothing is searched: whoever asks decides whether to use what was found.
        """
        request.state.asked = {"text": body.text}
        return as_json(await asyncio.to_thread(requests.understood, live.served, body, settings, understand))


def _add_health(router: APIRouter, live: Live, metrics: Metrics) -> None:
    @router.get("/healthz", tags=["health"])
    async def healthz() -> Response:
        """The process is up."""
        return as_json({"status": "ok"})

    @router.get("/readyz", tags=["health"])
    async def readyz() -> Response:
        """Queries are answered: the encoders are loaded, and the service is not stopping."""
        from antiphon.serve.problems import problem

        if not live.ready:
            return problem(503, "the service is starting or stopping.")
        on_store = live.served.space.on_store
        if on_store is not None:
            await asyncio.to_thread(on_store.store.check)  # a StoreError is a 503
        return as_json({"status": "ready", "space_id": live.served.space.space_id})

    @router.get("/metrics", tags=["health"], response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def numbers() -> Response:
        """Metrics in Prometheus' text format."""
        return Response(metrics.render(), media_type=metrics.content_type)
