"""The client, against the service on a real port."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

import antiphon
from antiphon.errors import QueryError, ServiceError, UnknownIdError
from antiphon.serve import Settings, create_app

KEY = "open-sesame-1"


@pytest.fixture(scope="module")
def url(film_run: Any) -> Iterator[str]:
    """The address of a service with a key."""
    app = create_app(film_run, Settings(keys=(KEY,), poll=0))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(3000):
        if server.started:
            break
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


def test_a_client_gets_the_answers_of_the_library(url, space):
    """With filters, a choice of fields, an item, and what a sentence means."""
    with antiphon.Client(url, key=KEY) as client:
        hits = client.search("a tense drama", where="year>=1980", k=4, fields=["year"])
        expected = space.search("a tense drama", where="year>=1980", k=4)
        assert [hit["item_id"] for hit in hits] == [hit.item_id for hit in expected]
        assert all(set(hit["fields"]) == {"year"} for hit in hits)
        assert client.item(hits[0]["item_id"])["title"] == hits[0]["title"]
        assert client.similar(hits[0]["item_id"], k=2)[0]["rank"] == 1
        assert client.recommend(likes=[hits[0]["item_id"]], k=1)[0]["item_id"] != hits[0]["item_id"]
        assert client.understand("dramas, nothing gory")["query"]
        assert client.space()["space_id"] == space.space_id


def test_pages_end_where_the_answers_do(url, space):
    """Every item once, in the order of one long answer."""
    with antiphon.Client(url, key=KEY) as client:
        pages = list(client.pages("a quiet film", size=25))
    assert [len(page) for page in pages] == [25, 25, len(space.item_ids) - 50]
    found = [hit["item_id"] for page in pages for hit in page]
    assert found == [hit.item_id for hit in space.search("a quiet film", k=100)]


def test_many_requests_are_answered_in_one_call(url, space):
    """In their order; one that cannot be answered says which it was."""
    with antiphon.Client(url, key=KEY) as client:
        answers = client.search_many([{"text": "dark", "k": 2}, {"likes": ["film-003"], "k": 3}])
        assert [len(hits) for hits in answers] == [2, 3]
        assert answers[1][0]["item_id"] == space.search(likes=["film-003"], k=1)[0].item_id
        with pytest.raises(QueryError, match=r"request 1: .*did you mean 'year'"):
            client.search_many([{"text": "dark"}, {"text": "dark", "where": "yaer>1"}])


def test_errors_are_the_sentences_of_the_service(url):
    """As the library would raise them."""
    with antiphon.Client(url, key=KEY) as client:
        with pytest.raises(QueryError, match="did you mean 'year'"):
            client.search("dark", where="yaer>1980")
        with pytest.raises(QueryError, match=r"fields: there is no field 'genre'; did you mean 'genres'"):
            client.search("dark", fields=["genre"])
        with pytest.raises(UnknownIdError, match="no item 'x/y'"):
            client.item("x/y")
    with antiphon.Client(url) as client, pytest.raises(ServiceError, match="an API key is needed") as refused:
        client.search("dark")
    assert refused.value.status == 401
    with antiphon.Client("http://127.0.0.1:9") as client, pytest.raises(ServiceError, match="is it started") as silent:
        client.space()
    assert silent.value.status is None


def test_an_async_client_has_the_same_methods(url, space):
    """To await."""
    names = {name for name in vars(antiphon.Client) if not name.startswith("_")}
    assert names == {name for name in vars(antiphon.AsyncClient) if not name.startswith("_")}

    async def main():
        async with antiphon.AsyncClient(url, key=KEY) as client:
            many = await asyncio.gather(client.search("dark", k=3), client.search_many([{"text": "quiet", "k": 1}]))
            pages = [page async for page in client.pages("dark", size=40)]
            first = many[0][0]["item_id"]
            await asyncio.gather(client.item(first), client.similar(first), client.understand("dark"), client.space())
            return many[0], pages, await client.recommend(likes=[first], k=1)

    hits, pages, liked = asyncio.run(main())
    assert [hit["item_id"] for hit in hits] == [hit.item_id for hit in space.search("dark", k=3)]
    assert sum(map(len, pages)) == space.n_items
    assert len(liked) == 1
