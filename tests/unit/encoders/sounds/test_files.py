"""Sounds from files: every format, any rate, mono and stereo, long and short, and files that are none."""

from __future__ import annotations

import runpy
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from antiphon.encoders.sounds import files as audio_files
from antiphon.encoders.sounds.files import Hearing, listen, listen_to_request
from antiphon.errors import MissingExtraError, QueryError

pytest.importorskip("soundfile")
pytest.importorskip("soxr")

tiny = runpy.run_path(str(Path(__file__).parents[3] / "support" / "tiny_sound.py"))
tone, noise, chirp, as_file = tiny["tone"], tiny["noise"], tiny["chirp"], tiny["as_file"]
RATE = 16_000
HEARING = Hearing(RATE, RATE, 4)
KINDS = [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"), ("WAV", "DOUBLE"),
    ("WAV", "ULAW"), ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"), ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS"),
]  # fmt: skip


def pitch(samples: np.ndarray, rate: int = RATE) -> float:
    """The loudest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * rate / len(samples))


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_is_heard(kind: str, subtype: str, channels: int) -> None:
    """A tone comes back at its pitch and its strength, whatever holds it, in one channel or two."""
    rate = 48_000 if subtype == "OPUS" else 44_100
    samples = np.stack([tone(440, 1, rate)] * channels, axis=1)
    sound = listen(as_file(samples, rate, kind, subtype), HEARING)
    assert sound.windows is not None, sound.flaw
    assert sound.remarks == ()
    assert sound.windows.dtype == np.float32
    heard = sound.windows[0][: sound.lengths[0]]
    assert len(heard) == pytest.approx(RATE, abs=RATE * 0.1)
    assert pitch(heard) == pytest.approx(440, abs=3)
    assert float(np.abs(heard[1000:-2000]).max()) == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("rate", [1_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_is_resampled(rate: int) -> None:
    """A tone keeps its pitch, and what the wanted rate cannot hold is filtered out rather than folded back."""
    sound = listen(as_file(tone(300, 1, rate), rate), HEARING)
    assert sound.windows is not None
    assert pitch(sound.windows[0]) == pytest.approx(300, abs=3)
    if rate >= 44_100:
        high = listen(as_file(tone(13_000, 1, rate), rate), HEARING)  # above 8 kHz: nothing of it can be heard
        assert high.windows is not None
        assert float(np.abs(high.windows[0][500:-500]).max()) < 0.01


def test_stereo_is_the_mean_of_its_channels() -> None:
    """Left and right count the same; what is opposite in both is silence."""
    left, right = tone(400), tone(1000) / 2
    sound = listen(as_file(np.stack([left, right], axis=1), subtype="FLOAT"), HEARING)
    assert_allclose(sound.windows[0], (left + right) / 2, atol=1e-6)
    assert listen(as_file(np.stack([left, -left], axis=1), subtype="FLOAT"), HEARING).flaw == "silent"


def test_long_files_are_heard_in_windows_spread_over_them() -> None:
    """Ten seconds in four windows of one: the first second, the last, and two between."""
    samples = np.concatenate([tone(200 + 100 * number) for number in range(10)])
    sound = listen(as_file(samples, kind="FLAC"), HEARING)
    assert [round(pitch(window), -2) for window in sound.windows] == [200, 500, 800, 1100]
    assert sound.lengths == (RATE,) * 4


@pytest.mark.parametrize(("seconds", "n_windows"), [(0.4, 1), (1.0, 1), (1.2, 2), (2.0, 2), (2.5, 3), (9.0, 4)])
def test_there_are_as_many_windows_as_cover_the_file(seconds: float, n_windows: int) -> None:
    """Up to the most that are wanted; a short file is one window, with its length."""
    sound = listen(as_file(tone(300, seconds)), HEARING)
    assert sound.windows.shape == (n_windows, RATE)
    assert sound.lengths == (min(RATE, round(seconds * RATE)),) * n_windows
    assert not sound.windows[:, sound.lengths[0] :].any()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_window_of_a_long_file_is_the_same_as_cut_by_hand(kind: str) -> None:
    """Reading from the middle of a file gives what stands there, in every format."""
    samples = chirp(200, 6000, 8)
    whole = listen(as_file(samples, kind=kind), Hearing(RATE, 8 * RATE, 1)).windows[0]
    parts = listen(as_file(samples, kind=kind), HEARING)
    starts = [int(start) for start in np.linspace(0, 7 * RATE, 4)]
    for window, start in zip(parts.windows, starts, strict=True):
        assert_allclose(window[2000:-2000], whole[start + 2000 : start + RATE - 2000], atol=0.02)


BROKEN = {
    "empty": b"",
    "text": b"this is no sound at all, however long one listens to it. " * 50,
    "zeros": bytes(5000),
    "a header alone": as_file(tone(300))[:44],
    "half a header": as_file(tone(300))[:20],
    "a picture": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(300),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_sound_is_a_flaw(name: str) -> None:
    """No exception for an item's file, and a sentence for a request's."""
    sound = listen(BROKEN[name], HEARING)
    assert sound.windows is None
    assert sound.flaw in ("empty", "unknown", "short")
    with pytest.raises(QueryError, match="send WAV, FLAC, MP3 or OGG"):
        listen_to_request(BROKEN[name], HEARING)


@pytest.mark.parametrize(
    ("samples", "rate", "flaw"),
    [
        (np.zeros(RATE), RATE, "silent"),
        (np.full(RATE, 1e-5), RATE, "silent"),
        (np.zeros(0), RATE, "short"),
        (tone(300, 0.04), RATE, "short"),
        (tone(100, 2, 500), 500, "rate"),
        (np.full(RATE, np.nan), RATE, "damaged"),
        (np.where(np.arange(RATE) == 99, np.inf, 0.1), RATE, "damaged"),
    ],
)
def test_sounds_that_say_nothing_have_no_vector(samples, rate: int, flaw: str) -> None:
    """Silence, zero length, hardly any length, a rate that is none, and samples that are no numbers."""
    assert listen(as_file(samples, rate, subtype="FLOAT"), HEARING).flaw == flaw


def test_clipped_and_loud_sounds_are_heard_and_remarked() -> None:
    """Clipping is heard as it is; a float file of another scale is brought to full scale."""
    clipped = listen(as_file(np.clip(5 * tone(300), -1, 1)), HEARING)
    assert clipped.remarks == ("clipped",)
    assert clipped.windows is not None
    loud = listen(as_file(3000 * tone(300), subtype="FLOAT"), HEARING)
    assert loud.remarks == ("loud",)
    assert float(np.abs(loud.windows).max()) == pytest.approx(1, abs=1e-4)
    assert listen(as_file(tone(300)), HEARING).remarks == ()


@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", None), ("OGG", "VORBIS")])
def test_a_file_that_is_cut_off_is_heard_as_far_as_it_goes(kind: str, subtype: str | None) -> None:
    """Two thirds of a file give a beginning of the sound, or the file is left out; nothing raises."""
    data = as_file(tone(500, 6), kind=kind, subtype=subtype)
    sound = listen(data[: len(data) * 2 // 3], HEARING)
    if kind in ("FLAC", "MP3"):
        assert sound.remarks == ("cut",)
    if sound.windows is not None:
        assert pitch(sound.windows[0]) == pytest.approx(500, abs=3)
    else:
        assert sound.flaw in ("short", "unknown")


def test_a_hostile_length_costs_nothing() -> None:
    """A header that claims gigabytes, or 2**36 samples, is not believed: what is there is heard."""
    wav = bytearray(as_file(tone(500, 2)))
    at = wav.index(b"data") + 4
    wav[at : at + 4] = struct.pack("<I", 0xFFFFFFF0)
    flac = bytearray(as_file(tone(500, 2), kind="FLAC"))
    flac[21] |= 0x0F  # the length in STREAMINFO, 36 bits
    flac[22:26] = b"\xff" * 4
    for data in (bytes(wav), bytes(flac)):
        sound = listen(data, HEARING)
        assert sound.windows is not None
        assert sound.windows.shape == (2, RATE)
        assert pitch(sound.windows[0]) == pytest.approx(500, abs=3)


def test_a_length_that_is_a_little_off_is_no_damage() -> None:
    """An MP3 that lacks its last frame: still spread over the file, without a remark."""
    samples = np.concatenate([tone(200 + 100 * number) for number in range(10)])
    sound = listen(as_file(samples, kind="MP3")[:-150], HEARING)
    assert sound.windows is not None
    assert [round(pitch(window), -2) for window in sound.windows] == [200, 500, 800, 1100]
    assert sound.lengths[-1] < RATE
    assert sound.remarks == ()


def test_too_many_channels_or_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits hold before anything is decoded."""
    assert listen(as_file(np.zeros((100, 40)) + 0.1), HEARING).flaw == "rate"
    monkeypatch.setattr(audio_files, "MAX_FILE", 1000)
    assert listen(as_file(tone(300)), HEARING).flaw == "large"


