"""A CLAP model and a log-mel network small enough to make in a moment, and sounds of known content in any format."""

from __future__ import annotations

import io
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np

RATE = 16_000
DIM = 12
MELS = 32
_words = runpy.run_path(str(Path(__file__).with_name("tiny_clip.py")))


def make_clap(folder: Path, *, seed: int = 3, fused: bool = False, seconds: int = 1) -> Path:
    """A folder with a random CLAP of two small layers, its feature extractor and its tokenizer."""
    import torch
    import transformers

    torch.manual_seed(seed)
    words = {
        "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "max_position_embeddings": 32, "projection_dim": DIM,
    }  # fmt: skip
    sounds = {
        "window_size": 4, "num_mel_bins": MELS, "spec_size": 64, "patch_size": 4, "patch_stride": [4, 4],
        "depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 8, "hidden_size": 16,
        "num_hidden_layers": 2, "enable_fusion": fused, "projection_dim": DIM, "num_classes": 4,
        "fusion_type": None, "patch_embed_input_channels": 1,
    }  # fmt: skip
    config = transformers.ClapConfig(text_config=words, audio_config=sounds, projection_dim=DIM)
    network = transformers.ClapModel(config)
    with torch.no_grad():
        for weights in network.parameters():  # the usual start is so small that all sounds are heard alike
            if weights.ndim > 1:
                weights.mul_(4)
    front = transformers.ClapFeatureExtractor(
        feature_size=MELS, sampling_rate=RATE, hop_length=160, max_length_s=seconds, fft_window_size=512,
        frequency_min=50, frequency_max=8000, truncation="fusion" if fused else "rand_trunc",
    )  # fmt: skip
    network.eval().save_pretrained(folder)
    front.save_pretrained(folder)
    _words["_tokenizer"]().save_pretrained(folder)
    return folder


def front_end(**changes: Any) -> dict[str, Any]:
    """The front end of `make_log_mel`, as its audio.json has it."""
    usual = {"sample_rate": RATE, "seconds": 1.0, "n_fft": 1024, "hop_length": 256, "n_mels": MELS, "fmin": 50.0}
    return {**usual, "log": "log10", "log_scale": 10_000.0, "log_offset": 1.0, **changes}


def make_log_mel(folder: Path, *, layout: str = "time-mel", channel_axis: bool = False, **changes: Any) -> Path:
    """A folder with a network whose vector is the mean of the spectrogram over time: what a sound is made of."""
    import onnx
    from onnx import TensorProto, helper

    folder.mkdir(parents=True, exist_ok=True)
    spec = {"front_end": front_end(**changes), "layout": layout, "channel_axis": channel_axis}
    (folder / "audio.json").write_text(json.dumps(spec), encoding="utf-8")
    bands = spec["front_end"]["n_mels"]
    shape = ["n", *([1] if channel_axis else []), *(["t", bands] if layout == "time-mel" else [bands, "t"])]
    axes = [axis for axis in range(1, len(shape)) if shape[axis] in (1, "t")]
    nodes = [helper.make_node("ReduceMean", ["mel", "axes"], ["vector"], keepdims=0)]
    graph = helper.make_graph(
        nodes, "mean",
        [helper.make_tensor_value_info("mel", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", bands])],
        [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    (folder / "network.onnx").write_bytes(model.SerializeToString())
    return folder


def times(seconds: float, rate: int = RATE) -> np.ndarray:
    """The times of samples, in seconds."""
    return np.arange(round(seconds * rate)) / rate


def tone(hertz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A sine, at a third of full scale."""
    return np.sin(2 * np.pi * hertz * times(seconds, rate)) / 3


def chord(hertz: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A major triad."""
    return sum(tone(hertz * ratio, seconds, rate) for ratio in (1, 5 / 4, 3 / 2)) / 3


def chirp(low: float, high: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """A sine that rises evenly."""
    at = times(seconds, rate)
    return np.sin(2 * np.pi * (low * at + (high - low) * at**2 / (2 * seconds))) / 3


def noise(seed: int, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    """White noise."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, round(seconds * rate))


def as_file(samples: np.ndarray, rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """A sound as a file; (n,) or (n, channels)."""
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, samples, rate, format=kind, subtype=subtype)
    return out.getvalue()
