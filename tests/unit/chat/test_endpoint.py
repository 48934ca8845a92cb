"""One way to ask a chat endpoint: cache, retries, budget, failures; over real HTTP."""

from __future__ import annotations

import email.utils
import json
import logging
import sys
import time

import pytest

from antiphon.chat.endpoint import Chat, Endpoint, body_of, reply_of, retry_after
from antiphon.chat.ledger import Answers, Budget, Question
from antiphon.errors import ConfigError, MissingExtraError

KEY = "sk-secret-0123456789"


@pytest.fixture
def make_chat(tmp_path, monkeypatch):
    """A function that makes a chat with a server; it retries at once."""
    monkeypatch.setenv("TEST_KEY", KEY)

    def make(server, **more):
        options = {"retries": 3, "backoff": 0.001, "timeout": 10.0}
        options |= {name: more.pop(name) for name in list(more) if name in options}
        endpoint = Endpoint("tiny", server.url, "TEST_KEY", **options)
        return Chat(endpoint, Answers(tmp_path / "answers"), **more)

    return make


def ask(text="<item>"):
    """A request."""
    return Question("Be brief.", text, 50)


def test_an_answer_is_asked_for_once(chat_server, make_chat):
    """The second time it comes from the folder, also for another chat; another model is another answer."""
    server = chat_server("Hello.")
    first = make_chat(server).ask(ask())
    again = make_chat(server).ask(ask())
    assert (first.text, first.cached, again.text, again.cached) == ("Hello.", False, "Hello.", True)
    assert (again.tokens_in, again.tokens_out) == (100, 50)
    assert len(server.bodies) == 1
    assert ask().key("tiny") != ask().key("other")
    assert ask().key("tiny") != Question("Be brief.", "<item>", 50, attempt=1).key("tiny")


def test_the_request_offers_no_tools(chat_server, make_chat):
    """Model, two messages and a limit, and the key in its header: nothing else goes out."""
    server = chat_server("Hello.")
    make_chat(server).ask(ask())
    assert set(server.bodies[0]) == {"model", "messages", "max_tokens"}
    assert server.bodies[0]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "<item>"},
    ]
    assert server.keys == [f"Bearer {KEY}"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
def test_what_passes_is_tried_again(chat_server, make_chat, answers, status):
    """Two failures, then an answer."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer("no", status) if number < 2 else answer("Yes."))
    chat = make_chat(server)
    assert chat.ask(ask()).text == "Yes."
    assert chat.retried == 2
    assert len(server.bodies) == 3


def test_retry_after_is_respected(chat_server, make_chat, answers, monkeypatch):
    """The chat waits for as long as the server says, not for its own back-off."""
    answer = answers[0]
    server = chat_server(
        lambda body, number: answer("no", 503, {"retry-after": "7"}) if number == 0 else answer("Yes.")
    )
    chat = make_chat(server)
    waits = []
    monkeypatch.setattr(chat.pace, "wait", lambda seconds: waits.append(seconds) or True)
    assert chat.ask(ask()).text == "Yes."
    assert 7.0 in waits


def test_a_429_holds_everyone(chat_server, make_chat, answers, monkeypatch):
    """The next turn, whoever takes it, comes after the wait."""
    answer = answers[0]
    server = chat_server(
        lambda body, number: answer("no", 429, {"retry-after": "30"}) if number == 0 else answer("Yes.")
    )
    chat = make_chat(server)
    waits = []
    monkeypatch.setattr(chat.pace, "wait", lambda seconds: waits.append(seconds) or True)
    chat.ask(ask())
    assert waits[0] == 0
    assert 25 < waits[1] <= 30


def test_a_wait_that_is_too_long_ends_the_request(chat_server, make_chat, answers):
    """A server that asks for an hour gets no more requests for this item."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer("no", 429, {"retry-after": "3600"}))
    assert make_chat(server).ask(ask()).problem == "HTTP 429"
    assert len(server.bodies) == 1


def test_retries_end(chat_server, make_chat, answers):
    """A server that never recovers: the reply says what it said, and is not kept."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer("no", 500))
    chat = make_chat(server)
    assert chat.ask(ask()).problem == "HTTP 500"
    assert len(server.bodies) == 4
    assert not list(chat.answers.folder.rglob("*.json"))


def test_a_slow_server_is_a_timeout(chat_server, make_chat, answers):
    """After its seconds a request is given up and tried again."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer("Late.", delay=1.0 if number == 0 else 0.0))
    chat = make_chat(server, timeout=0.3)
    assert chat.ask(ask()).text == "Late."
    assert chat.retried == 1


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"<html>nginx</html>", "text/html"), (b"{broken", "application/json"), (b"[]", "application/json"),
        (b'{"choices": []}', "application/json"), (b"{}", "application/json"), (b"null", "application/json"),
        (b'{"choices": [{"message": {"content": 5}}]}', "application/json"), (b"\xff\xfe", "application/json"),
        (b'{"choices": [{"message": null}]}', "application/json"), (b'{"choices": "abc"}', "application/json"),
    ],
)  # fmt: skip
def test_garbage_is_no_answer(chat_server, make_chat, answers, raw, kind):
    """Whatever is not the protocol is said to be such after the retries, and not kept."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer(raw=raw, kind=kind))
    chat = make_chat(server, retries=1)
    assert chat.ask(ask()).problem == "not the chat protocol"
    assert len(server.bodies) == 2
    assert not list(chat.answers.folder.rglob("*.json"))


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_closes_the_chat(chat_server, make_chat, answers, status):
    """Nothing is asked after it, and the sentence has no key in it."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer(f"Incorrect API key provided: {KEY}.", status))
    chat = make_chat(server)
    reply = chat.ask(ask())
    assert reply.problem.startswith(f"HTTP {status}: ")
    assert "secret" not in reply.problem
    assert chat.ask(ask("another")).problem == reply.problem
    assert len(server.bodies) == 1


