"""The API to look at and to try: Swagger UI at /docs, out of files of the package fastapi-offline."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response

PATH = "/docs"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Of this page alone: Swagger UI writes styles into its elements."""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>antiphon: the HTTP API</title><link rel="stylesheet" href="/docs/files/swagger-ui.css"></head>
<body><div id="api"></div><script src="/docs/files/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script>
</body></html>"""
_START = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#api", deepLinking: true, tryItOutEnabled: true,
  presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"});"""
_WITHOUT = """<!doctype html><html lang="en"><title>antiphon: the HTTP API</title>
<p>The API is described in <a href="/openapi.json">/openapi.json</a>.
To try it here, install <code>pip install 'antiphon[serve]'</code>.</p></html>"""


def add_docs(app: FastAPI) -> None:
    """Add /docs; without the package, a page that says what to install."""
    spec = find_spec("fastapi_offline")
    files = None if spec is None or spec.origin is None else Path(spec.origin).parent / "static"

    @app.get(PATH, include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(_WITHOUT if files is None else _PAGE)

    if files is not None:

        @app.get(f"{PATH}/start.js", include_in_schema=False)
        async def start() -> Response:
            return Response(_START, media_type="text/javascript")

        app.mount(f"{PATH}/files", StaticFiles(directory=files), name="swagger")
