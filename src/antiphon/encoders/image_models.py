"""The two kinds of picture models: CLIP and SigLIP of transformers, and backbones of timm; safetensors only."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon import runtime, storage
from antiphon.config import Section
from antiphon.encoders.image import PictureEncoder, PictureModel, PictureOptions
from antiphon.encoders.pictures import Recipe
from antiphon.errors import ConfigError, MissingExtraError, RunError

Floats = NDArray[np.float32]
READ = (".safetensors", ".json", ".txt", ".model")


class ClipOptions(PictureOptions):
    """Options of the encoder `clip`."""

    model: str = Field(description="a local folder, or a hub name with `revision`")
    revision: str | None = Field(None, description="commit of the hub model")
    text_side: bool = Field(False, description="let texts reach the pictures through the model as well: weight `look`")


class ClipEncoder(PictureEncoder[ClipOptions]):
    """Encodes pictures with a frozen CLIP or SigLIP model in the format of transformers."""

    name: ClassVar[str] = "clip"
    Options: ClassVar[type[Section]] = ClipOptions

    def settings(self) -> dict[str, Any]:
        """Name, revision, and whether texts are read."""
        options = self.options
        return {"model": options.model, "revision": options.revision or "", "text_side": options.text_side}

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the model's files, or of hub name and revision."""
        return _identity("clip", settings["model"], settings["revision"])

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network, with its text side where `text_side` asks for it."""
        return _load_clip(settings["model"], settings["revision"], text_side=settings["text_side"])


class TimmOptions(PictureOptions):
    """Options of the encoder `timm`."""

    model: str = Field(description="a local folder, a hub name with `revision`, or an architecture with `file`")
    revision: str | None = Field(None, description="commit of the hub model")
    file: Path | None = Field(None, description="weights of the architecture `model`, a .safetensors file")


class TimmEncoder(PictureEncoder[TimmOptions]):
    """Encodes pictures with a frozen timm backbone: what it has before its classifier."""

    name: ClassVar[str] = "timm"
    Options: ClassVar[type[Section]] = TimmOptions

    def settings(self) -> dict[str, Any]:
        """Name, revision and file of the weights."""
        options = self.options
        file = None if options.file is None else str(options.file)
        return {"model": options.model, "revision": options.revision or "", "file": file}

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the weights and the architecture's name, or of hub name and revision."""
        if settings["file"] is None:
            return _identity("timm", settings["model"], settings["revision"])
        file = Path(settings["file"])
        if file.suffix != ".safetensors" or not file.is_file():
            raise ConfigError(
                f"the weights {str(file)!r} are no .safetensors file that is there; other formats can run code when "
                "they are loaded, and are not read."
            )
        return storage.digest("timm", settings["model"], storage.cached_sha256(file))

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network without its classifier."""
        return _load_timm(settings["model"], settings["revision"], settings["file"])


@dataclass(frozen=True)
class ClipModel:
    """A CLIP or SigLIP network; `tokenizer` is None where only pictures are read."""

    network: Any
    recipe: Recipe
    dim: int
    tokenizer: Any

    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures, (n, dim) float32."""
        return self._run(lambda torch: self.network.get_image_features(pixel_values=self._to(torch, pixels)))

    def encode_text(self, texts: Sequence[str]) -> Floats:
        """Vectors of texts, (n, dim) float32."""
        settings = self.network.config.text_config
        # SigLIP was trained on texts of one length; CLIP does not see what it is padded with.
        padding = "max_length" if settings.model_type.startswith("siglip") else "longest"
        tokens = self.tokenizer(
            list(texts), padding=padding, truncation=True, max_length=settings.max_position_embeddings,
            return_tensors="pt", return_attention_mask=padding == "longest", return_token_type_ids=False,
        )  # fmt: skip
        given = {name: tensor.to(self.network.device) for name, tensor in tokens.items()}
        return self._run(lambda _: self.network.get_text_features(**given))

    def _to(self, torch: Any, pixels: Floats) -> Any:
        return torch.from_numpy(pixels).to(self.network.device)

    def _run(self, work: Any) -> Floats:
        torch = runtime.torch()
        with torch.inference_mode():
            found = work(torch)
            # Older releases of transformers return the vectors, newer ones an output that has them.
            found = getattr(found, "pooler_output", found)
        result: Floats = found.float().cpu().numpy()
        return result


