"""Tools for language models, called with the SDK's own client."""

from __future__ import annotations

import asyncio
import json

import pytest
from mcp import Client

from antiphon.serve.mcp import make_server
from antiphon.serve.served import Served


@pytest.fixture(scope="module")
def server(space, film_run):
    """The server over the films."""
    served = Served(space, film_run)
    return make_server(lambda: served)


def called(server, name, **arguments):
    """(result as plain values or text, whether it is an error) of a tool."""

    async def main():
        async with Client(server) as client:
            return await client.call_tool(name, arguments)

    result = asyncio.run(main())
    text = "".join(part.text for part in result.content)
    return (text, True) if result.is_error else (json.loads(text), False)


def test_the_tools_are_described(server):
    """Five tools, read-only, each with a description and described arguments."""

    async def main():
        async with Client(server) as client:
            return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in asyncio.run(main())}
    assert set(tools) == {"search", "recommend", "playlist", "item", "facets"}
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools.values())
    assert tools["search"].input_schema["properties"]["where"]["description"]


def test_results_are_short_and_say_why(server, space):
    """A hit has id, title, fields and a line of why; the ids are those of the library's answer."""
    found, failed = called(server, "search", text="a tense drama", k=3)
    assert not failed
    assert [hit["item_id"] for hit in found["items"]] == [hit.item_id for hit in space.search("a tense drama", k=3)]
    assert all("%" in hit["why"] for hit in found["items"])
    assert len(json.dumps(found)) < 2500


def test_a_space_that_reads_no_files_takes_none(server):
    """The search of such a space has no argument for files, and a file that is sent is refused in a sentence."""

    async def main():
        async with Client(server) as client:
            return next(tool for tool in (await client.list_tools()).tools if tool.name == "search")

    tool = asyncio.run(main())
    assert set(tool.input_schema["properties"]) == {"text", "likes", "dislikes", "less", "where", "k", "turns", "shown"}
    assert "picture" not in tool.description
    assert called(server, "search", text="drama", image="")[1] is False
    for kind in ("image", "audio"):
        text, failed = called(server, "search", text="drama", **{kind: "AAAA"})
        assert failed
        assert f"no modality that reads {kind} files; it takes no files" in text


def test_mistakes_come_back_as_sentences(server):
    """A wrong filter is an error that says what was meant; a filter that leaves nothing says what to loosen."""
    text, failed = called(server, "search", text="x", where="yeer>1980")
    assert failed
    assert "did you mean 'year'?" in text
    text, failed = called(server, "search", text="x", where="year>3000")
    assert failed
    assert "nothing passes the filter 'year>3000'" in text
    assert "without 'year > 3000': 60 items" in text


def test_what_finds_nothing_is_an_error_and_no_empty_list(server):
    """A model that gets an empty list makes answers up."""
    for tool, arguments, sentence in (
        ("item", {"title": "zzzzqqqq"}, "no title has 'zzzzqqqq'"),
        ("item", {}, "give an item_id, or a part of a title"),
        ("facets", {"field": "genre"}, "did you mean 'genres'?"),
        ("facets", {"where": "year>3000"}, "nothing passes the filter"),
        ("playlist", {"text": "dark", "where": "year>3000"}, ""),
    ):
        text, failed = called(server, tool, **arguments)
        assert failed, (tool, text)
        assert sentence in text


def test_recommend_playlist_item_and_facets(server):
    """The other tools answer with the same ids and titles."""
    item = called(server, "item", title="harbour")[0]["items"][0]
    assert "Harbour" in item["title"]
    assert called(server, "item", item_id=item["item_id"])[0]["items"] == [item]
    assert len(called(server, "recommend", likes=[item["item_id"]], k=4)[0]["items"]) == 4
    made = called(server, "playlist", text="dark", length=5)[0]["items"]
    assert len({entry["item_id"] for entry in made}) == 5
    facets = {facet["field"]: facet for facet in called(server, "facets")[0]["facets"]}
    assert "drama" in facets["genres"]["values"]
    assert called(server, "item", item_id="nobody")[1]
