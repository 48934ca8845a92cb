"""Fixtures of the contract tests."""

from __future__ import annotations

import runpy
from pathlib import Path

_space = runpy.run_path(str(Path(__file__).parents[1] / "unit" / "space" / "conftest.py"))
tiny_text_model, exports_once, built = _space["tiny_text_model"], _space["exports_once"], _space["built"]
