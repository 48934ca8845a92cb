"""The HTTP service: what its routes answer, within which limits, and how it says no."""

from __future__ import annotations

import io
import json

import pytest
from fastapi.testclient import TestClient
from PIL import Image

from antiphon.serve import Settings, create_app
from antiphon.serve.models import SearchBody, Understood
from antiphon.talk.reader import Reading
from antiphon.talk.wish import Wish


def test_search_is_the_library_s_answer(client, space):
    """The service's hits are those of `Space.search`: ids, order and scores."""
    said = {"text": "a tense drama", "likes": ["film-003"], "where": "year>=1960", "k": 7}
    got = client.post("/v1/search", json=said).json()
    expected = space.search("a tense drama", likes=["film-003"], where="year>=1960", k=7)
    assert [hit["item_id"] for hit in got["hits"]] == [hit.item_id for hit in expected]
    assert [hit["score"] for hit in got["hits"]] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    assert got["space_id"] == space.space_id


def test_explained_hits_say_why(client):
    """With explain, each hit has shares that sum to 1, and the values that match; without, it has neither."""
    hits = client.post("/v1/search", json={"text": "drama", "explain": True, "k": 3}).json()["hits"]
    assert all(sum(hit["why"].values()) == pytest.approx(1, abs=0.01) for hit in hits)
    plain = client.post("/v1/search", json={"text": "drama", "k": 3}).json()["hits"]
    assert [hit["item_id"] for hit in hits] == [hit["item_id"] for hit in plain]
    assert not any("why" in hit for hit in plain)


def test_offset_goes_on_where_the_page_before_ended(client):
    """Two pages of five are the ten answers, ranks included."""
    whole = client.post("/v1/search", json={"text": "space", "k": 10}).json()["hits"]
    pages = [client.post("/v1/search", json={"text": "space", "k": 5, "offset": at}).json()["hits"] for at in (0, 5)]
    assert [(hit["rank"], hit["item_id"]) for page in pages for hit in page] == [
        (hit["rank"], hit["item_id"]) for hit in whole
    ]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "the request is empty"),
        ({"likes": ["nobody"]}, 404, "the catalog has no item 'nobody'"),
        ({"user": "nobody"}, 404, "the catalog has no user 'nobody'"),
        ({"text": "x", "where": "yeer>1980"}, 400, "did you mean 'year'?"),
        ({"text": "x", "where": "year >"}, 400, "cannot be read"),
        ({"text": "x", "k": 201}, 400, "at most 200"),
        ({"text": "x" * 2001}, 400, "at most 2,000"),
        ({"likes": ["film-001"] * 1001}, 400, "at most 1,000"),
        ({"text": "x", "txet": 1}, 422, "body.txet"),
        ({"text": "x", "weights": {"text": -1}}, 422, "weights.text"),
        ({"text": "x", "weights": {"tetx": 1}}, 400, "did you mean 'text'?"),
        ({"less": ["dark"]}, 400, "needs something to start from"),
    ],
)
def test_refusals_are_problem_documents(client, body, status, said):
    """A bad request gets a 4xx problem document whose detail is the library's sentence."""
    got = client.post("/v1/search", json=body)
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    assert got.json()["status"] == status
    assert said in got.json()["detail"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"text": "\\ud800"}', b'{"k": 1e999}'])
def test_broken_bodies_are_the_caller_s_fault(client, body):
    """Bodies that are no JSON, or hold what is no text, are answered with 4xx."""
    got = client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert 400 <= got.status_code < 500, got.text


def test_a_filter_that_leaves_nothing_says_what_to_loosen(client):
    """With no hits there is, for each part of the filter, the number of items without it."""
    said = {"text": "drama", "where": ["year>=3000", "genres any drama"]}
    got = client.post("/v1/search", json=said).json()
    assert got["hits"] == []
    parts = {part["part"]: part["would_match"] for part in got["loosen"]}
    assert parts[0] > 0
    assert parts[1] == 0


