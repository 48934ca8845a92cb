"""The API against requests that nobody thought of: schemathesis finds no answer that the API does not describe.

In four states: with everything; over a list of titles, which has no users, pictures or facets; where keys are asked
for; and with hardly any room, where texts, lists and answers are soon too long.

Two of its checks are left out. A request that fits the schema may be refused (an unknown field in a filter), and it
counts lists as too long that its generator could not make that long.
"""

from __future__ import annotations

import os

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

import antiphon
from antiphon.serve import Settings, create_app

EXAMPLES = int(os.environ.get("ANTIPHON_FUZZ") or 60)
"""For each route; many in `make fuzz`. States other than that with everything get a sixth."""
KEY = "a-key-for-tests"
STATES = {
    "everything": Settings(poll=0),
    "titles alone": Settings(poll=0, page=False),
    "keys": Settings(poll=0, keys=(KEY,)),
    "little room": Settings(poll=0, max_k=1, max_text=8, max_likes=1, max_offset=1, max_body=200, max_upload=200),
}
ROUTES = (
    ("POST", "/v1/search"), ("POST", "/v1/search/media"), ("POST", "/v1/recommend"), ("POST", "/v1/why"),
    ("GET", "/v1/items"),
    ("GET", "/v1/items/{item_id}"), ("GET", "/v1/items/{item_id}/similar"), ("GET", "/v1/items/{item_id}/image"),
    ("GET", "/v1/facets"), ("POST", "/v1/facets"), ("GET", "/v1/space"), ("GET", "/v1/map"),
    ("GET", "/v1/map/colours"), ("POST", "/v1/playlist"), ("POST", "/v1/playlist/order"), ("POST", "/v1/refine"),
    ("POST", "/v1/understand"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
    ("POST", "/v1/reload"), ("POST", "/v1/search/batch"), ("POST", "/v1/talk"),
)  # fmt: skip


@pytest.fixture(scope="module")
def titles(tmp_path_factory, tiny_text_model):
    """A run over titles alone."""
    run = tmp_path_factory.mktemp("titles") / "run"
    names = [f"The {word} of {place}" for word in ("Lamp", "Fog", "Storm") for place in ("Cork", "Bray", "Oslo")]
    items = {"item_id": [str(number) for number in range(len(names))], "title": names}
    text = {"name": "text", "encoder": "sentence-transformers", "model": str(tiny_text_model)}
    antiphon.build(run=run, items=items, title="title", settings={"modalities": [text]})
    return run


@pytest.fixture(scope="module", params=STATES)
def state(request):
    """What the service is like."""
    return request.param


@pytest.fixture(scope="module")
def application(state, request):
    """The service, ready to answer."""
    from fastapi.testclient import TestClient

    run = request.getfixturevalue("titles" if state == "titles alone" else "film_run")
    app = create_app(run, STATES[state])
    with TestClient(app):
        yield app


@pytest.fixture(scope="module")
def schema(application):
    """What the service says of itself."""
    headers = {"Authorization": f"Bearer {KEY}"}
    return schemathesis.openapi.from_asgi("/openapi.json", application, headers=headers)


def test_every_route_is_tried(schema):
    """The list above is what the API describes, so no new route goes untried."""
    described = {(item.ok().method.upper(), item.ok().path) for item in schema.get_all_operations()}
    assert described == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_request_breaks_the_service(schema, state, method, path):
    """Whatever is sent, the answer is no server error, and a refusal is a problem document."""
    n_examples = EXAMPLES if state == "everything" else max(5, EXAMPLES // 6)

    @hypothesis.given(case=schema[path][method].as_strategy())
    @hypothesis.settings(
        max_examples=n_examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def ask(case):
        response = case.call_and_validate(excluded_checks=[positive_data_acceptance, negative_data_rejection])
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"

    ask()
