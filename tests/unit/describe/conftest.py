"""Fixtures of the tests of descriptions."""

from __future__ import annotations

import runpy
from pathlib import Path

support = runpy.run_path(str(Path(__file__).parents[2] / "support" / "chat_server.py"))
chat_server, answers = support["chat_server"], support["answers"]
