"""Publishing: versions beside each other, one atomic step from the old to the new, nothing in use taken away."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from antiphon.base import storage
from antiphon.base.layout import RunLayout, SpaceLayout, space_id_of
from antiphon.channels.mixture import Mixture
from antiphon.data.catalog import Catalog
from antiphon.errors import DataError, RunError
from antiphon.joint.model import Embedded, Identity, JointModel
from antiphon.numbers.vectors import unit
from antiphon.run.publish import Contents, publish
from antiphon.space.loading import load

N = 6


def make_contents(seed: int = 0, **changes: Any) -> Contents:
    """A space of six items with one modality that takes no queries."""
    ids = [f"i{row}" for row in range(N)]
    catalog = Catalog(
        pa.table({"item_id": ids, "title": ids}), pa.table({"year": np.arange(N) * 1.0}), {"year": "number"}
    )
    vectors = unit(np.random.default_rng(seed).normal(size=(N, 4)))
    embedded = Embedded(("image",), vectors[None], np.ones((1, N), bool), vectors)
    encoder: Any = SimpleNamespace(name="precomputed", accepts=None)
    contents = Contents(
        name="x", catalog=catalog, embedded=embedded,
        model=JointModel({"image": Identity(4)}, {}),
        encoders={"image": encoder}, taste=None, taste_vectors={}, facets=None,
        lexical=None, passages=None, names=False, mixture=Mixture(standardise=False),
    )  # fmt: skip
    return dataclasses.replace(contents, **changes)


@pytest.fixture
def run(tmp_path: Path) -> RunLayout:
    """An empty run."""
    return RunLayout(tmp_path / "run")


def versions(run: RunLayout) -> set[str]:
    """Folders beside CURRENT."""
    return {path.name for path in run.spaces.iterdir() if path.is_dir()}


def test_a_published_space_is_the_current_one_and_loads(run: RunLayout) -> None:
    """CURRENT names the version; its manifest names every file with its checksum."""
    space_id = publish(run, make_contents())
    assert run.current.read_text(encoding="utf-8") == space_id + "\n"
    manifest = json.loads(SpaceLayout(run.spaces / space_id).manifest.read_text(encoding="utf-8"))
    assert manifest["space_id"] == space_id == space_id_of(manifest["files"])
    root = run.spaces / space_id
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert files == {*manifest["files"], "manifest.json"}
    assert all(storage.sha256(root / name) == expected for name, expected in manifest["files"].items())
    assert [hit.item_id for hit in load(run.root).similar("i0", k=99)] != []


def test_the_space_id_is_that_of_the_content(run: RunLayout, tmp_path: Path) -> None:
    """The same content has the same id anywhere; another vector, model or mixture has another."""
    first = publish(run, make_contents())
    assert publish(RunLayout(tmp_path / "elsewhere"), make_contents()) == first
    others = [make_contents(1), make_contents(mixture=Mixture(standardise=True))]
    assert len({first, *(publish(run, other) for other in others)}) == 3


def test_one_version_before_the_current_one_is_kept(run: RunLayout) -> None:
    """Publishing four versions leaves two; leftovers of a killed publishing go as well."""
    published = []
    for seed in range(4):
        (run.spaces / ".new-0123").mkdir(parents=True, exist_ok=True)
        published.append(publish(run, make_contents(seed)))
    assert versions(run) == set(published[-2:])


def test_the_version_before_is_the_one_that_was_named(run: RunLayout) -> None:
    """Whatever the clock said when versions were made: it is kept, and an older one goes."""
    first, second = (publish(run, make_contents(seed)) for seed in (0, 1))
    os.utime(run.spaces / second, (1, 1))
    os.utime(run.spaces / first, (4e9, 4e9))
    third = publish(run, make_contents(2))
    assert versions(run) == {second, third}


def test_a_version_that_is_loaded_is_kept(run: RunLayout) -> None:
    """As long as somebody holds a version it stays; then the next publishing removes it."""
    first = publish(run, make_contents(0))
    space = load(run.root)
    for seed in (1, 2, 3):
        publish(run, make_contents(seed))
    assert first in versions(run)
    space._held.close()
    publish(run, make_contents(4))
    assert first not in versions(run)


def test_a_name_or_index_changes_the_manifest_in_place(run: RunLayout) -> None:
    """The same vectors under another name keep their id, and the manifest says the new name."""
    first = publish(run, make_contents())
    assert publish(run, make_contents(name="y")) == first
    assert load(run.root).manifest["name"] == "y"
    assert versions(run) == {first}


@pytest.mark.parametrize("name", ["vectors.npy", "items.parquet", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_publishing_again_replaces_a_damaged_version(run: RunLayout, name: str, damage: str) -> None:
    """A version that is not what was published is not taken for the same content."""
    first = publish(run, make_contents())
    path = run.spaces / first / name
    path.unlink()
    if damage == "changed":
        path.write_bytes(b"something else")
    assert publish(run, make_contents()) == first
    assert versions(run) == {first}
    assert load(run.root).n_items == N


def test_a_space_without_any_vector_is_refused(run: RunLayout) -> None:
    """Nothing to search is an error, and nothing is written."""
    nothing = Embedded(
        ("image",), np.zeros((1, N, 4), np.float32), np.zeros((1, N), bool), np.zeros((N, 4), np.float32)
    )
    with pytest.raises(DataError, match="nothing to search"):
        publish(run, make_contents(embedded=nothing))
    assert not run.spaces.exists()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    """A run below a file is refused with its place."""
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot write"):
        publish(RunLayout(tmp_path / "file"), make_contents())


def test_what_fails_half_way_leaves_the_current_version(run: RunLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error while a version is written leaves CURRENT and no folder beside it."""
    first = publish(run, make_contents())

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JointModel, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        publish(run, make_contents(1))
    assert versions(run) == {first}
    assert run.current.read_text(encoding="utf-8").strip() == first
