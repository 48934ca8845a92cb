"""The rooms of docs/architecture.md: who may import whom, held to the real imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "antiphon"
PAGE = ROOT / "docs" / "architecture.md"
HEAVY = {
    "fastapi", "implicit", "mcp", "onnx", "onnxruntime", "onnxscript", "scipy", "sentence_transformers", "soundfile",
    "soxr", "starlette", "tokenizers", "torch", "transformers", "uvicorn",
}  # fmt: skip

EAGER = {"network": {"torch"}, "fused_loss": {"torch"}, "serve": {"fastapi", "starlette", "uvicorn", "mcp"}}
"""Modules that are themselves loaded only where they are used."""


@dataclass(frozen=True)
class Room:
    """A row of the table."""

    name: str
    modules: tuple[str, ...]
    may_import: tuple[str, ...]


def rooms_of(page: str) -> list[Room]:
    """The rows of the table whose header begins with `room`."""
    lines = iter(page.splitlines())
    for line in lines:
        if line.startswith("| room |"):
            break
    next(lines)
    rooms = []
    for line in lines:
        if not line.startswith("|"):
            break
        name, modules, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        names = tuple(part.strip() for part in allowed.split(",") if part.strip())
        rooms.append(Room(name, tuple(re.findall(r"`(\w+)`", modules)), names))
    return rooms


def imports_of(source: str, module: str, *, top_level: bool = False) -> Iterator[str]:
    """Dotted names that a module imports, wherever the statement stands, also through `import_module("...")`.

    With `top_level`, only what runs when the module is loaded: no functions, no `if TYPE_CHECKING`.
    """
    nodes = [ast.parse(source)]
    while nodes:
        node = nodes.pop()
        if top_level and (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        ):
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(module.split(".")[: -node.level]) + "." if node.level else ""
            yield from (f"{base}{node.module or ''}.{alias.name}".replace("..", ".") for alias in node.names)
        elif isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def module_name(path: Path) -> str:
    """The dotted name of a file of the package."""
    return ".".join(("antiphon", *path.relative_to(PACKAGE).with_suffix("").parts))


def complaints(rooms: list[Room], module: str, source: str) -> list[str]:
    """Imports of a module that its room may not make."""
    home = {name: room for room in rooms for name in room.modules}
    own = home[module.split(".")[1]]
    found = []
    for name in imports_of(source, module):
        parts = name.split(".")
        if parts[0] != "antiphon" or len(parts) < 2:
            continue
        target = home.get(parts[1])
        if target is None:
            found.append(f"{module} imports {name}, which goes through antiphon/__init__.py or is in no room")
        elif target is not own and target.name not in own.may_import:
            found.append(f"{module} ({own.name}) imports {name} ({target.name})")
    return found


ROOMS = rooms_of(PAGE.read_text(encoding="utf-8"))
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_module_has_one_room() -> None:
    """Each top-level module or package stands in the table once, and the table names nothing that is not there."""
    listed = [name for room in ROOMS for name in room.modules]
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert sorted(listed) == sorted(found), "docs/architecture.md: put every module into one room"


def test_rooms_import_only_rooms_above_them() -> None:
    """The table has no cycle: what a room may import stands above it."""
    for position, room in enumerate(ROOMS):
        assert set(room.may_import) <= {above.name for above in ROOMS[:position]}, room.name


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_keep_to_the_table(path: Path) -> None:
    """A module imports only its own room and those that its row names."""
    assert complaints(ROOMS, module_name(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [PACKAGE / "__init__.py", *FILES], ids=module_name)
def test_heavy_libraries_load_inside_functions(path: Path) -> None:
    """Loading a module loads no heavy library, but those that EAGER names."""
    names = {
        name.split(".")[0] for name in imports_of(path.read_text(encoding="utf-8"), module_name(path), top_level=True)
    }
    allowed = EAGER.get(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), set())
    assert not (names & HEAVY) - allowed


def test_the_check_sees_hidden_imports() -> None:
    """An import inside a function, a relative one, and one by name are seen; an allowed one is not complained of."""
    inside = "def work():\n    from antiphon.space import load\n"
    assert complaints(ROOMS, "antiphon.data.catalog", inside) == [
        "antiphon.catalog (data) imports antiphon.space.load (space)"
    ]
    assert complaints(ROOMS, "antiphon.describe.template", "from ..space import load")
    assert complaints(ROOMS, "antiphon.numbers.metrics", "import_module('antiphon.cli')")
    assert complaints(ROOMS, "antiphon.numbers.metrics", "from antiphon import load")
    assert complaints(ROOMS, "antiphon.space.space", "from antiphon.joint import JointModel") == []
