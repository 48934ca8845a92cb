"""The run of films of the evaluation's tests."""

from __future__ import annotations

import runpy
from pathlib import Path

_evaluate = runpy.run_path(str(Path(__file__).parents[1] / "evaluate" / "conftest.py"))
tiny_text_model, exports_once = _evaluate["tiny_text_model"], _evaluate["exports_once"]
built, data = _evaluate["built"], _evaluate["data"]
