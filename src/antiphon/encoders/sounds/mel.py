"""The log-mel front end: windows of sound to what a network of music or speech sees.

A short-time Fourier transform with a Hann window, a bank of triangular filters on the mel scale (O'Shaughnessy 1987 as
in HTK, or Slaney's Auditory Toolbox), and a logarithm. Everything that differs between models is an option; the names
of the options are those of the usual libraries.
"""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from antiphon.config.sections import Section

Floats = NDArray[np.float32]
_STEP, _LOG_FROM, _LOG_STEP = 200 / 3, 1000.0, np.log(6.4) / 27  # Slaney: linear below 1 kHz, then logarithmic


class MelSpec(Section):
    """What a network's audio.json may say of its front end; times are in samples at `sample_rate`."""

    sample_rate: int = Field(ge=1_000, le=384_000)
    seconds: float = Field(gt=0, le=600, description="length of the window of sound that the network sees")
    n_fft: int = Field(ge=16, le=65_536)
    win_length: int | None = Field(None, ge=16, description="n_fft where not given")
    hop_length: int = Field(ge=1)
    n_mels: int = Field(ge=1, le=1024)
    fmin: float = Field(0.0, ge=0)
    fmax: float | None = Field(None, gt=0, description="half the sample rate where not given")
    mel_scale: Literal["htk", "slaney"] = "htk"
    mel_norm: Literal["slaney"] | None = None
    power: float = Field(2.0, gt=0, description="1: magnitudes, 2: energies")
    center: bool = Field(True, description="frames are centred on their time; the ends are reflected")
    log: Literal["db", "log10", "ln", "none"] = "db"
    log_scale: float = Field(1.0, gt=0, description="log(log_scale * value + log_offset)")
    log_offset: float = Field(0.0, ge=0)
    floor: float = Field(1e-10, gt=0, description="smallest value that goes into the logarithm")
    mean: float = Field(0.0, description="subtracted at the end")
    std: float = Field(1.0, gt=0, description="divides at the end")
    padding: Literal["zeros", "repeat", "repeatpad"] = Field("zeros", description="of sounds shorter than the window")

    @model_validator(mode="after")
    def _fits(self) -> MelSpec:
        if self.win > self.n_fft:
            raise ValueError(f"win_length is {self.win}, longer than n_fft {self.n_fft}")
        if self.window < self.win:
            raise ValueError(f"the window of {self.seconds} s is shorter than one frame of {self.win} samples")
        if not self.fmin < self.top <= self.sample_rate / 2:
            raise ValueError(f"fmin {self.fmin}, fmax {self.top} do not fit the sample rate {self.sample_rate}")
        return self

    @property
    def win(self) -> int:
        """Samples of a frame."""
        return self.win_length or self.n_fft

    @property
    def top(self) -> float:
        """The highest frequency, in Hz."""
        return self.fmax or self.sample_rate / 2

    @property
    def window(self) -> int:
        """Samples that the network sees at once."""
        return round(self.seconds * self.sample_rate)

    def filled(self, samples: Floats) -> Floats:
        """A sound of at most one window, brought to its length as the network was trained, (window,) float32."""
        if len(samples) < self.window and self.padding != "zeros" and len(samples):
            times = self.window // len(samples) + (self.padding == "repeat")
            samples = np.tile(samples, times)[: self.window]
        return np.pad(samples, (0, self.window - len(samples)))

    def apply(self, windows: Floats) -> Floats:
        """Log-mel spectrograms of windows (n, window) float32, (n, n_frames, n_mels) float32."""
        if self.center:
            windows = np.pad(windows, ((0, 0), (self.win // 2, self.win // 2)), mode="reflect")
        framed = np.lib.stride_tricks.sliding_window_view(windows, self.win, axis=1)[:, :: self.hop_length]
        hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.win) / self.win)).astype(np.float32)
        filters = mel_filters(self)
        result = np.empty((*framed.shape[:2], self.n_mels), dtype=np.float32)
        for row, frames in enumerate(framed):  # one at a time: all spectra of a batch would be large
            sizes = np.abs(np.fft.rfft(frames * hann, n=self.n_fft, axis=1)).astype(np.float32)
            energies = sizes if self.power == 1 else sizes ** np.float32(self.power)
            result[row] = self._logarithm((energies @ filters).astype(np.float32))
        return (result - np.float32(self.mean)) / np.float32(self.std)

    def _logarithm(self, values: Floats) -> Floats:
        if self.log == "none":
            return values
        inside = np.maximum(values * np.float32(self.log_scale) + np.float32(self.log_offset), np.float32(self.floor))
        logs: Floats = np.log(inside) if self.log == "ln" else np.log10(inside)
        return logs * np.float32(10 if self.log == "db" else 1)


@functools.lru_cache(maxsize=8)
def mel_filters(spec: MelSpec) -> Floats:
    """Triangular filters with centres evenly spaced on the mel scale, (n_fft // 2 + 1, n_mels) float32."""
    frequencies = np.linspace(0, spec.sample_rate / 2, spec.n_fft // 2 + 1)
    lowest, highest = _to_mel(np.array([spec.fmin, spec.top]), spec.mel_scale).tolist()
    mels = np.linspace(lowest, highest, spec.n_mels + 2)
    edges = _to_hertz(mels, spec.mel_scale)
    rising = (frequencies[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - frequencies[:, None]) / np.diff(edges)[1:]
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    if spec.mel_norm == "slaney":  # the same area for every filter
        filters *= 2 / (edges[2:] - edges[:-2])
    return filters.astype(np.float32)


def _to_mel(hertz: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    logarithmic = _LOG_FROM / _STEP + np.log(np.maximum(hertz, _LOG_FROM) / _LOG_FROM) / _LOG_STEP
    return np.where(hertz < _LOG_FROM, hertz / _STEP, logarithmic)


def _to_hertz(mels: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    if scale == "htk":
        return 700 * (10 ** (mels / 2595) - 1)
    corner = _LOG_FROM / _STEP
    return np.where(mels < corner, mels * _STEP, _LOG_FROM * np.exp(_LOG_STEP * (np.maximum(mels, corner) - corner)))
