"""What encoders of pictures and of sounds share, with a model that counts bytes."""

from __future__ import annotations

import os
import runpy
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.config.sections import CatalogConfig, SplitConfig
from antiphon.data.catalog import Catalog, Media
from antiphon.data.descriptions import Descriptions
from antiphon.data.splits import Split
from antiphon.encoders import media
from antiphon.encoders.base import QueryKind, Source
from antiphon.encoders.files import MediaFiles, read_findings
from antiphon.encoders.media import MediaEncoder, MediaOptions, MediaQuerySide, Work, prepared_ahead
from antiphon.encoders.pictures.encoder import PictureEncoder
from antiphon.encoders.pictures.models import ClipEncoder, ClipOptions
from antiphon.encoders.sounds.encoder import AudioEncoder, AudioOptions
from antiphon.encoders.sounds.models import LogMelEncoder
from antiphon.errors import ConfigError, IntegrityError, MissingExtraError, RunError

SUPPORT = Path(__file__).parents[2] / "support"
clip, sound = (runpy.run_path(str(SUPPORT / f"tiny_{name}.py")) for name in ("clip", "sound"))
NOBODY = np.zeros(0, dtype=np.int64)


class Count:
    """A model: how many of a file's bytes are `a`, and how many are not."""

    def encode(self, files: Sequence[bytes]) -> NDArray[np.float32]:
        """Both counts, (n, 2)."""
        return np.array([(data.count(b"a"), len(data) - data.count(b"a")) for data in files], dtype=np.float32)


class CountSide(MediaQuerySide[Count]):
    """Counts the bytes of requests."""

    def encode(self, inputs: Sequence[bytes | Path]) -> NDArray[np.float32]:
        """Counts."""
        return self.model.encode([value if isinstance(value, bytes) else value.read_bytes() for value in inputs])


class CountEncoder(MediaEncoder[MediaOptions, Count]):
    """Counts bytes."""

    name: ClassVar[str] = "count"
    accepts: ClassVar[QueryKind | None] = "image"
    noun, max_file, shard_size, side_file, Side, target = "byte", 100, 2, "count.json", CountSide, "no:decoder"
    version: ClassVar[str] = "one"
    calls: ClassVar[list[list[int]]] = []

    def settings(self) -> dict[str, Any]:
        """A name."""
        return {"model": "count"}

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """A hash of name and version."""
        return storage.digest(settings["model"], cls.version)

    @classmethod
    def load(cls, settings: dict[str, Any]) -> Count:
        """The model."""
        return Count()

    def encode_files(self, model: Count, work: Work, keys: Sequence[str]) -> NDArray[np.float32]:
        """Counts; which rows were asked for is remembered."""
        rows = [work.row_of[key] for key in keys]
        self.calls.append(rows)
        return model.encode([work.files.read(row) for row in rows])

    def report(self, work: Work, mask: NDArray[np.bool_]) -> None:
        """Which items have a vector."""
        storage.write_json(work.workspace / "report.json", mask.tolist())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Rows that were encoded, a list a shard."""
    seen: list[list[int]] = []
    monkeypatch.setattr(CountEncoder, "calls", seen)
    return seen


def source_of(folder: Path, files: Sequence[bytes | None], name: str = "files") -> Source:
    """Items with these files."""
    folder.mkdir(exist_ok=True)
    ids = [f"i{number}" for number in range(len(files))]
    for item_id, data in zip(ids, files, strict=True):
        if data is not None:
            (folder / item_id).write_bytes(data)
    media = {name: Media(folder, "{item_id}", np.array([data is not None for data in files]))}
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {}, media=media)
    return Source(catalog, Descriptions({}), Split(NOBODY, NOBODY, NOBODY, NOBODY), SplitConfig(), 0)


def make() -> CountEncoder:
    """The encoder as a configuration would make it."""
    return CountEncoder("some", MediaOptions(media="files"))


def test_items_with_one_file_share_a_vector(tmp_path: Path, calls: list[list[int]]) -> None:
    """Each file is encoded once, in shards, for the first item that has it; without a file there is no vector."""
    files = [b"a", b"b", None, b"a", b"aaab", b"b"]
    features = make().encode(source_of(tmp_path / "files", files), tmp_path / "work", silent)
    assert calls == [[0, 1], [4]]
    expected = np.array([[1, 0], [0, 1], [0, 0], [1, 0], [3 / 10**0.5, 1 / 10**0.5], [0, 1]], dtype=np.float32)
    assert_allclose(features.matrix[0], expected, atol=1e-6)
    assert features.mask[0].tolist() == [True, True, False, True, True, True]
    assert storage.read_json(tmp_path / "work" / "report.json") == features.mask[0].tolist()


def test_a_catalog_without_files_has_no_vectors(tmp_path: Path, calls: list[list[int]]) -> None:
    """Nothing is encoded, and every item is masked."""
    features = make().encode(source_of(tmp_path / "files", [None, None]), tmp_path / "work", silent)
    assert calls == []
    assert features.mask.tolist() == [[False, False]]


def test_another_model_encodes_again(tmp_path: Path, calls: list[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards are those of one model; what it made is kept beside the shards of the other."""
    source = source_of(tmp_path / "files", [b"a", b"b"])
    make().encode(source, tmp_path / "work", silent)
    make().encode(source, tmp_path / "work", silent)
    assert calls == [[0, 1]]
    first = f"shards-{make().identity()[:12]}"
    monkeypatch.setattr(CountEncoder, "version", "two")
    make().encode(source, tmp_path / "work", silent)
    assert calls == [[0, 1], [0, 1]]
    assert {path.name for path in (tmp_path / "work").iterdir() if path.is_dir()} == {
        first, f"shards-{make().identity()[:12]}"
    }  # fmt: skip


