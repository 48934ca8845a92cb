"""antiphon playlist: an ordered list from words, seeds, or a list to continue."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from antiphon.cli.options import json_option, request_options
from antiphon.cli.output import document, hit_document, line_of, note, show
from antiphon.errors import ConfigError, QueryError, nearest


@click.command(epilog="Example: antiphon playlist runs/films 'a rainy sunday' --length 12 --max-per director=1")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("text", required=False)
@request_options(
    "turns",
    "likes",
    "dislikes",
    "user",
    "history",
    "exclude",
    "where",
    likes="A seed.",
    history="An item of the list to continue.",
)
@click.option("--length", type=int, default=20, show_default=True, help="Number of items.")
@click.option("--max-per", multiple=True, metavar="FIELD=N", help="At most N items that share a value of FIELD.")
@click.option("--relevance", type=float, default=1.0, show_default=True, help="Weight of the fit to the request.")
@click.option("--coherence", type=float, default=0.5, show_default=True, help="Weight of closeness to the list.")
@click.option("--diversity", type=float, default=0.3, show_default=True, help="Weight of not repeating what is there.")
@click.option("--include-seeds", is_flag=True, help="The seeds are in the list.")
@click.option("--no-flow", is_flag=True, help="Best first, not in an order in which neighbours are close.")
@click.option("--variety", type=float, default=0.0, show_default=True, help="0 to 1: how far chance may go.")
@click.option("--seed", type=int, default=0, show_default=True, help="For --variety.")
@click.option("--out", type=click.Path(path_type=Path), help="File to write: .m3u8, .xspf, .csv or .json.")
@click.option("--location", default="{item_id}", show_default=True, help="Where a player finds an item.")
@json_option
def playlist(
    run: Path, text: str | None, where: tuple[str, ...], max_per: tuple[str, ...], relevance: float, coherence: float,
    diversity: float, no_flow: bool, out: Path | None, location: str, as_json: bool, length: int,
    include_seeds: bool, variety: float, seed: int, **request: Any,
) -> None:  # fmt: skip
    """Make a playlist from TEXT, from seeds, or both; or continue one with --after."""
    from antiphon.playlist import FORMATS, PlaylistRequest, Tradeoff, export, make_playlist
    from antiphon.query.filters import parse_filter
    from antiphon.query.request import Query
    from antiphon.space.loading import load

    if text is not None and not text.strip():
        raise QueryError("the text of the request is empty; say what you are after, or leave it out.")
    kind = _kind(out, tuple(FORMATS)) if out is not None else None
    asked = PlaylistRequest(
        Query(text=text, where=parse_filter(where) if where else None, **request),
        length=length,
        max_per=dict(map(_limit, max_per)),
        tradeoff=Tradeoff(relevance, coherence, diversity),
        include_seeds=include_seeds,
        flow=not no_flow,
        variety=variety,
        seed=seed,
    )
    space = load(run)
    start = time.perf_counter()
    made = make_playlist(space, asked)
    took_ms = (time.perf_counter() - start) * 1000
    if out is not None and kind is not None:
        from antiphon.base.storage import write_text

        write_text(out, export(made, kind, name=text or out.stem, location=location))
        note(f"wrote {len(made.entries)} items to {out}")
    if as_json:
        items = [hit_document(entry) for entry in made.entries]
        document({"space_id": made.space_id, "took_ms": round(took_ms, 2), "items": items})
    elif out is None:
        for entry, link in zip(made.entries, made.links, strict=True):
            shown = "     " if link is None else f"{link:.3f}"
            show(line_of(f"{entry.rank:>3}  {shown}  {entry.title}  {entry.item_id}"))
    if made.short:
        note(made.short)


def _limit(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdigit():
        raise ConfigError(f"--max-per {text!r} is not of the form field=number, such as director=2.")
    return name, int(number)


def _kind(out: Path, known: tuple[str, ...]) -> str:
    kind = out.suffix.removeprefix(".").lower()
    if kind not in known:
        raise ConfigError(f"--out {str(out)!r} ends with {out.suffix!r}; {nearest(kind, known)}")
    return kind
