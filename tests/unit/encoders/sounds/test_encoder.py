"""Encoders of sounds: known content through a tiny CLAP and a log-mel network, pooling, flaws, and broken models."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.config.sections import CatalogConfig, MediaConfig, SplitConfig
from antiphon.data.catalog import Catalog, Media
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.splits import Split
from antiphon.encoders.base import Source
from antiphon.encoders.files import read_findings
from antiphon.encoders.sounds.encoder import AudioEncoder, AudioOptions
from antiphon.encoders.sounds.models import ClapEncoder, ClapOptions, LogMelEncoder
from antiphon.errors import ConfigError, IntegrityError, QueryError
from antiphon.numbers.vectors import unit

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

tiny = runpy.run_path(str(Path(__file__).parents[3] / "support" / "tiny_sound.py"))
tone, chord, chirp, noise, as_file = tiny["tone"], tiny["chord"], tiny["chirp"], tiny["noise"], tiny["as_file"]
RATE, MELS = tiny["RATE"], tiny["MELS"]
NOBODY = np.empty(0, dtype=np.int64)
KNOWN = {
    "low tone": lambda seconds, rate: tone(200, seconds, rate),
    "high tone": lambda seconds, rate: tone(4000, seconds, rate),
    "chord": lambda seconds, rate: chord(600, seconds, rate),
    "noise": lambda seconds, rate: noise(1, seconds, rate),
    "chirp": lambda seconds, rate: chirp(300, 3000, seconds, rate),
}


@pytest.fixture(scope="session")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small CLAP."""
    pytest.importorskip("transformers")
    return tiny["make_clap"](tmp_path_factory.mktemp("clap") / "tiny")


@pytest.fixture
def log_mel(tmp_path: Path) -> Path:
    """The folder of the network that says what a sound is made of."""
    return tiny["make_log_mel"](tmp_path / "network")


def make(folder: Path, *, kind: str = "log-mel", **options: Any) -> AudioEncoder[Any]:
    """An encoder as the configuration makes it."""
    if kind == "clap":
        return ClapEncoder("sound", ClapOptions(model=str(folder), **options))
    return LogMelEncoder("sound", AudioOptions(model=str(folder), **options))


def source_of(folder: Path, files: dict[str, bytes | None]) -> Source:
    """Items with these files, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        if data is not None:
            (folder / f"{name}.snd").write_bytes(data)
    ids = list(files)
    media = {"audio": Media(folder, "{item_id}.snd", np.array([data is not None for data in files.values()]))}
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {}, media=media)
    return Source(catalog, Descriptions({}), Split(NOBODY, NOBODY, NOBODY, NOBODY), SplitConfig(), 0)


def encoded(encoder: AudioEncoder[Any], source: Source, work: Path) -> Features:
    """The features of one view."""
    return encoder.encode(source, work, silent)


def test_a_vector_says_what_is_in_the_sound(log_mel: Path, tmp_path: Path) -> None:
    """Through a network that pools the spectrogram, a tone is one band, a chord three, a chirp many, noise all."""
    encoder = make(log_mel)
    names = ("low tone", "high tone", "chord", "noise", "chirp")
    source = source_of(tmp_path / "files", {name: as_file(KNOWN[name](1, RATE)) for name in names})
    features = encoded(encoder, source, tmp_path / "work")
    spec = encoder.load(encoder.settings()).spec
    from antiphon.encoders.sounds.mel import mel_filters

    filters = mel_filters(spec)
    bands = dict(zip(names, features.matrix[0], strict=True))

    def band(hertz: float) -> int:
        return int(filters[round(hertz / RATE * spec.n_fft)].argmax())

    assert int(bands["low tone"].argmax()) == band(200)
    assert int(bands["high tone"].argmax()) == band(4000)
    loudest = set(np.argsort(bands["chord"])[-3:].tolist())
    assert loudest == {band(600), band(750), band(900)}
    share = {name: float((vector > vector.max() / 2).mean()) for name, vector in bands.items()}
    assert share["low tone"] < share["chirp"] < share["noise"] == 1


@pytest.mark.parametrize("kind", ["log-mel", "clap"])
def test_the_same_sound_has_one_vector_in_every_format(
    kind: str, log_mel: Path, clap: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Any format, rate and number of channels: each sound is nearer to itself than to any other sound."""
    folder = clap if kind == "clap" else log_mel
    made = {"a": ("WAV", RATE, 1), "b": ("FLAC", 44_100, 2), "c": ("OGG", 48_000, 2), "d": ("MP3", 32_000, 1)}
    files = {}
    for name, sound in KNOWN.items():
        for mark, (form, rate, channels) in made.items():
            files[f"{name}-{mark}"] = as_file(np.stack([sound(1, rate)] * channels, axis=1), rate, form)
    features = encoded(make(folder, kind=kind), source_of(tmp_path / "files", files), tmp_path / "work")
    vectors = features.matrix[0]
    cosines = vectors @ vectors.T
    kinds = np.array([name.split("-")[0] for name in files])
    same = kinds[:, None] == kinds[None]
    np.fill_diagonal(cosines, -1)
    assert (kinds[cosines.argmax(axis=1)] == kinds).all()
    assert float(np.median(cosines[same & (cosines > -1)])) > float(np.median(cosines[~same]))


