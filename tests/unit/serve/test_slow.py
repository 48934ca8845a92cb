"""Clients that are slow on purpose: they hold no place for long, and nobody waits for them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from antiphon.serve.slow import impatient


async def hello(scope, receive, send):
    """Reads the whole body, and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def address():
    """A server that waits half a second for a head."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    config = uvicorn.Config(hello, http=impatient(0.5), lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield listening.getsockname()
    server.should_exit = True
    thread.join(20)


def read(connection):
    """What comes until the connection is closed, or nothing comes any more."""
    parts = []
    with contextlib.suppress(TimeoutError, ConnectionError):
        while part := connection.recv(4096):
            parts.append(part)
    return b"".join(parts)


def closed(connection):
    """Whether the other side has closed it."""
    connection.settimeout(20)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("sent", [b"", b"G", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_is_not_waited_for(address, sent):
    """Nothing, a byte, or half a head: 64 such connections are closed, and another client is answered meanwhile."""
    slow = [socket.create_connection(address) for _ in range(64)]
    for connection in slow:
        connection.sendall(sent)
    with socket.create_connection(address) as other:
        other.settimeout(20)
        other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read(other).endswith(b"hello")
    assert all(closed(connection) for connection in slow)


def test_a_head_that_comes_slowly_is_not_waited_for_either(address):
    """A byte now and then does not begin the time again."""
    with socket.create_connection(address) as slow, contextlib.suppress(ConnectionError):
        for _ in range(200):
            slow.sendall(b"a")
            time.sleep(0.05)
        pytest.fail("the connection is still open")


def test_a_second_request_of_a_connection_has_its_own_time(address):
    """Requests one after another are answered; half of a third is not waited for."""
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.2)
            assert connection.recv(4096).endswith(b"hello")
        connection.sendall(b"GET /")
        assert closed(connection)


def test_a_body_may_take_longer_than_a_head(address):
    """The time of a body is the service's own limit."""
    with socket.create_connection(address) as connection:
        connection.settimeout(20)
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
        for byte in (b"a", b"b", b"c"):
            time.sleep(0.3)
            connection.sendall(byte)
        assert read(connection).endswith(b"hello")
