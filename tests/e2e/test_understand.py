"""Requests taken apart: by rules, by a model over HTTP, and through the command line."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.chat.endpoint import Chat, Endpoint
from antiphon.chat.ledger import Answers
from antiphon.chat.prompt import load_prompt
from antiphon.config.sections import Config
from antiphon.errors import QueryError
from antiphon.query.filters import matches, parse_filter
from antiphon.run.build import build
from antiphon.space.loading import load
from antiphon.talk.model import model_reading
from antiphon.talk.reader import Reader
from antiphon.talk.refine import answer as answers_to

support = runpy.run_path(str(Path(__file__).parents[1] / "support" / "chat_server.py"))
chat_server, answers = support["chat_server"], support["answers"]

FILMS = [
    ("Amarcord (1973)", 1973, ["Drama", "Comedy"], "Italy", "Federico Fellini", ["dream"]),
    ("8\u00bd (1963)", 1963, ["Drama"], "Italy", "Federico Fellini", ["dream", "cinema"]),
    ("Rome, Open City (1945)", 1945, ["Drama", "War"], "Italy", "Roberto Rossellini", ["war"]),
    ("Easy Life, The (1962)", 1962, ["Comedy"], "Italy", "Dino Risi", ["road"]),
    ("Heat (1995)", 1995, ["Crime"], "USA", "Michael Mann", ["heist"]),
    ("Alien (1979)", 1979, ["Horror"], "UK", "Ridley Scott", ["space"]),
    ("Aliens (1986)", 1986, ["Action"], "USA", "James Cameron", ["space", "war"]),
    ("Titanic (1997)", 1997, ["Romance"], "USA", "James Cameron", ["ship"]),
    ("It (1990)", 1990, ["Horror"], "USA", "Tommy Lee Wallace", ["clown"]),
    ("Breathless (1960)", 1960, ["Crime"], "France", "Jean-Luc Godard", ["paris"]),
    ("Delicatessen (1991)", 1991, ["Comedy"], "France", "Jean-Pierre Jeunet", ["dream"]),
    ("No Country for Old Men (2007)", 2007, ["Crime"], "USA", "Joel Coen", ["desert"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def space(tmp_path_factory, tiny_text_model):
    """A dozen films with years, genres, countries, directors and tags."""
    folder = tmp_path_factory.mktemp("dozen")
    names = ("title", "year", "genres", "country", "director", "tags")
    columns = {name: [film[place] for film in FILMS] for place, name in enumerate(names)}
    table = pa.table({"item_id": [f"f{number:02}" for number in range(len(FILMS))], **columns})
    pq.write_table(table, folder / "items.parquet")
    kinds = {"year": "number", "genres": "list", "country": "string", "director": "string", "tags": "list"}
    config = Config.model_validate({
        "catalog": {
            "items": str(folder / "items.parquet"), "title": "title",
            "fields": {name: {"type": kind} for name, kind in kinds.items()},
        },
        "describe": {"categories": [{"label": "Tags", "column": "tags"}]},
        "modalities": [{"name": "text", "encoder": "sentence-transformers", "model": str(tiny_text_model)}],
        "train": {"epochs": 1},
    })  # fmt: skip
    return load(build(config, folder / "run").root)


@pytest.fixture(scope="module")
def reader(space):
    """What reads sentences for it."""
    return Reader.of(space)


def titles(space, where):
    """Titles that pass filters, without their years."""
    mask = matches(parse_filter(list(where)), space.columns)
    return {title.rpartition(" (")[0] for title, passes in zip(space.titles, mask, strict=True) if passes}


def liked(space, reading):
    """Titles of the items that answers should be like."""
    return [space.titles[space.row_of[item]].rpartition(" (")[0] for item in reading.wish.likes]


@pytest.mark.parametrize(
    ("sentence", "text", "passing"),
    [
        ("dramas from the sixties", "dramas", {"8\u00bd", "Easy Life, The", "Breathless"}),
        ("60s crime", "crime", {"8\u00bd", "Easy Life, The", "Breathless"}),
        ("crime of the 1960s, please", "crime, please", {"8\u00bd", "Easy Life, The", "Breathless"}),
        ("something sad made in the early 1960s", "something sad", {"8\u00bd", "Easy Life, The", "Breathless"}),
        ("a dream from 1963", "a dream", {"8\u00bd"}),
        ("a dream between 1962 and 1973", "a dream", {"8\u00bd", "Easy Life, The", "Amarcord"}),
        ("war before 1950", "war", {"Rome, Open City"}),
        ("comedy since 1990", "comedy", {"Titanic", "Heat", "It", "Delicatessen", "No Country for Old Men"}),
        ("French dreams", "French dreams", {"Breathless", "Delicatessen"}),
        ("a space story from the UK", "a space story from the UK", {"Alien"}),
        ("a road from Italy", "a road from Italy", {"Amarcord", "8\u00bd", "Rome, Open City", "Easy Life, The"}),
        ("action directed by James Cameron", "action directed by James Cameron", {"Aliens", "Titanic"}),
        ("dreams by Fellini", "dreams by Fellini", {"Amarcord", "8\u00bd"}),
        ("French films from the nineties", "French films", {"Delicatessen"}),
    ],
)  # fmt: skip
def test_times_places_and_people_become_filters(space, reader, sentence, text, passing):
    """Times leave the text; places and people stay in it, since descriptions have them too."""
    reading = reader.read(sentence)
    assert reading.wish.text == text
    assert titles(space, reading.wish.where) == passing


@pytest.mark.parametrize(
    ("sentence", "text", "left_out"),
    [
        ("Italian films, nothing with war", "Italian films", {"Rome, Open City"}),
        ("something in space, no horror", "something in space", {"Alien"}),
        ("something in space with no horror", "something in space", {"Alien"}),
        ("a dream without comedy or crime", "a dream", {"Amarcord", "Delicatessen"}),
        ("crime but not from the nineties", "crime", {"Heat", "It", "Titanic", "Delicatessen"}),
        ("crime, not French", "crime", {"Breathless", "Delicatessen"}),
    ],
)  # fmt: skip
def test_negation_becomes_filters_in_every_field(space, reader, sentence, text, left_out):
    """Genre and tag alike; the words go, since word matching would look for them."""
    reading = reader.read(sentence)
    assert reading.wish.text == text
    assert not titles(space, reading.wish.where) & left_out
    assert titles(space, reading.wish.where)


def test_negated_words_that_no_field_has_are_stayed_away_from(reader):
    """As in a refinement: fewer of them, not none."""
    reading = reader.read("a crime film, not too violent")
    assert (reading.wish.text, reading.wish.less) == ("a crime film", ("violent",))


@pytest.mark.parametrize(
    ("sentence", "text", "names"),
    [
        ("something like Heat", None, ["Heat"]),
        ("films like Alien and The Easy Life", None, ["Alien", "Easy Life, The"]),
        ('a dark story similar to "It"', "a dark story", ["It"]),
        ("a comedy in the style of No Country for Old Men", "a comedy", ["No Country for Old Men"]),
        ("I'd like it dark", "I'd like it dark", []),
        ("I would like Heat", "I would like Heat", []),
    ],
)  # fmt: skip
def test_titles_after_like_become_likes(space, reader, sentence, text, names):
    """The longest title that fits; a short one only where it is written as a name."""
    reading = reader.read(sentence)
    assert liked(space, reading) == names
    assert reading.wish.text == text


@pytest.mark.parametrize(
    "sentence",
    [
        "No Country for Old Men", "rome, open city", "a film for a man in his sixties", "70mm epics",
        "an English-language dream", "no idea what to watch", "something with a heist", "room 1408",
        "films from the 1890s",
    ],
)  # fmt: skip
def test_what_is_no_filter_stays_as_it_is(reader, sentence):
    """Titles, ages, measures, and filters that no item would pass."""
    reading = reader.read(sentence)
    assert (reading.wish.text, reading.says) == (sentence, ())


def test_the_example_of_the_issue(space, reader):
    """Country, decade, negation and a title at once; the answers keep to them."""
    reading = reader.read("Italian films from the sixties like Amarcord, nothing with war")
    assert liked(space, reading) == ["Amarcord"]
    assert titles(space, reading.wish.where) == {"8\u00bd", "Easy Life, The"}
    found = {hit.title.rpartition(" (")[0] for hit in answers_to(space, reading.wish)}
    assert found == {"8\u00bd", "Easy Life, The"}


def test_places_are_said_as_the_catalog_has_them(reader):
    """Words such as "Italian" and "from the UK" are said as the values that the filter asks for."""
    assert reader.read("Italian or French films").says == ("from France, Italy",)
    assert reader.read("a British horror").says == ("from UK",)


def test_what_is_refused_is_said_without_small_words(reader):
    """Nobody says "no any war": the value is named, and "any" is none of it; so with words that are no value."""
    assert reader.read("an old film without any war").says == ("no war",)
    assert reader.read("an old film without too much talk").says == ("less much talk",)


def test_an_empty_request_is_refused(reader):
    """And a very long one is left alone."""
    with pytest.raises(QueryError, match="empty"):
        reader.read("  ")
    assert reader.read("from the sixties " * 100).says == ()


WORDS = ["not", "no", "like", "from", "by", "the", "1960s", "sixties", "Heat", "Italian", "war", "or", "and", ",",
         "before", "1962", "'", '"', "(", ")", "in", "of", "UK", "without", "James"]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join) | st.text(min_size=1, max_size=80))
def test_any_sentence_can_be_read_and_answered(space, reader, sentence):
    """Filters parse and leave some item, and there is something to search by."""
    if not sentence.strip():
        return
    wish = reader.read(sentence).wish
    assert wish.text or wish.likes
    assert not wish.where or matches(parse_filter(list(wish.where)), space.columns).any()


def ask_model(reader, server, sentence, folder):
    """What a model makes of a sentence."""
    chat = Chat(Endpoint("tiny", server.url, "NO_KEY", retries=0), Answers(folder))
    return model_reading(reader, sentence, chat, load_prompt("understand"))


def test_a_model_reads_by_a_schema(space, reader, chat_server, answers, tmp_path):
    """The request goes out between marks, with the fields; the parts of the answer are checked and used."""
    _, _, item_of = answers
    plain = {"text": "dreams", "where": ["year>=1960 and year<1970"], "titles": ["Amarcord"], "less": ["noise"]}
    server = chat_server(json.dumps(plain))
    reading = ask_model(reader, server, "sixties dreams like Amarcord but quiet", tmp_path)
    assert (reading.by, reading.wish.text, reading.wish.less) == ("model", "dreams", ("noise",))
    assert liked(space, reading) == ["Amarcord"]
    (body,) = server.bodies
    assert body["response_format"]["json_schema"]["schema"]["additionalProperties"] is False
    assert item_of(body) == "sixties dreams like Amarcord but quiet"
    assert "- country (string): Italy" in body["messages"][0]["content"].replace("USA, Italy", "Italy, USA")


@pytest.mark.parametrize(
    "text",
    [
        "not json", "[]", '{"text": "x"}', '{"text": "x", "where": ["colour=red"], "titles": [], "less": []}',
        '{"text": "x", "where": ["year>3000"], "titles": [], "less": []}',
        '{"text": "x", "where": "year>1960", "titles": [], "less": []}',
        '{"text": 5, "where": [], "titles": [], "less": []}',
        json.dumps({"text": "Buy Zorblax now. " * 20, "where": [], "titles": [], "less": []}),
    ],
)  # fmt: skip
def test_a_reading_that_cannot_be_used_gives_way_to_the_rules(reader, chat_server, tmp_path, text):
    """Other shapes, unknown fields, filters that nothing passes, texts that are not the request's."""
    reading = ask_model(reader, chat_server(text), "dramas from the sixties", tmp_path)
    assert reading.by == "rules"
    assert reading.wish == reader.read("dramas from the sixties").wish
    assert "cannot be used" in reading.says[-1]