@pytest.mark.parametrize("fused", [False, True])
def test_clap_is_what_transformers_makes_of_it(fused: bool, tmp_path: Path) -> None:
    """A sound of at most one window has the vector that transformers gives it, and nothing is drawn at random."""
    torch = pytest.importorskip("torch")
    import transformers

    folder = tiny["make_clap"](tmp_path / "clap", fused=fused)
    model = transformers.ClapModel.from_pretrained(folder).eval()
    front = transformers.ClapFeatureExtractor.from_pretrained(folder)
    sounds = [tone(500), noise(2, 0.3), chirp(100, 4000, 0.7)]
    features = [front(sound.astype(np.float32), sampling_rate=RATE, return_tensors="pt") for sound in sounds]
    seen = torch.cat([one["input_features"].float() for one in features])
    with torch.inference_mode():
        found = model.get_audio_features(input_features=seen, is_longer=torch.zeros((3, 1), dtype=torch.bool))
    expected = unit(getattr(found, "pooler_output", found).numpy())
    encoder = make(folder, kind="clap")
    encoder.publish(tmp_path / "work", tmp_path / "side")
    side = type(encoder).query_side(tmp_path / "side")
    assert_allclose(side.encode([as_file(sound, subtype="FLOAT") for sound in sounds]), expected, atol=1e-4)


@pytest.mark.parametrize("kind", ["log-mel", "clap"])
def test_a_long_file_is_the_mean_of_its_windows(kind: str, log_mel: Path, clap: Path, tmp_path: Path) -> None:
    """The unit vectors of the windows, averaged, at unit length again."""
    encoder = make(clap if kind == "clap" else log_mel, kind=kind, windows=3)
    parts = [tone(300), noise(4), chirp(500, 2000)]
    encoder.publish(tmp_path / "work", tmp_path / "side")
    side = type(encoder).query_side(tmp_path / "side")
    alone = side.encode([as_file(part, subtype="FLOAT") for part in parts])
    together = side.encode([as_file(np.concatenate(parts), subtype="FLOAT")])
    assert_allclose(together[0], unit(alone.mean(axis=0)), atol=1e-5)


def broken_files() -> dict[str, bytes | None]:
    """A catalog in which much is wrong."""
    return {
        "good": as_file(tone(300)), "also": as_file(noise(3), kind="FLAC"), "none": None, "empty": b"",
        "text": b"no sound " * 100, "silence": as_file(np.zeros(RATE)), "short": as_file(tone(300, 0.01)),
        "clipped": as_file(np.clip(9 * tone(300), -1, 1)), "header": as_file(tone(300))[:30],
        "cut": as_file(tone(400, 4), kind="FLAC")[:9000],
    }  # fmt: skip


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_flaws_are_counted_and_spoil_nothing(container: str, log_mel: Path, tmp_path: Path) -> None:
    """Each file that has no vector is masked and named with its reason; the others have their usual vectors."""
    files = broken_files()
    source = source_of(tmp_path / "files", files)
    if container == "zip":
        with zipfile.ZipFile(tmp_path / "files.zip", "w") as archive:
            for path in (tmp_path / "files").iterdir():
                archive.write(path, path.name)
        media = Media(tmp_path / "files.zip", "{item_id}.snd", source.catalog.media["audio"].present)
        catalog = Catalog(source.catalog.items, source.catalog.fields, {}, media={"audio": media})
        source = Source(catalog, source.descriptions, source.split, source.split_config, 0)
    encoder = make(log_mel)
    features = encoded(encoder, source, tmp_path / "work")
    heard = [name for name, there in zip(files, features.mask[0], strict=True) if there]
    assert heard == ["good", "also", "clipped", "cut"]
    counted = {finding.kind: finding.count for finding in read_findings(tmp_path / "work")}
    assert counted == {
        "files without any bytes": 1, "files that are no sounds": 2, "silent sounds": 1,
        "sounds shorter than 0.05 seconds": 1, "sounds that are clipped": 1, "sounds that are cut off": 1,
    }  # fmt: skip
    alone = encoded(make(log_mel), source_of(tmp_path / "one", {"good": files["good"]}), tmp_path / "other")
    assert_allclose(features.matrix[0, 0], alone.matrix[0, 0], atol=1e-6)
    # A second run finds the same, and hears nothing again.
    again = encoded(make(log_mel), source, tmp_path / "work")
    assert_array_equal(again.matrix, features.matrix)
    assert {finding.kind: finding.count for finding in read_findings(tmp_path / "work")} == counted


