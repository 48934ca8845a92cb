"""antiphon build."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.output import note, progress


@click.command(epilog="Example: antiphon build antiphon.toml --run runs/films --set train.epochs=50")
@click.argument("configuration", type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the run; runs/<name> where not given.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
def build(configuration: Path, run: Path | None, overrides: tuple[str, ...], quiet: bool) -> None:
    """Build a space from CONFIGURATION (an antiphon.toml); what is up to date is not done again."""
    from antiphon.base.versions import current
    from antiphon.config.load import load_config
    from antiphon.run.build import build as build_run

    config = load_config(configuration, overrides)
    say = (lambda _: None) if quiet else note
    layout = build_run(config, run or Path("runs") / config.name, progress=progress(), notify=say)
    space_id = current(layout).root.name
    say(f"published space {space_id} in {layout.root}")
