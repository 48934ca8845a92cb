"""Options of a request, the same for every command that takes one; what they are is said by `query.parts`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from antiphon.query.parts import ABOUT

Command = Callable[..., Any]
_MANY: Mapping[str, Any] = {"multiple": True, "metavar": "ID"}
_OPTIONS: Mapping[str, tuple[Sequence[str], Mapping[str, Any]]] = {
    "turns": (("--turns", "turns"), {"multiple": True, "metavar": "TEXT"}),
    "literal": (("--literal", "literal"), {"multiple": True, "metavar": "WORDS"}),
    "likes": (("--like", "likes"), _MANY),
    "dislikes": (("--dislike", "dislikes"), _MANY),
    "user": (("--user",), {"metavar": "ID"}),
    "history": (("--after", "history"), _MANY),
    "exclude": (("--exclude",), _MANY),
    "where": (("--where",), {"multiple": True, "metavar": "FILTER"}),
    "weights": (("--weight", "weights"), {"multiple": True, "metavar": "PART=W"}),
    "k": (("-k", "k"), {"type": int, "default": 10, "show_default": True}),
    "explain": (("--explain",), {"is_flag": True}),
}
"""Field of a request -> how the command line names it, and how it takes it."""


def request_options(*names: str, **about: str) -> Callable[[Command], Command]:
    """Options for some fields of a request; `about` says of a field what it is here."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            declared, settings = _OPTIONS[name]
            again = " Repeat for more." if settings.get("multiple") else ""
            command = click.option(*declared, **settings, help=about.get(name, ABOUT[name]) + again)(command)
        return command

    return decorate


def json_option(command: Command) -> Command:
    """The option for one JSON document on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")(command)
