"""antiphon queries: requests to evaluate with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antiphon.chat.endpoint import MODEL
from antiphon.cli.llm import UNFINISHED, endpoint_options, make_chat, watched, work_options
from antiphon.cli.options import json_option
from antiphon.cli.output import document, note
from antiphon.errors import ConfigError, DataError

if TYPE_CHECKING:
    from antiphon.config.sections import Config
    from antiphon.describe.requests import Request


@click.group()
def queries() -> None:
    """Requests to evaluate with."""


@queries.command(epilog="Example: antiphon queries make antiphon.toml --out requests.jsonl --count 500")
@click.argument("configuration", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSONL to write.")
@click.option("--count", type=click.IntRange(1), default=500, show_default=True, help="Requests to make.")
@click.option("--min-items", type=click.IntRange(1), default=30, show_default=True, help="Items that must match.")
@click.option("--seed", type=click.IntRange(0), help="The configuration's where not given.")
@click.option("--prompt", "prompt_file", type=click.Path(path_type=Path), help="A prompt file of your own.")
@click.option("--temperature", type=click.FloatRange(0, 2), help="The provider's own where not given.")
@click.option("--grammar", is_flag=True, help="Ask no model, also where one is configured.")
@endpoint_options
@work_options
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@json_option
def make(
    configuration: Path, out: Path, count: int, min_items: int, seed: int | None, overrides: tuple[str, ...], *,
    as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Make requests out of the facets of CONFIGURATION's items, with the items that answer them.

    Each asks for one to three values of fields ([synthetic] says which) that enough items have. A language model
    rewrites each where one is configured; a grammar of phrasings says them where not. Every line keeps its facets, its
    draft, the prompt and who has worded it. `antiphon evaluate --queries` reads the file. Ends with exit code 3 where
    the budget or the server ended the rewriting early.
    """
    from antiphon.base import storage
    from antiphon.config.load import load_config
    from antiphon.data.reading import read_catalog
    from antiphon.describe.requests import counts, draw_requests

    config = load_config(configuration, overrides)
    number = config.seed if seed is None else seed
    requests = draw_requests(read_catalog(config.catalog), config, count, number, min_items)
    if not requests:
        raise DataError(f"no value of the items' fields is shared by {min_items} items; lower --min-items.")
    model = None if options.pop("grammar") else options["model"] or os.environ.get(MODEL)
    requests, closed = _varied(requests, config, number, {**options, "model": model})
    lines = [json.dumps(request.line(place, model), ensure_ascii=False) for place, request in enumerate(requests, 1)]
    storage.write_text(out, "\n".join(lines) + "\n")
    by_model = sum(request.prompt is not None for request in requests)
    by_grammar = len(requests) - by_model
    summary = {"file": str(out), "requests": len(requests), "by_model": by_model, "faults": dict(counts(requests))}
    if as_json:
        document({**summary, "by_grammar": by_grammar, "seed": number, "stopped": closed})
    else:
        _show(requests, count, min_items, out)
    if closed:
        raise SystemExit(UNFINISHED)


def _show(requests: list[Request], count: int, min_items: int, out: Path) -> None:
    from antiphon.describe.requests import counts

    by_model = sum(request.prompt is not None for request in requests)
    by_grammar = len(requests) - by_model
    note(f"{len(requests):,} requests, {by_model:,} worded by a model, {by_grammar:,} by the grammar: {out}")
    if len(requests) < count:
        note(f"  {count:,} were asked for, but no more sets of values are shared by {min_items} items")
    for fault, n_requests in counts(requests).items():
        note(f"  the grammar's words for {n_requests:,}: {fault}")


def _varied(
    requests: list[Request], config: Config, seed: int, options: dict[str, Any]
) -> tuple[list[Request], str | None]:
    """The requests in a model's words, and why the rewriting ended early; as they are where there is no model."""
    from antiphon.chat.prompt import load_prompt
    from antiphon.describe.requests import vary

    prompt_file, temperature, workers = options.pop("prompt_file"), options.pop("temperature"), options.pop("workers")
    if options["model"] is None:
        if prompt_file is not None:
            raise ConfigError("--prompt is for a model; name one with --model, or leave the prompt out.")
        return requests, None
    prompt, chat = load_prompt("queries", prompt_file), make_chat(options)
    varied = vary(
        requests, chat, prompt, config.synthetic, seed, n_workers=workers, temperature=temperature, progress=watched()
    )
    return varied, chat.closed