@pytest.mark.parametrize(("kind", "word"), [(AudioEncoder, "audio"), (PictureEncoder, "image")])
def test_fingerprints_are_of_kind_model_items_and_files(tmp_path: Path, kind: type[Any], word: str) -> None:
    """Nothing else is in them: what was built before stays valid."""
    source = source_of(tmp_path / "files", [b"a", None], name="mine")
    stamp = MediaFiles.of(source.catalog, "mine", 100).stamp()
    parts = {"identity": lambda self: "of the model", "settings": dict, "load": None, "identity_of": None}
    made = type("Made", (kind,), parts)("some", MediaOptions(media="mine"))
    assert made.fingerprint(source) == storage.digest(word, "of the model", ["i0", "i1"], stamp)


def test_media_that_the_configuration_does_not_name_are_refused() -> None:
    """The modality and the name stand in the sentence."""
    with pytest.raises(ConfigError, match=r"modality 'some'.*\[catalog\.media\.files\]"):
        make().check(CatalogConfig.model_construct(media={}))


def test_a_query_side_has_the_model_of_its_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It encodes as they were encoded; another model is refused with its kind and its name."""
    make().publish(tmp_path / "work", tmp_path / "side")
    side = CountEncoder.query_side(tmp_path / "side")
    assert isinstance(side, CountSide)
    assert side.settings == {"model": "count", "identity": make().identity()}
    assert side.encode([b"aab"]).tolist() == [[2, 1]]
    monkeypatch.setattr(CountEncoder, "version", "two")
    with pytest.raises(IntegrityError, match="the byte model 'count' is not the one"):
        CountSide(CountEncoder, tmp_path / "side").warm()


def test_warm_lets_a_missing_package_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other queries are answered without it; a file is refused with the package's name."""

    def missing(settings: dict[str, Any]) -> Count:
        raise MissingExtraError("counting", "count", "counting bytes")

    make().publish(tmp_path / "work", tmp_path / "side")
    monkeypatch.setattr(CountEncoder, "load", missing)
    side = CountSide(CountEncoder, tmp_path / "side")
    side.warm()
    with pytest.raises(MissingExtraError, match="counting"):
        side.encode([b"a"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 4), st.integers(0, 9))
