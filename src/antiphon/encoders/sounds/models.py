"""Networks for sounds: CLAP through transformers, and a log-mel network of music or speech from a local folder.

A folder for `log-mel` has two files:

    network.onnx   spectrograms -> one vector per window; one file, without external data
    audio.json     `NetworkSpec`: the front end, and how the network takes its input
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import runtime, storage
from antiphon.config.load import check_section
from antiphon.config.sections import Section
from antiphon.encoders import hub
from antiphon.encoders.media import HubOptions
from antiphon.encoders.sounds.encoder import AudioEncoder, AudioOptions, SoundModel
from antiphon.encoders.sounds.mel import MelSpec
from antiphon.errors import ConfigError, IntegrityError, MissingExtraError

Floats = NDArray[np.float32]
FRONT_END_VERSION = 1
"""Raised when the same file and network get other vectors."""
NETWORK_FILE, SPEC_FILE = "network.onnx", "audio.json"


class NetworkSpec(Section):
    """What audio.json of a `log-mel` folder says: how sounds become spectrograms, and how the network takes them."""

    front_end: MelSpec
    layout: Literal["time-mel", "mel-time"] = "time-mel"
    channel_axis: bool = Field(False, description="(n, 1, ...) instead of (n, ...)")


@dataclass(frozen=True)
class ClapModel(SoundModel):
    """A CLAP network; `channels`: 4 for those with fusion, whose windows are all "not longer", else 1."""

    network: Any
    spec: MelSpec
    channels: int

    def encode(self, mels: Floats) -> Floats:
        """Vectors of windows, (n, n_frames, n_mels) float32 to (n, dim) float32."""
        torch = runtime.torch()
        seen = torch.from_numpy(mels)[:, None].expand(-1, self.channels, -1, -1).to(self.network.device)
        # A window is never longer than the network's: nothing of it is drawn at random, as transformers would.
        longer = torch.zeros((len(mels), 1), dtype=torch.bool, device=self.network.device)
        return hub.vectors_of(lambda: self.network.get_audio_features(input_features=seen, is_longer=longer))


@dataclass(frozen=True)
class OnnxModel(SoundModel):
    """A network that onnxruntime runs."""

    session: Any
    spec: MelSpec
    network: NetworkSpec
    path: Path

    def encode(self, mels: Floats) -> Floats:
        """Vectors of windows, (n, n_frames, n_mels) float32 to (n, dim) float32.

        Raises:
            IntegrityError: the network does not take them, or gives something else.
        """
        seen = mels if self.network.layout == "time-mel" else mels.transpose(0, 2, 1)
        seen = np.ascontiguousarray(seen[:, None] if self.network.channel_axis else seen)
        try:
            found = np.asarray(self.session.run(None, {self.session.get_inputs()[0].name: seen})[0])
        except Exception as error:  # onnxruntime's errors share no narrower base
            raise IntegrityError(
                f"{self.path / NETWORK_FILE} does not take spectrograms of the shape {seen.shape} "
                f"({hub.reason(error)}); make {SPEC_FILE} fit it."
            ) from error
        if found.ndim != 2 or len(found) != len(mels) or not np.isfinite(found).all():
            raise IntegrityError(
                f"{self.path / NETWORK_FILE} gives the shape {found.shape} for {len(mels)} windows, expected "
                f"({len(mels)}, dim) of finite numbers; pool over time in the network."
            )
        return found.astype(np.float32)


class ClapOptions(AudioOptions, HubOptions):
    """Options of the encoder `clap`."""


class ClapEncoder(AudioEncoder[ClapOptions]):
    """Sounds by a CLAP model (Wu et al. 2023) of transformers, with its weights frozen."""

    name: ClassVar[str] = "clap"
    Options: ClassVar[type[Section]] = ClapOptions
    keys = ("model", "revision", "windows")

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the folder's files, or of name and revision, and of the way files are heard."""
        heard = [FRONT_END_VERSION, settings["windows"]]
        return hub.identity(cls.noun, settings["model"], settings["revision"], cls.name, heard)

    @classmethod
    def load(cls, settings: dict[str, Any]) -> SoundModel:
        """The network's side for sounds."""
        transformers, name = hub.library("transformers", "build", "encoding sounds with CLAP"), settings["model"]
        path, given = hub.pretrained(name, settings["revision"])
        with hub.explained("sound", name):
            network = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **given)
        if not hasattr(network, "get_audio_features"):
            raise ConfigError(
                f"the model {name!r} is a {type(network).__name__}; give a CLAP model, or use the encoder `log-mel` "
                "for another network."
            )
        with hub.explained("sound", name):
            front = transformers.AutoFeatureExtractor.from_pretrained(path, **given)
        fused = front.truncation == "fusion"
        spec = MelSpec(
            sample_rate=front.sampling_rate, seconds=front.max_length_s, n_fft=front.fft_window_size,
            hop_length=front.hop_length, n_mels=front.feature_size, fmin=front.frequency_min,
            fmax=front.frequency_max, mel_scale="htk" if fused else "slaney", mel_norm=None if fused else "slaney",
            padding="zeros" if front.padding == "pad" else front.padding,
        )  # fmt: skip
        channels = 4 if network.config.audio_config.enable_fusion else 1
        return ClapModel(network.eval().to(runtime.device()), spec, channels)


class LogMelEncoder(AudioEncoder[AudioOptions]):
    """Sounds by a network over log-mel spectrograms, in a local folder; it answers without torch."""

    name: ClassVar[str] = "log-mel"
    Options: ClassVar[type[Section]] = AudioOptions
    keys = ("model", "windows")

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the folder's two files and of the way files are heard."""
        path = _network_folder(settings)
        sums = [storage.cached_sha256(path / name) for name in (NETWORK_FILE, SPEC_FILE)]
        return storage.digest("log-mel", FRONT_END_VERSION, settings["windows"], sums)

    @classmethod
    def load(cls, settings: dict[str, Any]) -> SoundModel:
        """The network, run by onnxruntime; it is tried on silence."""
        path = _network_folder(settings)
        network = check_section(NetworkSpec, storage.read_json(path / SPEC_FILE), str(path / SPEC_FILE))
        try:
            data = (path / NETWORK_FILE).read_bytes()
            session = runtime.onnx_session(data, "audio", "encoding sounds", n_threads=runtime.n_cores())
        except MissingExtraError:
            raise
        except Exception as error:  # onnxruntime's, as in `encode`
            raise IntegrityError(f"{path / NETWORK_FILE} cannot be loaded ({hub.reason(error)}).") from error
        n_inputs = len(session.get_inputs())
        if n_inputs != 1:
            raise ConfigError(f"{path / NETWORK_FILE} has {n_inputs} inputs, expected spectrograms alone.")
        model = OnnxModel(session, network.front_end, network, path)
        _ = model.dim
        return model

    @classmethod
    def published(cls, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
        """A query side has the network itself."""
        return {**settings, "model": str(folder / "network")}

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write the network as well: the space answers without the folder that it came from."""
        source, target = _network_folder(self.settings()), folder / "network"
        target.mkdir(parents=True, exist_ok=True)
        for name in (NETWORK_FILE, SPEC_FILE):
            shutil.copyfile(source / name, target / name)
        super().publish(workspace, folder)


def _network_folder(settings: dict[str, Any]) -> Path:
    path = Path(settings["model"]).expanduser()
    missing = [name for name in (NETWORK_FILE, SPEC_FILE) if not (path / name).is_file()]
    if missing:
        raise ConfigError(
            f"{path} has no {missing[0]}; a `log-mel` model is a folder with {NETWORK_FILE}, {SPEC_FILE}."
        )
    return path
