"""Building a run: stages in order, each skipped when nothing that it reads has changed.

catalog -> descriptions -> features of each modality -> joint model -> published space. A stage's fingerprint is a hash
of what it reads; its outputs are recorded with checksums. A killed build goes on where it was, and makes the same
vectors as one that was left alone.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
from numpy.typing import NDArray

from antiphon._version import __version__
from antiphon.base import runtime, storage
from antiphon.base.layout import FORMAT, RunLayout
from antiphon.base.progress import Progress, silent
from antiphon.channels.cold import MOST_STRETCH, RIDGE, taste_vectors
from antiphon.channels.facet_training import fit_facets
from antiphon.channels.facets import Facets
from antiphon.channels.mixture import EASE_GRID, JOINT_GRID, LIKES, RERANK_GAIN, RERANK_GRID, Mixture, fit_mixture
from antiphon.channels.rerank_training import RECIPE as RERANK_RECIPE
from antiphon.channels.rerank_training import fit_reranker
from antiphon.channels.taste import CHOSEN, Taste, fit_taste
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog
from antiphon.data.features import Features, feature_paths
from antiphon.data.held_out import user_item_matrix
from antiphon.data.reading import read_catalog
from antiphon.data.splits import Split, held_out, make_split, training_interactions
from antiphon.describe.descriptions import Descriptions, describe, gen_file_digest
from antiphon.describe.synthetic import make_queries, plain_texts
from antiphon.encoders.base import Encoder, RequestEncoder, Source, make_encoder
from antiphon.encoders.files import read_findings
from antiphon.errors import DataError, IntegrityError, RunError
from antiphon.joint.model import Embedded, JointModel, embed_items
from antiphon.joint.train import train
from antiphon.joint.trainer import QueryData
from antiphon.run.publish import Contents, publish, settle

RECIPE = [asdict(Mixture()), dict(LIKES), RIDGE, MOST_STRETCH, EASE_GRID, JOINT_GRID, RERANK_GRID, RERANK_GAIN]
"""What `publish` does that no setting says."""
GROWN = "grown:"
"""Begins the fingerprint of a stage whose outputs `antiphon add` made larger: no build takes it for its own."""
Notify = Callable[[str], None]


@dataclass(frozen=True)
class StageRecord:
    """What the manifest says of a stage."""

    name: str
    fingerprint: str
    seconds: float
    status: str
    files: Mapping[str, str]


def build(config: Config, run: Path, *, progress: Progress = silent, notify: Notify = lambda _: None) -> RunLayout:
    """Build a run from its configuration; returns its layout. What is up to date is not done again.

    Raises:
        ConfigError: the configuration names something that does not exist.
        DataError: the catalog's files are missing or broken.
        RunError: the folder is in use by another build, or cannot be written to.
    """
    layout = RunLayout(run)
    builder = Builder(config, layout, progress, notify)
    # Everything that can be refused without writing is refused before the folder is made.
    catalog_stage = builder.check_inputs()
    with storage.locked(layout.root, layout.lock):
        settle(layout)
        if recorded(layout) != builder.before:  # another one ended between the look and the lock
            builder = Builder(config, layout, progress, notify)
            catalog_stage = builder.check_inputs()
        try:
            storage.sweep(layout.root)
            # The last bits of a product depend on the number of BLAS threads, which processes differ in; with one
            # they are the same, and so is the space.
            with runtime.one_blas_thread():
                builder.run(catalog_stage)
        except OSError as error:
            raise RunError(
                f"cannot write {run}: {error.strerror or error}. Check permissions and free space."
            ) from error
    return layout


class Builder:
    """The stages of one build, and the manifest that records them."""

    def __init__(self, config: Config, layout: RunLayout, progress: Progress, notify: Notify) -> None:
        self.config, self.layout, self.progress, self.notify = config, layout, progress, notify
        self.encoders: dict[str, Encoder[Any]] = {item.name: make_encoder(item) for item in config.modalities}
        self.before = recorded(layout)
        self.records: dict[str, StageRecord] = {}
        self.sides: Mapping[str, Path] = {}
        """Query sides that are published as they are."""

    def check_inputs(self) -> tuple[str, Catalog | None]:
        """Fingerprint of the catalog, and the catalog itself where it has to be read."""
        for encoder in self.encoders.values():
            encoder.check(self.config.catalog)
        fingerprint = _catalog_fingerprint(self.config)
        if self._is_current("catalog", fingerprint):
            return fingerprint, None
        with self.progress("reading the catalog", 1):
            return fingerprint, read_catalog(self.config.catalog)

    def run(self, catalog_stage: tuple[str, Catalog | None]) -> None:
        """Run every stage that is not up to date."""
        fingerprint, fresh = catalog_stage
        self.stage("catalog", fingerprint, lambda: self._save_catalog(fresh), self._catalog_files)
        # Always as it was saved: a build that goes on later must see the same catalog as the one that read the files.
        catalog = Catalog.load(self.layout.catalog)
        descriptions = self._describe(catalog)
        split = make_split(catalog, self.config.split, self.config.seed)
        source = Source(catalog, descriptions, split, self.config.split, self.config.seed)
        features = [self._encode(encoder, source) for encoder in self.encoders.values()]
        queries = self._synthetic(catalog)
        model = self._train(features, queries)
        facets = self._facets(queries)
        taste = self._taste(catalog, split)
        self._publish(catalog, descriptions, split, features, model, taste, facets)
        self._write_manifest()

    def stage(self, name: str, fingerprint: str, work: Callable[[], None], files: Callable[[], Iterable[Path]]) -> None:
        """Do `work` unless the stage is up to date; record it with its files' checksums either way."""
        if self._is_current(name, fingerprint):
            self.records[name] = StageRecord(**{**self.before[name], "status": "cached"})
            return
        start = time.perf_counter()
        work()
        seconds = time.perf_counter() - start
        sums = {path.relative_to(self.layout.root).as_posix(): storage.sha256(path) for path in files()}
        self.records[name] = StageRecord(name, fingerprint, seconds, "built", sums)
        self._write_manifest()
        self.notify(f"{name}: {seconds:.1f} s")

    def _is_current(self, name: str, fingerprint: str) -> bool:
        record = self.before.get(name)
        if record is None or record["fingerprint"] != fingerprint:
            return False
        paths = {self.layout.root / file: expected for file, expected in record["files"].items()}
        return all(path.is_file() and storage.sha256(path) == expected for path, expected in paths.items())

    def _save_catalog(self, catalog: Catalog | None) -> None:
        assert catalog is not None  # noqa: S101  check_inputs has read it where the stage is not up to date
        for finding in catalog.report:
            self.notify(finding.sentence())
        self._tell_what_is_gone(catalog)
        catalog.save(self.layout.catalog)

    def _tell_what_is_gone(self, catalog: Catalog) -> None:
        """Items that were added to the run and are not in the files: `antiphon add` writes into a run only."""
        if not str(self.before.get("catalog", {}).get("fingerprint", "")).startswith(GROWN):
            return
        gone = sorted(set(Catalog.load(self.layout.catalog).item_ids) - set(catalog.item_ids))
        if gone:
            where = f"{len(gone):,} items that were added, such as {gone[0]!r}, are not in {self.config.catalog.items}"
            self.notify(f"{where}: this build has them no more. Put them into the file, or add them again.")

    def _catalog_files(self) -> list[Path]:
        return sorted(self.layout.catalog.iterdir())

    def _describe(self, catalog: Catalog) -> Descriptions:
        path = self.layout.descriptions
        items = self.records["catalog"].files["catalog/items.parquet"]
        written = gen_file_digest(self.config.describe)
        fingerprint = storage.digest("describe", self.config.describe.model_dump(mode="json"), items, written)
        self.stage(
            "describe",
            fingerprint,
            lambda: describe(catalog, self.config.describe).save(path, catalog.item_ids),
            lambda: [path],
        )
        return Descriptions.load(path)

    def _encode(self, encoder: Encoder[Any], source: Source) -> Features:
        folder, modality = self.layout.features, encoder.modality

        def work() -> None:
            workspace = self.layout.workspace(modality)
            encoder.encode(source, workspace, self.progress).save(folder)
            for finding in read_findings(workspace):
                self.notify(f"{modality}: {finding.sentence()}")

        def files() -> list[Path]:
            return [*feature_paths(folder, modality), *encoder.kept(self.layout.workspace(modality))]

        self.stage(f"features.{modality}", encoder.fingerprint(source), work, files)
        features = Features.load(folder, modality)
        if not features.present.any():
            raise DataError(f"modality {modality!r}: no item has a vector; leave the modality out or mend its input.")
        return features

    def _synthetic(self, catalog: Catalog) -> QueryData | None:
        """Synthetic queries and their vectors, by the modality that encodes requests."""
        reader = next((encoder for encoder in self.encoders.values() if isinstance(encoder, RequestEncoder)), None)
        trained_on = self.config.train.query_weight > 0 and len(self.encoders) > 1
        wanted = self.config.synthetic.per_item > 0 and (trained_on or self.config.space.facets)
        if reader is None or not wanted:
            return None
        queries = make_queries(catalog, self.config.synthetic, self.config.seed)
        if not queries.texts:
            self.notify("synthetic: the items have no facets that several share, so no queries are trained on")
            return None

        texts = (*queries.texts, *queries.labels, *plain_texts(catalog, self.config.seed))

        def work() -> None:
            workspace = self.layout.workspace(reader.modality)
            storage.write_array(self.layout.synthetic, reader.encode_requests(texts, workspace, self.progress))

        fingerprint = storage.digest("synthetic", reader.request_identity(), texts)
        self.stage("synthetic", fingerprint, work, lambda: [self.layout.synthetic])
        ends = np.cumsum([len(queries.texts), len(queries.labels)])
        return QueryData(reader.modality, queries, *np.split(storage.read_array(self.layout.synthetic), ends))

    def _facets(self, queries: QueryData | None) -> Facets | None:
        if queries is None or not self.config.space.facets:
            return None
        drawn, folder = queries.queries, self.layout.facets
        arrays = storage.array_digest(drawn.wanted, drawn.bounds, drawn.facets)
        files = self.records["synthetic"].files
        fingerprint = storage.digest("facets", files, arrays, drawn.names, self.config.seed)

        def work() -> None:
            seed = self.config.seed
            fitted = fit_facets(
                drawn, queries.vectors, queries.labels, queries.plain, seed=seed, progress=self.progress
            )
            fitted.save(folder)

        self.stage("facets", fingerprint, work, lambda: Facets.paths(folder))
        return Facets.load(folder)

    def _taste(self, catalog: Catalog, split: Split) -> Taste | None:
        if not self.config.space.taste or catalog.interactions is None:
            return None
        config, seed, folder = self.config.space, self.config.seed, self.layout.taste
        train_on = training_interactions(catalog.interactions, split)
        check = held_out(catalog.interactions, split.validation, self.config.split.profile, seed)
        arrays = [train_on.user, train_on.item, train_on.weight, *check.profiles, *check.truths]
        settings = [config.taste_trials, config.ease_rank, config.rerank, seed, catalog.n_items, CHOSEN, RERANK_RECIPE]
        fingerprint = storage.digest("taste", settings, storage.array_digest(*arrays))
        table = folder / f"search-{fingerprint[:12]}.jsonl"

        def work() -> None:
            fitted = fit_taste(train_on, check, catalog.n_items, config, seed=seed, table=table, progress=self.progress)
            if config.rerank:
                matrix = user_item_matrix(train_on, catalog.n_items)
                fitted = replace(fitted, reranker=fit_reranker(matrix, fitted, seed=seed, progress=self.progress))
            fitted.save(folder)

        self.stage("taste", fingerprint, work, lambda: Taste.paths(folder))
        return Taste.load(folder)

    def _train(self, features: list[Features], queries: QueryData | None) -> JointModel:
        inputs: list[Any] = [self.records[f"features.{item.modality}"].files for item in features]
        if queries is not None:
            inputs.append(self.records["synthetic"].files)
            inputs.append(storage.array_digest(queries.queries.wanted, queries.queries.bounds, queries.queries.facets))
        settings = [
            self.config.joint.model_dump(mode="json"),
            self.config.train.model_dump(mode="json"),
            self.config.seed,
        ]
        fingerprint = storage.digest("train", settings, inputs)
        # A folder a fingerprint: a checkpoint of other data or settings is never gone on from.
        checkpoint = self.layout.model / f"checkpoint-{fingerprint[:12]}"

        def work() -> None:
            for old in self.layout.model.glob("checkpoint-*"):
                if old != checkpoint:
                    shutil.rmtree(old)
            model = train(
                features, self.config.joint, self.config.train,
                seed=self.config.seed, queries=queries, checkpoint=checkpoint, progress=self.progress,
            )  # fmt: skip
            model.save(self.layout.model)
            shutil.rmtree(checkpoint, ignore_errors=True)

        files = [self.layout.model / "model.safetensors", self.layout.model / "model.json"]
        self.stage("train", fingerprint, work, lambda: files)
        return JointModel.load(self.layout.model)

    def _publish(
        self,
        catalog: Catalog,
        descriptions: Descriptions,
        split: Split,
        features: list[Features],
        model: JointModel,
        taste: Taste | None,
        facets: Facets | None,
    ) -> None:
        inputs = [record.files for record in self.records.values()]
        space = self.config.space.model_dump(mode="json")
        names = [self.config.name, self.config.index.kind, FORMAT, [item.modality for item in features], space, RECIPE]
        fingerprint = storage.digest("publish", inputs, names, self.config.split.model_dump(mode="json"))

        def work() -> None:
            embedded = embed_items(model, features)
            content = [name for name, encoder in self.encoders.items() if encoder.accepts != "history"]
            texts = descriptions.best()
            vectors = {} if taste is None else taste_vectors(taste, features, model, embedded, content, texts)
            publish(
                self.layout,
                Contents(
                    name=self.config.name,
                    index=self.config.index.kind,
                    catalog=catalog,
                    embedded=embedded,
                    model=model,
                    encoders=self.encoders,
                    taste=taste,
                    taste_vectors=vectors,
                    facets=facets,
                    sides=self.sides,
                    texts=texts if self.config.space.lexical else None,
                    mixture=self._mixture(catalog, split, embedded, taste, vectors),
                ),
            )

        self.stage("publish", fingerprint, work, self._space_files)

    def _mixture(
        self,
        catalog: Catalog,
        split: Split,
        embedded: Embedded,
        taste: Taste | None,
        vectors: Mapping[str, NDArray[np.float32]],
    ) -> Mixture:
        space = self.config.space
        if not space.taste and not space.lexical and not space.facets:
            return Mixture(standardise=False)
        if taste is None or catalog.interactions is None:
            return Mixture(history={"joint": 1.0}, likes={"joint": 1.0})
        check = held_out(catalog.interactions, split.validation, self.config.split.profile, self.config.seed)
        return fit_mixture(embedded, taste, vectors, check)

    def _space_files(self) -> list[Path]:
        version = self.layout.spaces / self.layout.current.read_text(encoding="utf-8").strip()
        return [self.layout.current, *sorted(path for path in version.rglob("*") if path.is_file())]

    def _write_manifest(self) -> None:
        settings = self.config.model_dump(mode="json", exclude_none=True)
        storage.write_text(self.layout.config, tomli_w.dumps(settings))
        later = [record for name, record in self.before.items() if name not in self.records]
        stages = [vars(record) for record in self.records.values()]
        storage.write_json(
            self.layout.manifest,
            {"format": FORMAT, "antiphon": __version__, "seed": self.config.seed, "stages": stages + later},
        )