def test_rows_are_prepared_in_order(rows: list[int], workers: int, ahead: int) -> None:
    """However many threads there are, each row comes once, in its place."""
    assert list(prepared_ahead(lambda row: row * 2, rows, workers, ahead)) == [row * 2 for row in rows]


def test_no_more_is_prepared_than_was_asked_for() -> None:
    """Threads are at most `ahead` rows before the one that is used: files are large."""
    started: list[int] = []
    lock = threading.Lock()

    def prepare(row: int) -> int:
        with lock:
            started.append(row)
        return row

    for used, row in enumerate(prepared_ahead(prepare, range(20), 2, 3)):
        assert row == used
        assert len(started) <= used + 1 + 3


HOSTILE = """
import os
from antiphon.encoders.pictures.files import decode_call as picture
from antiphon.encoders.sounds.files import listen_call as sound

def act(data):
    if data.startswith(b"HANG"):
        while True: pass
    if data.startswith(b"GROW"):
        kept = [bytearray(1_000_000_000) for _ in range(20)]
    if data.startswith(b"CRASH"):
        os.abort()

def decode_call(header, data):
    act(data)
    return picture(header, data)

def listen_call(header, data):
    act(data)
    return sound(header, data)
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders that hang, grow or crash on some files, for encoders of pictures and of sounds."""
    (tmp_path / "hostile_decoders.py").write_text(HOSTILE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(PictureEncoder, "target", "hostile_decoders:decode_call")
    monkeypatch.setattr(AudioEncoder, "target", "hostile_decoders:listen_call")
    monkeypatch.setattr(media, "SECONDS", 3.0)


def encoded_with_harm(encoder: MediaEncoder[Any, Any], good: bytes, path: Path) -> tuple[list[bool], dict[str, int]]:
    """Which of a good file, three that do harm and a good file have a vector, and what was found in them."""
    files = [good, b"HANG", b"GROW", b"CRASH", good + b" "]
    features = encoder.encode(source_of(path / "files", files, encoder.options.media), path / "work", silent)
    return features.mask[0].tolist(), {finding.kind: finding.count for finding in read_findings(path / "work")}


def test_a_build_outlives_decoders_of_pictures_that_hang_grow_or_crash(hostile: None, tmp_path: Path) -> None:
    """Such a picture has no vector and is counted; the others have theirs, and a build does not end."""
    pytest.importorskip("transformers")
    folder = clip["make_clip"](tmp_path / "clip")
    one = ClipEncoder("image", ClipOptions(model=str(folder)))
    mask, found = encoded_with_harm(one, clip["as_bytes"](clip["picture"](1), "PNG"), tmp_path)
    assert mask == [True, False, False, False, True]
    assert found == {
        "pictures that take too long, or too much memory, to decode": 3,
        "pictures whose suffix says something else": 2,
    }


def test_a_build_outlives_decoders_of_sounds_that_hang_grow_or_crash(hostile: None, tmp_path: Path) -> None:
    """As pictures."""
    pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    one = LogMelEncoder("sound", AudioOptions(model=str(sound["make_log_mel"](tmp_path / "network"))))
    mask, found = encoded_with_harm(one, sound["as_file"](sound["tone"](300)), tmp_path)
    assert mask == [True, False, False, False, True]
    assert found == {"sounds that take too long, or too much memory, to decode": 3}


def test_a_build_that_cannot_start_a_decoder_is_no_build_without_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are not to blame: it is an error, and no shard says that they have no vector."""
    pytest.importorskip("soundfile")
    monkeypatch.setattr(AudioEncoder, "target", "no_such_decoder:listen_call")
    one = LogMelEncoder("sound", AudioOptions(model=str(sound["make_log_mel"](tmp_path / "network"))))
    source = source_of(tmp_path / "files", [sound["as_file"](sound["tone"](300))], "audio")
    with pytest.raises(RunError, match="could not be started"):
        one.encode(source, tmp_path / "work", silent)
    assert not list((tmp_path / "work").rglob("*.npy"))