def test_files_whose_notes_are_damaged_are_heard_again(log_mel: Path, tmp_path: Path) -> None:
    """The vectors are the same, and what was found in the files is found again: nothing damaged is read or shown."""
    source = source_of(tmp_path / "files", broken_files())
    first = encoded(make(log_mel), source, tmp_path / "work")
    found = read_findings(tmp_path / "work")
    (note,) = (tmp_path / "work").glob("notes-*/*.json")
    for data in (b"\xff", b"[]", b"{}", note.read_bytes().replace(b"silent", b"short")):
        note.write_bytes(data)
        again = encoded(make(log_mel), source, tmp_path / "work")
        assert_array_equal(again.matrix, first.matrix)
        assert read_findings(tmp_path / "work") == found


def test_only_changed_files_are_heard_again(log_mel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was heard is known by what it holds, whichever item has it."""
    files = {"a": as_file(tone(300)), "b": as_file(tone(500)), "c": as_file(tone(300))}
    heard: list[int] = []
    real = AudioEncoder.encode_files

    def counting(self: Any, model: Any, work: Any, keys: Any) -> Any:
        heard.append(len(keys))
        return real(self, model, work, keys)

    monkeypatch.setattr(AudioEncoder, "encode_files", counting)
    first = encoded(make(log_mel), source_of(tmp_path / "files", files), tmp_path / "work")
    assert heard == [2]
    assert_array_equal(first.matrix[0, 0], first.matrix[0, 2])
    changed = source_of(tmp_path / "files", {**files, "b": files["a"], "c": as_file(noise(1))})
    second = encoded(make(log_mel), changed, tmp_path / "work")
    assert heard == [2, 1]
    assert_array_equal(second.matrix[0, 1], first.matrix[0, 0])


def test_the_fingerprint_knows_files_and_windows(log_mel: Path, tmp_path: Path) -> None:
    """Another file, another number of windows or another network is another fingerprint; the batch size is not."""
    source = source_of(tmp_path / "files", {"a": as_file(tone(300)), "b": as_file(tone(500))})
    usual = make(log_mel).fingerprint(source)
    assert make(log_mel, batch_size=3, workers=1).fingerprint(source) == usual
    assert make(log_mel, windows=2).fingerprint(source) != usual
    other = tiny["make_log_mel"](tmp_path / "other", fmin=100.0)
    assert make(other).fingerprint(source) != usual
    changed = source_of(tmp_path / "files", {"a": as_file(tone(301, 2)), "b": as_file(tone(500))})
    assert make(log_mel).fingerprint(changed) != usual


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_change_nothing(workers: int, log_mel: Path, tmp_path: Path) -> None:
    """However many read ahead, each file has its own vector."""
    files = {f"i{number}": as_file(tone(200 + 37 * number, 0.5 + number % 3)) for number in range(12)}
    source = source_of(tmp_path / "files", files)
    features = encoded(make(log_mel, workers=workers, batch_size=5), source, tmp_path / "work")
    expected = encoded(make(log_mel, workers=2, batch_size=1), source, tmp_path / "plain")
    assert_allclose(features.matrix, expected.matrix, atol=1e-6)


@pytest.mark.parametrize(("layout", "channel_axis"), [("time-mel", True), ("mel-time", False), ("mel-time", True)])
def test_networks_take_their_input_as_they_say(layout: str, channel_axis: bool, log_mel: Path, tmp_path: Path) -> None:
    """Time first or bands first, with or without an axis for channels: the same vectors."""
    other = tiny["make_log_mel"](tmp_path / "other", layout=layout, channel_axis=channel_axis)
    source = source_of(tmp_path / "files", {"a": as_file(chirp(100, 5000)), "b": as_file(noise(9))})
    one = encoded(make(log_mel), source, tmp_path / "one")
    two = encoded(make(other), source, tmp_path / "two")
    assert_allclose(one.matrix, two.matrix, atol=1e-6)


def test_a_published_network_needs_neither_its_folder_nor_torch(log_mel: Path, tmp_path: Path) -> None:
    """The query side has a copy of the network, and loads neither torch nor transformers."""
    encoder = make(log_mel)
    source = source_of(tmp_path / "files", {"a": as_file(tone(700))})
    features = encoded(encoder, source, tmp_path / "work")
    encoder.publish(tmp_path / "work", tmp_path / "side")
    shutil.rmtree(log_mel)
    code = (
        "import sys, pathlib, numpy\n"
        "from antiphon.encoders.sounds.models import LogMelEncoder\n"
        "side = LogMelEncoder.query_side(pathlib.Path(sys.argv[1]))\n"
        "numpy.save(sys.argv[3], side.encode([pathlib.Path(sys.argv[2])]))\n"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
    )
    words = [str(tmp_path / "side"), str(tmp_path / "files" / "a.snd"), str(tmp_path / "vector.npy")]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_allclose(np.load(tmp_path / "vector.npy")[0], features.matrix[0, 0], atol=1e-5)


def test_a_query_side_whose_network_changed_is_refused(clap: Path, log_mel: Path, tmp_path: Path) -> None:
    """Vectors of another network would be nonsense beside the items'."""
    own = Path(shutil.copytree(clap, tmp_path / "own"))
    encoder = make(own, kind="clap")
    encoder.publish(tmp_path / "work", tmp_path / "clap-side")
    (own / "config.json").write_text((own / "config.json").read_text() + " ")
    with pytest.raises(IntegrityError, match="build the run again"):
        ClapEncoder.query_side(tmp_path / "clap-side").encode([as_file(tone(300))])
    make(log_mel).publish(tmp_path / "work", tmp_path / "side")
    tiny["make_log_mel"](tmp_path / "side" / "network", fmin=400.0)
    with pytest.raises(IntegrityError, match="build the run again"):
        LogMelEncoder.query_side(tmp_path / "side").encode([as_file(tone(300))])


def test_requests_that_cannot_be_heard_are_sentences(log_mel: Path, tmp_path: Path) -> None:
    """Silence as a request is refused, since it is near to nothing; no requests are no vectors."""
    make(log_mel).publish(tmp_path / "work", tmp_path / "side")
    side = LogMelEncoder.query_side(tmp_path / "side")
    with pytest.raises(QueryError, match="silent sounds"):
        side.encode([as_file(np.zeros(RATE))])
    assert side.encode([]).shape == (0, MELS)


def network(folder: Path, *, inputs: int = 1, pooled: bool = True, outside: bool = False) -> None:
    """Put an unusual network into a folder."""
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["mel", "axes"], ["vector"], keepdims=int(not pooled))], "odd",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "t", MELS]) for name in ("mel", "more")[:inputs]],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, None)],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if outside:
        tensor = model.graph.initializer[0]
        tensor.raw_data = np.array([1], np.int64).tobytes()
        del tensor.int64_data[:]
        onnx.external_data_helper.set_external_data(tensor, "/etc/hostname")
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    (folder / "network.onnx").write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"inputs": 2}, ConfigError, "has 2 inputs"),
        ({"pooled": False}, IntegrityError, "pool over time in the network"),
        ({"outside": True}, IntegrityError, "cannot be loaded"),
    ],
)
def test_odd_networks_are_sentences(log_mel: Path, tmp_path: Path, options: Any, error: Any, message: str) -> None:
    """More inputs, a time axis in the output, or weights in another file: refused with the reason."""
    network(log_mel, **options)
    with pytest.raises(error, match=message):
        encoded(make(log_mel), source_of(tmp_path / "files", {"a": as_file(tone(300))}), tmp_path / "work")


