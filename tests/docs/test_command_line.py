"""docs/command-line.md is what `--help` says. `python tests/docs/test_command_line.py` writes it again."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import click

from antiphon.cli import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
OPENING = """# The command line

Results go to standard output, progress and warnings to standard error. Bad input ends with one sentence and
exit code 2. `--json` prints one document. This page is what `--help` says; a test compares them.
"""


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A context for a command and for all below it, in the order of their names, as the command line makes them.

    A command keeps the help option of whoever asked it first, and another test may have run it outside its group; so
    a copy is asked, which has kept nothing.
    """
    fresh = copy.copy(command)
    fresh._help_option = None
    context = click.Context(fresh, parent, name, terminal_width=100, **fresh.context_settings)
    yield context
    if isinstance(command, click.Group):
        for word in sorted(command.commands):
            yield from commands(command.commands[word], word, context)


def page() -> str:
    """The whole page."""
    parts = [
        f"## {context.command_path}\n\n```text\n{context.get_help().rstrip()}\n```\n"
        for context in commands(cli, "antiphon")
    ]
    return "\n".join([OPENING, *parts])


def test_the_page_is_what_help_says() -> None:
    """Every command and option is on the page, in the words of `--help`."""
    again = "python tests/docs/test_command_line.py"
    assert PAGE.read_text(encoding="utf-8") == page(), f"the command line has changed; run: {again}"


def test_the_page_has_the_settings_of_the_command_line() -> None:
    """Every command is asked with its group's settings, so each shows both names of its help option."""
    sections = page().split("\n## ")[1:]
    assert len(sections) >= 20
    assert not [section.splitlines()[0] for section in sections if "  -h, --help" not in section]


def test_every_command_has_an_example() -> None:
    """The help of every command that does something ends with an example of it."""
    for context in commands(cli, "antiphon"):
        if not isinstance(context.command, click.Group):
            assert f"Example: {context.command_path} " in (context.command.epilog or ""), context.command_path


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
