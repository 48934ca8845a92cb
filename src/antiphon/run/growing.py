"""Adding items to a run: searchable at once, nothing is trained again.

It is a build whose catalog is the old one with more items and whose learned parts stay as they are: the joint model,
the reader of facets, the factors of taste and the weights of the mixture. Only the fresh items are encoded. What is
counted over all items (BM25, covariances) is counted again.

The build is made in a folder of its own inside the run. Its space is then published in one step, and its other files
take the places of the run's; where a process is killed in between, the next one does the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import storage, versions
from antiphon.base.language import ENGLISH, Language
from antiphon.base.layout import RunLayout, SpaceLayout
from antiphon.base.progress import Progress, silent
from antiphon.channels.facets import Facets, members
from antiphon.channels.mixture import Mixture
from antiphon.channels.taste import NOT_MET, Taste
from antiphon.config.sections import Config, DescribeConfig, SyntheticConfig
from antiphon.data.additions import Merged, Rows, media_of, merge, read_added
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.describe.degrees import degrees_of
from antiphon.describe.synthetic import label_of, spoken_facets
from antiphon.encoders.base import ADDED, Encoder, Growth, make_encoder
from antiphon.encoders.files import read_findings
from antiphon.errors import ConfigError, RunError, nearest
from antiphon.run.build import run_all, stages_of
from antiphon.run.mending import config_of, mend
from antiphon.run.outputs import spoken_in
from antiphon.run.publish import forget_unfinished, make_current, place, settle
from antiphon.run.stage import Job, Notify, Offer, Record, Stage, recorded, with_stages
from antiphon.run.stages import features, publish
from antiphon.run.stages.catalog import GROWN

TAKEN = ("features", "model", "taste", "facets")
"""Folders of a run that a growing one starts from."""


@dataclass(frozen=True)
class Addition:
    """What to add: files of items, and for some modalities files of vectors or media.

    `items` have the columns of the catalog's items file. `vectors`: modality -> parquet, CSV or JSONL. `media`: kind of
    media -> folder or zip; the configuration's where not given. `replace`: items that are there already are replaced.
    """

    items: Sequence[Path]
    vectors: Mapping[str, Path]
    media: Mapping[str, Path]
    replace: bool = False


@dataclass(frozen=True)
class Added:
    """What was published: the new space, and the ids that are new in it or were replaced."""

    space_id: str
    new: tuple[str, ...]
    replaced: tuple[str, ...]
    n_items: int


def add_items(
    run: str | Path,
    items: Path | Sequence[Path],
    *,
    vectors: Mapping[str, Path] | None = None,
    media: Mapping[str, Path] | None = None,
    replace: bool = False,
    progress: Progress = silent,
    notify: Notify = lambda _: None,
    offer: Offer = lambda _, __: None,
) -> Added:
    """Add items to a run and publish a space that has them; see `Addition` for the parts.

    `offer` is told of the version before it becomes the current one.

    Raises:
        ConfigError: `vectors` or `media` name something that the run does not have.
        DataError: a file is missing or broken, or an item is there already.
        RunError: the folder has no finished run of this version, or is in use by a build.
    """
    layout = RunLayout(Path(run))
    if not layout.current.is_file() or not layout.config.is_file():
        raise RunError(f"there is no finished run at {run}; build one with: antiphon build antiphon.toml --run {run}")
    files = [items] if isinstance(items, Path) else list(items)
    addition = Addition(files, vectors or {}, media or {}, replace)
    config = config_of(layout)
    _check_names(config, addition)
    with storage.locked(layout.root, layout.lock):
        try:
            settle(layout)
            return _grow(layout, config, addition, progress, notify, offer)
        except OSError as error:
            raise RunError(
                f"cannot write {run}: {error.strerror or error}. Check permissions and free space."
            ) from error


def _grow(
    layout: RunLayout, config: Config, addition: Addition, progress: Progress, notify: Notify, offer: Offer
) -> Added:
    forget_unfinished(layout)
    space = versions.current(layout)
    versions.verified(space)
    usual = [stage for stage in stages_of(config) if _is_read(stage.name)]
    mend(usual, layout, config, progress=progress, notify=notify)
    records = recorded(layout)
    old = Catalog.load(layout.catalog)
    if "publish" not in records or storage.read_table(space.items)["item_id"].to_pylist() != old.item_ids:
        raise RunError(
            f"the space in {layout.root} is not of its catalog, or another version of antiphon built it; build the run "
            f"again, with: antiphon build antiphon.toml --run {layout.root}"
        )
    with progress("reading the items", 1):
        grown = merge(old, read_added(config.catalog, addition.items, old), replace_known=addition.replace)
    beside = RunLayout(layout.growing)
    for name in TAKEN:
        if (layout.root / name).is_dir():
            storage.copy_tree(layout.root / name, beside.root / name)
    run_all(_stages(config, Basis(space, records, old, grown, addition)), Job(config, beside, progress, notify, {}))
    space_id = versions.current(beside).root.name
    place(beside.spaces / space_id, layout.spaces / space_id)
    offer(layout.root, space_id)
    make_current(layout, space_id)
    settle(layout)
    return Added(space_id, grown.new, grown.replaced, grown.catalog.n_items)


def _is_read(stage: str) -> bool:
    """Whether growing reads what a stage wrote in the run; the rest is read of the published space, or made again."""
    return stage in ("catalog", "describe", "train") or stage.startswith("features.")


@dataclass(frozen=True)
class Basis:
    """What a growing run starts from: the published space, the stages and the catalog of the run, and what is added."""

    space: SpaceLayout
    records: Mapping[str, Record]
    old: Catalog
    merged: Merged
    addition: Addition

    def fingerprint(self, name: str) -> str:
        """One that no stage of a build has."""
        return GROWN + storage.digest(name, self.space.root.name, self.merged.new, self.merged.replaced)


def _stages(config: Config, basis: Basis) -> list[Stage]:
    """The stages of a build, with those that learn replaced: what was learned stays, with room for the items."""
    encoders = [make_encoder(item) for item in config.modalities]
    usual = stages_of(config)
    sides = {
        encoder.modality: basis.space.query_side(encoder.modality)
        for encoder in encoders
        if encoder.accepts not in (None, "history") and basis.space.query_side(encoder.modality).is_dir()
    }
    new = [
        _catalog_stage(basis),
        *(_features_stage(encoder, basis) for encoder in encoders),
        *(_frozen(name, basis) for name in ("synthetic", "practice", "train")),
        _larger("facets", Facets.paths, basis, _write_facets),
        _larger("taste", Taste.paths, basis, _write_taste),
        publish.stage(
            encoders,
            [stage.name for stage in usual[:-1]],
            mixture=Mixture.load(basis.space.mixture),
            sides=sides,
        ),
    ]
    return with_stages(usual, *new)


def _frozen(name: str, basis: Basis) -> Stage:
    """A stage that is not done again; one that the run never had stays away."""
    record = basis.records.get(name)
    kept = None if record is None else replace(record, status="frozen")
    return Stage(name, lambda job, fingerprint: None, lambda job: [], wanted=lambda job: False, kept=kept)


def _catalog_stage(basis: Basis) -> Stage:
    def work(job: Job, fingerprint: str) -> None:
        for finding in basis.merged.catalog.report[len(basis.old.report) :]:
            job.notify(finding.sentence())
        basis.merged.catalog.save(job.layout.catalog)

    return Stage("catalog", work, lambda job: sorted(job.layout.catalog.iterdir()), fixed=basis.fingerprint("catalog"))


def _features_stage(encoder: Encoder[Any], basis: Basis) -> Stage:
    modality = encoder.modality

    def work(job: Job, fingerprint: str) -> None:
        folder, workspace = job.layout.features, job.layout.workspace(modality)
        growth = _growth(modality, job, basis)
        encoder.extend(Features.load(folder, modality), growth, workspace, job.progress).save(folder)
        for finding in read_findings(workspace / ADDED):
            job.notify(f"{modality}: {finding.sentence()}")
        shutil.rmtree(workspace / ADDED, ignore_errors=True)

    name = f"features.{modality}"
    return Stage(name, work, lambda job: features.files_of(encoder, job), fixed=basis.fingerprint(name))


def _growth(modality: str, job: Job, basis: Basis) -> Growth:
    """The fresh items alone, with their texts and media."""
    source, fresh, rows = features.source_of(job), basis.merged.fresh, pa.array(basis.merged.fresh)
    catalog = source.catalog
    part = Catalog(catalog.items.take(rows), catalog.fields.take(rows), catalog.field_types)
    part = replace(part, media=media_of(job.config.catalog, part.item_ids, basis.addition.media))
    texts = {name: tuple(view[row] for row in fresh) for name, view in source.descriptions.views.items()}
    alone = replace(source, catalog=part, descriptions=Descriptions(texts))
    return Growth(catalog.n_items, basis.merged.known, fresh, alone, basis.addition.vectors.get(modality))


def _larger(
    name: str, paths: Callable[[Path], list[Path]], basis: Basis, write: Callable[[Basis, Job, Path], None]
) -> Stage:
    """What was learned, with rows for the items that are new; wanted where the published space has it."""
    return Stage(
        name,
        lambda job, fingerprint: write(basis, job, job.layout.root / name),
        lambda job: paths(job.layout.root / name),
        wanted=lambda job: (basis.space.root / name).is_dir(),
        fixed=basis.fingerprint(name),
    )


def _write_facets(basis: Basis, job: Job, folder: Path) -> None:
    facets, config = Facets.load(basis.space.facets), job.config
    grow_facets(facets, basis.merged, config.synthetic, config.describe, spoken_in(job)).save(folder)


def _write_taste(basis: Basis, job: Job, folder: Path) -> None:
    merged = basis.merged
    grow_taste(Taste.load(basis.space.taste), merged.known, merged.catalog.n_items).save(folder)


def grow_taste(taste: Taste, known: Rows, n_items: int) -> Taste:
    """The factors of a larger catalog: those of its items from before, zeros for the others."""

    def grown(factors: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.zeros((n_items, factors.shape[1]), dtype=np.float32)
        result[known] = factors
        return result

    users = grown(taste.users[:, None])[:, 0]
    passed = np.full(n_items, NOT_MET, dtype=np.float32)
    passed[known] = taste.passed
    return replace(
        taste, ials=grown(taste.ials), ease=grown(taste.ease), ease_left=grown(taste.ease_left), users=users,
        passed=passed,
    )  # fmt: skip


def grow_facets(
    facets: Facets,
    merged: Merged,
    config: SyntheticConfig,
    describe: DescribeConfig,
    language: Language = ENGLISH,
) -> Facets:
    """The facets of a larger catalog: the reader and its facets stay, and the fresh items have those that it knows."""
    starts, held = members(facets.bounds, facets.rows, facets.n_items)
    lists = [np.zeros(0, dtype=np.int32)] * merged.catalog.n_items
    for before, row in enumerate(merged.known):
        lists[row] = held[starts[before] : starts[before + 1]]
    number = {label_of(name, config, language): facet for facet, name in enumerate(facets.names)}
    rows = pa.array(merged.fresh)
    part = Catalog(merged.catalog.items.take(rows), merged.catalog.fields.take(rows), merged.catalog.field_types)
    for row, spoken in zip(merged.fresh, spoken_facets(part, config), strict=True):
        labels = {label_of(facet, config, language) for facet in spoken}
        lists[row] = np.array(sorted(number[label] for label in labels if label in number), dtype=np.int32)
    bounds = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)
    by_facet = members(bounds, np.concatenate(lists).astype(np.int32), len(facets.names))
    grown = Facets(facets.reader, facets.names, *by_facet, merged.catalog.n_items)
    return replace(grown, degrees=degrees_of(merged.catalog, describe, config, facets.names, *by_facet))


def _check_names(config: Config, addition: Addition) -> None:
    encoders = {item.name: item for item in config.modalities}
    for name in addition.vectors:
        if name not in encoders:
            raise ConfigError(f"--vectors {name}: the run has no modality {name!r}; {nearest(name, encoders)}")
        if "file" not in encoders[name].options:
            raise ConfigError(
                f"--vectors {name}: the encoder {encoders[name].encoder!r} makes the vectors of {name!r} itself; "
                "vectors from a file are for modalities of the encoder 'precomputed'."
            )
    for name in addition.media:
        if name not in config.catalog.media:
            raise ConfigError(
                f"--media {name}: the catalog has no media {name!r}; {nearest(name, config.catalog.media)}"
            )
