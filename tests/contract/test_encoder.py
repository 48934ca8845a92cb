"""What every registered encoder promises, on a small catalog."""

from __future__ import annotations

import importlib
import importlib.util
import io
import runpy
import shutil
import wave
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.base.registry import find, names
from antiphon.config.load import load_config
from antiphon.config.sections import ModalityConfig
from antiphon.data.features import Features
from antiphon.data.reading import read_catalog
from antiphon.data.splits import make_split
from antiphon.describe.descriptions import describe
from antiphon.encoders.base import Encoder, Source, make_encoder
from antiphon.encoders.pictures.encoder import PictureEncoder
from antiphon.encoders.pictures.encoder import elsewhere as pictures_elsewhere
from antiphon.encoders.shards import encode_in_shards
from antiphon.encoders.sounds.encoder import AudioEncoder
from antiphon.errors import ConfigError, DataError, QueryError, RunError

tiny = runpy.run_path(str(Path(__file__).resolve().parents[1] / "support" / "tiny_clip.py"))
sounds = runpy.run_path(str(Path(__file__).resolve().parents[1] / "support" / "tiny_sound.py"))
spark = runpy.run_path(str(Path(__file__).resolve().parents[1] / "support" / "spark.py"))["spark"]
N_ITEMS = 21
ENCODERS = names("antiphon.encoders")
NEEDS = {
    "clap": "soundfile", "clip": "transformers", "efficientnet-lite": "efficientnet_lite_pytorch",
    "log-mel": "soundfile", "timm": "timm",
}  # fmt: skip
"""Packages that an encoder cannot do without, where they are not part of the development install."""


def picture(number: int) -> bytes:
    """A JPEG of its own."""
    return tiny["as_bytes"](tiny["picture"](number))


def sound(number: int) -> bytes:
    """A WAV of half a second with a tone of its own, at 16 kHz."""
    times = np.arange(8000) / 16_000
    samples = (np.sin(2 * np.pi * (200 + 70 * number) * times) * 12_000).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
    return out.getvalue()


@pytest.fixture
def source(make_catalog: Callable[..., Path]) -> Source:
    """A catalog of 21 films, described twice, in which each kind of vector and of file is missing somewhere."""
    media = {
        "image": {"path": "pictures.zip", "pattern": "{item_id}.jpg"},
        "audio": {"path": "sounds.zip", "pattern": "{item_id}.wav"},
    }
    settings = {"describe": {"mode": "template+gen"}, "catalog": {"media": media}}
    path = make_catalog(n_items=N_ITEMS, settings=settings)
    there = [number for number in range(N_ITEMS) if number % 7 != 6]
    tiny["write_zip"](path.parent / "pictures.zip", {f"film-{number:03}.jpg": picture(number) for number in there})
    tiny["write_zip"](path.parent / "sounds.zip", {f"film-{number:03}.wav": sound(number) for number in there})
    config = load_config(path)
    catalog = read_catalog(config.catalog)
    split = make_split(catalog, config.split, config.seed)
    return Source(catalog, describe(catalog, config.describe), split, config.split, config.seed)


