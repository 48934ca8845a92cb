"""README, CONTRIBUTING and docs: every code block runs, or says visibly why it does not."""

from __future__ import annotations

import contextlib
import io
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PRINTS = ("text", "")
RUNS = ("python", "bash", "console", "toml", "json")
MARK = re.compile(r"<!-- not run: (?P<reason>.*?) -->")
FENCE = re.compile(r"^(?P<before>[^\n]*)\n```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
RunBash = Callable[[str, Path], "subprocess.CompletedProcess[str]"]
LINK = re.compile(r"\]\((?P<target>[^)#:]+)(?:#[^)]*)?\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its code, and why it is not run (None: it is)."""

    language: str
    code: str
    reason: str | None
    line: int


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found = []
    for match in FENCE.finditer("\n" + text):
        mark = MARK.search(match["before"])
        line = text[: match.start("code")].count("\n")
        found.append(Block(match["language"], match["code"], mark["reason"] if mark else None, line))
    return found


def commands_of(block: Block) -> str:
    """The commands of a block: those after `$ ` in a console, every line in bash."""
    if block.language == "bash":
        return block.code
    return "\n".join(line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ "))


def run(block: Block, folder: Path, names: dict[str, object], run_bash: RunBash) -> str:
    """Run one block; returns what it printed."""
    if block.language == "toml":
        return str(tomllib.loads(block.code))
    if block.language == "json":
        return str(json.loads(block.code))
    if block.language == "python":
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block.code, f"line {block.line}", "exec"), names)
        return printed.getvalue()
    done = run_bash(commands_of(block), folder)
    assert done.returncode == 0, f"line {block.line}: {block.code}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(
    page: Path, page_folder: Path, monkeypatch: pytest.MonkeyPatch, run_bash: RunBash
) -> None:
    """The blocks of a page run in order, in a folder that has a run of the generated catalog."""
    monkeypatch.chdir(page_folder)
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.reason is None and block.language in RUNS:
            run(block, page_folder, names, run_bash)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks_that_do_not_run_give_a_reason(page: Path) -> None:
    """A block is of a language that is run, is plain text, or has a marker with a reason of some words."""
    for block in blocks_of(page.read_text(encoding="utf-8")):
        assert block.language in (*RUNS, *PRINTS), f"{page.name}: {block.language!r} is not run"
        assert block.reason is None or len(block.reason.split()) >= 3, f"{page.name}, line {block.line}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the repository."""
    for match in LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / match["target"]).exists(), match["target"]


def test_the_readme_shows_its_use_at_once(
    page_folder: Path, monkeypatch: pytest.MonkeyPatch, run_bash: RunBash
) -> None:
    """The README's Python has at most 12 lines and prints; its first commands are three."""
    monkeypatch.chdir(page_folder)
    blocks = [block for block in blocks_of(PAGES[0].read_text(encoding="utf-8")) if block.reason is None]
    python = next(block for block in blocks if block.language == "python")
    assert len(python.code.strip().splitlines()) <= 12
    assert run(python, page_folder, {}, run_bash).strip()
    shell = next(block for block in blocks if block.language == "bash")
    assert len(shell.code.strip().splitlines()) == 3


def test_a_marker_belongs_to_the_next_block_only() -> None:
    """A block after a marked one is run."""
    page = "<!-- not run: it takes an hour -->\n```bash\nsleep 3600\n```\n\n```bash\nfalse\n```\n"
    first, second = blocks_of(page)
    assert (first.reason, second.reason) == ("it takes an hour", None)


def test_a_block_that_fails_is_seen(tmp_path: Path, run_bash: RunBash) -> None:
    """A command that fails in the middle of a block fails the page."""
    with pytest.raises(AssertionError):
        run(Block("bash", "antiphon inspect nowhere\ntrue\n", None, 1), tmp_path, {}, run_bash)
