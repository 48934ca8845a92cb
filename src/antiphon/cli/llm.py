"""Options of the commands that ask a language model, and what they make of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from antiphon.base.progress import Progress, bar
from antiphon.base.runtime import cache_folder
from antiphon.chat.endpoint import BASE_URL, KEY_ENV, MODEL, Chat, Endpoint
from antiphon.chat.ledger import Answers, Budget
from antiphon.chat.pace import Pace
from antiphon.cli.output import lines

Command = Callable[..., Any]
UNFINISHED = 3
"""Exit code where the budget or the server ended the work early; what there is is kept."""
NAMES = (
    "model", "base_url", "key_env", "workers", "requests_per_minute", "tokens_per_minute", "timeout", "retries",
    "max_tokens", "max_cost", "price_in", "price_out", "cache",
)  # fmt: skip


def endpoint_options(command: Command) -> Command:
    """Where a model is asked."""
    return _with(
        command,
        click.option("--model", metavar="NAME", help=f"Model to ask; the variable {MODEL} where not given."),
        click.option(
            "--base-url", metavar="URL", help=f"Such as http://localhost:11434/v1; else the variable {BASE_URL}."
        ),
        click.option(
            "--key-env", metavar="NAME", default=KEY_ENV, show_default=True, help="Variable that holds the key."
        ),
    )


def work_options(command: Command) -> Command:
    """How fast, how much, and for how much money a model is asked."""
    positive = click.FloatRange(0, min_open=True)
    return _with(
        command,
        click.option("--workers", type=click.IntRange(1, 256), default=4, show_default=True, help="Requests at once."),
        click.option("--requests-per-minute", type=positive, help="Not more than these."),
        click.option("--tokens-per-minute", type=positive, help="Not more than these, by estimate."),
        click.option("--timeout", type=positive, default=120.0, show_default=True, help="Seconds for a request."),
        click.option(
            "--retries", type=click.IntRange(0), default=6, show_default=True,
            help="After 429, 5xx and lost connections, with growing waits.",
        ),
        click.option("--max-tokens", type=click.IntRange(1), help="Stop before more are spent, in and out together."),
        click.option("--max-cost", type=positive, help="Stop before more is spent; needs prices."),
        click.option("--price-in", type=click.FloatRange(0), default=0.0, help="Of a million tokens of requests."),
        click.option("--price-out", type=click.FloatRange(0), default=0.0, help="Of a million tokens of answers."),
        click.option(
            "--cache", type=click.Path(path_type=Path), help="Folder of answers; the user's cache where not given."
        ),
    )  # fmt: skip


def make_chat(options: dict[str, Any], *, asks: bool = True) -> Chat:
    """A chat from the options above; takes them out of `options`, but for the number of workers.

    `asks`: whether anything is asked; an estimate needs neither a model nor a key.

    Raises:
        ConfigError: no model, no key, or a budget of money without prices.
    """
    given = {name: options.pop(name, None) for name in NAMES if name != "workers"}
    make = Endpoint.of if asks else Endpoint.unasked
    endpoint = make(
        given["model"], given["base_url"], given["key_env"],
        timeout=given["timeout"] or 120.0, retries=6 if given["retries"] is None else given["retries"],
    )  # fmt: skip
    budget = Budget(given["max_tokens"], given["max_cost"], given["price_in"] or 0.0, given["price_out"] or 0.0)
    pace = Pace(given["requests_per_minute"], given["tokens_per_minute"])
    return Chat(endpoint, Answers(given["cache"] or cache_folder() / "answers"), budget=budget, pace=pace)


def watched() -> Progress:
    """Progress with the time left: a bar where a person watches, else a line now and then."""
    return bar if sys.stderr.isatty() else lines


def _with(command: Command, *options: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