def test_less_words_move_the_answers_away(client, space):
    """`less` excludes the most typical items of its words and lowers what is like them."""
    plain = client.post("/v1/search", json={"text": "film", "k": 5}).json()["hits"]
    away = client.post("/v1/search", json={"text": "film", "less": ["gory horror"], "k": 5}).json()["hits"]
    assert [hit["item_id"] for hit in plain] != [hit["item_id"] for hit in away]
    typical = {hit.item_id for hit in space.search("gory horror", k=4)}
    assert not typical & {hit["item_id"] for hit in away}


def test_files_are_refused_where_nothing_reads_them(client):
    """A space whose pictures were encoded elsewhere says that it takes no files, before it looks at one."""
    assert client.get("/v1/space").json()["accepts"] == ["text"]
    got = client.post("/v1/search/media", files={"image": ("p.jpg", b"x")})
    assert got.status_code == 400
    assert "no modality that reads image files; it takes no files" in got.json()["detail"]


def test_what_is_not_installed_is_no_failure_of_the_service():
    """A request that needs a missing package is answered with 503 and the sentence that says how to get it."""
    from antiphon.errors import MissingExtraError
    from antiphon.serve.problems import of_error

    got = of_error(MissingExtraError("torch", "image", "encoding pictures"))
    assert got.status_code == 503
    assert "antiphon[image]" in json.loads(got.body)["detail"]


def test_recommend_takes_no_text(client):
    """Recommendation answers likes and histories, and refuses words."""
    assert len(client.post("/v1/recommend", json={"likes": ["film-001"], "k": 4}).json()["hits"]) == 4
    assert client.post("/v1/recommend", json={"history": ["film-001"]}).status_code == 200
    assert client.post("/v1/recommend", json={"text": "x"}).status_code == 400


def test_items(client):
    """An item has its title, fields and modalities; unknown ones are 404; similar ones do not include itself."""
    item = client.get("/v1/items/film-002").json()
    assert item["title"]
    assert set(item["modalities"]) == {"text", "image", "cf"}
    assert client.get("/v1/items/nobody").status_code == 404
    similar = client.get("/v1/items/film-002/similar", params={"k": 5}).json()["hits"]
    assert len(similar) == 5
    assert "film-002" not in {hit["item_id"] for hit in similar}


def test_titles_are_completed(client):
    """Beginnings of titles come before other places, without regard to case and accents."""
    found = [item["title"] for item in client.get("/v1/items", params={"q": "ete", "k": 3}).json()["items"]]
    assert found
    assert all(title.startswith("Été") for title in found)
    assert client.get("/v1/items", params={"q": ""}).json()["items"] == []


def test_pictures_are_resized(client):
    """A picture is a JPEG no wider than asked for; one that is missing, broken or elsewhere is 4xx."""
    got = client.get("/v1/items/film-002/image", params={"w": 80})
    assert Image.open(io.BytesIO(got.content)).size == (80, 120)
    assert client.get("/v1/items/film-003/image").status_code == 404
    assert client.get("/v1/items/film-001/image").status_code == 400
    assert client.get("/v1/items/..%2Fsecret/image").status_code == 404


def test_facets_count_what_passes(client, space):
    """Counts are those of the filter; a field's own condition does not narrow its own counts."""
    got = client.get("/v1/facets", params={"where": "genres any drama"}).json()
    facets = {facet["field"]: facet for facet in got["facets"]}
    drama = {value["value"]: value["count"] for value in facets["genres"]["values"]}
    every = space.fields["genres"].to_pylist()
    assert drama["comedy"] == sum("comedy" in genres for genres in every)
    assert got["n_items"] == sum("drama" in genres for genres in every)
    assert sum(bin_["count"] for bin_ in facets["year"]["bins"]) <= got["n_items"]


def test_the_space_describes_itself(client, space):
    """The service says what it serves, with modalities, coverage, fields and limits."""
    got = client.get("/v1/space").json()
    assert got["n_items"] == 60
    assert got["modalities"]["text"]["accepts"] == "text"
    assert 0 < got["modalities"]["image"]["coverage"] < 1
    assert got["fields"]["year"] == "number"
    assert got["limits"]["k"] == 200


