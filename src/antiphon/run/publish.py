"""Publishing a space: a new version is written beside the old one, then `CURRENT` names it.

A reader opens one version or the other. The space id is a hash over the checksums of all files: vectors, model and
query side of different builds never share one.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import runtime, storage, versions
from antiphon.base.language import ENGLISH, Language
from antiphon.base.layout import CODED, FORMAT, RunLayout, SpaceLayout, space_id_of
from antiphon.channels.facets import Facets
from antiphon.channels.mixture import Mixture, covariance_of
from antiphon.channels.near import cuts_of
from antiphon.channels.passages import Passages
from antiphon.channels.taste import Taste, popularity_of
from antiphon.channels.told import write_codes_of_texts
from antiphon.channels.words import Lexical
from antiphon.data.catalog import Catalog
from antiphon.encoders.base import Encoder
from antiphon.errors import DataError, IntegrityError, MismatchError, RunError
from antiphon.joint.model import Embedded, JointModel
from antiphon.numbers.codes import LARGE, fit_codes
from antiphon.numbers.map import groups_of, project_2d
from antiphon.numbers.rough import write_rough
from antiphon.run.stage import Offer

Floats = NDArray[np.float32]
BESIDE = ".new-"


@dataclass(frozen=True)
class Contents:
    """Everything that a version of a space is made of."""

    name: str
    catalog: Catalog
    embedded: Embedded
    model: JointModel
    encoders: Mapping[str, Encoder[Any]]
    taste: Taste | None
    taste_vectors: Mapping[str, Floats]
    """Item vectors of the blocks of taste."""
    facets: Facets | None
    lexical: Lexical | None
    passages: Passages | None
    names: bool
    """Whether texts are read for names of items."""
    mixture: Mixture
    sides: Mapping[str, Path] = field(default_factory=dict)
    """Folders of query sides that are published as they are."""
    language: Language = ENGLISH
    """That of the requests."""
    hidden: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Field -> values that are not shown for choosing; * is anything."""
    spoken: Sequence[str] | None = None
    """Fields whose values requests name; all where not given."""


def publish(run: RunLayout, contents: Contents, offer: Offer = lambda _, __: None) -> str:
    """Write a version of the space and make it the current one; returns its space id.

    `offer` is told of it in between: a store has a version before anybody is told to ask for it.

    Raises:
        DataError: no item has any modality.
        RunError: the folder cannot be written to.
    """
    if not contents.embedded.searchable.any():
        raise DataError("no item has a vector of any modality, so there is nothing to search; see `antiphon inspect`.")
    try:
        run.spaces.mkdir(parents=True, exist_ok=True)
        forget_unfinished(run)
        beside = Path(tempfile.mkdtemp(prefix=BESIDE, dir=run.spaces))
    except OSError as error:
        raise RunError(f"cannot write {run.spaces}: {error.strerror}. Check permissions and free space.") from error
    try:
        layout = SpaceLayout(beside)
        _write_items(layout, contents.catalog, contents.embedded)
        blocks = _write_vectors(layout, contents)
        _write_query_sides(run, layout, contents)
        write_codes(layout, blocks)
        space_id = _write_manifest(layout, contents, blocks)
        place(beside, run.spaces / space_id)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    offer(run.root, space_id)
    make_current(run, space_id)
    return space_id


def _write_items(layout: SpaceLayout, catalog: Catalog, embedded: Embedded) -> None:
    storage.write_table(layout.items, catalog.items.select(["item_id", "title"]))
    storage.write_table(layout.fields, catalog.fields)
    storage.write_array(layout.parts, embedded.parts)
    storage.write_array(layout.present, embedded.present)
    storage.write_array(layout.map, project_2d(embedded.vectors, groups_of(embedded.present)))
    interactions = catalog.interactions
    if interactions is None:
        return
    liked = interactions.select(interactions.positive)
    storage.write_table(layout.users, pa.table({"user_id": list(liked.user_ids)}))
    storage.write_array(layout.user_bounds, liked.bounds())
    storage.write_array(layout.user_items, liked.item)
    storage.write_array(layout.user_weights, liked.weight)


def _write_vectors(layout: SpaceLayout, contents: Contents) -> dict[str, list[int]]:
    """Write the item vectors and their covariances; returns the columns of each block, [start, stop)."""
    parts = {"joint": contents.embedded.vectors, **contents.taste_vectors}
    storage.write_array(layout.vectors, np.concatenate(list(parts.values()), axis=1).astype(np.float32))
    blocks, start = {}, 0
    for name, part in parts.items():
        blocks[name] = [start, start + part.shape[1]]
        start += part.shape[1]
        if contents.mixture.standardise:
            storage.write_array(layout.covariance(name), covariance_of(part, contents.embedded.searchable))
    return blocks


def write_codes(layout: SpaceLayout, blocks: Mapping[str, Sequence[int]]) -> None:
    """Write the codes of the vectors that are many, of what is written already.

    None of items where faiss is not installed.
    """
    vectors = storage.read_array(layout.vectors, mmap=True)
    if len(vectors) <= LARGE:
        _write_rough(layout)
        return
    if not runtime.has("faiss"):
        return
    users = storage.read_array(layout.taste / "users.npy") if layout.taste.is_dir() else None
    popularity = None if users is None else popularity_of(users)
    for_all, for_texts = (layout.codes / name for name in CODED)
    made, codes = fit_codes(vectors, popularity, cuts=cuts_of(blocks))
    made.save(for_all, codes)
    if layout.passages.is_dir():
        write_codes_of_texts(for_texts, vectors[:, slice(*blocks["joint"])], Passages.load(layout.passages), popularity)