def _catalog_fingerprint(config: Config) -> str:
    catalog = config.catalog
    files = [catalog.items] if catalog.interactions is None else [catalog.items, catalog.interactions.file]
    for path in files:
        if not path.is_file():
            raise DataError(f"{path} does not exist; [catalog] names it.")
    media = {name: _listing(item.path) for name, item in catalog.media.items()}
    settings = catalog.model_dump(mode="json")
    return storage.digest("catalog", settings, [storage.cached_sha256(path) for path in files], media)


def _listing(path: Path) -> list[Any]:
    """Names, sizes and times of media files; their contents are read by the encoders that use them."""
    if not path.exists():
        raise DataError(f"{path} does not exist; media is a folder or a zip file.")
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def recorded(layout: RunLayout) -> dict[str, Any]:
    """The stages that a run's manifest has, by name; none where another version of antiphon wrote it."""
    try:
        manifest = storage.read_json(layout.manifest)
        # What another version of antiphon made may be made in another way by this one.
        same = manifest["format"] == FORMAT and manifest["antiphon"] == __version__
        stages = manifest["stages"] if same else []
        return {stage["name"]: vars(StageRecord(**stage)) for stage in stages}
    except (IntegrityError, KeyError, TypeError):
        return {}  # no run yet, or a manifest that says nothing: everything is done again
