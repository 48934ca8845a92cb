"""antiphon build."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from antiphon.cli.output import going_on, note, progress


@click.command(epilog="Example: antiphon build antiphon.toml --run runs/films --set train.epochs=50")
@click.argument("configuration", type=click.Path(path_type=Path))
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the run; runs/<name> where not given.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value of the configuration.")
@click.option("--quick", is_flag=True, help="A first space soon, which a later build without it makes better.")
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
def build(configuration: Path, run: Path | None, overrides: tuple[str, ...], quick: bool, quiet: bool) -> None:
    """Build a space from CONFIGURATION (an antiphon.toml); what is up to date is not done again.

    With --quick one request is drawn for each item, not eight; the joint model is trained for eight epochs, the reader
    of facets for a tenth of its steps, the weights of the channels on 60 requests of a kind; one setting of
    collaborative filtering is taken as it is; histories are not put into order a second time. Texts and pictures are
    encoded as ever, and a later build does not encode them again.

    Where torchrun starts the command in several processes, all of them train the joint model, and one publishes.
    """
    from antiphon.run.processes import processes

    with processes() as builds:
        if builds:
            _build(configuration, run, [*overrides, "quick=true"] if quick else overrides, quiet=quiet)


def _build(configuration: Path, run: Path | None, overrides: Sequence[str], *, quiet: bool) -> None:
    from antiphon.base.versions import current
    from antiphon.config.load import load_config
    from antiphon.run.build import build as build_run
    from antiphon.space.loading import write_to_store

    config = load_config(configuration, overrides)
    say = (lambda _: None) if quiet else note
    folder = run or Path("runs") / config.name
    with going_on():
        layout = build_run(config, folder, progress=progress(quiet=quiet), notify=say, offer=write_to_store)
    space_id = current(layout).root.name
    say(f"published space {space_id} in {layout.root}")
    if config.quick:
        say(f"this was a quick build; for better answers: antiphon build {configuration} --run {layout.root}")
