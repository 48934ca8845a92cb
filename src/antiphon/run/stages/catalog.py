"""The stage `catalog`: the files are read, checked, and kept as the run sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.config.sections import CatalogConfig
from antiphon.data.catalog import Catalog
from antiphon.data.reading import read_catalog
from antiphon.errors import DataError
from antiphon.run.stage import Job, Stage

GROWN = "grown:"
"""Begins the fingerprint of a stage whose outputs `antiphon add` made larger: no build takes it for its own."""


def stage(read: Callable[[], Catalog]) -> Stage:
    """`read` gives the catalog; it is called at most once."""

    def work(job: Job, fingerprint: str) -> None:
        catalog = read()
        for finding in catalog.report:
            job.notify(finding.sentence())
        _tell_what_is_gone(job, catalog)
        catalog.save(job.layout.catalog)

    return Stage(
        "catalog",
        work,
        lambda job: sorted(job.layout.catalog.iterdir()),
        options=lambda job: _inputs(job.config.catalog),
        code=[read_catalog],
    )


def _tell_what_is_gone(job: Job, catalog: Catalog) -> None:
    """Items that were added to the run and are not in the files: `antiphon add` writes into a run only."""
    before = job.before.get("catalog")
    if before is None or not before.fingerprint.startswith(GROWN):
        return
    gone = sorted(set(Catalog.load(job.layout.catalog).item_ids) - set(catalog.item_ids))
    if gone:
        where = f"{len(gone):,} items that were added, such as {gone[0]!r}, are not in {job.config.catalog.items}"
        job.notify(f"{where}: this build has them no more. Put them into the file, or add them again.")


def _inputs(config: CatalogConfig) -> list[Any]:
    """What the catalog depends on: settings, contents of the tables, and names, sizes and times of media."""
    files = [config.items, *(source.file for source in config.lists.values())]
    if config.interactions is not None:
        files.append(config.interactions.file)
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} does not exist; [catalog] names it.")
    media = {name: _listing(item.path) for name, item in config.media.items()}
    return [config.model_dump(mode="json"), [storage.cached_sha256(path) for path in files], media]


def _listing(path: Path) -> list[Any]:
    """Names, sizes and times of media files; their contents are read by the encoders that use them."""
    if not path.exists():
        raise DataError(f"{path} does not exist; media is a folder or a zip file.")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
