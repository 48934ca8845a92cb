"""antiphon demo: data -> build -> a few answers."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.output import hit_lines, note, progress
from antiphon.errors import DataError

PREFERRED = ("movies", "ml-latest-small")
REQUESTS = (
    "a dark thriller with a twist",
    "feel-good animation for the whole family",
    "thought-provoking science fiction",
)


@click.command(epilog="Example: antiphon demo --from ~/datasets")
@click.option("--dataset", help="A data set of `antiphon data list`; the first that can be had where not given.")
@click.option(
    "--from", "folder", type=click.Path(path_type=Path), help="Folder of data sets; ANTIPHON_DATA where not given."
)
@click.option(
    "--run", type=click.Path(path_type=Path), default=Path("runs/demo"), show_default=True, help="Folder of the run."
)
def demo(dataset: str | None, folder: Path | None, run: Path) -> None:
    """Build a space from real data and ask it something."""
    from antiphon.build import build
    from antiphon.config import load_config
    from antiphon.space import load

    project = _project(dataset, folder, run)
    build(load_config(project), run, progress=progress(), notify=note)
    space = load(run)
    for text in REQUESTS:
        click.echo(f"\n> {text}")
        click.echo("\n".join(hit_lines(space.search(text, k=5, explain=True))))
    liked = space.search(REQUESTS[0], k=1)[0]
    click.echo(f"\n> more like {liked.title}")
    click.echo("\n".join(hit_lines(space.similar(liked.item_id, k=5, explain=True))))
    click.echo(f"\n> {REQUESTS[0]}, year>=1990 and not genres=horror")
    hits = space.search(REQUESTS[0], where="year>=1990 and not genres=horror", k=5, explain=True)
    click.echo("\n".join(hit_lines(hits)))
    click.echo(f'\nAsk it yourself: antiphon search {run} "something slow and beautiful" --where "year<1980"')


def _project(dataset: str | None, folder: Path | None, run: Path) -> Path:
    from antiphon.datasets.base import Dataset
    from antiphon.registry import find

    for name in PREFERRED if dataset is None else (dataset,):
        known: Dataset = find("antiphon.datasets", name)
        try:
            path = known.make_project(run / "project", folder, progress())
        except DataError as error:
            if dataset is not None:
                raise
            note(f"{name}: {error}")
            continue
        note(f"data set {name}. Licence: {known.licence}")
        return path
    note("=" * 100)
    note("NO REAL DATA COULD BE HAD: this demo runs on a GENERATED catalog of films that do not exist.")
    note("Name a folder of data sets with --from, or set ANTIPHON_DATA, to see the real thing.")
    note("=" * 100)
    generated: Dataset = find("antiphon.datasets", "generated")
    return generated.make_project(run / "project", None, progress())
