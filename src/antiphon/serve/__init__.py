"""The HTTP service, the page, and tools for language models.

`create_app` makes the FastAPI application; importing this package loads no web framework.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from antiphon.serve.settings import Settings

if TYPE_CHECKING:
    from antiphon.space.space import Space

__all__ = ["Settings", "create_app"]


def create_app(source: Space | str | Path, settings: Settings | None = None, **options: Any) -> Any:
    """The FastAPI application over a space, or over a run's folder whose new versions it picks up.

    Raises:
        MissingExtraError: fastapi or another package of the extra `serve` is not installed.
    """
    from antiphon.errors import MissingExtraError

    try:
        from antiphon.serve.app import make_app
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve", "the HTTP service") from error
    return make_app(source, settings or Settings(), **options)
