"""Sounds: from the bytes of a file, which anybody may have made, to windows of one channel at a model's rate.

A file is judged by what it holds, never by its suffix. Channels are averaged; another rate is resampled (soxr, high
quality). A file that is longer than the model's window is heard in several windows, spread evenly from its beginning
to its end: as many as cover it, at most `n_windows`. No header is believed: where a file has less than it says, what
it has is heard from the beginning.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.isolated import EndedError, Isolated
from antiphon.encoders.sent import request_bytes
from antiphon.errors import MissingExtraError, QueryError

Floats = NDArray[np.float32]

MAX_FILE = 300_000_000
"""Bytes of a file."""
DECODER = "antiphon.encoders.sounds.files:listen_call"
"""What runs apart."""
MIN_SECONDS = 0.05
"""Less is no sound to compare with, and mostly what is left of a file that was cut off."""
RATES = (1_000, 384_000)
"""Rates that are read, in Hz: others are errors, or make a small file a large one when it is resampled."""
MAX_CHANNELS = 8
MAX_SAMPLES = 50_000_000
"""What is decoded at once of a broken file, over all channels: a small file may claim, or hold, any number."""
SILENCE = 10 ** (-80 / 20)
"""Peak below which a sound is silence: -80 dB of full scale."""
CLIPPED, CLIPPED_SHARE = 0.999, 0.001
"""A sound is clipped where this share of its samples is at full scale."""
PREROLL = 16_384
"""Frames that are read and left out before a place in the middle: MP3 is silent for some frames after a jump."""
FORMATS = ("WAV", "WAVEX", "RF64", "AIFF", "FLAC", "MP3", "OGG")
"""What is decoded. libsndfile knows more, which is rarely looked after."""
FLAWS: Mapping[str, str] = {
    "empty": "files without any bytes",
    "large": f"files of more than {MAX_FILE:,} bytes",
    "unknown": "files that are no sounds",
    "rate": f"sounds with a rate outside {RATES[0]:,} to {RATES[1]:,} Hz or more than {MAX_CHANNELS} channels",
    "short": f"sounds shorter than {MIN_SECONDS:g} seconds",
    "silent": "silent sounds",
    "damaged": "sounds that are damaged",
    "heavy": "sounds that take too long, or too much memory, to decode",
}
"""Files that have no vector."""
REMARKS: Mapping[str, str] = {
    "cut": "sounds that are cut off",
    "clipped": "sounds that are clipped",
    "loud": "sounds above full scale",
}
"""Files that are heard all the same."""


@dataclass(frozen=True)
class Sound:
    """Windows of a sound, (n, window) float32 within [-1, 1], or which of `FLAWS` its file has.

    `lengths`: samples of each window that are the sound's own, (n,); the rest is zeros. `remarks`: keys of `REMARKS`.
    """

    windows: Floats | None
    lengths: tuple[int, ...] = ()
    flaw: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hearing:
    """How sounds are heard: `rate` in Hz, `window` in samples at that rate, at most `n_windows` of one file."""

    rate: int
    window: int
    n_windows: int

    @property
    def seconds(self) -> float:
        """Length of a window in seconds."""
        return self.window / self.rate


def listen(data: bytes, hearing: Hearing) -> Sound:
    """The windows of the sound that a file holds; never an exception for what stands in the file."""
    if not data or len(data) > MAX_FILE:
        return Sound(None, flaw="large" if data else "empty")
    try:
        with _opened(data) as file:
            if file.format not in FORMATS:
                return Sound(None, flaw="unknown")
            if not RATES[0] <= file.samplerate <= RATES[1] or file.channels > MAX_CHANNELS:
                return Sound(None, flaw="rate")
            rate = int(file.samplerate)
            parts = _spread(file, hearing)
        remarks = ["cut"] if parts is None else []
        return _heard(_from_start(data, hearing) if parts is None else parts, rate, hearing, remarks)
    except MissingExtraError:
        raise
    except Exception:  # noqa: BLE001  a decoder fed with a hostile header raises whatever it likes
        return Sound(None, flaw="unknown")


def listen_call(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """`listen` as `antiphon.base.isolated` calls it: the windows' shape and samples, or the flaw."""
    if "hearing" not in header:  # asked to be ready
        _package("soundfile"), _package("soxr")
        return {}, b""
    try:
        sound = listen(data, Hearing(**header["hearing"]))
    except MissingExtraError as error:
        return {"missing": [error.package, error.extra]}, b""
    said = {"flaw": sound.flaw, "lengths": list(sound.lengths), "remarks": list(sound.remarks)}
    if sound.windows is None:
        return said, b""
    return {**said, "shape": list(sound.windows.shape)}, sound.windows.tobytes()


def listen_apart(process: Isolated, data: bytes, hearing: Hearing) -> Sound:
    """`listen`, in a process that is ended where a decoder hangs, grows or crashes.

    Raises:
        MissingExtraError: what reads sounds is not installed.
        RunError: no process could be started.
    """
    try:
        said, samples = process.call({"hearing": asdict(hearing)}, data)
    except EndedError:
        return Sound(None, flaw="heavy")
    if "missing" in said:
        package, extra = said["missing"]
        raise MissingExtraError(package, extra, "reading sounds")
    windows = np.frombuffer(samples, np.float32).reshape(said["shape"]).copy() if "shape" in said else None
    return Sound(windows, tuple(said["lengths"]), said["flaw"], tuple(said["remarks"]))


