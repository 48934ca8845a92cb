"""Conversations over HTTP and MCP: the client holds the state, all turns count, readings are said."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("mcp")


def said(client, text, conversation=None, **more):
    """The answer to the next sentence."""
    got = client.post("/v1/talk", json={"say": text, "conversation": conversation or {}, "k": 5, **more})
    assert got.status_code == 200, got.text
    return got.json()


def test_a_conversation_goes_on_and_shows_nothing_twice(client):
    """The state that comes back is what the next sentence is sent with."""
    first = said(client, "a tense drama")
    second = said(client, "something with music", first["conversation"])
    third = said(client, "like the second one but newer", second["conversation"])
    shown = [hit["item_id"] for answer in (first, second, third) for hit in answer["hits"]]
    assert len(shown) == len(set(shown))
    assert third["conversation"]["turns"] == ["a tense drama", "something with music"]
    assert third["conversation"]["wish"]["likes"] == [second["hits"][1]["item_id"]]
    assert third["says"][0].startswith("more like")


def test_the_service_answers_as_the_library_does(client, space):
    """Turns of a search are those of the query."""
    turns = ["hello there", "a tense drama"]
    got = client.post("/v1/search", json={"turns": turns, "k": 5}).json()
    assert [hit["item_id"] for hit in got["hits"]] == [hit.item_id for hit in space.search(turns=turns, k=5)]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"say": ""}, 422),
        ({"say": "  "}, 400),
        ({"say": "x" * 3_000}, 400),
        ({"say": "a", "k": 400}, 400),
        ({"say": "newer", "conversation": {"shown": ["no such film"], "seen": [], "turns": ["a"]}}, 200),
        ({"say": "a", "conversation": {"more": 1}}, 422),
    ],
)
def test_odd_conversations_are_refused(client, body, status):
    """By a sentence, and never by a failure of the service."""
    assert client.post("/v1/talk", json=body).status_code == status


def test_readings_are_said_and_taken_back(client):
    """A refusal is read, until its words are literal."""
    got = client.post("/v1/search", json={"text": "a drama without horror", "k": 3}).json()
    assert [read["says"] for read in got["read"]] == ["without horror"]
    back = client.post("/v1/search", json={"text": "a drama without horror", "literal": ["horror"], "k": 3}).json()
    assert "read" not in back


def test_a_language_model_can_send_a_dialogue(space):
    """The tool takes what was said before, and what was shown."""
    from antiphon.serve.mcp import make_server
    from antiphon.serve.served import Served

    server = make_server(lambda: Served(space))

    def called(**arguments):
        result = asyncio.run(server.call_tool("search", arguments))
        return result.structured_content if hasattr(result, "structured_content") else result[1]

    first = called(turns=["a tense drama"], text="without horror", k=3)
    ids = [item["item_id"] for item in first["items"]]
    assert first["understood"] == ["without horror"]
    second = called(turns=["a tense drama", "without horror"], text="other ones please", shown=ids, k=3)
    assert not set(ids) & {item["item_id"] for item in second["items"]}
