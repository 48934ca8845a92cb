"""The command line: thin commands over the library.

Results go to standard output, progress and warnings to standard error. Bad input ends with one sentence and exit
code 2. Each command imports what it needs when it runs, so `--help` is quick.
"""

from __future__ import annotations

import sys

import click

from antiphon.base.package import __version__
from antiphon.cli.add import add
from antiphon.cli.build import build
from antiphon.cli.data import data
from antiphon.cli.demo import demo
from antiphon.cli.describe import describe
from antiphon.cli.evaluate import evaluate
from antiphon.cli.init import init
from antiphon.cli.inspect import inspect
from antiphon.cli.keys import keys
from antiphon.cli.mcp import mcp
from antiphon.cli.output import note
from antiphon.cli.playlist import playlist
from antiphon.cli.queries import queries
from antiphon.cli.reproduce import reproduce
from antiphon.cli.search import recommend, search, similar
from antiphon.cli.serve import serve
from antiphon.cli.store import store
from antiphon.cli.talk import talk
from antiphon.cli.tune import tune
from antiphon.errors import AntiphonError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="antiphon")
def cli() -> None:
    """Turn a catalog into one space you can talk to.

    \b
    antiphon demo                                    a real catalog, a space, some answers
    antiphon init my-films/                          an antiphon.toml for your files
    antiphon build antiphon.toml --run runs/films    from files to a published space
    antiphon search runs/films "a dark thriller" --where 'year>=1980'
    antiphon serve runs/films                        the page and the HTTP service
    """  # noqa: D301  click looks for the character, which a raw text would not have


for command in (
    add, build, data, demo, describe, evaluate, init, inspect, keys, mcp, playlist, queries, recommend, reproduce,
    search, serve, similar, store, talk, tune,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run the command line; bad input ends with a sentence and exit code 2."""
    try:
        cli()
    except AntiphonError as error:
        note(f"antiphon: {error}")
        sys.exit(2)