def _write_rough(layout: SpaceLayout) -> None:
    """Write the passages of a small catalog in eight bits where they are many."""
    if layout.passages.is_dir() and (passages := Passages.load(layout.passages)).n_passages > LARGE:
        write_rough(layout.rough, passages.vectors)


def _write_query_sides(run: RunLayout, layout: SpaceLayout, contents: Contents) -> None:
    contents.model.save(layout.model)
    contents.mixture.save(layout.mixture)
    if not contents.language.key:
        storage.write_text(layout.language, contents.language.source)
    for modality, encoder in contents.encoders.items():
        if modality in contents.sides:
            storage.copy_tree(contents.sides[modality], layout.query_side(modality))
        elif encoder.accepts is not None:
            encoder.publish(run.workspace(modality), layout.query_side(modality))
    if contents.taste is not None:
        contents.taste.save(layout.taste)
    if contents.facets is not None:
        contents.facets.save(layout.facets)
    if contents.lexical is not None:
        contents.lexical.save(layout.lexical)
    if contents.passages is not None:
        contents.passages.save(layout.passages)


def _write_manifest(layout: SpaceLayout, contents: Contents, blocks: Mapping[str, list[int]]) -> str:
    embedded, encoders = contents.embedded, contents.encoders
    files = {
        file.relative_to(layout.root).as_posix(): storage.sha256(file)
        for file in sorted(layout.root.rglob("*"))
        if file.is_file()
    }
    space_id = space_id_of(files)
    modalities = {
        modality: {
            "encoder": encoders[modality].name,
            "accepts": encoders[modality].accepts,
            "coverage": float(present.mean()),
        }
        for modality, present in zip(embedded.modalities, embedded.present, strict=True)
    }
    n_searchable = int(embedded.searchable.sum())
    storage.write_sealed(
        layout.manifest,
        {
            "format": FORMAT,
            "space_id": space_id,
            "name": contents.name,
            "dim": contents.model.dim,
            "names": contents.names,
            "spoken": contents.spoken if contents.spoken is None else list(contents.spoken),
            "language": contents.language.key or contents.language.name,
            "blocks": dict(blocks),
            "n_items": len(embedded.vectors),
            "n_searchable": n_searchable,
            "modalities": modalities,
            "order": list(embedded.modalities),
            "field_types": dict(contents.catalog.field_types),
            "hidden": {name: list(values) for name, values in contents.hidden.items()},
            "files": files,
        },
    )
    return space_id


def place(beside: Path, target: Path) -> None:
    """Move a finished version to where versions are; one that is there already and whole is kept."""
    for path in [*beside.rglob("*"), beside]:  # not every file was written by `storage`
        storage.sync(path)
    beside.chmod(0o755)
    new, old = SpaceLayout(beside), SpaceLayout(target)
    if target.is_dir() and _intact(old):
        # The same id is the same content; what the manifest says beside it may differ, such as the name.
        new.manifest.replace(old.manifest)
        storage.sync(target)
        return
    if target.is_dir():
        target.rename(beside.with_name(f"{beside.name}.broken"))
    beside.rename(target)
    storage.sync(target.parent)
    shutil.rmtree(beside.with_name(f"{beside.name}.broken"), ignore_errors=True)


def _intact(layout: SpaceLayout) -> bool:
    try:
        versions.verified(layout)
    except (IntegrityError, MismatchError):
        return False
    return True


def forget_unfinished(run: RunLayout) -> None:
    """Remove what a publishing that was killed has left; only by whoever holds the run."""
    for left in run.spaces.glob(f"{BESIDE}*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in run.spaces.glob(f".*{storage.PART}"):
        left.unlink(missing_ok=True)


def settle(run: RunLayout) -> None:
    """Put the files of a grown run whose space is the published one into their places; forget one that got less far."""
    beside = RunLayout(run.growing)
    if beside.current.is_file() and run.current.is_file() and beside.current.read_bytes() == run.current.read_bytes():
        files = [path for path in sorted(beside.root.rglob("*")) if path.is_file() and path != beside.manifest]
        # The manifest comes last: the stages are those of the files that it names.
        for file in [*files, beside.manifest]:
            to = run.root / file.relative_to(beside.root)
            if file.is_file() and beside.spaces not in file.parents:
                to.parent.mkdir(parents=True, exist_ok=True)
                file.replace(to)
        storage.sync(run.root)
    shutil.rmtree(beside.root, ignore_errors=True)


def make_current(run: RunLayout, space_id: str) -> None:
    """Name a version that is in its place as the current one, and remove those that are not kept.

    The one before is the one that was named until now, whatever the clock has said meanwhile; times of folders only
    count where none was.
    """
    before = run.current.read_bytes().decode("ascii", errors="replace").strip() if run.current.is_file() else ""
    storage.write_text(run.current, space_id + "\n")
    old = sorted(
        (path for path in run.spaces.iterdir() if path.is_dir() and path.name != space_id),
        key=lambda path: (path.name == before, path.stat().st_mtime),
    )
    for path in old[: max(0, len(old) - (versions.KEPT - 1))]:
        # A process whose vectors are in a store holds the manifest.
        if not storage.in_use(SpaceLayout(path).vectors) and not storage.in_use(SpaceLayout(path).manifest):
            shutil.rmtree(path, ignore_errors=True)
