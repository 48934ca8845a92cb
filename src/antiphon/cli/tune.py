"""antiphon tune."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note, progress

if TYPE_CHECKING:
    from antiphon.evaluate.tune import Found


@click.command(epilog="Example: antiphon tune antiphon.toml --run runs/films --trials 20 --queries requests.jsonl")
@click.argument("configuration", type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the run; runs/<name> where not given.")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Settings tried, default first.")
@click.option(
    "--queries", type=click.Path(path_type=Path), help='Lines of {"query_id", "text", "positives"}; half of them count.'
)
@click.option("--truth", type=click.Path(path_type=Path), help="Table of item_id and similar_id; a fifth of it counts.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@json_option
def tune(
    configuration: Path, run: Path | None, trials: int, queries: Path | None, truth: Path | None,
    overrides: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Look for better settings of [joint] and [train] than those of CONFIGURATION.

    A trial is scored on validation users, and on the validation part of the queries and of the truth where they are
    given; test ones are never read. A search that was stopped goes on where it was. RUN/tune keeps its history.
    """
    from antiphon.config.load import load_config
    from antiphon.evaluate.tune import search_config

    config = load_config(configuration, overrides)
    folder = run or Path("runs") / config.name
    found = search_config(
        config,
        folder,
        trials=trials,
        queries=queries,
        truth=truth,
        progress=progress(),
        notify=note,
    )
    if as_json:
        best = found.best
        values = {"trial": best.number, "score": best.score, "values": best.values, "behind": found.behind}
        document({"n_trials": len(found.tried), **values, "set": found.overrides()})
    else:
        click.echo("\n".join(_lines(found, f"antiphon build {configuration} --run {folder}", overrides)))


def _lines(found: Found, build: str, overrides: Sequence[str]) -> list[str]:
    kept = f"history and plot: {found.folder}"
    if not found.overrides():
        return [f"the default is the best of {len(found.tried)} trials", kept]
    words = " ".join(f"--set {shlex.quote(override)}" for override in (*overrides, *found.overrides()))
    behind = f"the default is {100 * found.behind:.2f}% behind the best of {len(found.tried)} trials"
    return [f"{behind} (trial {found.best.number})", f"{build} {words}", kept]