@dataclass(frozen=True)
class TimmModel:
    """A timm backbone without its classifier."""

    network: Any
    recipe: Recipe
    dim: int

    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures, (n, dim) float32."""
        torch = runtime.torch()
        with torch.inference_mode():
            found = self.network(torch.from_numpy(pixels).to(next(self.network.parameters()).device))
        result: Floats = found.float().cpu().numpy()
        return result


def _load_clip(name: str, revision: str, *, text_side: bool) -> ClipModel:
    transformers = _library("transformers", "image")
    from transformers.image_processing_base import ImageProcessingMixin

    local = Path(name).expanduser().is_dir()
    path = str(Path(name).expanduser()) if local else name
    given = {"revision": None if local else revision, "local_files_only": local, "trust_remote_code": False}
    try:
        network = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **given)
        prepares, _ = ImageProcessingMixin.get_image_processor_dict(path, **given)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **given) if text_side else None
    except Exception as error:  # the folder may be broken, and the hub out of reach, in any way
        raise _cannot_load(name, error) from error
    if not hasattr(network, "get_image_features") or not hasattr(network.config, "vision_config"):
        raise ConfigError(
            f"the model {name!r} is a {type(network).__name__}, which has no side for pictures beside one for texts; "
            "give a CLIP or SigLIP model, or use the encoder `timm` for a backbone."
        )
    network = network.eval().to(runtime.device())
    recipe = Recipe.of_transformers(prepares)
    side = int(network.config.vision_config.image_size)
    dim = ClipModel(network, recipe, 0, tokenizer).encode(np.zeros((1, 3, side, side), np.float32)).shape[1]
    return ClipModel(network, recipe, int(dim), tokenizer)


def _load_timm(name: str, revision: str, file: str | None) -> TimmModel:
    timm = _library("timm", "timm")
    folder = Path(name).expanduser()
    more: dict[str, Any] = {}
    if file is not None:
        more = {"pretrained_cfg_overlay": {"file": file, "custom_load": False}}
    elif folder.is_dir():
        name = f"local-dir:{folder}"
    else:
        name = f"hf-hub:{name}@{revision}"
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0, **more).eval().to(runtime.device())
    except Exception as error:  # as above
        raise _cannot_load(name, error) from error
    recipe = Recipe.of_timm(timm.data.resolve_data_config(model=network))
    made = TimmModel(network, recipe, 0)
    return TimmModel(
        network, recipe, int(made.encode(np.zeros((1, 3, *(recipe.crop or (224, 224))), np.float32)).shape[1])
    )


def _identity(kind: str, name: str, revision: str) -> str:
    """A hash of a folder's files, or of hub name and revision.

    Raises:
        ConfigError: a hub name without a revision, or a folder without weights as safetensors.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        files = sorted(file for file in folder.rglob("*") if file.suffix in READ)
        if not any(file.suffix == ".safetensors" for file in files):
            raise ConfigError(
                f"the folder {str(folder)!r} has no .safetensors file; other formats of weights can run code when "
                "they are loaded, and are not read. Save the model again with safetensors."
            )
        return storage.digest(
            kind, [(file.relative_to(folder).as_posix(), storage.cached_sha256(file)) for file in files]
        )
    if not revision:
        raise ConfigError(
            f"the picture model {name!r} is no local folder; a model of the hub needs `revision`, the commit to use, "
            "so that a space can be built again and its code cannot change under you."
        )
    return storage.digest(kind, name, revision)


def _cannot_load(name: str, error: Exception) -> Exception:
    if isinstance(error, MissingExtraError):
        return error
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return RunError(
        f"the picture model {name!r} cannot be loaded ({reason}). With no connection to the hub, fetch the model on a "
        "machine that has one, and give its folder as `model`."
    )


def _library(name: str, extra: str) -> Any:
    if not runtime.has("torch"):
        raise MissingExtraError("torch", extra, "encoding pictures")
    runtime.torch()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        library = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or name, extra, "encoding pictures") from error
    except Exception as error:  # libraries of torch fail in their own ways where they do not fit it
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"the package {name!r} cannot be loaded ({reason}). Its version must fit that of torch: install both "
            "again from one place."
        ) from error
    if name == "transformers":
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()
    return library
