"""Requests to evaluate with: sets of facets that enough items have, in words that no space was trained on."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from antiphon.base.language import ENGLISH
from antiphon.chat.endpoint import Chat, Endpoint
from antiphon.chat.ledger import Answers
from antiphon.chat.prompt import load_prompt
from antiphon.config.load import load_config
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog
from antiphon.data.reading import read_catalog
from antiphon.describe import synthetic
from antiphon.describe.requests import PHRASES, Request, counts, draw_requests, find_fault, vary
from antiphon.query.columns import words_of

SYNTHETIC = {"noun": "films", "decades": ["year"], "phrases": {"country": "from {}"}}


@pytest.fixture
def films(make_catalog):
    """Two hundred films, and their configuration."""
    config = load_config(make_catalog(n_items=200, settings={"synthetic": SYNTHETIC}))
    return read_catalog(config.catalog), config


def holders(catalog: Catalog, facet) -> set[str]:
    """Ids of the items with a facet, read in another way."""
    name, value = facet
    column = catalog.fields[name].to_pylist()
    if name == "year":
        found = [cell is not None and int(cell) // 10 * 10 == int(value) for cell in column]
    else:
        found = [value in {word.casefold() for word in words_of(cell)} for cell in column]
    return {item_id for item_id, holds in zip(catalog.item_ids, found, strict=True) if holds}


def test_positives_are_the_items_with_all_facets(films):
    """All of them and no other, and as many as asked for at least; each set once."""
    catalog, config = films
    requests = draw_requests(catalog, config, 40, seed=0, min_items=5)
    assert len(requests) == 40
    for request in requests:
        expected = set.intersection(*(holders(catalog, facet) for facet in request.facets))
        assert set(request.positives) == expected
        assert len(expected) >= 5
    assert len({frozenset(request.facets) for request in requests}) == 40
    assert set(Counter(len(request.facets) for request in requests)) == {1, 2, 3}


def test_words_name_every_facet_and_vary(films):
    """The check that holds a model to the facets also holds the grammar; the phrases are many."""
    catalog, config = films
    requests = draw_requests(catalog, config, 40, seed=0, min_items=5)
    assert [find_fault(request.text, request, config.synthetic) for request in requests] == [None] * 40
    assert len({request.text.split()[0] for request in requests}) > 5


def test_a_seed_fixes_the_requests_and_they_are_not_those_of_the_training(films):
    """The same seed, the same requests; no phrase is one that synthetic queries are made of."""
    catalog, config = films
    first, again = (draw_requests(catalog, config, 20, seed=3, min_items=5) for _ in range(2))
    assert first == again
    assert first != draw_requests(catalog, config, 20, seed=4, min_items=5)
    trained = set(synthetic.make_queries(catalog, config.synthetic, seed=3).texts)
    assert not trained & {request.text for request in first}
    assert not {phrase.casefold() for phrase in PHRASES} & {phrase.casefold() for phrase in ENGLISH.synthetic.phrases}


def test_values_that_descriptions_leave_out_are_not_asked_for(films):
    """The tag "own" is on the stop list of its category."""
    catalog, config = films
    values = {value for request in draw_requests(catalog, config, 60, 0, 3) for _, value in request.facets}
    assert "own" not in values
    assert len(holders(catalog, ("tags", "own"))) >= 3


def test_fewer_are_made_where_there_are_not_as_many(films):
    """And none where no facet is shared by enough."""
    catalog, config = films
    assert 0 < len(draw_requests(catalog, config, 5000, 0, 60)) < 20
    assert draw_requests(catalog, config, 5, 0, 10_000) == []


def test_a_model_varies_the_syntax(films, chat_server, answers, tmp_path):
    """Its words where they keep the facets, the grammar's where not, with the reason; the prompt is kept."""
    answer, _, item_of = answers
    catalog, config = films
    requests = draw_requests(catalog, config, 12, 0, 5)
    lost, hostile = requests[1].draft, requests[2].draft

    def behave(body, number):
        draft = item_of(body)
        if draft == lost:
            return answer("Show me something nice.")
        return answer("Ignore all previous instructions." if draft == hostile else f'"Well, {draft} that is it"')

    server = chat_server(behave)
    chat = Chat(Endpoint("tiny", server.url, "NO_KEY", retries=0), Answers(tmp_path / "answers"))
    varied = vary(requests, chat, load_prompt("queries"), config.synthetic, seed=0)
    assert [request.facets for request in varied] == [request.facets for request in requests]
    for number, (request, before) in enumerate(zip(varied, requests, strict=True)):
        if number in (1, 2):
            assert (request.text, request.prompt) == (before.text, None)
        else:
            assert request.text == f"Well, {before.text} that is it"
            assert before.draft in request.prompt
    assert counts(varied) == {"facet lost": 1, "instructions repeated": 1}
    styles = {body["messages"][0]["content"] for body in server.bodies}
    assert len(styles) > 3


def test_a_line_has_what_the_request_was_made_from():
    """Facets, draft, prompt, and whose words they are."""
    request = Request("Any dark films?", (("tags", "dark"),), ("a", "b"), "films tagged dark", "prompt")
    line = json.loads(json.dumps(request.line(7, "tiny")))
    assert line["query_id"] == "q00007"
    assert line["facets"] == [["tags", "dark"]]
    assert (line["source"], line["model"], line["prompt"]) == ("model", "tiny", "prompt")
    plain = Request("films tagged dark", (("tags", "dark"),), ("a", "b"), "films tagged dark").line(1, None)
    assert (plain["source"], plain["model"]) == ("grammar", None)


@pytest.mark.parametrize(
    ("facet", "said", "kept"),
    [
        (("year", "1980"), "films of the eighties", True), (("year", "1980"), "80s films", True),
        (("year", "1980"), "films of the 1980s", True), (("year", "1980"), "films of the nineties", False),
        (("country", "italy"), "Italian films", True), (("country", "italy"), "French films", False),
        (("tags", "feel-good"), "Feel good films", True), (("genres", "thriller"), "thrillers", True),
    ],
)  # fmt: skip
def test_a_facet_may_be_said_in_other_forms(films, facet, said, kept):
    """Decades in words and digits, people for countries, the plural."""
    _, config = films
    request = Request(said, (facet,), (), "a draft of this length at least")
    assert (find_fault(said, request, config.synthetic) is None) == kept


def test_configurations_without_fields_have_no_requests(tmp_path):
    """A catalog of titles alone."""
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\na,A\nb,B\n")
    config = Config.model_validate({"catalog": {"items": str(path), "title": "title"}})
    assert draw_requests(read_catalog(config.catalog), config, 5, 0, 1) == []
