"""antiphon data: which data sets there are, and projects made of them."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note, progress


@click.group()
def data() -> None:
    """Data sets that antiphon knows by name."""


@data.command("list", epilog="Example: antiphon data list --from ~/datasets")
@click.option(
    "--from", "folder", type=click.Path(path_type=Path), help="Folder of data sets; ANTIPHON_DATA where not given."
)
@json_option
def list_datasets(folder: Path | None, as_json: bool) -> None:
    """List data sets, their licences, and where they were found."""
    from antiphon.base.registry import every
    from antiphon.datasets.base import Dataset

    datasets: list[Dataset] = list(every("antiphon.datasets").values())
    found = {item.name: item.find(folder) if item.files else None for item in datasets}
    if as_json:
        keys = ("name", "summary", "licence", "source")
        rows = [{**{key: getattr(item, key) for key in keys}, "found": _text(found[item.name])} for item in datasets]
        document({"datasets": rows})
        return
    for item in datasets:
        where = found[item.name] or ("can be fetched" if item.fetch else "not here; name its folder with --from")
        click.echo(f"{item.name}\n  {item.summary}\n  licence: {item.licence}\n  {where}")


@data.command(epilog="Example: antiphon data fetch ml-latest-small --out data/ml-latest-small")
@click.argument("name")
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder that has the files; ANTIPHON_DATA where not given.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the project; data/NAME where not given.")
def fetch(name: str, folder: Path | None, out: Path | None) -> None:
    """Make a project's folder with an antiphon.toml for the data set NAME."""
    from antiphon.base.registry import find
    from antiphon.datasets.base import Dataset

    dataset: Dataset = find("antiphon.datasets", name)
    note(f"licence of {dataset.name}: {dataset.licence}")
    path = dataset.make_project(out or Path("data") / name, folder, progress())
    click.echo(str(path))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
