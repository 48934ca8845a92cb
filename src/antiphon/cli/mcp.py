"""antiphon mcp: tools for language models."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.output import note
from antiphon.errors import MissingExtraError


@click.command(epilog="Example: antiphon mcp runs/films")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--http", is_flag=True, help="Streamable HTTP at /mcp; standard input and output where not given.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on, with --http.")
@click.option("--port", type=click.IntRange(0, 65535), default=8766, show_default=True, help="With --http; 0: any.")
def mcp(run: Path, http: bool, host: str, port: int) -> None:
    """Offer RUN to language models over the Model Context Protocol: search, recommend, playlist, item, facets."""
    if http:
        from antiphon.cli.serve import LOOPBACK, run_service
        from antiphon.serve.keys import read_keys
        from antiphon.serve.settings import Settings

        settings = Settings(keys=read_keys(None), hosts=LOOPBACK if host in LOOPBACK else (), page=False)
        run_service(run, settings, host, port, tools=True, quiet=False, ready=lambda at: note(f"tools at {at}mcp"))
        return
    try:
        from antiphon.serve.mcp import make_server
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "mcp", "the server of tools for language models") from error
    from antiphon.serve.served import Served
    from antiphon.space.loading import load

    space = load(run)
    space.warm()
    served = Served(space, run)
    make_server(lambda: served).run("stdio")
