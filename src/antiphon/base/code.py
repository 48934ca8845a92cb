"""A hash of the code that a computation runs, so that what other code computed is not taken for its result.

The code of a function is its module and all modules that this imports, one after another, of its own package and of
antiphon. Comments, docstrings and imports for types alone do not count: they change no number.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from antiphon.base import storage

PACKAGE = "antiphon"


def code_of(*values: Any) -> str:
    """The hash of the modules that functions, classes or modules are defined in, and of all that these import."""
    found: dict[str, str] = {}
    left = [value.__name__ if isinstance(value, ModuleType) else value.__module__ for value in values]
    while left:
        name = left.pop()
        path = _file_of(name)
        if name in found or path is None:
            continue
        found[name], imported = _read(path)
        own = (PACKAGE, name.partition(".")[0])
        left += [other for other in imported if other.partition(".")[0] in own]
    return storage.digest("code", sorted(found.items()))


def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    known = path.stat()
    return _parsed(path, known.st_mtime_ns, known.st_size)


def source_of(path: Path) -> str:
    """The text of a module."""
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=1024)
def _parsed(path: Path, mtime_ns: int, size: int) -> tuple[str, tuple[str, ...]]:
    """The hash of a module without comments and docstrings, and the names that it imports."""
    tree = _Bare().visit(ast.parse(source_of(path)))
    return storage.digest(ast.dump(tree)), tuple(sorted(set(_imports(tree))))


class _Bare(ast.NodeTransformer):
    """Takes away what changes no number: texts that stand alone, and imports for types."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported, wherever the statement stands: `from a import b` may be `a.b` or a name of `a`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str) -> Path | None:
    """The file of a module; None where there is no such module, as for a name that is a function."""
    top, *rest = name.split(".")
    package = sys.modules.get(top) or importlib.import_module(top)
    if not rest:
        file = getattr(package, "__file__", None)
        return Path(file) if file and top != PACKAGE else None
    if not hasattr(package, "__path__"):
        return None
    place = Path(next(iter(package.__path__)), *rest)
    files = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)
