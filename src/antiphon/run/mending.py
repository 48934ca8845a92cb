"""Files of a run that are not what was written: found before they are read, and made again where that can be done.

A file whose bytes the published space has as well is taken from there. Else its stage is done again, if it would do
today what it did then; it is only believed where it makes the same bytes. What can be neither is an error that names
the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from antiphon.base import runtime, storage, versions
from antiphon.base.layout import RunLayout
from antiphon.base.progress import Progress, silent
from antiphon.config.load import load_config
from antiphon.config.sections import Config
from antiphon.errors import AntiphonError, IntegrityError
from antiphon.run.stage import Job, Notify, Record, Stage, damaged, read_manifest, recorded

AGAIN = "build the run again, with: antiphon build antiphon.toml --run"


def config_of(layout: RunLayout) -> Config:
    """The configuration that a run was built with.

    Raises:
        ConfigError: it cannot be read.
        IntegrityError: it is not the one that was written.
    """
    expected = read_manifest(layout).get("config") if layout.manifest.is_file() else None
    if expected is not None and (not layout.config.is_file() or storage.sha256(layout.config) != expected):
        raise IntegrityError(
            f"{layout.config} is not the file that was written (its SHA-256 differs), and the run is not of it; "
            f"{AGAIN} {layout.root}"
        )
    return load_config(layout.config)


def check_stages(layout: RunLayout, *names: str) -> None:
    """Refuse to read what some stages wrote where it is something else now; stages without a record are not checked.

    Raises:
        IntegrityError: a file is missing or another one.
    """
    records = recorded(layout)
    for name in names:
        if name in records and (bad := damaged(layout, records[name])):
            raise IntegrityError(_said(layout, bad[0]))


def mend(
    stages: Sequence[Stage], layout: RunLayout, config: Config, *, progress: Progress = silent,
    notify: Notify = lambda _: None,
) -> None:  # fmt: skip
    """Check what stages of a finished run wrote, in order, and make again what is damaged.

    Raises:
        IntegrityError: a file is damaged and cannot be made again.
    """
    records = recorded(layout)
    for stage in stages:
        record = records.get(stage.name)
        if record is None or not (bad := damaged(layout, record)):
            continue
        notify(f"{layout.root / bad[0]} is not the file that was written; it is made again")
        _take_from_space(layout, record, bad)
        if damaged(layout, record):
            job = Job(config, layout, progress, notify, records, dict(records))
            _repeat(stage, job, record)
        if left := damaged(layout, record):
            raise IntegrityError(_said(layout, left[0]))


def _take_from_space(layout: RunLayout, record: Record, names: Sequence[str]) -> None:
    """Copies of damaged files that the published space has, found by their checksums."""
    try:
        version = versions.current(layout)
        files = versions.manifest_of(version)["files"]
    except AntiphonError:
        return
    by_sum = {expected: version.root / name for name, expected in files.items()}
    for name in names:
        source = by_sum.get(record.files[name])
        if source is not None and source.is_file() and storage.sha256(source) == record.files[name]:
            _copy(source, layout.root / name)


def _copy(source: Path, target: Path) -> None:
    with storage.replacing(target) as beside:
        beside.write_bytes(source.read_bytes())


def _repeat(stage: Stage, job: Job, record: Record) -> None:
    """Do a stage again where it is the same one; what it makes is compared by whoever called."""
    try:
        if stage.fingerprint(job) == record.fingerprint:
            with runtime.one_blas_thread():
                stage.work(job, record.fingerprint)
    except (AntiphonError, OSError) as error:
        job.notify(f"the stage {stage.name} cannot be done again: {error}")


def _said(layout: RunLayout, name: str) -> str:
    return f"{layout.root / name} is not the file that was written (its SHA-256 differs); {AGAIN} {layout.root}"