@pytest.fixture
def make(
    tiny_text_model: Path, tiny_clip: Path, tiny_clap: Path, tmp_path: Path, source: Source
) -> Callable[..., Encoder[Any]]:
    """A function that makes an encoder by its registered name, with options that fit the catalog."""
    options: dict[str, dict[str, Any]] = {
        "als": {"trials": 2, "factors": [4]},
        "clap": {"model": str(tiny_clap)},
        "clip": {"model": str(tiny_clip)},
        "efficientnet-lite": {},
        "log-mel": {"model": str(sounds["make_log_mel"](tmp_path / "log-mel"))},
        "precomputed": {"file": str(tmp_path / "films" / "image.parquet")},
        "sentence-transformers": {"model": str(tiny_text_model)},
    }

    def one(name: str, **more: Any) -> Encoder[Any]:
        if name in NEEDS and not loads(NEEDS[name]):
            pytest.skip(f"the encoder {name!r} needs the package {NEEDS[name]!r}")
        if name == "timm":
            options["timm"] = {"model": str(tiny["make_timm"](tmp_path / "backbone"))}
        if name not in options:
            pytest.fail(f"a new encoder {name!r} is registered: say here how to make one, so that it is tested")
        return make_encoder(ModalityConfig(name="some", encoder=name, **{**options[name], **more}))

    return one


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small CLIP."""
    return tiny["make_clip"](tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture(scope="session")
def tiny_clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small CLAP."""
    return Path(sounds["make_clap"](tmp_path_factory.mktemp("clap") / "tiny"))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shards of four, so that a small catalog has several."""
    monkeypatch.setitem(encode_in_shards.__kwdefaults__, "shard_size", 4)
    monkeypatch.setattr(PictureEncoder, "shard_size", 4)
    monkeypatch.setattr(AudioEncoder, "shard_size", 4)


def loads(package: str) -> bool:
    """Whether a package is there and fits what is installed beside it."""
    if importlib.util.find_spec(package) is None:
        return False
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError):
        return False
    return True


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_registered_under_its_own_name(name: str) -> None:
    """The manifest of a space names the encoder by `name`; the registry must find it there."""
    kind = find("antiphon.encoders", name)
    assert issubclass(kind, Encoder)
    assert kind.name == name
    assert kind.accepts in (None, "text", "history", "image", "audio")


@pytest.mark.parametrize("name", ENCODERS)
def test_features_are_well_formed(name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path) -> None:
    """Vectors are (n_views, n_items, dim) float32, finite, of unit length where there are some, else zeros."""
    features = make(name).encode(source, tmp_path / "work", silent)
    assert features.modality == "some"
    assert features.matrix.dtype == np.float32
    assert features.matrix.shape[:2] == features.mask.shape == (len(features.views), source.catalog.n_items)
    assert features.mask.dtype == bool
    assert features.mask.any()
    assert np.isfinite(features.matrix).all()
    assert_allclose(np.linalg.norm(features.matrix, axis=2), features.mask.astype(float), atol=1e-5)


@pytest.mark.parametrize("name", ENCODERS)
def test_it_is_deterministic(name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path) -> None:
    """Two encodings from nothing are equal bit by bit, and so are their fingerprints."""
    first, second = (make(name).encode(source, tmp_path / work, silent) for work in ("a", "b"))
    assert_array_equal(first.matrix, second.matrix)
    assert_array_equal(first.mask, second.mask)
    assert make(name).fingerprint(source) == make(name).fingerprint(source)


@pytest.mark.parametrize("name", ENCODERS)
def test_it_goes_on_in_its_workspace(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Encoding again in the same workspace gives the same bits and the same files."""
    first = make(name).encode(source, tmp_path / "work", silent)
    files = sorted(path.name for path in (tmp_path / "work").rglob("*"))
    second = make(name).encode(source, tmp_path / "work", silent)
    assert_array_equal(first.matrix, second.matrix)
    assert sorted(path.name for path in (tmp_path / "work").rglob("*")) == files


@pytest.mark.parametrize("name", ENCODERS)
def test_a_second_run_is_a_cache_hit(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path, small_shards: None
) -> None:
    """Shards are not written a second time, and every other file of vectors comes out the same."""

    def state() -> dict[Path, Any]:
        shards = {path for path in (tmp_path / "work").rglob("*.npy") if path.with_suffix(".json").is_file()}
        others = set((tmp_path / "work").rglob("*.npy")) - shards
        return {path: path.stat().st_ino for path in shards} | {path: storage.sha256(path) for path in others}

    make(name).encode(source, tmp_path / "work", silent)
    before = state()
    make(name).encode(source, tmp_path / "work", silent)
    assert state() == before


def with_option(option: str) -> list[str]:
    """Encoders that have an option."""
    return [name for name in ENCODERS if option in find("antiphon.encoders", name).Options.model_fields]


