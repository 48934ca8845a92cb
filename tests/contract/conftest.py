"""Fixtures of the contract tests."""

from __future__ import annotations

import runpy
from pathlib import Path

support = runpy.run_path(str(Path(__file__).parents[1] / "support" / "tiny_text.py"))
tiny_text_model, exports_once = support["tiny_text_model"], support["exports_once"]
