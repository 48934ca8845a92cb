"""Hooks of the docs site (mkdocs.yml): pages that are made, and links that leave docs/ as plain names.

`index.md` is the README, `api.md` comes from docstrings, `http.md` from the service's OpenAPI, and each
notebook is a page.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
_OUTSIDE = re.compile(
    r"!?\[([^\]]*)\]\((?:\.\./(?!(?:evaluation|tuning)\.md)|benchmarks/|CHANGELOG|CONTRIBUTING|CITATION|LICENSE|examples/)[^)]*\)"
)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made."""
    made = [("index.md", _index()), ("api.md", _api()), ("http.md", _http())]
    made += [
        (f"notebooks/{path.stem}.md", notebook_page(path)) for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
    ]
    for name, text in made:
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links to files of the repository that the site does not have become their text."""
    return _OUTSIDE.sub(r"\1", markdown.replace(".ipynb)", ".md)"))


def notebook_page(path: Path) -> str:
    """A notebook as a page: its text, its code, and what it printed and drew."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            if output["output_type"] == "stream":
                parts.append(f"```text\n{''.join(output['text']).rstrip()}\n```")
            else:
                parts.append(f'<img alt="plot" src="data:image/png;base64,{output["data"]["image/png"]}">')
    return "\n\n".join(parts) + "\n"


def _index() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8").replace("](docs/", "](")


def _api() -> str:
    import antiphon

    places = {name: f"antiphon.{module}.{name}" for name, module in antiphon._LAZY.items()}  # noqa: SLF001
    parts = ["# API reference", "Made from docstrings.", *(f"::: {place}" for place in sorted(places.values()))]
    return "\n\n".join([*parts, "::: antiphon.errors"]) + "\n"


def _http() -> str:
    from fastapi import FastAPI

    from antiphon.serve import Settings, routes

    app = FastAPI()
    nothing: Any = None  # the routes are described, not called
    app.include_router(routes.make_router(nothing, nothing, Settings(), nothing, nothing))
    document = app.openapi()
    parts = [
        "# HTTP reference",
        "Made from the service's OpenAPI, which a running one has at `/openapi.json` and `/docs`.",
    ]
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            parts.append(f"## {method.upper()} {path}\n\n{said.get('description', said['summary'])}")
            parts += _parts_of(said, document["components"]["schemas"])
    return "\n\n".join(parts) + "\n"


def _parts_of(said: dict[str, Any], schemas: dict[str, Any]) -> list[str]:
    """Parameters and parts of the body of a route, as a table."""
    rows = [(item["name"], item["in"], item.get("description", "")) for item in said.get("parameters", ())]
    content = said.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    body = schemas.get(reference.rpartition("/")[2], {})
    rows += [(name, "body", part.get("description", "")) for name, part in body.get("properties", {}).items()]
    lines = [f"| `{name}` | {place} | {about.replace('|', '&#124;')} |" for name, place, about in rows]
    return ["\n".join(["| part | where | meaning |", "|---|---|---|", *lines])] if lines else []
