"""Building a run: stages in order, each skipped when nothing that it depends on has changed.

catalog -> descriptions -> features of each modality -> joint model, facets, taste -> published space. A killed build
goes on where it was, and makes the same vectors as one that was left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path

from antiphon.base import runtime, storage, versions
from antiphon.base.layout import RunLayout
from antiphon.base.progress import Progress, duration, silent
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog
from antiphon.data.reading import read_catalog
from antiphon.describe.automatic import with_description
from antiphon.encoders.base import make_encoder
from antiphon.errors import RunError
from antiphon.numbers.engine import engine_of
from antiphon.run.estimate import expected_seconds
from antiphon.run.order import run_stages
from antiphon.run.publish import settle
from antiphon.run.stage import Job, Notify, Offer, Stage, is_current, recorded
from antiphon.run.stages import (
    catalog,
    describe,
    facets,
    features,
    passages,
    practice,
    publish,
    synthetic,
    taste,
    train,
)


def build(
    config: Config, run: Path, *, progress: Progress = silent, notify: Notify = lambda _: None,
    offer: Offer = lambda _, __: None,
) -> RunLayout:  # fmt: skip
    """Build a run from its configuration; returns its layout. What is up to date is not done again.

    `offer` is told of a version before it becomes the current one, and of the current one at the end.

    Raises:
        ConfigError: the configuration names something that does not exist.
        DataError: the catalog's files are missing or broken.
        RunError: the folder is in use by another build, or cannot be written to.
    """
    layout = RunLayout(run)

    @cache
    def read() -> Catalog:
        with progress("reading the catalog", 1):
            return read_catalog(config.catalog)

    # Everything that can be refused without writing is refused before the folder is made.
    stages = stages_of(config, read)
    job = Job(config, layout, progress, notify, recorded(layout))
    current = is_current(job, "catalog", stages[0].fingerprint(job))
    if not current:
        read()
    if "describe" not in config.model_fields_set:
        config = with_description(config, Catalog.load(layout.catalog) if current else read())
        stages = stages_of(config, read)
    if "publish" not in job.before:
        notify(f"a first build: about {duration(expected_seconds(config, read()))} on this machine where it is idle")
    engine = engine_of(config.build.engine, config.build.spark)
    with engine.running() if engine else nullcontext(), storage.locked(layout.root, layout.lock):
        try:
            settle(layout)
            storage.sweep(layout.root)
            # Another build may have ended between the look and the lock: what it recorded counts.
            run_all(stages, Job(config, layout, progress, notify, recorded(layout), offer=offer))
        except OSError as error:
            raise RunError(
                f"cannot write {run}: {error.strerror or error}. Check permissions and free space."
            ) from error
    offer(layout.root, versions.current(layout).root.name)  # a build that had nothing to do may be new to the store
    return layout


def stages_of(config: Config, read: Callable[[], Catalog] | None = None) -> list[Stage]:
    """The stages of a build, in order; `read` gives the catalog.

    Raises:
        ConfigError: a modality names an encoder that does not exist, or has options that do not fit; or the engine does
            not exist.
    """
    engine = engine_of(config.build.engine, config.build.spark)
    encoders = [make_encoder(item, engine) for item in config.modalities]
    for encoder in encoders:
        encoder.check(config.catalog)
    before = [
        catalog.stage(read or (lambda: read_catalog(config.catalog))),
        taste.STAGE,
        describe.STAGE,
        *(features.stage(encoder) for encoder in encoders),
        passages.stage(encoders),
        synthetic.stage(encoders),
        practice.stage(encoders),
        train.stage(config),
        facets.STAGE,
    ]
    return [*before, publish.stage(encoders, [stage.name for stage in before])]


def run_all(stages: Sequence[Stage], job: Job) -> None:
    """Run stages with one BLAS thread.

    The last bits of a product depend on the number of threads, which processes differ in; with one they are the same,
    and so is the space.
    """
    with runtime.one_blas_thread():
        run_stages(stages, job)
