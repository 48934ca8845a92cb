"""The FastAPI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import FileResponse, Response

from antiphon.base.package import __version__
from antiphon.query.parts import MAX_MEDIA
from antiphon.serve import operate, problems, routes
from antiphon.serve.bodies import Bodies
from antiphon.serve.guard import UPLOAD, Guard
from antiphon.serve.live import Live
from antiphon.serve.metrics import Metrics
from antiphon.serve.requests import Interpret
from antiphon.serve.settings import Settings
from antiphon.serve.swagger import add_docs
from antiphon.serve.tracing import Traced, Tracing
from antiphon.space.space import Space
from antiphon.talk.reader import Reader
from antiphon.talk.refine import Translator

STATIC = Path(__file__).parent / "static"
DESCRIPTION = """Talk to a catalog: plain words, liked and disliked items, users, filters, and all of them at once.

Errors are problem documents (RFC 9457) whose `detail` says what was got, what was expected, and what to do next."""


def make_app(
    source: Space | str | Path, settings: Settings, *, translate: Translator | None = None,
    understand: Interpret = Reader.read, tools: bool = False,
) -> FastAPI:  # fmt: skip
    """The application; see `antiphon.serve.create_app`. `tools` adds the MCP server at /mcp.

    `understand` reads the sentences of /v1/understand: rules, unless it is given one that asks a language model.

    Raises:
        RunError: there is no such run, or it has no published space.
    """
    metrics = Metrics()
    tracing = Tracing() if settings.traces else None
    if tracing is not None:
        metrics.watch(tracing.stage)
    live = Live(source, settings, metrics)
    space = live.served.space
    metrics.use(space.space_id, str(space.manifest["name"]), space.n_items)
    tool_app: Any = None
    if tools:
        from antiphon.serve.mcp import http_app

        tool_app = http_app(lambda: live.served, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if tool_app is not None:
                await stack.enter_async_context(tool_app.router.lifespan_context(tool_app))
            await live.start()
            yield
            await live.stop()
            if tracing is not None:
                tracing.close()

    app = FastAPI(
        title="antiphon",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere; `swagger` has its own
        redoc_url=None,
        openapi_url="/openapi.json",
        responses={
            code: {"description": text, "content": {problems.MEDIA_TYPE: {"schema": _PROBLEM}}}
            for code, text in _PROBLEMS.items()
        },
    )
    app.state.live, app.state.metrics = live, metrics
    problems.install(app)
    app.include_router(routes.make_router(live, metrics, settings, translate, understand))
    app.include_router(operate.make_router(live))
    if tool_app is not None:
        app.router.routes.extend(tool_app.router.routes)
    add_docs(app)
    if settings.page:
        _serve_page(app)
    app.add_middleware(Bodies)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key"],
        )
    files = any(space.accepts(kind) for kind in MAX_MEDIA)
    if tracing is not None:
        app.add_middleware(Traced, tracing=tracing)
    app.add_middleware(Guard, settings=settings, metrics=metrics, long=(UPLOAD, "/mcp") if files else (UPLOAD,))
    return app


def _serve_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    app.mount("/static", StaticFiles(directory=STATIC), name="static")


_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
_PROBLEMS = {
    400: "The request cannot be answered as it stands.",
    401: "An API key is needed.",
    403: "The API key may not do this.",
    404: "There is no such item, user or page.",
    413: "The body is too large.",
    415: "The body is no JSON, or does not say that it is.",
    422: "The request does not have the expected form.",
    429: "The API key, or the address, asks too often.",
    503: "The service is busy or stopping.",
}
