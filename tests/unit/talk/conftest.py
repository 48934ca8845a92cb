"""The small catalog of films of the service's tests."""

from __future__ import annotations

import runpy
from pathlib import Path

_serve = runpy.run_path(str(Path(__file__).parents[1] / "serve" / "conftest.py"))
tiny_text_model, film_run, space = _serve["tiny_text_model"], _serve["film_run"], _serve["space"]
