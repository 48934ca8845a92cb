"""The API against requests that nobody thought of: schemathesis finds no answer that the API does not describe.

Two of its checks are left out. A request that fits the schema may be refused (an unknown field in a filter), and it
counts lists as too long that its generator could not make that long.
"""

from __future__ import annotations

import os

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from antiphon.serve import Settings, create_app

EXAMPLES = int(os.environ.get("ANTIPHON_FUZZ") or 60)
"""For each route; many in `make fuzz`."""
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
def application(film_run):
    """The service, ready to answer."""
    from fastapi.testclient import TestClient

    app = create_app(film_run, Settings(poll=0))
    with TestClient(app):
        yield app


@pytest.fixture(scope="module")
def schema(application):
    """What the service says of itself."""
    return schemathesis.openapi.from_asgi("/openapi.json", application)


def test_every_route_is_tried(schema):
    """The list above is what the API describes, so no new route goes untried."""
    described = {(item.ok().method.upper(), item.ok().path) for item in schema.get_all_operations()}
    assert described == set(ROUTES)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_no_request_breaks_the_service(schema, method, path):
    """Whatever is sent, the answer is no server error, and a refusal is a problem document."""

    @hypothesis.given(case=schema[path][method].as_strategy())
    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
    )
    def ask(case):
        response = case.call_and_validate(excluded_checks=[positive_data_acceptance, negative_data_rejection])
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            assert response.headers["content-type"][0] == "application/problem+json"

    ask()
