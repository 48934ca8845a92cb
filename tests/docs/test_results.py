"""Tables of results in the pages are those of the kept reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_pages_show_the_kept_reports() -> None:
    """No number in README.md or docs/beyond.md was changed by hand."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "readme.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"run: python benchmarks/readme.py {done.stderr}"