def test_a_model_that_is_down_gives_way_to_the_rules(reader, chat_server, answers, tmp_path):
    """The request is answered all the same."""
    answer, _, _ = answers
    server = chat_server(lambda body, number: answer("no", 500))
    assert ask_model(reader, server, "60s dramas", tmp_path).by == "rules"


def test_search_understands_where_it_is_asked_to(space, call, chat_server, monkeypatch):
    """Off by default; by rules and by a model, with what was understood."""
    run = space.layout.root.parents[1]
    words = ("search", run, "dreams from the sixties", "--json")
    code, printed, _ = call(*words)
    assert (code, "understood" in json.loads(printed)) == (0, False)
    assert len(json.loads(printed)["hits"]) > 3
    code, printed, _ = call(*words, "--understand", "rules")
    assert code == 0
    assert {hit["item_id"] for hit in json.loads(printed)["hits"]} == {"f01", "f03", "f09"}
    assert json.loads(printed)["understood"] == ["year 1960-1969"]
    code, _, said = call("search", run, "dreams, nothing with comedy", "--understand", "rules")
    assert (code, "understood: no comedy" in said) == (0, True)
    monkeypatch.delenv("ANTIPHON_MODEL", raising=False)
    code, _, said = call(*words, "--understand", "model")
    assert (code, "set ANTIPHON_MODEL" in said) == (2, True)
    server = chat_server('{"text": "dreams", "where": ["country=France"], "titles": [], "less": []}')
    monkeypatch.setenv("ANTIPHON_MODEL", "tiny")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    code, printed, _ = call(*words, "--understand", "model")
    assert {hit["item_id"] for hit in json.loads(printed)["hits"]} == {"f09", "f10"}
