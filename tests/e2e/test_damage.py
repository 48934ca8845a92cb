"""A run on a disk that loses bits: nothing damaged is read as if it were whole, and what can be is made again."""

from __future__ import annotations

import errno
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import antiphon
from antiphon.base import storage
from antiphon.base.layout import RunLayout, SpaceLayout
from antiphon.config.load import load_config
from antiphon.errors import AntiphonError, IntegrityError, RunError
from antiphon.run.build import build
from antiphon.run.growing import add_items

FLIPS = 40
"""Places of a small file that are damaged, one after another."""
REMADE = (
    "catalog/items.parquet", "catalog/fields.parquet", "descriptions.parquet", "features/text.npy",
    "features/image.npy", "features/image.mask.npy", "features/cf.work/item_factors.npy", "features/cf.npy",
    "model/model.safetensors", "model/model.json",
)  # fmt: skip


@pytest.fixture(scope="module")
def more(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films that the run does not have."""
    table = pq.read_table(tiny_run.project.parent / "items.parquet").slice(0, 2)
    file = tmp_path_factory.mktemp("more") / "more.parquet"
    column = table.schema.get_field_index("item_id")
    pq.write_table(table.set_column(column, "item_id", [["film-901", "film-902"]]), file)
    return file


@pytest.fixture(scope="module")
def grown_id(tiny_run: Any, more: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The space that has them, where nothing is damaged."""
    run = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(tiny_run.run, run)
    return add_items(run, more).space_id


def flip(path: Path, place: int, bit: int = 0) -> None:
    """Turn one bit of a file, which is no other name of another one afterwards."""
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.unlink()
    path.write_bytes(data)


@pytest.mark.parametrize("name", REMADE)
def test_added_items_are_never_put_beside_damaged_files(own_run: Any, more: Path, grown_id: str, name: str) -> None:
    """`add` says which file is damaged and makes it again: the space is the one of an undamaged run."""
    path = own_run.run / name
    flip(path, path.stat().st_size // 2)
    told: list[str] = []
    assert add_items(own_run.run, more, notify=told.append).space_id == grown_id
    assert any(name in line and "made again" in line for line in told), told


def test_what_cannot_be_made_again_is_named(own_run: Any, more: Path) -> None:
    """After `add` the vectors of a modality come from two places: where they are damaged, the file is named."""
    add_items(own_run.run, more)
    path = own_run.run / "features" / "text.npy"
    flip(path, path.stat().st_size // 2)
    before = own_run.space_id
    with pytest.raises(IntegrityError, match=r"features/text\.npy.*SHA-256.*antiphon build"):
        add_items(own_run.run, more, replace=True)
    assert own_run.space_id == before


def test_a_configuration_that_was_changed_afterwards_is_not_the_run_s(own_run: Any, more: Path) -> None:
    """Items are not added with other settings than those that everything else was made with."""
    path = own_run.run / "config.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('name = "films"', 'name = "fi1ms"'), encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"config\.toml.*SHA-256"):
        add_items(own_run.run, more)


def test_a_damaged_shard_does_not_become_part_of_a_space(own_run: Any) -> None:
    """Vectors are encoded again where the shard that has them is not what was written."""
    shards = sorted((own_run.run / "features" / "text.work").glob("*/*.npy"))
    assert shards
    for shard in shards:
        flip(shard, shard.stat().st_size - 3, 6)
    for name in ("text.npy", "synthetic.npy"):
        (own_run.run / "features" / name).unlink()
    (own_run.run / "practice" / "vectors.npy").unlink()
    before = own_run.space_id
    build(load_config(own_run.project), own_run.run)
    assert own_run.space_id == before


def damaged(path: Path, chance: random.Random) -> Iterator[bytes]:
    """Contents of a file with one bit turned, a piece cut off, or a piece zeroed."""
    whole = path.read_bytes()
    for _ in range(FLIPS):
        data = bytearray(whole)
        place = chance.randrange(len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data = data[:place]
        elif kind == 1:
            data[place : place + 8] = bytes(8)
        else:
            data[place] ^= 1 << chance.randrange(8)
        yield bytes(data)


def loaded(run: Path) -> tuple[str | None, Any]:
    """What is said of a space that cannot be loaded, or the space."""
    try:
        return None, antiphon.load(run)
    except AntiphonError as error:
        return str(error), None


@pytest.mark.parametrize("name", ["CURRENT", "manifest.json"])
def test_broken_bytes_of_a_published_space_are_an_error_that_says_what_to_do(own_run: Any, name: str) -> None:
    """Whatever stands in CURRENT or in the manifest: an error of ours that names the file, or the same space."""
    path = RunLayout(own_run.run).current if name == "CURRENT" else own_run.version / name
    whole, space_id, said = path.read_bytes(), own_run.space_id, antiphon.load(own_run.run).manifest
    refused = 0
    for data in damaged(path, random.Random(16)):
        path.unlink()
        path.write_bytes(data)
        error, space = loaded(own_run.run)
        if error is None:
            assert (space.space_id, space.manifest) == (space_id, said)
        else:
            refused += 1
            assert "again" in error
            assert str(own_run.run) in error
    path.write_bytes(whole)
    assert refused > FLIPS // 2


@pytest.mark.parametrize("said", [b"", b"../../elsewhere", b"\xff\xfe", b"0123456789abcdef", b"0123456789abcde/"])
def test_current_has_a_shape(own_run: Any, call: Callable[..., Any], said: bytes) -> None:
    """It names the folder of a version beside it, and nothing else; the error says which there are."""
    known = own_run.space_id
    (own_run.run / "space" / "CURRENT").write_bytes(said)
    code, _, err = call("search", own_run.run, "dark")
    assert code == 2
    assert "CURRENT" in err
    assert known in err


def test_a_manifest_without_its_checksum_is_not_the_one_that_was_written(own_run: Any) -> None:
    """Spaces from before there were checksums have another format, and are refused for that."""
    layout = SpaceLayout(own_run.version)
    storage.write_json(layout.manifest, storage.read_sealed(layout.manifest))
    with pytest.raises(IntegrityError, match="checksum"):
        antiphon.load(own_run.run)


def test_what_a_cut_publish_leaves_goes_with_the_next_one(own_run: Any, more: Path) -> None:
    """A process that died while it wrote CURRENT leaves a file, which `add` removes."""
    left = own_run.run / "space" / ".CURRENT.0123.part"
    left.write_text("half", encoding="utf-8")
    add_items(own_run.run, more)
    assert not left.exists()


def test_a_build_that_cannot_put_files_into_their_places_says_so(own_run: Any) -> None:
    """What an `add` that was cut off has left is put into its places first: where that fails, it is a sentence."""
    layout = RunLayout(own_run.run)
    beside = RunLayout(layout.growing)
    beside.spaces.mkdir(parents=True)
    beside.current.write_bytes(layout.current.read_bytes())
    beside.descriptions.write_bytes(b"of the larger catalog")
    layout.descriptions.unlink()
    layout.descriptions.mkdir()
    with pytest.raises(RunError, match="cannot write"):
        build(load_config(own_run.project), own_run.run)


def test_a_space_whose_files_cannot_be_opened_is_not_damaged(own_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many open files, or no right to read: the reason of the system, and no advice to build again."""

    def fails(path: Path) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(storage, "sha256", fails)
    with pytest.raises(RunError, match=r"cannot be read \(Too many open files\)") as caught:
        antiphon.load(own_run.run)
    assert "build the run again" not in str(caught.value)
