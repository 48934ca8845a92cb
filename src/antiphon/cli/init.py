"""antiphon init: an antiphon.toml out of files that nobody has prepared."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from antiphon.cli.output import rows_as_text
from antiphon.errors import ConfigError, DataError

if TYPE_CHECKING:
    from antiphon.data.guessing import Guess
    from antiphon.data.proposal import FoundMedia
    from antiphon.data.roles import Role

NAME = "antiphon.toml"
HEAD = "Written by `antiphon init`. Change what is wrong; docs/configuration.md has every key."
HEADER = ("column", "taken for", "examples", "empty", "")
MEDIA = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".mp3", ".wav", ".flac", ".ogg")
NO_TITLES = ("readme", "licence", "license", "notes", "requirements")
"""Names of texts that are no lists of titles."""


@click.command(epilog="Example: antiphon init my-books/ --yes")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER|FILES...")
@click.option("--out", type=click.Path(path_type=Path), help=f"File to write; {NAME} beside the items where not given.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is guessed.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def init(paths: tuple[Path, ...], out: Path | None, yes: bool, force: bool) -> None:
    """Look at FILES, or at those of a FOLDER, and write an antiphon.toml for them.

    CSV, JSONL, JSON, parquet and lists of titles (.txt) are read; folders and zips of pictures or sounds are matched
    with the items. Shown are the columns with examples, what each is taken for, and how much would be dropped.
    Questions are asked only in a terminal, and only where a guess is weak.
    """
    from antiphon.base import storage
    from antiphon.base.runtime import has
    from antiphon.config.load import load_config
    from antiphon.data.proposal import checked, comments_of, media_among, settings_of, toml_of
    from antiphon.data.reading import read_catalog

    files, places = _files(paths)
    found = checked(_asked(files, ask=not yes and sys.stdin.isatty()))
    target = out or found.items.path.parent / NAME
    if target.exists() and not force:
        raise ConfigError(f"{target} is there already; replace it with --force, or name another file with --out.")
    media, left = media_among(found, places)
    _show(found, media, {**found.unused, **left})
    settings = settings_of(found, media, target.parent, pictures=has("efficientnet_lite_pytorch"))
    storage.write_text(target, toml_of(settings, comments_of(found, media), HEAD))
    catalog = read_catalog(load_config(target).catalog)
    people = catalog.interactions
    liked = "" if people is None else f", {people.n_users:,} users, {int(people.positive.sum()):,} likes"
    click.echo(f"\n{catalog.n_items:,} items{liked}")
    for finding in catalog.report:
        click.echo(f"  {finding.sentence()}")
    run = Path("runs") / settings["name"]
    click.echo(f'\nwritten: {target}\nnext:    antiphon build {target} --quick\n         antiphon search {run} "..."')


def _files(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Tables, and folders and zips that may hold media, among the paths and in the folders that they name."""
    from antiphon.data.lines import has_objects
    from antiphon.data.tables import ENDINGS

    tables, places = list[Path](), list[Path]()
    for path in paths:
        if not path.exists():
            raise DataError(f"{path} does not exist.")
        for entry in sorted(path.iterdir()) if path.is_dir() else [path]:
            if entry.name.startswith(".") or (entry.suffix.lower() == ".txt" and entry.stem.casefold() in NO_TITLES):
                continue
            if entry.is_dir() or entry.suffix.lower() == ".zip":
                places.append(entry)
            elif (ending := entry.suffix.lower()) in ENDINGS and (
                entry is path or ending != ".json" or has_objects(entry)
            ):
                tables.append(entry)
        if path.is_dir() and any(entry.suffix.lower() in MEDIA for entry in path.iterdir()):
            places.append(path)
    tables = [path for path in dict.fromkeys(tables) if path.suffix != ".txt" or len(tables) == 1]
    if not tables:
        raise DataError(
            f"no tables in {', '.join(map(str, paths))}: expected files that end in .csv, .jsonl, .json or .parquet, "
            "or a list of titles (.txt)."
        )
    return tables, list(dict.fromkeys(places))


def _asked(files: Sequence[Path], *, ask: bool) -> Guess:
    """The guess, made again with what a person answers."""
    from antiphon.data.guessing import guess

    answers: dict[str, str] = {}
    found = guess(files)
    while ask and (open_ := [question for question in found.questions if question.key not in answers]):
        question = open_[0]
        kind = click.Choice(list(question.choices)) if question.choices else None
        answers[question.key] = click.prompt(question.sentence, default=question.default, type=kind)
        found = guess(files, answers)
    return found


def _show(found: Guess, media: Sequence[FoundMedia], unused: Mapping[str, str]) -> None:
    click.echo(f"items: {found.items.path} ({found.items.rows.num_rows:,} rows)\n")
    lines = [_line(role) for role in found.roles]
    click.echo("\n".join(rows_as_text([HEADER, *lines])))
    if found.interactions is not None:
        click.echo(f"\ninteractions: {found.interactions.path} ({found.interactions.rows.num_rows:,} rows)\n")
        click.echo("\n".join(rows_as_text([HEADER, *map(_line, found.pair_roles)])))
    for name, section in found.lists.items():
        click.echo(f"\n{name}: the values of {section['column']!r} in {section['file']}, most frequent first")
    for item in media:
        click.echo(f"\n{item.kind}: {item.path}, named {item.pattern} ({item.n_items:,} files)")
    for name, why in unused.items():
        click.echo(f"\nnot used: {name} ({why})")


def _line(role: Role) -> tuple[str, ...]:
    column = role.column
    empty = f"{column.n_missing / max(1, column.n_rows):.0%}" if column.n_missing else ""
    return column.name, role.role, "; ".join(column.examples()), empty, role.note