def test_a_format_that_is_not_looked_after_is_refused() -> None:
    """The library knows more formats than are decoded here."""
    assert listen(as_file(tone(300), kind="VOC", subtype="PCM_16"), HEARING).flaw == "unknown"


SEEDS = [as_file(tone(400, 0.5), kind=kind) for kind in ("WAV", "FLAC", "MP3", "OGG")]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=30), st.data())
def test_damaged_files_never_raise(data: bytes, changes: list[tuple[int, int]], draw: st.DataObject) -> None:
    """Any bytes changed, any end cut off: windows of finite numbers within full scale, or a flaw with a name."""
    broken = bytearray(data)
    for place, value in changes:
        broken[place % len(broken)] = value
    sound = listen(bytes(broken[: draw.draw(st.integers(0, len(broken)))]), HEARING)
    if sound.windows is None:
        assert sound.flaw in audio_files.FLAWS
    else:
        assert sound.windows.shape[1] == RATE
        assert len(sound.windows) == len(sound.lengths) <= HEARING.n_windows
        assert np.isfinite(sound.windows).all()
        assert float(np.abs(sound.windows).max()) <= 1


def test_a_request_may_be_a_path(tmp_path: Path) -> None:
    """A file is heard as its bytes are; one that is not there is a sentence."""
    path = tmp_path / "a.wav"
    path.write_bytes(as_file(noise(0)))
    assert_allclose(listen_to_request(path, HEARING).windows, listen(path.read_bytes(), HEARING).windows)
    with pytest.raises(QueryError, match="cannot be read"):
        listen_to_request(tmp_path / "none.wav", HEARING)


def test_without_its_packages_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed is no flaw of the file."""
    import sys

    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match=r"antiphon\[audio\]"):
        listen(SEEDS[0], HEARING)