@pytest.mark.parametrize("name", with_option("batch_size"))
def test_the_batch_size_makes_no_difference(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """One input at a time or all in one batch: the same vectors, up to rounding."""
    alone = make(name, batch_size=1).encode(source, tmp_path / "one", silent)
    together = make(name, batch_size=64).encode(source, tmp_path / "all", silent)
    assert_array_equal(alone.mask, together.mask)
    assert_allclose(alone.matrix, together.matrix, atol=1e-4)


@pytest.mark.parametrize("name", ENCODERS)
def test_killed_and_started_again_it_makes_the_same_bits(
    name: str,
    make: Callable[..., Encoder[Any]],
    source: Source,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_shards: None,
) -> None:
    """Killed at its first, a middle or its last write, and started again, it gives what an undisturbed run gives."""
    whole = make(name).encode(source, tmp_path / "whole", silent)
    real = storage.replacing
    writes: list[Path] = []

    def dying_at(number: int | None) -> Callable[[Path], AbstractContextManager[Path]]:
        def replacing(path: Path) -> AbstractContextManager[Path]:
            writes.append(path)
            if number is not None and len(writes) == number:
                raise KeyboardInterrupt
            return real(path)

        return replacing

    with monkeypatch.context() as patch:
        patch.setattr(storage, "replacing", dying_at(None))
        make(name).encode(source, tmp_path / "counted", silent)
    n_writes = len(writes)
    for number in sorted({1, n_writes // 2, n_writes} - {0}) if n_writes else ():
        writes.clear()
        with monkeypatch.context() as patch:
            patch.setattr(storage, "replacing", dying_at(number))
            with pytest.raises(KeyboardInterrupt):
                make(name).encode(source, tmp_path / f"killed-{number}", silent)
        again = make(name).encode(source, tmp_path / f"killed-{number}", silent)
        assert_array_equal(again.matrix, whole.matrix)
        assert_array_equal(again.mask, whole.mask)


@pytest.mark.parametrize("name", with_option("revision"))
def test_a_hub_model_needs_its_commit(name: str, make: Callable[..., Encoder[Any]], source: Source) -> None:
    """A model of the hub without a revision is refused before anything is read."""
    with pytest.raises(ConfigError, match="`revision`"):
        make(name, model="nobody/no-such-model").fingerprint(source)


@pytest.mark.parametrize("name", with_option("revision"))
def test_out_of_reach_of_the_hub_it_says_what_to_do(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that is neither here nor can be fetched is an error that names it, and asks for a local folder."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    encoder = make(name, model="nobody/no-such-model", revision="0" * 40)
    with pytest.raises(RunError, match=r"(?s)nobody/no-such-model.*hub.*folder"):
        encoder.encode(source, tmp_path / "work", silent)


@pytest.mark.parametrize("name", ENCODERS)
def test_features_come_back_from_disk(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """What an encoder made survives the files."""
    features = make(name).encode(source, tmp_path / "work", silent)
    features.save(tmp_path / "features")
    loaded = Features.load(tmp_path / "features", "some")
    assert loaded.views == features.views
    assert_array_equal(loaded.matrix, features.matrix)
    assert_array_equal(loaded.mask, features.mask)


@pytest.mark.parametrize("name", ENCODERS)
def test_unknown_options_are_refused(name: str, make: Callable[..., Encoder[Any]]) -> None:
    """A misspelt option is an error that names the modality."""
    given = make(name).options.model_dump(mode="json", exclude_none=True)
    with pytest.raises(ConfigError, match=r"modalities\.some\.no_such_option"):
        make_encoder(ModalityConfig(name="some", encoder=name, **given, no_such_option=1))


QUERIES: dict[str, Any] = {
    "text": ["a dark thriller", "東京 🎬", "x " * 5000],
    "history": [
        (np.array([0, 1, 2], np.int32), np.array([1, 2, 1], np.float32)),
        (np.array([3], np.int32), np.array([1], np.float32)),
        (np.array([4, 5], np.int32), np.array([1, 9], np.float32)),
    ],
    "image": [picture(0), picture(1), picture(200)],
    "audio": [sound(0), sound(1), sound(200)],
}


@pytest.fixture
def a_file(tmp_path: Path) -> Callable[[bytes], Path]:
    """A function that writes a file and returns its path."""

    def write(data: bytes) -> Path:
        path = tmp_path / "request.bin"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    "name", [name for name in ENCODERS if find("antiphon.encoders", name).accepts in ("image", "audio")]
)
def test_files_of_requests_come_as_bytes_or_paths(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path, a_file: Callable[[bytes], Path]
) -> None:
    """A query side for files takes bytes and paths, gives the item's own file its vector, and refuses a broken one."""
    encoder = make(name)
    features = encoder.encode(source, tmp_path / "work", silent)
    encoder.publish(tmp_path / "work", tmp_path / "side")
    side = type(encoder).query_side(tmp_path / "side")
    data = QUERIES[encoder.accepts or ""][0]
    assert_allclose(side.encode([data])[0], features.matrix[0, 0], atol=1e-4)
    assert_allclose(side.encode([a_file(data)]), side.encode([data]), atol=1e-6)
    for bad in (b"", b"this is nothing of the kind", data[: len(data) // 40]):
        with pytest.raises(QueryError):
            side.encode([bad])


@pytest.mark.parametrize("name", [name for name in ENCODERS if find("antiphon.encoders", name).accepts is not None])
def test_the_query_side_survives_publishing(
    name: str, make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Published and loaded from the folder alone, it makes unit vectors of the items' length, alone or in a batch."""
    encoder = make(name)
    features = encoder.encode(source, tmp_path / "work", silent)
    kept = encoder.kept(tmp_path / "work")
    assert all(path.is_file() for path in kept)
    encoder.publish(tmp_path / "work", tmp_path / "side")
    shutil.rmtree(tmp_path / "work")
    side = type(encoder).query_side(tmp_path / "side")
    inputs = QUERIES[encoder.accepts or ""]
    vectors = side.encode(inputs)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(inputs), features.dim)
    assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    again = type(encoder).query_side(tmp_path / "side")
    for one, expected in zip(inputs, vectors, strict=True):
        assert_allclose(again.encode([one])[0], expected, atol=1e-5)


@pytest.mark.parametrize("name", ["clip", "sentence-transformers"])
def test_what_spark_encodes_is_what_this_process_encodes(
    name: str,
    make: Callable[..., Encoder[Any]],
    source: Source,
    spark: Any,
    small_shards: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same shards to 1e-3, and a build without Spark encodes nothing again."""
    here, there = make(name), make(name)
    there.engine = spark
    expected = here.encode(source, tmp_path / "here", silent)
    for module in (
        "antiphon.encoders.text.encoder.TextEncoder._encoder",
        "antiphon.encoders.pictures.models.ClipEncoder.load",
    ):
        monkeypatch.setattr(module, lambda *_: pytest.fail("it was encoded in this process"))
    found = there.encode(source, tmp_path / "there", silent)
    assert_allclose(found.matrix, expected.matrix, atol=1e-3)
    assert_array_equal(found.mask, expected.mask)

    def shards(folder: str) -> list[str]:
        return sorted(path.relative_to(tmp_path / folder).as_posix() for path in (tmp_path / folder).rglob("*.*"))

    assert len(shards("there")) > 8
    assert shards("there") == shards("here")
    assert here.fingerprint(source) == there.fingerprint(source)
    again = here.encode(source, tmp_path / "there", silent)
    assert_array_equal(again.matrix, found.matrix)
    if name == "sentence-transformers":
        words = ["a quiet drama", "a dark thriller", "", "a quiet drama"]
        asked = there.encode_requests(words, tmp_path / "there", silent)
        assert_array_equal(here.encode_requests(words, tmp_path / "there", silent), asked)
        assert asked.shape == (4, found.dim)


def test_pictures_that_a_machine_of_spark_does_not_have_are_no_flaw(
    make: Callable[..., Encoder[Any]], source: Source, tmp_path: Path
) -> None:
    """Nothing is masked because a folder is not mounted: the machine and the file are named."""
    encoder = make("clip")
    settings = {"modality": "some", "encoder": "clip", "options": encoder.options.model_dump(mode="json")}
    path = source.catalog.media["image"].path
    encode = pictures_elsewhere({**settings, "path": str(path)})
    assert encode(["film-000.jpg", "film-001.jpg"]).any(axis=1).all()
    with pytest.raises(DataError, match=r"no-folder is not on .*mount their folder under the same path"):
        pictures_elsewhere({**settings, "path": str(tmp_path / "no-folder")})(["film-000.jpg"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"film-000\.jpg is not on "):
        pictures_elsewhere({**settings, "path": str(tmp_path / "empty")})(["film-000.jpg"])
