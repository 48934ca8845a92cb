"""antiphon describe: descriptions of the items, written by a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antiphon.cli.llm import UNFINISHED, endpoint_options, make_chat, watched, work_options
from antiphon.cli.options import json_option
from antiphon.cli.output import document, note
from antiphon.errors import ConfigError

if TYPE_CHECKING:
    from antiphon.chat.endpoint import Chat
    from antiphon.config.sections import Config
    from antiphon.describe.writer import Writer, Written


@click.command(
    epilog="Example: antiphon describe antiphon.toml --out gen.parquet --model qwen3:8b "
    "--base-url http://localhost:11434/v1 --dry-run"
)
@click.argument("configuration", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Parquet to write; describe.gen_file where not given.")
@click.option("--prompt", "prompt_file", type=click.Path(path_type=Path), help="A prompt file of your own.")
@click.option(
    "--preset",
    type=click.Choice(("movies", "music", "items")),
    help="A prompt of antiphon's; describe.preset, or items, where not given.",
)
@click.option(
    "--grounded/--may-add",
    default=True,
    show_default=True,
    help="Only what TEMPLATE says, and checked for it; or also what the model knows.",
)
@click.option("--language", default="English", show_default=True, help="Of the descriptions.")
@click.option("--words", type=(int, int), default=(40, 120), show_default=True, help="Fewest and most words.")
@click.option(
    "--answer-tokens", type=click.IntRange(16), help="Most tokens of an answer; more for models that think aloud first."
)
@click.option("--temperature", type=click.FloatRange(0, 2), help="The provider's own where not given.")
@click.option("--tries", type=click.IntRange(1, 5), default=2, show_default=True, help="Answers asked for an item.")
@click.option("--limit", type=click.IntRange(1), help="Only the first items, to look at them.")
@endpoint_options
@work_options
@click.option("--dry-run", is_flag=True, help="Estimate tokens and cost; ask nothing, write nothing.")
@click.option("--batch", is_flag=True, help="Through /v1/files and /v1/batches: later and cheaper, where there are.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@json_option
def describe(
    configuration: Path, out: Path | None, overrides: tuple[str, ...], limit: int | None, *, dry_run: bool,
    batch: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Write a description of each item of CONFIGURATION with a language model.

    Answers are kept as they come: killed or stopped, the same command goes on where it was. Each one is checked; an
    item whose answer does not pass keeps its TEMPLATE. Use the file with describe.mode = "gen" or "template+gen" and
    describe.gen_file. Ends with exit code 3 where the budget or the server ended it early.
    """
    from antiphon.config.load import load_config
    from antiphon.data.reading import read_catalog
    from antiphon.describe.automatic import with_description
    from antiphon.describe.descriptions import save_written
    from antiphon.describe.template import fill_template

    config = load_config(configuration, overrides)
    catalog = read_catalog(config.catalog)
    config = with_description(config, catalog)
    target = out or config.describe.gen_file
    if target is None and not dry_run:
        raise ConfigError("there is no file to write to; give --out FILE, or set describe.gen_file.")
    writer = _writer(config, options, dry_run=dry_run)
    items = catalog.items.slice(0, limit)
    ids, titles = items["item_id"].to_pylist(), items["title"].to_pylist()
    templates = fill_template(items, config.describe)
    if dry_run:
        _show_estimate(writer, titles, templates, as_json=as_json)
        return
    if batch:
        from antiphon.chat.batch import fill_by_batch

        for _ in range(writer.style.tries):
            fill_by_batch(writer.chat, writer.pending(titles, templates), note)
        writer.chat.offline = True
    written = writer.write(titles, templates)
    save_written(target or Path(), ids, list(written.texts), list(written.reasons))
    _show(written, writer.chat, target or Path(), as_json=as_json)
    if written.closed:
        raise SystemExit(UNFINISHED)


def _writer(config: Config, options: dict[str, Any], *, dry_run: bool) -> Writer:
    from antiphon.chat.prompt import load_prompt
    from antiphon.describe.writer import Style, Writer

    prompt_file, preset = options.pop("prompt_file"), options.pop("preset")
    if prompt_file is not None and preset is not None:
        raise ConfigError("--prompt and --preset both name a prompt; leave one of them out.")
    low, high = options.pop("words")
    if not 1 <= low <= high <= 1000:
        raise ConfigError(f"--words {low} {high}: expected the fewest and the most words, from 1 to 1000.")
    style = Style(
        load_prompt(preset or config.describe.preset or "items", prompt_file), options.pop("grounded"),
        options.pop("language"), low, high, options.pop("tries"), options.pop("temperature"),
        options.pop("answer_tokens"),
    )  # fmt: skip
    workers = options.pop("workers")
    return Writer(make_chat(options, asks=not dry_run), style, workers, watched())


def _show_estimate(writer: Writer, titles: list[str], templates: list[str], *, as_json: bool) -> None:
    estimate, budget = writer.estimate(titles, templates), writer.chat.budget
    cost = budget.cost_of(estimate.tokens_in, estimate.tokens_out)
    most = budget.cost_of(estimate.tokens_in, estimate.most_out)
    if as_json:
        document({**vars(estimate), "cost": cost, "most_cost": most})
        return
    asked = estimate.n_items - estimate.cached
    click.echo(f"{estimate.n_items:,} items, {estimate.cached:,} of them done already, {asked:,} to ask for")
    click.echo(
        f"about {estimate.tokens_in:,} tokens in and {estimate.tokens_out:,} out (at most {estimate.most_out:,})"
    )
    if budget.price_in or budget.price_out:
        click.echo(f"about {cost:,.2f}, at most {most:,.2f}; answers that are asked for again come on top")


def _show(written: Written, chat: Chat, target: Path, *, as_json: bool) -> None:
    budget = chat.budget
    if as_json:
        document({
            "file": str(target), "items": len(written.texts), "by_model": written.by_model,
            "from_cache": written.from_cache, "fallbacks": dict(written.counts), "retries": chat.retried,
            "tokens_in": budget.tokens_in, "tokens_out": budget.tokens_out, "cost": budget.cost,
            "stopped": written.closed,
        })  # fmt: skip
        return
    note(
        f"{written.by_model:,} of {len(written.texts):,} items described ({written.from_cache:,} from before): {target}"
    )
    for reason, count in written.counts.items():
        note(f"  TEMPLATE for {count:,}: {reason}")
    cost = f", {budget.cost:,.4f}" if budget.price_in or budget.price_out else ""
    note(f"{budget.tokens_in:,} tokens in, {budget.tokens_out:,} out{cost}; {chat.retried:,} retries")
    if written.closed:
        note(f"stopped early: {written.closed}. The same command goes on from here.")
