"""The rooms of docs/architecture.md: who may import whom, held to the real imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "antiphon"
PAGE = ROOT / "docs" / "architecture.md"
HEAVY = {
    "fastapi", "implicit", "mcp", "onnx", "onnxruntime", "onnxscript", "pyspark", "scipy", "sentence_transformers",
    "soundfile", "soxr", "starlette", "tokenizers", "torch", "transformers", "uvicorn",
}  # fmt: skip

EAGER = {
    "joint/network": {"torch"},
    "joint/fused_loss": {"torch"},
    "joint/together": {"torch"},
    "serve": {"fastapi", "starlette", "uvicorn", "mcp"},
}
"""Modules that are themselves loaded only where they are used."""


@dataclass(frozen=True)
class Room:
    """A row of the table."""

    name: str
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
        name, _, allowed = (cell.strip() for cell in line.strip("|").split("|"))
        rooms.append(Room(name.strip("`"), tuple(part.strip() for part in allowed.split(",") if part.strip())))
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
    home = {room.name: room for room in rooms}
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


def files_imported(path: Path) -> set[Path]:
    """The files of the package that a file imports, wherever the statement stands."""
    found = set()
    for name in imports_of(path.read_text(encoding="utf-8"), module_name(path)):
        parts = name.split(".")[1:] if name.startswith("antiphon.") else []
        for length in range(len(parts), 0, -1):
            place = PACKAGE.joinpath(*parts[:length])
            target = place.with_suffix(".py") if place.with_suffix(".py").is_file() else place / "__init__.py"
            if target.is_file():
                found.add(target)
                break
    return found - {path, PACKAGE / "__init__.py"}


def circle_of(arrows: dict[str, set[str]]) -> list[str]:
    """Names that no order can be found for: those of circles, and what leads to them; none where there is none."""
    left = {name: set(targets) - {name} for name, targets in arrows.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def floors_of(rooms: list[Room]) -> dict[str, int]:
    """The floor of each room: one above the highest of those that it imports."""
    floors: dict[str, int] = {}
    for room in rooms:
        floors[room.name] = 1 + max((floors[name] for name in room.may_import), default=0)
    return floors


ROOMS = rooms_of(PAGE.read_text(encoding="utf-8"))
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def test_every_entry_of_the_package_is_a_room() -> None:
    """The table names each folder and top-level file once, and nothing that is not there."""
    found = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES}
    assert sorted(room.name for room in ROOMS) == sorted(found), "docs/architecture.md: put every module into one room"


def test_the_house_has_few_rooms() -> None:
    """A reader sees the whole of it: 25 entries at most, beside the marker of typed packages."""
    entries = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "py.typed"}
    assert len(entries) <= 25, sorted(entries)


def test_unit_tests_mirror_the_rooms() -> None:
    """A folder of unit tests is a room of the house, or a folder in one."""
    unit = ROOT / "tests" / "unit"
    folders = {path.relative_to(unit) for path in unit.rglob("*") if path.is_dir() and list(path.glob("test_*.py"))}
    assert len(folders) > 15
    assert [str(folder) for folder in sorted(folders) if not (PACKAGE / folder).is_dir()] == []


def test_no_two_classes_have_one_name() -> None:
    """One word, one thing: a class can be found by its name."""
    names = [
        node.name for path in FILES for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    ]  # fmt: skip
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_rooms_import_only_rooms_above_them() -> None:
    """The table has no cycle: what a room may import stands above it."""
    for position, room in enumerate(ROOMS):
        assert set(room.may_import) <= {above.name for above in ROOMS[:position]}, room.name


def test_the_house_has_at_most_twelve_floors() -> None:
    """What stands on what is a short stair, not a tower."""
    assert max(floors_of(ROOMS).values()) <= 12, floors_of(ROOMS)


def test_the_table_allows_only_what_is_used() -> None:
    """A permission that no import needs is taken back."""
    used: dict[str, set[str]] = {room.name: set() for room in ROOMS}
    for path in FILES:
        targets = {module_name(target).split(".")[1] for target in files_imported(path)}
        used[module_name(path).split(".")[1]] |= targets
    unused = {room.name: sorted(set(room.may_import) - used[room.name]) for room in ROOMS}
    assert not {name: names for name, names in unused.items() if names}


def test_no_circle_between_files() -> None:
    """No file imports itself by way of others, inside a room or across rooms."""
    arrows = {module_name(path): {module_name(target) for target in files_imported(path)} for path in FILES}
    assert circle_of(arrows) == []
    assert circle_of({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


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
    place = path.relative_to(PACKAGE)
    allowed = EAGER.get(place.parts[0], EAGER.get(place.with_suffix("").as_posix(), set()))
    assert not (names & HEAVY) - allowed


def test_the_check_sees_hidden_imports() -> None:
    """An import inside a function, a relative one, and one by name are seen; an allowed one is not complained of."""
    inside = "def work():\n    from antiphon.space.loading import load\n"
    assert complaints(ROOMS, "antiphon.data.catalog", inside) == [
        "antiphon.data.catalog (data) imports antiphon.space.loading.load (space)"
    ]
    assert complaints(ROOMS, "antiphon.describe.template", "from ..space.loading import load")
    assert complaints(ROOMS, "antiphon.numbers.metrics", "import_module('antiphon.cli')")
    assert complaints(ROOMS, "antiphon.numbers.metrics", "from antiphon import load")
    assert complaints(ROOMS, "antiphon.space.space", "from antiphon.joint.model import JointModel") == []
