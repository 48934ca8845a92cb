"""Adding items to a run: searchable at once, nothing is trained again.

It is a build whose catalog is the old one with more items and whose learned parts stay as they are: the joint model,
the reader of facets, the factors of taste and the weights of the mixture. Only the fresh items are encoded. What is
counted over all items (BM25, covariances) is counted again.

The build is made in a folder of its own inside the run. Its space is then published in one step, and its other files
take the places of the run's; where a process is killed in between, the next one does the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.base.layout import RunLayout, SpaceLayout
from antiphon.base.progress import Progress, silent
from antiphon.channels.facets import Facets, members
from antiphon.channels.mixture import Mixture
from antiphon.channels.taste import Taste
from antiphon.config.load import load_config
from antiphon.config.sections import Config, SyntheticConfig
from antiphon.data.additions import Merged, Rows, media_of, merge, read_added
from antiphon.data.catalog import Catalog
from antiphon.data.features import Features
from antiphon.describe.descriptions import Descriptions
from antiphon.describe.synthetic import label_of, spoken_facets
from antiphon.encoders.base import ADDED, Encoder, Growth, Source
from antiphon.encoders.files import read_findings
from antiphon.errors import ConfigError, RunError, nearest
from antiphon.joint.model import JointModel
from antiphon.run.build import GROWN, Builder, Notify, StageRecord, recorded
from antiphon.run.publish import forget_old, place, settle

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
) -> Added:
    """Add items to a run and publish a space that has them; see `Addition` for the parts.

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
    config = load_config(layout.config)
    _check_names(config, addition)
    with storage.locked(layout.root, layout.lock):
        try:
            settle(layout)
            with runtime.one_blas_thread():
                return _grow(layout, config, addition, progress, notify)
        except OSError as error:
            raise RunError(
                f"cannot write {run}: {error.strerror or error}. Check permissions and free space."
            ) from error


def _grow(layout: RunLayout, config: Config, addition: Addition, progress: Progress, notify: Notify) -> Added:
    space = SpaceLayout(layout.spaces / layout.current.read_text(encoding="utf-8").strip())
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
    builder = GrowingBuilder(config, beside, progress, notify, Basis(space, records, old, grown, addition))
    builder.run(builder.check_inputs())
    space_id = beside.current.read_text(encoding="utf-8").strip()
    place(beside.spaces / space_id, layout.spaces / space_id)
    storage.write_text(layout.current, space_id + "\n")
    settle(layout)
    forget_old(layout, space_id)
    return Added(space_id, grown.new, grown.replaced, grown.catalog.n_items)


@dataclass(frozen=True)
class Basis:
    """What a growing run starts from: the published space, the stages and the catalog of the run, and what is added."""

    space: SpaceLayout
    records: Mapping[str, Any]
    old: Catalog
    merged: Merged
    addition: Addition


