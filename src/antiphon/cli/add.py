"""antiphon add."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note, progress
from antiphon.errors import ConfigError


@click.command(epilog="Example: antiphon add runs/films --items new.csv --vectors image=new-images.parquet")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--items", multiple=True, required=True, type=click.Path(path_type=Path), metavar="FILE",
    help="Items with the columns of the catalog's file; repeat for more files.",
)  # fmt: skip
@click.option(
    "--vectors", multiple=True, metavar="MODALITY=FILE", help="Vectors of the items, for a modality that reads a file."
)
@click.option(
    "--media",
    multiple=True,
    metavar="NAME=PATH",
    help="Folder or zip of their files; the configuration's if not given.",
)
@click.option("--replace", is_flag=True, help="Items that are there already are replaced, not refused.")
@json_option
@click.option("--quiet", is_flag=True, help="Say nothing unless something is wrong.")
def add(
    run: Path, items: tuple[Path, ...], vectors: tuple[str, ...], media: tuple[str, ...], replace: bool, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    """Add items to RUN and publish a space that has them; nothing is trained again.

    What an item lacks is left out: a text alone is enough. A build knows the files of its configuration only, so put
    the items into these as well before you build again.
    """
    from antiphon.run.growing import add_items
    from antiphon.space.loading import write_to_store

    added = add_items(
        run,
        items,
        vectors=_paths(vectors, "--vectors"),
        media=_paths(media, "--media"),
        replace=replace,
        progress=progress(quiet=quiet),
        notify=(lambda _: None) if quiet else note,
        offer=write_to_store,
    )
    if as_json:
        counts = {"added": list(added.new), "replaced": list(added.replaced), "n_items": added.n_items}
        document({"space_id": added.space_id, **counts})
    elif not quiet:
        replaced = f", replaced {len(added.replaced):,}" if added.replaced else ""
        note(f"added {len(added.new):,} items{replaced}: {added.n_items:,} items in space {added.space_id} of {run}")


def _paths(pairs: tuple[str, ...], option: str) -> dict[str, Path]:
    """NAME=PATH pairs as paths by name."""
    found = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not equals or not name or not path:
            raise ConfigError(f"{option} {pair!r} is not of the form NAME=PATH, such as {option} image=new.parquet.")
        found[name] = Path(path)
    return found