def listen_to_request(value: bytes | Path, hearing: Hearing, process: Isolated | None = None) -> Sound:
    """The sound of a request, decoded in a process of its own where one is given.

    Raises:
        QueryError: the file is none, or has a flaw.
    """
    data = request_bytes(value, "sound", MAX_FILE)
    sound = listen(data, hearing) if process is None else listen_apart(process, data, hearing)
    if sound.windows is None:
        raise QueryError(
            f"the sound of the request cannot be used, as are {FLAWS[str(sound.flaw)]}; send WAV, FLAC, MP3 or OGG "
            f"with at least {MIN_SECONDS:g} seconds that can be heard, of at most {MAX_FILE:,} bytes."
        )
    return sound


def _opened(data: bytes) -> Any:
    return _package("soundfile").SoundFile(io.BytesIO(data))


def _spread(file: Any, hearing: Hearing) -> list[Floats] | None:
    """Windows from all places of a file, each (n,) at the file's rate; None where it has not what its header says."""
    n_frames, size = int(file.frames), max(1, round(hearing.seconds * file.samplerate))
    wanted = min(hearing.n_windows, max(1, -(-n_frames // size)))
    starts = np.linspace(0, max(0, n_frames - size), wanted).astype(np.int64)
    parts = []
    try:
        for start in starts.tolist():
            before = min(start, PREROLL)
            if start:  # a compressed file that is read from its start need not be able to seek
                file.seek(start - before)
            # In one piece: after each `read` soundfile seeks to where it is, which makes MP3 silent for a while.
            parts.append(_mono(file, before + size)[before:])
    except Exception:  # noqa: BLE001  the header promised what the file has not; what it has is read another way
        return None
    # An encoder's padding at the end may or may not be counted in a header.
    expected = 0.9 * min(size, n_frames)
    return parts if expected and all(len(part) >= expected for part in parts) else None


def _from_start(data: bytes, hearing: Hearing) -> list[Floats]:
    """What a broken file gives from its beginning, up to as much as would be heard of a whole one."""
    with _opened(data) as file:
        size = max(1, round(hearing.seconds * file.samplerate))
        most = min(size * hearing.n_windows, MAX_SAMPLES // file.channels)
        try:
            samples = _mono(file, most)
        except Exception:  # noqa: BLE001  what comes before the damage is read in small steps
            samples = _in_steps(data, most)
    return [samples[start : start + size] for start in range(0, max(1, len(samples)), size)]


def _in_steps(data: bytes, most: int) -> Floats:
    blocks: list[Floats] = [np.zeros(0, np.float32)]
    with _opened(data) as file, contextlib.suppress(Exception):
        while most > 0:
            block = _mono(file, min(4096, most))
            if not len(block):
                break
            blocks.append(block)
            most -= len(block)
    return np.concatenate(blocks)


def _mono(file: Any, most: int) -> Floats:
    """The next frames of a file, at most so many, as one channel, (n,) float32."""
    frames: Floats = file.read(most, dtype="float32", always_2d=True)
    mean: Floats = frames.mean(axis=1, dtype=np.float32)
    return mean


def _heard(parts: list[Floats], rate: int, hearing: Hearing, remarks: list[str]) -> Sound:
    """Windows at the model's rate, with what there is to say of them."""
    shortest = MIN_SECONDS * rate
    # The end of a file that was cut off may be a few samples; it is left out where there is more.
    parts = [part for part in parts if len(part) >= shortest] or parts[:1]
    together = np.concatenate(parts)
    if not np.isfinite(together).all():
        return Sound(None, flaw="damaged")
    if len(together) < shortest:
        return Sound(None, flaw="short")
    peak = float(np.abs(together).max())
    if peak < SILENCE:
        return Sound(None, flaw="silent")
    if peak > 1.5:  # lossy formats go a little above 1; more is a file of another scale
        remarks.append("loud")
        parts = [part / np.float32(peak) for part in parts]
    elif float((np.abs(together) >= CLIPPED).mean()) >= CLIPPED_SHARE:
        remarks.append("clipped")
    windows = np.zeros((len(parts), hearing.window), dtype=np.float32)
    lengths = []
    for row, part in enumerate(parts):
        samples = _resampled(part, rate, hearing.rate)[: hearing.window]
        windows[row, : len(samples)] = np.clip(samples, -1, 1)
        lengths.append(len(samples))
    return Sound(windows, tuple(lengths), remarks=tuple(remarks))


def _resampled(samples: Floats, rate: int, wanted: int) -> Floats:
    if rate == wanted:
        return samples
    result: Floats = _package("soxr").resample(samples, rate, wanted, quality="HQ")
    return result


def _package(name: str) -> Any:
    try:
        return runtime.library(name, "audio", "reading sounds")
    except OSError as error:  # soundfile without libsndfile
        raise MissingExtraError(name, "audio", "reading sounds") from error
