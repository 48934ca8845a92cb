"""docs/command-line.md is what `--help` says. `python tests/docs/test_command_line.py` writes it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from antiphon.cli import cli

PAGE = Path(__file__).resolve().parents[2] / "docs" / "command-line.md"
OPENING = """# The command line

Results go to standard output, progress and warnings to standard error. Bad input ends with one sentence and
exit code 2. `--json` prints one document. This page is what `--help` says; a test compares them.
"""


def commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all below it, in the order of their names."""
    yield words, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from commands(command.commands[name], (*words, name))


def page() -> str:
    """The whole page."""
    parts = [OPENING]
    for words, command in commands(cli, ("antiphon",)):
        context = click.Context(command, info_name=" ".join(words), terminal_width=100)
        parts.append(f"## {' '.join(words)}\n\n```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


def test_the_page_is_what_help_says() -> None:
    """Every command and option is on the page, in the words of `--help`."""
    again = "python tests/docs/test_command_line.py"
    assert PAGE.read_text(encoding="utf-8") == page(), f"the command line has changed; run: {again}"


def test_every_command_has_an_example() -> None:
    """The help of every command that does something ends with an example of it."""
    for words, command in commands(cli, ("antiphon",)):
        if not isinstance(command, click.Group):
            assert f"Example: {' '.join(words)} " in (command.epilog or ""), words


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
