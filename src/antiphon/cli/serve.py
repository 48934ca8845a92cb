"""antiphon serve: the HTTP service and the page."""

from __future__ import annotations

import json
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from antiphon.cli.output import note
from antiphon.errors import ConfigError, MissingExtraError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DRAIN_SECONDS = 30
BACKLOG = 2048


@click.command(epilog="Example: antiphon serve runs/films --port 8765")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--keys", type=click.Path(path_type=Path), help="File of API keys, one a line; also ANTIPHON_API_KEYS.")
@click.option(
    "--rate", type=click.IntRange(0), default=0, show_default=True, help="Requests a minute of a key; 0: any."
)
@click.option("--audit", type=click.Path(path_type=Path), metavar="FILE", help="Append who did what to FILE.")
@click.option(
    "--slow", type=float, default=1.0, show_default=True, help="Seconds from which a request is logged as slow."
)
@click.option("--otel", "traces", is_flag=True, help="Send traces as OTEL_EXPORTER_OTLP_ENDPOINT says.")
@click.option("--cors", multiple=True, metavar="ORIGIN", help="A site whose pages may ask; repeat for more.")
@click.option("--allow-host", multiple=True, metavar="NAME", help="A name under which the service may be called.")
@click.option("--max-k", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Most results.")
@click.option("--timeout", type=float, default=10.0, show_default=True, help="Seconds until a request is given up.")
@click.option("--mcp", "tools", is_flag=True, help="Tools for language models at /mcp as well.")
@click.option("--no-page", is_flag=True, help="The API only.")
@click.option("--log-queries", is_flag=True, help="Log what is asked, not only that something was.")
@click.option("--quiet", is_flag=True, help="Log warnings only.")
def serve(
    run: Path, host: str, port: int, keys: Path | None, rate: int, audit: Path | None, slow: float, traces: bool,
    cors: tuple[str, ...], allow_host: tuple[str, ...], max_k: int, timeout: float, tools: bool, no_page: bool,
    log_queries: bool, quiet: bool,
) -> None:  # fmt: skip
    """Serve the space of RUN over HTTP, with the page at /; a new version is taken up when it is published."""
    from antiphon.serve.keys import read_keys
    from antiphon.serve.settings import Settings

    if timeout <= 0:
        raise ConfigError(f"--timeout is {timeout:g}; it is a number of seconds above 0.")
    local = host in LOOPBACK
    if keys is not None:
        read_keys(keys, {})  # what is wrong with the file is said before anything starts
    settings = Settings(
        keys=read_keys(None), key_file=keys, rate=rate, audit=audit, slow=slow, traces=traces, origins=cors,
        hosts=(*LOOPBACK, *allow_host) if local else allow_host, max_k=max_k,
        timeout=timeout, log_queries=log_queries, page=not no_page,
    )  # fmt: skip
    if not local and not settings.keys and keys is None:
        note(f"warning: anybody who reaches {host} may ask; give --keys or set ANTIPHON_API_KEYS.")
    run_service(
        run, settings, host, port, tools=tools, quiet=quiet, ready=lambda address: note(f"serving at {address}")
    )


def run_service(
    run: Path, settings: Any, host: str, port: int, *, tools: bool, quiet: bool, ready: Callable[[str], None]
) -> None:
    """Serve until a signal; `ready` is called with the address once requests are answered.

    SIGTERM and SIGINT end it: no new connection is taken, requests that have begun are answered.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    import socket

    from antiphon.serve import create_app

    try:
        import uvicorn
    except ModuleNotFoundError as error:
        raise MissingExtraError("uvicorn", "serve", "the HTTP service") from error
    from antiphon.serve.slow import impatient

    app = create_app(run, settings, tools=tools)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port.") from error
    shown = "[::1]" if host in ("::", "::1") else "127.0.0.1" if host in ("0.0.0.0", "127.0.0.1") else host  # noqa: S104
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    _log(quiet=quiet)

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            if self.started:
                ready(address)

    config = uvicorn.Config(
        app, http=impatient(), log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS, backlog=BACKLOG, limit_concurrency=2048,
    )  # fmt: skip
    # uvicorn gives the signal that stopped it back when all is answered: that is the end, not a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    Server(config).run(sockets=[listening])


class Readable(logging.Formatter):
    """Lines for whoever looks at a terminal; where a program reads them they are JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, request, status and milliseconds; what is no request stays as it is."""
        message = super().format(record)
        try:
            line = json.loads(message)
        except ValueError:
            return message
        if not isinstance(line, dict) or not {"method", "route", "status", "ms"} <= line.keys():
            return message
        said = f"  {line['text']!r}" if line.get("text") else ""
        slow = "  slow" if line.get("slow") else ""
        when = self.formatTime(record, "%H:%M:%S")
        return f"{when}  {line['method']:<4} {line['route']:<22} {line['status']}  {line['ms']:>8.1f} ms{slow}{said}"


def _log(*, quiet: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Readable() if sys.stderr.isatty() else logging.Formatter("%(message)s"))
    logger = logging.getLogger("antiphon.serve")
    logger.handlers = [handler]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logger.propagate = False
