"""antiphon demo: data -> build -> the page, or a few answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from antiphon.cli.output import NOTHING_FITS, going_on, hit_lines, note, progress, show
from antiphon.errors import DataError

if TYPE_CHECKING:
    from antiphon.config.sections import Config

PREFERRED = ("movies", "ml-latest-small")
PORT = 8765
SHOWN = 5
PATIENCE = 180.0
"""Seconds: where the whole build would take longer, the demo's is quick."""


@click.command(epilog="Example: antiphon demo --from ~/datasets")
@click.option("--dataset", help="A data set of `antiphon data list`; the first that can be had where not given.")
@click.option(
    "--from", "folder", type=click.Path(path_type=Path), help="Folder of data sets; ANTIPHON_DATA where not given."
)
@click.option("--run", type=click.Path(path_type=Path), help="Folder of the run; runs/demo-DATASET where not given.")
@click.option("--full", is_flag=True, help="Build the whole space, however long it takes on this machine.")
@click.option("--no-serve", is_flag=True, help="Print three conversations, and end.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Of the page; 0: any.")
def demo(dataset: str | None, folder: Path | None, run: Path | None, full: bool, no_serve: bool, port: int) -> None:
    """Build a space from real data, and open the page over it with three conversations to click.

    Where the whole build would take more than three minutes on this machine, it is a quick one, as of `antiphon build
    --quick`; --full builds the whole space, and encodes nothing again.
    """
    from antiphon.run.build import build

    run, project = _project(dataset, folder, run)
    with going_on():
        build(_settings(project, run, full=full), run, progress=progress(), notify=note)
    if no_serve:
        _talk(run)
    else:
        _serve(run, port)


def _settings(project: Path, run: Path, *, full: bool) -> Config:
    """The data set's configuration; quick where that was built before, or where the whole takes too long."""
    from antiphon.base.layout import RunLayout
    from antiphon.base.progress import duration
    from antiphon.config.load import load_config
    from antiphon.data.reading import read_catalog
    from antiphon.run.estimate import expected_seconds
    from antiphon.run.stage import recorded

    config, layout = load_config(project), RunLayout(run)
    if full:
        return config
    if "publish" in recorded(layout):
        return load_config(project, ["quick=true"]) if load_config(layout.config).quick else config
    seconds = expected_seconds(config, read_catalog(config.catalog))
    if seconds <= PATIENCE:
        return config
    note(
        f"the whole build would take about {duration(seconds)} on this machine. This one is quick: it learns from "
        "fewer requests and tries fewer settings. For the whole: antiphon demo --full"
    )
    return load_config(project, ["quick=true"])


def _talk(run: Path) -> None:
    """Three conversations, each a request and what is said next: what was understood, and the first answers."""
    from antiphon.serve.examples import conversations
    from antiphon.space.evidence import matching_words, nothing_fits
    from antiphon.space.loading import load
    from antiphon.talk.reader import Reader
    from antiphon.talk.refine import answer, refine
    from antiphon.talk.vocabulary import Vocabulary

    space = load(run)
    words = Vocabulary.of(space)
    reader = Reader.of(space, words)
    for conversation in conversations(words):
        reading = reader.read(conversation["text"])
        wish, says, shown = reading.wish, list(reading.says), list[str]()
        for said in (conversation["text"], *conversation["then"]):
            if said != conversation["text"]:
                step = refine(space, wish, said, shown, vocabulary=words)
                wish, says = step.wish, [change.says for change in step.changes]
            hits = answer(space, wish, k=SHOWN, explain=True)
            shown = [hit.item_id for hit in hits]
            show(f"\n> {said}")
            show(f"  understood: {'; '.join(says) or 'the words as they are'}")
            if wish.text and nothing_fits(space, wish.text):
                show(NOTHING_FITS)
            show("\n".join(hit_lines(hits, matching_words(space, wish.text or "", shown))))
        click.echo("\n" + "-" * 72)
    click.echo(f'\nAsk it yourself: antiphon search {run} "something slow and beautiful" --explain')
    click.echo(f"With the page:   antiphon serve {run}")


def _serve(run: Path, port: int) -> None:
    import webbrowser

    from antiphon.cli.serve import LOOPBACK, run_service
    from antiphon.serve.keys import read_keys
    from antiphon.serve.settings import Settings

    def ready(address: str) -> None:
        click.echo(f"\nThe page is at {address}  (Ctrl-C ends it). It has three conversations to click.")
        try:
            webbrowser.open(address)
        except (OSError, webbrowser.Error):
            note("no browser could be opened; open the address yourself.")

    settings = Settings(keys=read_keys(None), hosts=LOOPBACK)
    run_service(run, settings, "127.0.0.1", port, tools=False, quiet=True, ready=ready)


def _project(dataset: str | None, folder: Path | None, run: Path | None) -> tuple[Path, Path]:
    """The run's folder, one for each data set, and the configuration of the first data set that can be had."""
    from antiphon.base.registry import find
    from antiphon.datasets.base import Dataset

    for name in PREFERRED if dataset is None else (dataset,):
        known: Dataset = find("antiphon.datasets", name)
        try:
            root = run or Path(f"runs/demo-{name}")
            path = known.make_project(root / "project", folder, progress())
        except DataError as error:
            if dataset is not None:
                raise
            note(f"{name}: {error}")
            continue
        note(f"data set {name}. Licence: {known.licence}")
        return root, path
    note("=" * 100)
    note("NO REAL DATA COULD BE HAD: this demo runs on a GENERATED catalog of films that do not exist.")
    note("Name a folder of data sets with --from, or set ANTIPHON_DATA, to see the real thing.")
    note("=" * 100)
    generated: Dataset = find("antiphon.datasets", "generated")
    root = run or Path("runs/demo-generated")
    return root, generated.make_project(root / "project", None, progress())
