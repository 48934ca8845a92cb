"""antiphon search, recommend, similar: one query path, three ways to say it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antiphon.cli.options import json_option, request_options
from antiphon.cli.output import NOTHING_FITS, document, hit_document, hit_lines, note, show
from antiphon.errors import ConfigError, QueryError
from antiphon.query.parts import ABOUT

if TYPE_CHECKING:
    from antiphon.query.reading import Read
    from antiphon.space.space import Space

_TASTE = request_options("likes", "dislikes", "user", "weights")
_SHARED = request_options("where", "k", "explain")


@click.command(
    epilog="Example: antiphon search runs/films 'dark science fiction' --where 'year>=1980' --like 541 --explain"
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("text", required=False)
@request_options("turns", "literal")
@click.option("--image", type=click.Path(path_type=Path), metavar="FILE", help=ABOUT["image"])
@click.option("--audio", type=click.Path(path_type=Path), metavar="FILE", help=ABOUT["audio"])
@click.option(
    "--understand",
    type=click.Choice(("rules", "model")),
    help="Take TEXT apart into words, filters and items to be like: by rules, or by the model of ANTIPHON_MODEL.",
)
@_TASTE
@_SHARED
@json_option
def search(run: Path, text: str | None, **options: Any) -> None:
    """Answer a request in plain words, a picture or a sound, alone or with likes, dislikes, a user and filters."""
    if text is None and not any(options[name] for name in ("turns", "image", "audio")):
        raise QueryError("nothing to search by: give a text, --image or --audio, or use `antiphon recommend`.")
    _answer(run, text=text, **options)


@click.command(epilog="Example: antiphon recommend runs/films --like 1 --like 1240 --where 'year<1990'")
@click.argument("run", type=click.Path(path_type=Path))
@_TASTE
@_SHARED
@json_option
def recommend(run: Path, **options: Any) -> None:
    """Recommend from likes, dislikes or a user: a search without a text."""
    _answer(run, text=None, **options)


@click.command(epilog="Example: antiphon similar runs/films 1240 -k 5")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("item_id")
@_SHARED
@json_option
def similar(run: Path, item_id: str, **options: Any) -> None:
    """Items like one item."""
    _answer(run, text=None, likes=(item_id,), **options)


def _answer(
    run: Path, *, as_json: bool, where: tuple[str, ...], weights: tuple[str, ...] = (), understand: str | None = None,
    **request: Any,
) -> None:  # fmt: skip
    from antiphon.space.evidence import matching_words, nothing_fits
    from antiphon.space.loading import load

    if request["text"] is not None and not request["text"].strip():
        raise QueryError("the text of the request is empty; say what you are after, or use `antiphon recommend`.")
    space = load(run)
    start = time.perf_counter()
    said: list[str] = []
    if understand is not None and request["text"] is not None:
        from antiphon.cli.understand import understood

        said, where, request = understood(space, understand, where, request)
    hits = space.search(where=where or None, weights=dict(map(_weight, weights)), **request)
    took_ms = (time.perf_counter() - start) * 1000
    read = _read(space, request)
    if as_json:
        answer = {"space_id": space.space_id, "took_ms": round(took_ms, 2), "hits": [hit_document(hit) for hit in hits]}
        answer |= {} if understand is None else {"understood": said}
        document({**answer, "read": [one.plain() for one in read]} if read else answer)
    else:
        says = [*said, *(one.says for one in read)]
        if says or understand is not None:
            note(f"understood: {'; '.join(says) or 'only the words'}")
        text = request["text"]
        alone = not any(request.get(part) for part in ("image", "audio", "likes", "user", "history"))
        if text is not None and alone and nothing_fits(space, text):
            note(NOTHING_FITS)
        shown = [hit.item_id for hit in hits] if text is not None and request["explain"] else []
        show("\n".join(hit_lines(hits, matching_words(space, text or "", shown))))


def _read(space: Space, request: Mapping[str, Any]) -> list[Read]:
    """What is read out of the words of a request; nothing for one without words."""
    from antiphon.query.request import Query

    words = {name: request.get(name, ()) for name in ("turns", "literal")}
    if request["text"] is None and not words["turns"]:
        return []
    return space.read(Query(text=request["text"], **words))


def _weight(text: str) -> tuple[str, float]:
    name, _, number = text.partition("=")
    try:
        return name, float(number)
    except ValueError as error:
        raise ConfigError(f"--weight {text!r} is not of the form part=number, such as text=0.7.") from error
