"""A server of the chat protocol on loopback, over real HTTP: answers, and whatever a test wants to go wrong."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ITEM = re.compile(r"<item-(\w{12})>\n(.*)\n</item-\1>", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What the server sends: a completion with `text`, or `raw` as it stands."""

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    raw: bytes | None = None
    finish: str = "stop"
    kind: str = "application/json"

    def body(self, model: str) -> bytes:
        """The bytes of the response."""
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": {"message": self.text or "no", "type": "x", "code": None}}).encode()
        message = {"role": "assistant", "content": self.text}
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
        return json.dumps({
            "id": "c", "object": "chat.completion", "created": 1, "model": model, "usage": usage,
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
        }).encode()  # fmt: skip


def item_of(body: Mapping[str, Any]) -> str:
    """The item's text in a request."""
    found = ITEM.search(body["messages"][-1]["content"])
    assert found, "the request has no marked item"
    return found[2]


def faithful(body: Mapping[str, Any]) -> str:
    """A description in the words of the item alone, as a well-behaved model would write one."""
    text = item_of(body)
    title = re.match(r"(?:Movie: )?(.*?)\.(?: |$)", text)[1]
    facts = re.sub(r"\s+", " ", text.replace(":", "").replace(".", ",")).lower()
    return f"{title} is a film of this catalog, and what is known of it is as follows: {facts} and that is all of it."


class ChatServer:
    """A running server. `behave(body, number)` makes the answer to the number-th request, from 0."""

    def __init__(self, behave: Callable[[Mapping[str, Any], int], Answer]) -> None:
        self.behave = behave
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at_once = self.most_at_once = 0
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.polls_needed = 1
        self.lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server.post(self)

            def do_GET(self) -> None:
                server.get(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def close(self) -> None:
        """Stop serving."""
        self.http.shutdown()
        self.http.server_close()

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a POST."""
        content = handler.rfile.read(int(handler.headers["content-length"]))
        if handler.path == "/v1/files":
            name = f"file-{len(self.files)}"
            boundary = handler.headers["content-type"].partition("boundary=")[2].encode()
            part = next(part for part in content.split(b"--" + boundary) if b"filename=" in part)
            self.files[name] = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
            send(handler, 200, {}, json.dumps({"id": name, "object": "file"}).encode())
        elif handler.path == "/v1/batches":
            name = f"batch-{len(self.batches)}"
            self.batches[name] = {"polls": 0, "input": json.loads(content)["input_file_id"]}
            send(handler, 200, {}, json.dumps(self.batch(name)).encode())
        else:
            assert handler.path == "/v1/chat/completions", handler.path
            self.complete(handler, json.loads(content))

    def complete(self, handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        """Answer a completion."""
        with self.lock:
            number = len(self.bodies)
            self.bodies.append(body)
            self.keys.append(handler.headers.get("authorization"))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            answer = self.behave(body, number)
            time.sleep(answer.delay)
        finally:
            with self.lock:
                self.at_once -= 1
        send(handler, answer.status, answer.headers, answer.body(body["model"]), answer.kind)

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer a GET: a batch, or a file's content."""
        parts = handler.path.split("/")
        if parts[2] == "batches":
            self.batches[parts[3]]["polls"] += 1
            send(handler, 200, {}, json.dumps(self.batch(parts[3])).encode())
        else:
            send(handler, 200, {}, self.files[parts[3]], "application/octet-stream")

    def batch(self, name: str) -> dict[str, Any]:
        """A batch as the protocol shows it; done after some looks at it."""
        batch = self.batches[name]
        done = batch["polls"] >= self.polls_needed
        if done and "output" not in batch:
            lines = [json.loads(line) for line in self.files[batch["input"]].decode().splitlines()]
            answers = []
            for number, line in enumerate(lines):
                answer = self.behave(line["body"], number)
                response = {"status_code": answer.status, "body": json.loads(answer.body(line["body"]["model"]))}
                answers.append(json.dumps({"custom_id": line["custom_id"], "response": response, "error": None}))
            batch["output"] = f"file-{len(self.files)}"
            self.files[batch["output"]] = "\n".join(answers).encode()
        return {
            "id": name, "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": batch["input"],
            "completion_window": "24h", "created_at": 1, "status": "completed" if done else "in_progress",
            "output_file_id": batch.get("output"), "request_counts": {"total": 1, "completed": 0, "failed": 0},
        }  # fmt: skip


def send(
    handler: BaseHTTPRequestHandler,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    kind: str = "application/json",
) -> None:
    """Send a response; a client that has gone away is no error."""
    try:
        handler.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)
    except (BrokenPipeError, ConnectionResetError):
        handler.close_connection = True


@pytest.fixture
def chat_server() -> Iterator[Callable[..., ChatServer]]:
    """A function that starts a server: serve(behave); a text, or nothing for faithful descriptions."""
    servers: list[ChatServer] = []

    def serve(behave: Any = None) -> ChatServer:
        if behave is None:
            servers.append(ChatServer(lambda body, number: Answer(faithful(body))))
        elif isinstance(behave, str):
            servers.append(ChatServer(lambda body, number: Answer(behave)))
        else:
            servers.append(ChatServer(behave))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def answers() -> tuple[Any, Any, Any]:
    """What tests make answers with: `Answer`, `faithful`, `item_of`."""
    return Answer, faithful, item_of
