"""antiphon keys: keys for the service."""

from __future__ import annotations

import click

from antiphon.cli.output import note


@click.group()
def keys() -> None:
    """Keys for the service."""


@keys.command(epilog="Example: antiphon keys new alice --scope read --rate 600 >> keys.txt")
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(("read", "write")), help="What it may do; else all."
)
@click.option("--rate", type=click.IntRange(1), help="Requests a minute.")
def new(name: str, scopes: tuple[str, ...], rate: int | None) -> None:
    """Draw a key for NAME: its line for the file of keys on standard output, the key itself on standard error.

    The file keeps a hash only, so the key is shown this once. A service that runs takes the line up within a second.
    """
    from antiphon.serve.keys import SCOPES, new_key

    secret, key = new_key(name, scopes or SCOPES, rate)
    note(f"the key of {name}, shown this once: {secret}")
    click.echo(key.line())