def test_playlists(client):
    """A playlist has the length asked for, no item twice, and at most one of each country where asked."""
    body = {"text": "dark", "length": 4, "max_per": {"country": 1}}
    got = client.post("/v1/playlist", json=body).json()
    ids = [item["item_id"] for item in got["items"]]
    countries = [item["fields"]["country"] for item in got["items"] if item["fields"]["country"]]
    assert len(set(ids)) == 4
    assert len(set(countries)) == len(countries)
    assert client.post("/v1/playlist", json=body).json()["items"] == got["items"]
    more = client.post("/v1/playlist", json={"after": ids, "length": 3}).json()["items"]
    assert not set(ids) & {item["item_id"] for item in more}
    assert more[0]["link"] is not None
    text = client.post("/v1/playlist", json={**body, "format": "m3u8"})
    assert text.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert text.text.startswith("#EXTM3U")


def test_order_keeps_the_items(client):
    """Ordering returns the same items; the first stays first."""
    ids = [f"film-{number:03}" for number in (5, 9, 2, 30, 7)]
    got = client.post("/v1/playlist/order", json={"item_ids": ids}).json()["items"]
    assert got[0]["item_id"] == ids[0]
    assert {item["item_id"] for item in got} == set(ids)


def test_a_conversation(client):
    """The state comes back changed, in plain words; the client holds it."""
    step = client.post("/v1/refine", json={"say": "a tense drama"}).json()
    assert step["wish"]["text"] == "a tense drama"
    shown = [hit["item_id"] for hit in client.post("/v1/search", json=step["wish"]).json()["hits"]]
    step = client.post(
        "/v1/refine", json={"wish": step["wish"], "say": "newer, more like the second one", "shown": shown}
    ).json()
    assert step["wish"]["likes"] == [shown[1]]
    assert step["wish"]["where"][0].startswith("year>")
    assert not step["guessed"]
    assert client.post("/v1/refine", json={"say": "more like the third one"}).status_code == 400


def test_a_sentence_is_taken_apart(client, space):
    """Filters, likes and the words that remain; the query is a body of a search that answers by them."""
    said = f"a tense drama from the eighties like {space.titles[5]}, nothing with horror"
    got = client.post("/v1/understand", json={"text": said}).json()
    Understood.model_validate(got)
    assert got["by"] == "rules"
    assert got["space_id"] == space.space_id
    assert "horror" not in got["text"]
    assert got["where"] == ["not genres any 'horror'", "year>=1980", "year<1990"]
    assert got["likes"] == [{"item_id": space.item_ids[5], "title": space.titles[5]}]
    assert got["query"] == {"text": got["text"], "where": got["where"], "likes": [space.item_ids[5]]}
    assert len(got["says"]) == 3
    hits = client.post("/v1/search", json=got["query"]).json()["hits"]
    assert hits
    assert all(1980 <= hit["fields"]["year"] < 1990 and "horror" not in hit["fields"]["genres"] for hit in hits)


def test_beside_a_search_only_what_it_does_not_read_is_taken_out(client, space):
    """Years, refusals and named items stay in the words, which a search reads by itself; countries become filters."""
    said = f"a tense French drama from the eighties like {space.titles[5]}, nothing with horror"
    got = client.post("/v1/understand", json={"text": said, "beside_search": True}).json()
    Understood.model_validate(got)
    assert got["query"] == {"text": said, "where": ["country any 'france'"]}
    assert got["says"] == ["from France"]


def test_a_sentence_without_parts_stays_as_it_is(client):
    """Where nothing is found, the query is the sentence alone, so that it can be sent all the same."""
    got = client.post("/v1/understand", json={"text": "a quiet evening"}).json()
    assert got["says"] == got["where"] == got["likes"] == got["less"] == []
    assert got["query"] == {"text": "a quiet evening"}


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"text": " "}, 400, "the request is empty"),
        ({"text": "x" * 2001}, 400, "at most 2,000"),
        ({}, 422, "body.text"),
        ({"text": "x", "by": "model"}, 422, "body.by"),
    ],
)
def test_what_cannot_be_taken_apart(client, body, status, said):
    """Bad sentences and bodies are the caller's fault, in a sentence."""
    got = client.post("/v1/understand", json=body)
    assert got.status_code == status
    assert said in got.json()["detail"]


