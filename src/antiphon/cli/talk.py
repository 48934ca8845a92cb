"""antiphon talk: a conversation on the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from antiphon.cli.options import request_options
from antiphon.cli.output import hit_lines, note, show
from antiphon.errors import QueryError

BACK = "undo"


@click.command(epilog="Example: antiphon talk runs/films")
@click.argument("run", type=click.Path(path_type=Path))
@request_options("user", "k")
def talk(run: Path, user: str | None, k: int) -> None:
    """Talk to a space: a sentence per line, from the terminal or standard input.

    "newer", "less violent", "more like the second one", "without romance" change what was asked; every other sentence
    is one more turn of the conversation. Nothing is shown twice. "undo" takes the last sentence back.
    """
    from antiphon.space.loading import load

    conversation = load(run).talk(user=user, k=k)
    lines = sys.stdin
    if lines.isatty():
        note("say what you are after; an empty line ends.")
    for line in lines:
        said = line.strip()
        if not said:
            break
        if said == BACK:
            conversation.take_back()
            note("taken back")
            continue
        try:
            hits = conversation.say(said)
        except QueryError as error:
            note(str(error))  # a sentence that cannot be answered does not end the conversation
            continue
        if conversation.says:
            note(f"understood: {'; '.join(conversation.says)}")
        show("\n".join(hit_lines(hits)))
