"""What an operator asks of a service that runs: take up a new version now, without waiting for the next look."""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.responses import Response

from antiphon.serve.live import Live


def make_router(live: Live) -> APIRouter:
    """The routes, which need a key that may write where there are keys."""
    router = APIRouter()

    @router.post("/v1/reload", tags=["health"])
    async def reload() -> Response:
        """Take up the version that the run's CURRENT names, if it is another one; says which one answers now."""
        changed = await live.refresh()
        body = {"space_id": live.served.space.space_id, "changed": changed}
        return Response(json.dumps(body).encode(), media_type="application/json")

    return router