def test_broken_folders_are_sentences(log_mel: Path, clap: Path, tiny_text_model: Path, tmp_path: Path) -> None:
    """A file that is missing or wrong is named before any sound is read."""
    source = source_of(tmp_path / "files", {"a": as_file(tone(300))})
    spec = json.loads((log_mel / "audio.json").read_text())
    (log_mel / "audio.json").write_text(json.dumps({**spec, "layout": "sideways"}))
    with pytest.raises(ConfigError, match="layout"):
        encoded(make(log_mel), source, tmp_path / "work")
    (log_mel / "audio.json").unlink()
    media = {"audio": MediaConfig(path=tmp_path, pattern="{item_id}.snd")}
    config = CatalogConfig(items=tmp_path / "items.parquet", media=media)
    with pytest.raises(ConfigError, match=r"has no audio\.json"):
        make(log_mel).check(config)
    with pytest.raises(ConfigError, match=r"\[catalog\.media\.audio\]"):
        make(clap, kind="clap").check(CatalogConfig(items=tmp_path / "items.parquet"))
    with pytest.raises(ConfigError, match="give a CLAP model"):
        encoded(make(tiny_text_model, kind="clap"), source, tmp_path / "work")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ConfigError, match=r"no \.safetensors"):
        make(bare, kind="clap").check(config)


def test_what_is_published_is_plain(log_mel: Path, tmp_path: Path) -> None:
    """The side's settings are JSON: the model, the windows and the identity."""
    make(log_mel, windows=4).publish(tmp_path / "work", tmp_path / "side")
    meta = storage.read_json(tmp_path / "side" / "audio.json")
    assert meta["windows"] == 4
    assert set(meta) == {"model", "windows", "identity"}