def test_a_server_that_is_down_is_given_up(make_chat, chat_server):
    """After ten requests in a row without an answer the others are not tried."""
    server = chat_server("Hello.")
    chat = make_chat(server, retries=0, timeout=1.0)
    server.close()
    replies = [chat.ask(ask(str(number))).problem for number in range(12)]
    assert set(replies) == {"no connection"}
    assert chat.closed == "no connection"


def test_a_bad_request_concerns_one_item(chat_server, make_chat, answers):
    """A 400 is not tried again and closes nothing, however many there are."""
    answer = answers[0]
    server = chat_server(lambda body, number: answer("too long", 400))
    chat = make_chat(server)
    assert {chat.ask(ask(str(number))).problem for number in range(12)} == {"HTTP 400"}
    assert chat.closed is None
    assert len(server.bodies) == 12


def test_the_budget_is_not_passed(chat_server, make_chat):
    """Requests that could pass it are not sent; what was answered stays, and what is kept costs nothing."""
    server = chat_server("Hello.")
    chat = make_chat(server, budget=Budget(max_tokens=500))
    replies = [chat.ask(ask(str(number))) for number in range(6)]
    assert [reply.problem for reply in replies] == [None, None, None, "budget", "budget", "budget"]
    assert chat.budget.tokens_in + chat.budget.tokens_out == 450
    later = make_chat(server, budget=Budget(max_tokens=500))
    assert [later.ask(ask(str(number))).problem for number in range(6)] == [None] * 6
    assert (later.budget.tokens_in, len(server.bodies)) == (300, 6)


def test_the_key_is_in_no_log_and_no_file(chat_server, make_chat, caplog, tmp_path):
    """Not in what libraries log at their loudest, not in the answers, not in the endpoint's own text."""
    caplog.set_level(logging.DEBUG)
    chat = make_chat(chat_server("Hello."))
    chat.ask(ask())
    assert KEY not in caplog.text
    assert KEY not in repr(chat.endpoint)
    assert all(KEY not in path.read_text() for path in tmp_path.rglob("*.json"))


