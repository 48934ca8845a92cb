"""Doors: headers on every answer, paces, ids of requests, and a log of who did what."""

from __future__ import annotations

import json
import logging
import os
import stat

import pytest
from fastapi.testclient import TestClient

from antiphon.serve import Settings, create_app
from antiphon.serve.guard import HEADERS
from antiphon.serve.rates import KNOWN, Rates


@pytest.fixture
def broken(film_run):
    """A service with a route that fails, and a key."""
    app = create_app(film_run, Settings(keys=("a-key-of-ours",), max_body=1000, poll=0))

    @app.get("/v1/broken")
    async def fail():
        raise ZeroDivisionError

    with TestClient(app, raise_server_exceptions=False, headers={"x-api-key": "a-key-of-ours"}) as client:
        yield client


def test_every_answer_has_the_headers(broken):
    """Pages, answers, refusals at the door and in a route, files, and failures."""
    answers = [
        (200, broken.get("/")), (200, broken.get("/static/js/main.js")), (200, broken.get("/v1/space")),
        (200, broken.get("/healthz")), (404, broken.get("/nowhere")), (404, broken.get("/static/nothing.js")),
        (405, broken.delete("/v1/space")), (400, broken.post("/v1/search", json={})),
        (422, broken.post("/v1/search", json={"k": "x"})), (413, broken.post("/v1/search", content=b"x" * 2000)),
        (401, broken.get("/v1/space", headers={"x-api-key": "another-key"})), (500, broken.get("/v1/broken")),
    ]  # fmt: skip
    for status, got in answers:
        assert got.status_code == status, got.url
        for name, value in HEADERS:
            assert got.headers[name.decode()] == value.decode(), got.url
        assert got.headers["x-request-id"]


def test_a_failure_is_a_problem_that_says_nothing_of_the_inside(broken, caplog):
    """The answer is a 500 without the error; the log has it, with the request's id."""
    with caplog.at_level(logging.ERROR, "antiphon.serve"):
        got = broken.get("/v1/broken", headers={"x-request-id": "from-a-client.1"})
    assert got.headers["content-type"] == "application/problem+json"
    assert "ZeroDivision" not in got.text
    assert "ZeroDivisionError, request from-a-client.1" in caplog.text
    assert b'antiphon_requests_total{route="/v1/broken",status="500"} 1.0' in broken.get("/metrics").content


@pytest.mark.parametrize("given", ["a b", "x" * 65, 'a"b', "a/b", ""])
def test_an_id_that_a_log_cannot_hold_is_not_taken(broken, given):
    """Another one is drawn."""
    got = broken.get("/healthz", headers={"x-request-id": given})
    assert len(got.headers["x-request-id"]) == 16


def test_paces_fill_evenly():
    """60 a minute: ten at once, then one a second; who has not asked for a while may ask ten times again."""
    now = [0.0]
    pace = Rates(lambda: now[0])
    assert [pace.wait("a", 60) for _ in range(11)] == [0.0] * 10 + [pytest.approx(1.0)]
    assert pace.wait("b", 60) == 0
    now[0] = 1.01
    assert pace.wait("a", 60) == 0
    assert pace.wait("a", 60) > 0
    now[0] = 1000
    assert [pace.wait("a", 60) == 0 for _ in range(11)] == [True] * 10 + [False]
    now[0] = 10  # a clock that goes back takes nothing away
    assert 0 < pace.wait("a", 60) <= 1


def test_paces_of_many_askers_stay_small():
    """Who has not asked for the longest time is forgotten."""
    pace = Rates(lambda: 0.0)
    for number in range(KNOWN + 50):
        pace.wait(str(number), 1)
    assert len(pace._buckets) == KNOWN


def test_a_key_that_asks_too_often_is_told_when_to_ask_again(film_run):
    """429 with Retry-After for this key; the other one, and what is open, go on."""
    settings = Settings(keys=("a-key-of-ours", "another-key"), rate=12, poll=0)
    with TestClient(create_app(film_run, settings)) as client:
        asked = [client.get("/v1/space", headers={"x-api-key": "a-key-of-ours"}) for _ in range(3)]
        assert [got.status_code for got in asked] == [200, 200, 429]
        assert int(asked[-1].headers["retry-after"]) in range(1, 6)
        assert "12 requests a minute" in asked[-1].json()["detail"]
        assert client.get("/v1/space", headers={"x-api-key": "another-key"}).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_without_keys_addresses_have_the_pace(film_run):
    """A service that is open counts by address."""
    with TestClient(create_app(film_run, Settings(rate=6, poll=0))) as client:
        assert [client.get("/v1/space").status_code for _ in range(2)] == [200, 429]


def test_the_audit_says_who_did_what(film_run, tmp_path):
    """One line a request: who, from where, what kind, and how it ended; no key, and nothing of what was asked."""
    file = tmp_path / "audit.jsonl"
    settings = Settings(keys=("a-key-of-ours",), audit=file, poll=0)
    with TestClient(create_app(film_run, settings)) as client:
        client.post("/v1/search", json={"text": "my secret"}, headers={"x-api-key": "a-key-of-ours"})
        client.post("/v1/search", json={"text": "my secret"}, headers={"x-api-key": "guess-1-guess"})
        client.post("/v1/reload", headers={"x-api-key": "a-key-of-ours", "x-request-id": "deploy-7"})
        client.get("/healthz")
        os.rename(file, tmp_path / "audit.1")  # noqa: PTH104  as a rotation does
        client.get("/v1/items/film-001", headers={"x-api-key": "a-key-of-ours"})
    lines = [json.loads(line) for line in (tmp_path / "audit.1").read_text().splitlines()]
    assert [(line["route"], line["status"], line["scope"]) for line in lines] == [
        ("/v1/search", 200, "read"), ("other", 401, "read"), ("/v1/reload", 200, "write"),
    ]  # fmt: skip
    assert lines[0]["who"] == lines[2]["who"] != lines[1]["who"]
    assert lines[2]["id"] == "deploy-7"
    assert lines[0]["address"] == "testclient"
    assert lines[0]["time"].endswith("+00:00")
    both = (tmp_path / "audit.1").read_text() + file.read_text()
    assert json.loads(file.read_text())["route"] == "/v1/items/{item_id}"
    assert "secret" not in both
    assert "a-key-of-ours" not in both
    assert "film-001" not in both
    assert stat.S_IMODE((tmp_path / "audit.1").stat().st_mode) == 0o600


def test_slow_requests_are_lines_of_the_log(film_run, caplog):
    """Above --slow a request is a warning, with its id, and counted; below it is not."""
    for slow, expected in ((1e-9, 1), (60.0, 0), (0.0, 0)):
        caplog.clear()
        with TestClient(create_app(film_run, Settings(slow=slow, poll=0))) as client, caplog.at_level(logging.WARNING):
            client.post("/v1/search", json={"text": "a drama"}, headers={"x-request-id": "q1"})
            metrics = client.get("/metrics").text
        lines = [json.loads(record.message) for record in caplog.records if record.message.startswith("{")]
        lines = [line for line in lines if line["route"] == "/v1/search"]
        assert [(line["slow"], line["id"]) for line in lines] == [(True, "q1")] * expected
        assert f'antiphon_slow_requests_total{{route="/v1/search"}} {expected}.0' in metrics or not expected
        assert "a drama" not in caplog.text


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"]
)
def test_paths_do_not_leave_the_folder_of_the_page(broken, path):
    """However the way up is written."""
    assert broken.get(path).status_code == 404
