"""Fixtures of the contract tests."""

from __future__ import annotations

import runpy
from pathlib import Path

tiny_text_model = runpy.run_path(str(Path(__file__).parents[1] / "support" / "tiny_text.py"))["tiny_text_model"]
