"""The log-mel front end: equal to the front end of CLAP in transformers, and to a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from antiphon.config.load import check_section
from antiphon.encoders.sounds.mel import MelSpec, mel_filters
from antiphon.errors import ConfigError

CLAP = {"sample_rate": 48_000, "seconds": 10.0, "n_fft": 1024, "hop_length": 480, "n_mels": 64, "fmax": 14_000.0}
SMALL = {"sample_rate": 8_000, "seconds": 0.5, "n_fft": 256, "hop_length": 80, "n_mels": 20}


def some_sound(size: int) -> np.ndarray:
    """Noise with a tone in it."""
    rng = np.random.default_rng(0)
    return (0.1 * rng.normal(size=size) + 0.3 * np.sin(np.arange(size) / 9)).astype(np.float32)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_it_is_the_front_end_of_clap(fused: bool, padding: str) -> None:
    """Filters and spectrograms of short and of whole windows equal those of transformers, for both kinds of CLAP."""
    transformers = pytest.importorskip("transformers")
    theirs = transformers.ClapFeatureExtractor(padding=padding)
    kind = {"mel_scale": "htk"} if fused else {"mel_scale": "slaney", "mel_norm": "slaney"}
    spec = MelSpec(**CLAP, **kind, padding="zeros" if padding == "pad" else padding)
    assert_allclose(mel_filters(spec), theirs.mel_filters if fused else theirs.mel_filters_slaney, atol=1e-6)
    for size in (48_000 * 3 + 17, 480_000):
        sound = some_sound(size)
        truncation = "fusion" if fused else "rand_trunc"
        expected = theirs(sound, truncation=truncation, sampling_rate=48_000, return_tensors="np")["input_features"]
        assert_allclose(spec.apply(spec.filled(sound)[None])[0], expected[0, 0], atol=1e-3)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize(
    ("log", "expected"), [("db", lambda x: 10 * np.log10(x)), ("log10", np.log10), ("ln", np.log), ("none", None)]
)
def test_it_is_what_it_says(center: bool, log: str, expected) -> None:
    """Frame by frame, with a plain Fourier sum: magnitudes, filters, then the logarithm."""
    spec = MelSpec(
        **SMALL, win_length=200, center=center, power=1, log=log, log_scale=2.0, log_offset=0.01, mean=1.0, std=2.0
    )
    sound = some_sound(spec.window)
    padded = np.pad(sound.astype(np.float64), 100 if center else 0, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(129), np.arange(200)) / 256)
    starts = range(0, len(padded) - 200 + 1, 80)
    energies = np.array([np.abs(waves @ (padded[start : start + 200] * window)) for start in starts])
    values = energies @ mel_filters(spec)
    wanted = values if expected is None else expected(2 * values + 0.01)
    got = spec.apply(sound[None])
    assert got.dtype == np.float32
    assert_allclose(got[0], (wanted - 1) / 2, atol=1e-3)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_a_tone_is_in_its_filter(scale: str) -> None:
    """The loudest band of a sine is one whose filter lets it through most."""
    spec = MelSpec(**SMALL, mel_scale=scale, mel_norm="slaney")
    for hertz in (300, 800, 1500, 3000):
        sound = np.sin(2 * np.pi * hertz * np.arange(spec.window) / 8000).astype(np.float32)
        band = int(spec.apply(sound[None])[0].mean(axis=0).argmax())
        passed = mel_filters(spec)[round(hertz / 8000 * 256)]
        assert band == int(passed.argmax())


def test_every_window_is_by_itself() -> None:
    """A spectrogram does not depend on the windows beside it."""
    spec = MelSpec(**SMALL)
    windows = np.stack([some_sound(spec.window) * scale for scale in (0.1, 0.5, 1)])
    together = spec.apply(windows)
    for row, window in enumerate(windows):
        assert_allclose(spec.apply(window[None])[0], together[row], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"win_length": 512}, "longer than n_fft"),
        ({"seconds": 0.01}, "shorter than one frame"),
        ({"fmax": 5000.0}, "do not fit the sample rate"),
        ({"fmin": 3000.0, "fmax": 2000.0}, "do not fit the sample rate"),
        ({"hop_length": 0}, "hop_length"),
        ({"log": "log2"}, "log"),
        ({"n_fft": "many"}, "n_fft"),
        ({"wind": 3}, "wind"),
    ],
)
def test_a_front_end_that_cannot_be_is_refused(changes, message: str) -> None:
    """Options that contradict each other are an error that names them."""
    with pytest.raises(ConfigError, match=message):
        check_section(MelSpec, {**SMALL, **changes}, "audio.json")
