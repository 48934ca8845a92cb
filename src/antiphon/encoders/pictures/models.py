"""The two kinds of picture models: CLIP and SigLIP of transformers, and backbones of timm; safetensors only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import runtime, storage
from antiphon.config.sections import Model, Section
from antiphon.encoders import hub
from antiphon.encoders.pictures.encoder import PictureEncoder, PictureModel, PictureOptions
from antiphon.encoders.pictures.files import Recipe
from antiphon.errors import ConfigError

Floats = NDArray[np.float32]


class ClipOptions(PictureOptions):
    """Options of the encoder `clip`."""

    model: Model = Field(description="a local folder, or a hub name with `revision`")
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
        return hub.identity("picture", settings["model"], settings["revision"], "clip")

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network, with its text side where `text_side` asks for it."""
        return _load_clip(settings["model"], settings["revision"], text_side=settings["text_side"])


class TimmOptions(PictureOptions):
    """Options of the encoder `timm`."""

    model: Model = Field(description="a local folder, a hub name with `revision`, or an architecture with `file`")
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
            return hub.identity("picture", settings["model"], settings["revision"], "timm")
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
    transformers = hub.library("transformers", "image", "encoding pictures")
    from transformers.image_processing_base import ImageProcessingMixin

    path, given = hub.pretrained(name, revision)
    with hub.explained("picture", name):
        network = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **given)
        prepares, _ = ImageProcessingMixin.get_image_processor_dict(path, **given)
        tokenizer = transformers.AutoTokenizer.from_pretrained(path, **given) if text_side else None
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
    timm = hub.library("timm", "timm", "encoding pictures")
    folder = Path(name).expanduser()
    more: dict[str, Any] = {}
    if file is not None:
        more = {"pretrained_cfg_overlay": {"file": file, "custom_load": False}}
    elif folder.is_dir():
        name = f"local-dir:{folder}"
    else:
        name = f"hf-hub:{name}@{revision}"
    with hub.explained("picture", name):
        network = timm.create_model(name, pretrained=True, num_classes=0, **more).eval().to(runtime.device())
    recipe = Recipe.of_timm(timm.data.resolve_data_config(model=network))
    made = TimmModel(network, recipe, 0)
    return TimmModel(
        network, recipe, int(made.encode(np.zeros((1, 3, *(recipe.crop or (224, 224))), np.float32)).shape[1])
    )
