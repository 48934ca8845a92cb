"""The docs site shows every page, and nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAV = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
SHOWN = re.findall(r"([\w/-]+)\.md", NAV)
MADE = {"index", "api", "http"}
"""Pages that scripts/docs_site.py makes of README, docstrings and the service's OpenAPI."""


def test_every_page_is_on_the_site_once() -> None:
    """A page that nobody can reach is as good as none; a notebook is a page as well."""
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    notebooks = {f"notebooks/{path.stem}" for path in (ROOT / "docs" / "notebooks").glob("*.ipynb")}
    assert len(SHOWN) == len(set(SHOWN))
    assert set(SHOWN) == pages | notebooks | MADE


def test_every_picture_is_shown_and_made_by_the_script() -> None:
    """Pictures of the page are those of scripts/pictures.py, each on a page or in README."""
    texts = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    script = (ROOT / "scripts" / "pictures.py").read_text(encoding="utf-8")
    for picture in (ROOT / "docs" / "images").glob("*.png"):
        assert f"images/{picture.name}" in texts, picture.name
        assert f'"{picture.stem}": (' in script, picture.name
