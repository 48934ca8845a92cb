"""Sounds as vectors: files per second, and how many times faster than they sound.

    python benchmarks/audio.py                                 40 generated songs of 60 seconds
    python benchmarks/audio.py --files 200 --seconds 200 --kind MP3
    python benchmarks/audio.py --model FOLDER [--encoder clap]  a network of your own
    python benchmarks/audio.py --write                          benchmarks/results/audio.json as well

Without --model two networks are made with random weights: the speed does not depend on what they know. `log-mel` is a
stack of convolutions of the size of musicnn's, `clap` has the layout of laion/clap-htsat-unfused (the sound side alone
counts; it takes a minute to make). The real-time factor is seconds of sound by seconds of work: of the whole files, and
of the windows that were heard of them.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from kept import origin

from antiphon.base import runtime
from antiphon.base.progress import silent
from antiphon.config.sections import ModalityConfig, SplitConfig
from antiphon.data.catalog import Catalog, Media
from antiphon.data.descriptions import Descriptions
from antiphon.data.splits import Split
from antiphon.encoders.base import Source, make_encoder
from antiphon.encoders.sounds.encoder import AudioEncoder
from antiphon.encoders.sounds.files import Hearing, listen

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "audio.json"
RATE = 44_100
NOBODY = np.empty(0, dtype=np.int64)


def songs(folder: Path, n: int, seconds: float, kind: str) -> Source:
    """A catalog of chords with noise, in stereo, as files."""
    import soundfile

    folder.mkdir(parents=True)
    times = np.arange(round(seconds * RATE)) / RATE
    for number in range(n):
        rng = np.random.default_rng(number)
        parts = [np.sin(2 * np.pi * pitch * times) for pitch in rng.uniform(80, 4000, 4)]
        sound = 0.1 * np.sum(parts, axis=0) + 0.05 * rng.normal(size=len(times))
        out = io.BytesIO()
        soundfile.write(out, np.stack([sound, sound[::-1]], axis=1), RATE, format=kind)
        (folder / f"{number}.snd").write_bytes(out.getvalue())
    ids = [str(number) for number in range(n)]
    media = {"audio": Media(folder, "{item_id}.snd", np.ones(n, dtype=bool))}
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {}, media=media)
    return Source(catalog, Descriptions({}), Split(*[NOBODY] * 4), SplitConfig(), 0)


def make_log_mel(folder: Path) -> Path:
    """A network of four convolutions over 96 bands, as an ONNX file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True)
    front = {
        "sample_rate": 16_000, "seconds": 3.0, "n_fft": 512, "hop_length": 256, "n_mels": 96, "mel_scale": "slaney",
        "mel_norm": "slaney", "log": "log10", "log_scale": 10_000.0, "log_offset": 1.0,
    }  # fmt: skip
    (folder / "audio.json").write_text(json.dumps({"front_end": front, "channel_axis": True}), encoding="utf-8")
    rng, nodes, weights, last = np.random.default_rng(0), [], [], "mel"
    for number, (before, after) in enumerate([(1, 32), (32, 64), (64, 128), (128, 256)]):
        weight = rng.normal(scale=(9 * before) ** -0.5, size=(after, before, 3, 3)).astype(np.float32)
        weights.append(numpy_helper.from_array(weight, f"w{number}"))
        nodes += [
            helper.make_node("Conv", [last, f"w{number}"], [f"c{number}"], pads=[1, 1, 1, 1], strides=[1, 1]),
            helper.make_node("Relu", [f"c{number}"], [f"r{number}"]),
            helper.make_node("MaxPool", [f"r{number}"], [f"p{number}"], kernel_shape=[2, 2], strides=[2, 2]),
        ]
        last = f"p{number}"
    nodes += [helper.make_node("GlobalAveragePool", [last], ["g"]), helper.make_node("Flatten", ["g"], ["vector"])]
    inputs = [helper.make_tensor_value_info("mel", TensorProto.FLOAT, ["n", 1, "t", 96])]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 256])]
    graph = helper.make_graph(nodes, "convolutions", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / "network.onnx").write_bytes(model.SerializeToString())
    return folder


def make_clap(folder: Path) -> Path:
    """A CLAP of the usual size for sounds, with random weights and a small side for texts."""
    import transformers

    words = {"num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 2}
    config = transformers.ClapConfig(text_config={**words, "vocab_size": 100}, audio_config={})
    transformers.ClapModel(config).eval().save_pretrained(folder)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(folder)
    return folder


def measure(name: str, model: Path, source: Source, seconds: float, windows: int, work: Path) -> dict[str, Any]:
    """Files per second of a build from nothing, and the share of it that decoding alone would take on one thread."""
    encoder: AudioEncoder[Any] = make_encoder(
        ModalityConfig(name="sound", encoder=name, model=str(model), windows=windows)
    )
    spec = encoder.load(encoder.settings()).spec
    hearing = Hearing(spec.sample_rate, spec.window, windows)
    files = sorted(source.catalog.media["audio"].path.iterdir())
    start = time.perf_counter()
    heard = [listen(path.read_bytes(), hearing) for path in files]
    decoding = time.perf_counter() - start
    start = time.perf_counter()
    features = encoder.encode(source, work, silent)
    spent = time.perf_counter() - start
    n_windows = sum(len(sound.windows) for sound in heard if sound.windows is not None)
    return {
        "files": len(files), "vectors": int(features.mask.sum()), "dim": features.dim, "windows": n_windows,
        "seconds": spent, "files_per_second": len(files) / spent, "decoding_alone_seconds": decoding,
        "real_time_factor_of_files": len(files) * seconds / spent,
        "real_time_factor_of_windows": n_windows * hearing.seconds / spent,
    }  # fmt: skip


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--kind", choices=["WAV", "FLAC", "MP3", "OGG"], default="MP3")
    parser.add_argument("--windows", type=int, default=6)
    parser.add_argument("--encoder", choices=["log-mel", "clap"])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.relative_to(ROOT)} as well")
    asked = parser.parse_args()
    makers = {"log-mel": make_log_mel, "clap": make_clap}
    wanted = [asked.encoder] if asked.encoder else ["log-mel"] if asked.model else list(makers)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        source = songs(Path(folder) / "files", asked.files, asked.seconds, asked.kind)
        for name in wanted:
            model = asked.model or makers[name](Path(folder) / name)
            found[name] = measure(name, model, source, asked.seconds, asked.windows, Path(folder) / f"work-{name}")
    about = {
        **origin("audio.json"), "kind": asked.kind, "seconds_a_file": asked.seconds,
        "cores": runtime.n_cores(), "load": os.getloadavg()[0],
        "python": platform.python_version(),
        **{package: version(package) for package in ("soundfile", "soxr", "onnxruntime", "torch", "transformers")},
    }  # fmt: skip
    text = json.dumps({"where": about, **found}, indent=2, default=float)
    print(text)
    if asked.write:
        RESULT.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