class GrowingBuilder(Builder):
    """A build of a catalog that has grown, with everything that is learned taken from the published space."""

    def __init__(self, config: Config, layout: RunLayout, progress: Progress, notify: Notify, basis: Basis) -> None:
        super().__init__(config, layout, progress, notify)
        self.basis, self.merged, self.before = basis, basis.merged, {}
        self.sides = {
            name: basis.space.query_side(name)
            for name, encoder in self.encoders.items()
            if encoder.accepts not in (None, "history") and basis.space.query_side(name).is_dir()
        }

    def check_inputs(self) -> tuple[str, Catalog | None]:
        """The catalog with the items that are added."""
        for encoder in self.encoders.values():
            encoder.check(self.config.catalog)
        return self._grown("catalog"), self.merged.catalog

    def _save_catalog(self, catalog: Catalog | None) -> None:
        for finding in self.merged.catalog.report[len(self.basis.old.report) :]:
            self.notify(finding.sentence())
        self.merged.catalog.save(self.layout.catalog)

    def _encode(self, encoder: Encoder[Any], source: Source) -> Features:
        folder, modality = self.layout.features, encoder.modality
        workspace = self.layout.workspace(modality)

        def work() -> None:
            before = Features.load(folder, modality)
            encoder.extend(before, self._growth(modality, source), workspace, self.progress).save(folder)
            for finding in read_findings(workspace / ADDED):
                self.notify(f"{modality}: {finding.sentence()}")
            shutil.rmtree(workspace / ADDED, ignore_errors=True)

        names = [f"{modality}.npy", f"{modality}.mask.npy", f"{modality}.json"]
        self.stage(
            f"features.{modality}",
            self._grown("features", modality),
            work,
            lambda: [*(folder / name for name in names), *encoder.kept(workspace)],
        )
        return Features.load(folder, modality)

    def _growth(self, modality: str, source: Source) -> Growth:
        """The fresh items alone, with their texts and media."""
        fresh = self.merged.fresh
        catalog, rows = source.catalog, pa.array(fresh)
        part = Catalog(catalog.items.take(rows), catalog.fields.take(rows), catalog.field_types)
        part = replace(part, media=media_of(self.config.catalog, part.item_ids, self.basis.addition.media))
        texts = {name: tuple(view[row] for row in fresh) for name, view in source.descriptions.views.items()}
        alone = replace(source, catalog=part, descriptions=Descriptions(texts))
        return Growth(catalog.n_items, self.merged.known, fresh, alone, self.basis.addition.vectors.get(modality))

    def _synthetic(self, *_: Any) -> None:
        self._freeze("synthetic")

    def _train(self, *_: Any) -> JointModel:
        self._freeze("train")
        return JointModel.load(self.layout.model)

    def _facets(self, *_: Any) -> Facets | None:
        if not self.basis.space.facets.is_dir():
            return None
        folder, merged = self.layout.facets, self.merged

        def work() -> None:
            grow_facets(Facets.load(self.basis.space.facets), merged, self.config.synthetic).save(folder)

        self.stage("facets", self._grown("facets"), work, lambda: Facets.paths(folder))
        return Facets.load(folder)

    def _taste(self, *_: Any) -> Taste | None:
        if not self.basis.space.taste.is_dir():
            return None
        folder, merged = self.layout.taste, self.merged

        def work() -> None:
            grow_taste(Taste.load(self.basis.space.taste), merged.known, merged.catalog.n_items).save(folder)

        self.stage("taste", self._grown("taste"), work, lambda: Taste.paths(folder))
        return Taste.load(folder)

    def _mixture(self, *_: Any) -> Mixture:
        return Mixture.load(self.basis.space.mixture)

    def _grown(self, *parts: str) -> str:
        """A fingerprint that no stage of a build has."""
        return GROWN + storage.digest(parts, self.basis.space.root.name, self.merged.new, self.merged.replaced)

    def _freeze(self, name: str) -> None:
        """Keep the record of a stage that is not done again."""
        if name in self.basis.records:
            self.records[name] = StageRecord(**{**self.basis.records[name], "status": "frozen"})


def grow_taste(taste: Taste, known: Rows, n_items: int) -> Taste:
    """The factors of a larger catalog: those of its items from before, zeros for the others."""

    def grown(factors: NDArray[np.float32]) -> NDArray[np.float32]:
        result = np.zeros((n_items, factors.shape[1]), dtype=np.float32)
        result[known] = factors
        return result

    users = grown(taste.users[:, None])[:, 0]
    return replace(taste, ials=grown(taste.ials), ease=grown(taste.ease), ease_left=grown(taste.ease_left), users=users)


def grow_facets(facets: Facets, merged: Merged, config: SyntheticConfig) -> Facets:
    """The facets of a larger catalog: the reader and its facets stay, and the fresh items have those that it knows."""
    starts, held = members(facets.bounds, facets.rows, facets.n_items)
    lists = [np.zeros(0, dtype=np.int32)] * merged.catalog.n_items
    for before, row in enumerate(merged.known):
        lists[row] = held[starts[before] : starts[before + 1]]
    number = {label_of(name, config): facet for facet, name in enumerate(facets.names)}
    rows = pa.array(merged.fresh)
    part = Catalog(merged.catalog.items.take(rows), merged.catalog.fields.take(rows), merged.catalog.field_types)
    for row, spoken in zip(merged.fresh, spoken_facets(part, config), strict=True):
        labels = {label_of(facet, config) for facet in spoken}
        lists[row] = np.array(sorted(number[label] for label in labels if label in number), dtype=np.int32)
    bounds = np.concatenate([[0], np.cumsum([len(part) for part in lists])]).astype(np.int64)
    by_facet = members(bounds, np.concatenate(lists).astype(np.int32), len(facets.names))
    return Facets(facets.reader, facets.names, *by_facet, merged.catalog.n_items)


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