def test_a_damaged_answer_is_asked_for_again(chat_server, make_chat):
    """A file that was cut or has another shape is none."""
    server = chat_server("Hello.")
    chat = make_chat(server)
    chat.ask(ask())
    (path,) = chat.answers.folder.rglob("*.json")
    for content in ("{", '{"text": 1}', "[]"):
        path.write_text(content)
        assert not chat.ask(ask()).cached
    assert len(server.bodies) == 4


def test_options_and_environment_name_the_endpoint(monkeypatch):
    """Options go first; what is missing is said, with the variable that would hold it."""
    for name in ("ANTIPHON_MODEL", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"--model NAME or set ANTIPHON_MODEL"):
        Endpoint.of(None, None, None)
    with pytest.raises(ConfigError, match=r"OPENAI_API_KEY is not set"):
        Endpoint.of("tiny", None, None)
    with pytest.raises(ConfigError, match=r"base URL 'localhost:1' does not begin with http"):
        Endpoint.of("tiny", "localhost:1", None)
    monkeypatch.setenv("ANTIPHON_MODEL", "small")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    assert Endpoint.of(None, None, None) == Endpoint("small", "http://localhost:1/v1")
    assert Endpoint.of("tiny", "http://other/v1", "OTHER").key_env == "OTHER"


def test_money_needs_prices():
    """A limit in money without prices would never stop anything."""
    with pytest.raises(ConfigError, match=r"--price-in and --price-out"):
        Budget(max_cost=1.0)
    budget = Budget(max_cost=0.001, price_in=1.0, price_out=2.0)
    assert budget.reserve(200, 400)
    assert not budget.reserve(1, 0)
    assert budget.cost_of(1_000_000, 500_000) == 2.0


def test_retry_after_is_seconds_or_a_date():
    """And nothing where it is neither."""
    assert retry_after({"retry-after": "1.5"}) == 1.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert 50 < retry_after({"retry-after": email.utils.formatdate(time.time() + 60, usegmt=True)}) <= 61
    assert retry_after({"retry-after": "soon"}) == retry_after({}) == retry_after({"retry-after": "-3"}) == 0


def test_a_schema_goes_out_as_the_protocol_has_it():
    """Strict, with a name; usage that a server does not tell is estimated."""
    request = Question("s", "u", schema={"type": "object"}, temperature=0.5)
    body = body_of(request, "tiny")
    assert body["response_format"]["json_schema"] == {"name": "answer", "strict": True, "schema": {"type": "object"}}
    assert body["temperature"] == 0.5
    reply = reply_of(json.loads('{"choices": [{"message": {"content": "12345678"}}]}'), request)
    assert (reply.tokens_in, reply.tokens_out) == (request.tokens, 2)


def test_a_model_may_want_the_newer_name_of_the_limit(chat_server, make_chat, answers):
    """The first refusal is enough; later requests have it at once."""
    answer = answers[0]

    def behave(body, number):
        if "max_tokens" in body:
            return answer("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", 400)
        return answer(f"Up to {body['max_completion_tokens']}.")

    server = chat_server(behave)
    chat = make_chat(server)
    assert chat.ask(ask()).text == "Up to 50."
    assert chat.ask(ask("another")).text == "Up to 50."
    assert len(server.bodies) == 3


def test_what_a_model_thinks_aloud_is_left_out(chat_server, make_chat):
    """A block of thoughts at the beginning is no part of the answer; elsewhere it stays, and can be refused."""
    assert make_chat(chat_server("<think>\nHm, 2 + 2.\n</think>\n\nFour.")).ask(ask()).text == "Four."
    assert make_chat(chat_server("Four. <think>x</think>")).ask(ask("again")).text == "Four. <think>x</think>"


def test_without_the_client_the_extra_is_named(chat_server, make_chat, monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'antiphon\[llm\]'"):
        make_chat(chat_server("Hello.")).ask(ask())