def test_whoever_runs_the_service_may_have_a_model_read(film_run):
    """No model is asked unless the application was made with one; then it reads in the place of the rules."""
    asked = []

    def read(reader, sentence):
        asked.append(sentence)
        return Reading(Wish(text="films", where=("year>1990",)), ("after 1990",), "model")

    with TestClient(create_app(film_run, Settings(poll=0), understand=read)) as client:
        got = client.post("/v1/understand", json={"text": "recent ones"}).json()
        client.post("/v1/search", json={"text": "recent ones"})
    assert (got["by"], got["query"]) == ("model", {"text": "films", "where": ["year>1990"]})
    assert asked == ["recent ones"]


def test_the_api_describes_understanding(client):
    """The document of the API has the route, its body and its answer, each with an example that is right."""
    described = client.get("/openapi.json").json()
    route = described["paths"]["/v1/understand"]["post"]
    assert route["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/UnderstandBody")
    assert route["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("/Understood")
    schemas = described["components"]["schemas"]
    example = schemas["Understood"]["examples"][0]
    Understood.model_validate(example)
    SearchBody.model_validate(example["query"])
    assert client.post("/v1/understand", json=schemas["UnderstandBody"]["examples"][0]).json()["says"]


@pytest.mark.parametrize(
    ("asked", "speaks"),
    [
        ({"text": "drama"}, {"words", "passages", "facets", "taste"}),  # taste: how many know an item
        ({"likes": ["film-004"]}, {"facets", "taste"}),
        ({"history": ["film-004", "film-007"]}, {"taste"}),
        ({"text": "drama", "history": ["film-004"]}, {"words", "passages", "facets", "taste"}),
    ],
)
def test_why_speaks_of_every_modality_and_of_what_is_asked(client, asked, speaks):
    """Each kind of request gets the place of the item in every modality, and in the channels that it speaks to."""
    got = client.post("/v1/why", json={**asked, "item_id": "film-009"}).json()
    assert set(got["ranks"]) == {"text", "image", "cf"} | speaks
    assert all(1 <= place <= 60 for place in got["ranks"].values() if place is not None)
    shares = {"taste" if name == "popularity" else name for name in got["why"]}
    assert shares >= speaks
    assert sum(got["why"].values()) == pytest.approx(1, abs=0.01)


def test_why_names_ranks_and_likes(client):
    """The deeper answer has shares, the rank in each modality alone, and the nearest likes."""
    got = client.post("/v1/why", json={"text": "drama", "likes": ["film-004"], "item_id": "film-009"}).json()
    assert got["nearest_likes"][0]["item_id"] == "film-004"
    assert got["rank"] >= 1
    assert client.post("/v1/why", json={"text": "drama", "item_id": "nobody"}).status_code == 404


def test_the_map(client):
    """The map has a place for every item, and is not sent again to who has it."""
    got = client.get("/v1/map")
    assert len(got.json()["x"]) == 60
    assert client.get("/v1/map", headers={"if-none-match": got.headers["etag"]}).status_code == 304
    assert len(client.get("/v1/map/colours", params={"field": "genres"}).json()["codes"]) == 60
    assert client.get("/v1/map/colours", params={"field": "nothing"}).status_code == 404


def test_health_and_metrics(client, space):
    """Probes answer; metrics name the space and count what was asked."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["space_id"] == space.space_id
    client.post("/v1/search", json={"text": "x"})
    text = client.get("/metrics").text
    assert f'antiphon_space_info{{name="films",space_id="{space.space_id}"}} 1.0' in text
    assert 'antiphon_requests_total{route="/v1/search",status="200"}' in text
    for stage in ("queue", "encode", "search", "answer", "render"):
        assert f'antiphon_stage_seconds_count{{stage="{stage}"}}' in text


def test_the_page_asks_nobody_else(client):
    """The page's policy allows this origin only, no inline script, and the page holds none."""
    got = client.get("/")
    policy = got.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in got.text
    assert "://" not in got.text.replace("http://www.w3.org", "")
    assert client.get("/static/js/main.js").status_code == 200
    assert client.get("/static/../app.py").status_code == 404


def test_keys(film_run):
    """With keys the API wants one, compared whole; the page and the probes do not."""
    settings = Settings(keys=("open-sesame-1",), poll=0)
    with TestClient(create_app(film_run, settings)) as client:
        assert client.get("/v1/space").status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/v1/space", headers={"authorization": "Bearer open-sesame-"}).status_code == 401
        assert client.get("/v1/space", headers={"authorization": "Bearer open-sesame-1"}).status_code == 200
        assert client.get("/v1/space", headers={"x-api-key": "open-sesame-1"}).status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/").status_code == 200


def test_bodies_have_a_limit(film_run):
    """A body over the limit is refused by its announced length, and by its true one."""
    with TestClient(create_app(film_run, Settings(max_body=1000, poll=0))) as client:
        assert client.post("/v1/search", content=b"x" * 2000).status_code == 413
        chunks = (b"x" * 400 for _ in range(4))
        assert client.post("/v1/search", content=chunks).status_code == 413


def test_other_hosts_and_origins_are_refused_by_default(film_run):
    """A name that the service does not have is refused; no CORS header is sent unless an origin is named."""
    with TestClient(create_app(film_run, Settings(hosts=("localhost",), poll=0))) as client:
        assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 421
        assert client.get("/healthz", headers={"host": "localhost:8765"}).status_code == 200
        got = client.get("/healthz", headers={"host": "localhost", "origin": "http://a.example"})
        assert "access-control-allow-origin" not in got.headers
    with TestClient(create_app(film_run, Settings(origins=("http://a.example",), poll=0))) as client:
        got = client.get("/healthz", headers={"origin": "http://a.example"})
        assert got.headers["access-control-allow-origin"] == "http://a.example"


def test_logs_hold_no_queries_unless_asked(film_run, caplog):
    """A line of the log has route, status and time; the text is in it only with log_queries."""
    for log_queries in (False, True):
        caplog.clear()
        with (
            caplog.at_level("INFO", logger="antiphon.serve"),
            TestClient(create_app(film_run, Settings(log_queries=log_queries, poll=0))) as client,
        ):
            client.post("/v1/search", json={"text": "my secret wish", "likes": ["film-001"]})
            client.get("/v1/items", params={"q": "private"})
        lines = [record.message for record in caplog.records if "/v1/" in record.message]
        assert json.loads(lines[0])["route"] == "/v1/search"
        assert ("my secret wish" in "".join(lines)) is log_queries
        assert ("private" in "".join(lines)) is log_queries


def test_openapi_has_examples(client):
    """The description of the API names every route and has an example of a search."""
    document = client.get("/openapi.json").json()
    assert "/v1/search" in document["paths"]
    assert document["components"]["schemas"]["SearchBody"]["examples"]


def test_swagger_ui_is_served_without_files_from_elsewhere(client):
    """Its page, script and styles come from the service, under a policy that allows nothing else."""
    page = client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert "script-src 'self';" in page.headers["content-security-policy"]
    for path in ("/docs/start.js", "/docs/files/swagger-ui-bundle.js", "/docs/files/swagger-ui.css"):
        assert path in page.text
        assert client.get(path).status_code == 200
    assert "'unsafe-inline'" not in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize("kind", [None, "text/plain"])
def test_a_body_that_does_not_say_that_it_is_json_is_told_how_to(client, kind):
    """The mistake that everybody makes with curl."""
    headers = {} if kind is None else {"content-type": kind}
    answer = client.post("/v1/search", content=b'{"text": "dark"}', headers=headers)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_answers_have_the_fields_that_are_asked_for(client):
    """All where nothing is said, none for an empty list, with reasons or without."""
    for explain in (False, True):
        body = {"text": "dark", "k": 2, "explain": explain}
        every = client.post("/v1/search", json=body).json()["hits"]
        some = client.post("/v1/search", json={**body, "fields": ["genres", "year"]}).json()["hits"]
        none = client.post("/v1/search", json={**body, "fields": []}).json()["hits"]
        assert [list(hit["fields"]) for hit in some] == [["genres", "year"]] * 2
        assert [hit["fields"] for hit in none] == [{}, {}]
        assert [hit["item_id"] for hit in every] == [hit["item_id"] for hit in some] == [hit["item_id"] for hit in none]


def test_a_batch_answers_each_request_alone(client):
    """One that cannot be answered does not spoil the others."""
    answer = client.post("/v1/search/batch", json={"requests": [{"text": "dark", "k": 1}, {"likes": ["nobody"]}]})
    first, second = answer.json()["answers"]
    assert len(first["hits"]) == 1
    assert first["next_offset"] == 1
    assert (second["status"], "nobody" in second["detail"]) == (404, True)


def test_what_depends_on_the_space_alone_can_be_kept(client, space):
    """The ETag is the space's id: a client that has it is told that nothing has changed."""
    for path in ("/v1/space", "/v1/items/film-003", "/v1/map"):
        tag = client.get(path).headers["etag"]
        assert tag == f'"{space.space_id}"'
        assert client.get(path, headers={"if-none-match": tag}).status_code == 304
        assert client.get(path, headers={"if-none-match": '"another"'}).status_code == 200


def test_a_space_names_the_fields_that_tell_most(client):
    """Kinds come before years, and both before what nearly all items share; it is what the page shows of an item."""
    card = client.get("/v1/space").json()["card"]
    assert set(card) <= set(client.get("/v1/space").json()["fields"])
    assert len(card) <= 4
    assert card.index("genres") < card.index("year") if "year" in card else "genres" in card


def test_hidden_values_are_not_offered(client):
    """A stop word of a category is in no facet, on no map and in no sentence; a filter may still name it."""
    facets = client.get("/v1/facets").json()["facets"]
    tags = next(facet["values"] for facet in facets if facet["field"] == "tags")
    assert tags
    assert "own" not in [one["value"] for one in tags]
    assert "own" not in client.get("/v1/map/colours", params={"field": "tags"}).json()["legend"]
    assert "own" not in [region["label"] for region in client.get("/v1/map").json()["regions"]]
    read = client.post("/v1/understand", json={"text": "a drama, without own"}).json()
    assert not [part for part in read["where"] if "own" in part]
    held = client.post("/v1/search", json={"text": "drama", "where": "tags any 'own'", "k": 3}).json()["hits"]
    assert held
    assert all("own" in hit["fields"]["tags"] for hit in held)


def test_misspelt_titles_are_completed(client):
    """Where no title has what was typed, those come that are written most like it."""
    title = client.get("/v1/items/film-009").json()["title"]
    typed = title[:2] + title[3:]
    assert title in [item["title"] for item in client.get("/v1/items", params={"q": typed}).json()["items"]]
    assert client.get("/v1/items", params={"q": "zzzzqqqq"}).json()["items"] == []


def test_an_answer_says_where_nothing_fits(client, monkeypatch):
    """Words that the catalog does not know, far from all its texts, are answered with a doubt; known ones are not."""
    # To the small text model of the tests everything is near: what it takes for far is set above that.
    monkeypatch.setattr("antiphon.space.evidence.NEAR", 1.1)
    strange = client.post("/v1/search", json={"text": "zzzzqqqq", "k": 3}).json()
    assert strange["hits"]
    assert strange["nothing_fits"] is True
    assert "nothing_fits" not in client.post("/v1/search", json={"text": "a quiet drama", "k": 3}).json()
    beside = client.post("/v1/search", json={"text": "zzzzqqqq", "likes": ["film-004"], "k": 3}).json()
    assert "nothing_fits" not in beside
    batch = client.post("/v1/search/batch", json={"requests": [{"text": "zzzzqqqq", "k": 1}, {"text": "drama"}]}).json()
    assert [answer.get("nothing_fits", False) for answer in batch["answers"]] == [True, False]
