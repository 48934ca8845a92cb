"""Answers by the batch endpoint: submitted once, gone on with, within the budget."""

from __future__ import annotations

import pytest

from antiphon.chat.batch import fill_by_batch
from antiphon.chat.endpoint import Chat, Endpoint
from antiphon.chat.ledger import Answers, Budget, Question
from antiphon.errors import ConfigError

ASKS = [Question("Be brief.", str(number), 50) for number in range(5)]


@pytest.fixture
def make_chat(tmp_path):
    """A function that makes a chat with a server."""

    def make(server, **more):
        endpoint = Endpoint("tiny", server.url, "NO_KEY", retries=1, backoff=0.001)
        return Chat(endpoint, Answers(tmp_path / "answers"), **more)

    return make


def echo(answer):
    """A server that answers with the user's text, and fails for "3"."""
    return lambda body, number: answer("no", 500) if (text := body["messages"][1]["content"]) == "3" else answer(text)


def test_answers_of_a_batch_are_kept(chat_server, make_chat, answers):
    """Each with its own request; one that failed can be asked again, by itself."""
    server = chat_server(echo(answers[0]))
    chat = make_chat(server)
    said = []
    assert fill_by_batch(chat, ASKS, said.append, poll=0.01) == 4
    assert server.bodies == []
    chat.offline = True
    assert [chat.ask(ask).text for ask in ASKS] == ["0", "1", "2", "", "4"]
    assert (chat.budget.tokens_in, chat.budget.tokens_out) == (400, 200)
    assert said[-1] == "batch batch-0: completed, 4 of 5 answered"
    assert fill_by_batch(chat, [], said.append) == 0


def test_a_wait_that_was_killed_is_gone_on_with(chat_server, make_chat, answers):
    """Another process finds the batch, and submits nothing."""
    server = chat_server(echo(answers[0]))
    server.polls_needed = 3
    killed = make_chat(server)
    killed.pace.stop.set()
    assert fill_by_batch(killed, ASKS, lambda _: None) == 0
    said = []
    assert fill_by_batch(make_chat(server), ASKS, said.append, poll=0.01) == 4
    assert said[0] == "going on with batch batch-0"
    assert len(server.batches) == 1


def test_a_batch_keeps_to_the_budget(chat_server, make_chat, answers):
    """Requests beyond it are not in the file."""
    server = chat_server(echo(answers[0]))
    chat = make_chat(server, budget=Budget(max_tokens=3 * (ASKS[0].tokens + 50)))
    assert fill_by_batch(chat, ASKS, lambda _: None, poll=0.01) == 3
    assert chat.closed == "budget"


def test_an_endpoint_without_batches_says_so(chat_server, make_chat):
    """What to do in their place."""
    server = chat_server("Hello.")
    server.post = lambda handler: handler.send_error(404)
    with pytest.raises(ConfigError, match="leave --batch out"):
        fill_by_batch(make_chat(server), ASKS, lambda _: None)
