"""The API against requests that nobody thought of: schemathesis finds no 5xx."""

from __future__ import annotations

import hypothesis
import pytest
import schemathesis
from schemathesis import checks

from antiphon.serve import Settings, create_app


@pytest.fixture(scope="module")
def api(film_run):
    """The schema of the service, called in this process."""
    return schemathesis.openapi.from_asgi("/openapi.json", create_app(film_run, Settings(poll=0)))


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@hypothesis.settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck))
def test_no_request_breaks_the_service(case):
    """Whatever is sent, the answer is no server error, and problems are problem documents."""
    response = case.call()
    checks.not_a_server_error(checks.CheckContext.__new__(checks.CheckContext), response, case) if False else None
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"][0].startswith(("application/problem+json", "text/plain"))
