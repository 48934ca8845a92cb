"""antiphon store: the published space of a run, written into its store."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note
from antiphon.errors import ConfigError


@click.command(epilog="Example: antiphon store runs/films")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--again", is_flag=True, help="Also where the store has it: what is there is replaced.")
@json_option
def store(run: Path, again: bool, as_json: bool) -> None:
    """Write the published space of RUN into its store, and make it the current version there.

    Which store that is, says [store] of the configuration that RUN was built with, or ANTIPHON_STORE and
    ANTIPHON_STORE_URL. A build does the same when it publishes.
    """
    from antiphon.base.layout import RunLayout
    from antiphon.base.versions import current
    from antiphon.errors import RunError
    from antiphon.space.loading import write_to_store

    if not RunLayout(run).current.is_file():
        raise RunError(
            f"there is no published space at {run}; build one with: antiphon build antiphon.toml --run {run}"
        )
    space_id = current(RunLayout(run)).root.name
    if not write_to_store(run, space_id, again=again):
        raise ConfigError(
            f"the vectors of {run} are in memory: set ANTIPHON_STORE to qdrant or postgres, or write [store] into "
            "antiphon.toml and build again."
        )
    if as_json:
        document({"space_id": space_id})
    else:
        note(f"the store has space {space_id} of {run}")
