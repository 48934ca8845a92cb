"""What a Qdrant server is sent: the requests of the client, recorded by a server that answers nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.errors import StoreError
from antiphon.query.filters import parse_filter
from antiphon.stores.contract import PASSAGES, Narrowed, Part, Shape
from antiphon.stores.filters import lowered

pytest.importorskip("qdrant_client", reason="qdrant-client is in the extra qdrant")

SHAPE = Shape(
    n_items=9, types={"year": "number", "genres": "list"}, blocks={"joint": 2}, terms=("words",),
    flags=("searchable",), passages=2,
)  # fmt: skip
RECORDED = json.loads("""
{
  "searches": [
    {
      "query": {"nearest": [0.5, -1.0]}, "using": "joint", "limit": 7,
      "params": {"hnsw_ef": 64, "exact": false}, "with_payload": false, "with_vector": false,
      "filter": {
        "must": [
          {"key": "marks", "match": {"any": ["searchable"]}},
          {"must": [
            {"key": "f0", "range": {"gte": 1980.0}},
            {"must_not": [{"key": "f1", "match": {"any": ["drama", "war"]}}]}
          ]}
        ],
        "must_not": [{"has_id": [3, 4]}]
      }
    },
    {
      "query": {"nearest": {"indices": [2, 8], "values": [1.0, 0.25]}}, "using": "words", "limit": 7,
      "params": {"hnsw_ef": 64, "exact": false}, "with_payload": false, "with_vector": false,
      "filter": {
        "must": [
          {"key": "marks", "match": {"any": ["searchable"]}},
          {"must": [
            {"key": "f0", "range": {"gte": 1980.0}},
            {"must_not": [{"key": "f1", "match": {"any": ["drama", "war"]}}]}
          ]}
        ],
        "must_not": [{"has_id": [3, 4]}]
      }
    }
  ]
}
""")


class Recorder(ThreadingHTTPServer):
    """Keeps the bodies that it is sent, and answers every search with row 1."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.seen: list[tuple[str, str, Any]] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answering(BaseHTTPRequestHandler):
    """The few answers that the client needs."""

    server: Recorder

    def do_GET(self) -> None:
        """What a server says of itself, and the aliases that it has."""
        said: Any = {"title": "qdrant", "version": "1.20.0"}
        if self.path.startswith("/aliases"):
            said = _result({"aliases": [{"alias_name": "antiphon-films", "collection_name": "antiphon-films-one"}]})
        self._answer(said)

    def do_POST(self) -> None:
        """Searches, and changes of aliases."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append(("POST", self.path.partition("?")[0], body))
        if self.path.startswith("/collections/aliases"):
            self._answer(_result(True))
        else:
            point = {"id": 1, "version": 0, "score": 0.5}
            self._answer(_result([{"points": [point]} for _ in body["searches"]]))

    def _answer(self, said: Any) -> None:
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


def _result(value: Any) -> dict[str, Any]:
    return {"result": value, "status": "ok", "time": 0.0}


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A recorder that listens."""
    with Recorder() as found:
        thread = threading.Thread(target=found.serve_forever, daemon=True)
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def _place(url: str) -> Any:
    from antiphon.stores.qdrant import Qdrant, QdrantOptions

    return Qdrant.open("films", QdrantOptions(url=url, timeout=2), Path())


def test_a_search_is_sent_as_it_was_recorded(server: Recorder) -> None:
    """One request has a search for each part, with the filter as conditions."""
    from antiphon.stores.qdrant import QdrantVersion

    place = _place(server.url).place
    version = QdrantVersion(SHAPE, lambda: place.engine("one", SHAPE))
    where = lowered(parse_filter("year>=1980 and not genres any Drama,war"), SHAPE.types)
    parts = [
        Part("joint", "joint", np.array([[0.5, -1]], dtype=np.float32)),
        Part("words", "words", ids=np.array([2, 8]), weights=np.array([1, 0.25], dtype=np.float32)),
    ]
    found = version.nearest(parts, 7, Narrowed(where, "searchable", np.array([3, 4])))
    assert [rows.tolist() for rows in found] == [[1], [1]]
    assert server.seen == [("POST", "/collections/antiphon-films-one/points/query/batch", RECORDED)]


def test_scores_are_exact_and_of_the_rows_alone(server: Recorder) -> None:
    """Passages are asked as a multivector each."""
    from antiphon.stores.qdrant import QdrantVersion

    place = _place(server.url).place
    version = QdrantVersion(SHAPE, lambda: place.engine("one", SHAPE))
    part = Part("passages", PASSAGES, np.array([[1, 0], [0, 1]], dtype=np.float32))
    assert version.scores([part], np.array([1, 5])).tolist() == [[0.5, -1.0]]
    body = server.seen[0][2]["searches"]
    assert [one["query"]["nearest"] for one in body] == [[[1.0, 0.0]], [[0.0, 1.0]]]
    assert {one["params"]["exact"] for one in body} == {True}
    assert [one["filter"] for one in body] == [{"must": [{"has_id": [1, 5]}]}] * 2


def test_a_switch_is_one_request(server: Recorder) -> None:
    """The old alias goes and the new one comes together."""
    place = _place(server.url).place
    assert place.current() == "one"
    place.switch("two")
    alias = {"alias_name": "antiphon-films"}
    assert [one[1:] for one in server.seen] == [
        (
            "/collections/aliases",
            {
                "actions": [
                    {"delete_alias": alias},
                    {"create_alias": {"collection_name": "antiphon-films-two", **alias}},
                ]
            },
        )
    ]


def test_a_server_that_is_down_is_said_in_a_sentence() -> None:
    """Nobody listens at the port."""
    with pytest.raises(StoreError, match=r"the Qdrant store does not answer .*is it running"):
        _place("http://127.0.0.1:1").check()
