"""`antiphon serve` and `antiphon playlist` as their users call them."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest


def antiphon(*words, **options):
    """The command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "antiphon", *map(str, words)],
        capture_output=True, text=True, check=False, timeout=120, **options,
    )  # fmt: skip


def test_it_serves_and_stops_cleanly(service):
    """The address is printed once requests are answered; SIGTERM ends it with exit code 0."""
    made = service()
    assert httpx.get(f"{made.address}/readyz").status_code == 200
    assert httpx.get(f"{made.address}/").headers["content-type"].startswith("text/html")
    hits = httpx.post(f"{made.address}/v1/search", json={"text": "space", "k": 3}).json()["hits"]
    assert len(hits) == 3
    assert made.stop() == 0


def test_sigterm_drains(service):
    """Every request that was sent before SIGTERM has its answer, or was not taken at all; none is cut off."""
    made = service()
    begun = threading.Barrier(9)

    def ask(number):
        with httpx.Client(base_url=made.address, timeout=60) as client:
            client.get("/healthz")
            begun.wait(30)
            answered = 0
            for turn in range(200):
                try:
                    got = client.post("/v1/search", json={"text": f"space {number} {turn}", "k": 5})
                except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
                    return answered, str(error)
                if got.status_code == 503:
                    return answered, "503"
                assert got.status_code == 200
                assert len(got.json()["hits"]) == 5
                answered += 1
            return answered, ""

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(ask, number) for number in range(8)]
        begun.wait(30)
        threading.Event().wait(0.4)
        code = made.stop()
        results = [one.result() for one in asked]
    assert code == 0
    assert sum(answered for answered, _ in results) > 0
    # httpx says "Server disconnected without sending a response" only for a connection that closed between requests.
    assert not [said for _, said in results if "incomplete" in said or "chunked" in said], results


def test_a_request_under_way_outlives_sigterm(service):
    """A request whose first half came before SIGTERM is answered in full after it; new connections are refused."""
    made = service()
    host, _, port = made.address.removeprefix("http://").partition(":")
    body = json.dumps({"text": "space", "k": 3}).encode()
    head = f"POST /v1/search HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    with socket.create_connection((host, int(port)), timeout=60) as begun:
        begun.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body[:5])
        assert httpx.get(f"{made.address}/healthz").status_code == 200  # the loop has seen the first half by now
        made.process.terminate()
        deadline = time.monotonic() + 30
        while _accepts(host, int(port)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not _accepts(host, int(port))
        begun.sendall(body[5:])
        with begun.makefile("rb") as stream:
            answer = stream.read()
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(json.loads(answer.partition(b"\r\n\r\n")[2])["hits"]) == 3
    assert made.process.wait(60) == 0


def _accepts(host, port):
    """Whether a new connection is taken."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def test_keys_and_logs(service, film_run, tmp_path):
    """Keys come from a file; the log is one JSON object a line, without what was asked."""
    keys = tmp_path / "keys"
    keys.write_text("a-key-of-ours\n")
    made = service(film_run, "--keys", str(keys))
    assert httpx.get(f"{made.address}/v1/space").status_code == 401
    headers = {"authorization": "Bearer a-key-of-ours"}
    assert httpx.post(f"{made.address}/v1/search", json={"text": "my secret"}, headers=headers).status_code == 200
    made.stop()
    made.reader.join(10)
    lines = [json.loads(line) for line in made.lines if line.startswith("{")]
    assert [line["status"] for line in lines] == [401, 200]
    assert "my secret" not in "".join(made.lines)


def test_tools_over_http(service, film_run):
    """With --mcp the SDK's client finds the tools at /mcp, and calls them."""
    from mcp import Client

    made = service(film_run, "--mcp")

    async def main():
        async with Client(f"{made.address}/mcp") as client:
            result = await client.call_tool("search", {"text": "drama", "k": 2})
            return json.loads(result.content[0].text)

    assert len(asyncio.run(main())["items"]) == 2


def test_tools_over_standard_streams(film_run):
    """`antiphon mcp RUN` speaks the protocol on its standard streams, and writes nothing else there."""
    from mcp import Client, StdioServerParameters

    process = StdioServerParameters(
        command=sys.executable, args=["-m", "antiphon", "mcp", str(film_run)], env=dict(os.environ)
    )

    async def main():
        async with Client(process) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("item", {"title": "harbour"})
            return names, json.loads(result.content[0].text)

    names, found = asyncio.run(main())
    assert "playlist" in names
    assert found["items"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("serve", "nowhere"), "there is no run at nowhere"),
        (("serve", "RUN", "--timeout", "0"), "--timeout is 0"),
        (("serve", "RUN", "--keys", "nowhere"), "cannot be read"),
        (("playlist", "RUN"), "the request is empty"),
        (("playlist", "RUN", "x", "--length", "0"), "the length is 0"),
        (("playlist", "RUN", "x", "--max-per", "country"), "not of the form field=number"),
        (("playlist", "RUN", "x", "--max-per", "contry=1"), "did you mean 'country'"),
        (("playlist", "RUN", "x", "--out", "list.mp3"), "ends with '.mp3'"),
        (("mcp", "nowhere"), "there is no run at nowhere"),
    ],
)
def test_bad_input_is_one_sentence(film_run, words, said, tmp_path):
    """Exit code 2 and one sentence, never a traceback."""
    got = antiphon(*(str(film_run) if word == "RUN" else word for word in words), cwd=tmp_path)
    assert got.returncode == 2, got.stderr
    assert said in got.stderr
    assert "Traceback" not in got.stderr


def test_a_port_in_use_is_said(service, film_run):
    """A second service on the same port ends with a sentence."""
    made = service()
    got = antiphon("serve", film_run, "--port", made.address.rsplit(":", 1)[1])
    assert got.returncode == 2
    assert "choose another --port" in got.stderr


def test_playlists_as_files(film_run, tmp_path):
    """The same list as M3U8, XSPF, CSV and JSON; the order is the same in all."""
    words = ("playlist", film_run, "a tense drama", "--length", "6", "--max-per", "country=2")
    shown = json.loads(antiphon(*words, "--json").stdout)
    ids = [item["item_id"] for item in shown["items"]]
    assert len(ids) == 6
    for kind in ("m3u8", "xspf", "csv", "json"):
        assert antiphon(*words, "--out", tmp_path / f"list.{kind}").returncode == 0
    m3u8 = (tmp_path / "list.m3u8").read_text().splitlines()
    assert [line for line in m3u8 if not line.startswith("#")] == ids
    name = "{http://xspf.org/ns/0/}"
    tracks = ET.parse(tmp_path / "list.xspf").getroot().iter(f"{name}location")
    assert [track.text for track in tracks] == ids
    rows = list(csv.DictReader(io.StringIO((tmp_path / "list.csv").read_text())))
    assert [row["item_id"] for row in rows] == ids
    assert [item["item_id"] for item in json.loads((tmp_path / "list.json").read_text())["items"]] == ids
