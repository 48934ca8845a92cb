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
from antiphon.config.sections import Section
from antiphon.encoders import hub
from antiphon.encoders.media import HubOptions
from antiphon.encoders.pictures.encoder import PictureEncoder, PictureModel, PictureOptions
from antiphon.encoders.pictures.files import Recipe
from antiphon.errors import ConfigError

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ClipModel(PictureModel):
    """A CLIP or SigLIP network; `tokenizer` is None where only pictures are read."""

    network: Any
    recipe: Recipe
    tokenizer: Any

    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures, (n, dim) float32."""
        seen = runtime.torch().from_numpy(pixels).to(self.network.device)
        return hub.vectors_of(lambda: self.network.get_image_features(pixel_values=seen))

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
        return hub.vectors_of(lambda: self.network.get_text_features(**given))


@dataclass(frozen=True)
class BackboneModel(PictureModel):
    """A network without its classifier."""

    network: Any
    recipe: Recipe

    def encode(self, pixels: Floats) -> Floats:
        """Vectors of prepared pictures, (n, dim) float32."""
        seen = runtime.torch().from_numpy(pixels).to(next(self.network.parameters()).device)
        return hub.vectors_of(lambda: self.network(seen))


class ClipOptions(PictureOptions, HubOptions):
    """Options of the encoder `clip`."""

    text_side: bool = Field(False, description="let texts reach the pictures through the model as well: weight `look`")


class ClipEncoder(PictureEncoder[ClipOptions]):
    """Encodes pictures with a frozen CLIP or SigLIP model in the format of transformers."""

    name: ClassVar[str] = "clip"
    Options: ClassVar[type[Section]] = ClipOptions
    keys = ("model", "revision", "text_side")

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network, with its text side where `text_side` asks for it."""
        transformers = hub.library("transformers", "image", "encoding pictures")
        from transformers.image_processing_base import ImageProcessingMixin

        name = settings["model"]
        path, given = hub.pretrained(name, settings["revision"])
        with hub.explained("picture", name):
            network = transformers.AutoModel.from_pretrained(path, use_safetensors=True, **given)
            prepares, _ = ImageProcessingMixin.get_image_processor_dict(path, **given)
            load_tokenizer = transformers.AutoTokenizer.from_pretrained
            tokenizer = load_tokenizer(path, **given) if settings["text_side"] else None
        if not hasattr(network, "get_image_features") or not hasattr(network.config, "vision_config"):
            raise ConfigError(
                f"the model {name!r} is a {type(network).__name__}, which has no side for pictures beside one for "
                "texts; give a CLIP or SigLIP model, or use the encoder `timm` for a backbone."
            )
        return ClipModel(network.eval().to(runtime.device()), Recipe.of_transformers(prepares), tokenizer)


class TimmOptions(PictureOptions, HubOptions):
    """Options of the encoder `timm`; `model` may be the name of an architecture as well, whose weights are `file`."""

    file: Path | None = Field(None, description="weights of the architecture `model`, a .safetensors file")


class TimmEncoder(PictureEncoder[TimmOptions]):
    """Encodes pictures with a frozen timm backbone: what it has before its classifier."""

    name: ClassVar[str] = "timm"
    Options: ClassVar[type[Section]] = TimmOptions
    keys = ("model", "revision", "file")

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the weights and the architecture's name, or of hub name and revision."""
        if settings["file"] is None:
            return super().identity_of(settings)
        file = Path(settings["file"])
        if file.suffix != ".safetensors" or not file.is_file():
            raise ConfigError(
                f"the weights {str(file)!r} are no .safetensors file that exists; other formats can run code when "
                "they are loaded, and are not read."
            )
        return storage.digest("timm", settings["model"], storage.cached_sha256(file))

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network without its classifier."""
        timm = hub.library("timm", "timm", "encoding pictures")
        name, file, folder = settings["model"], settings["file"], hub.folder_of(settings["model"])
        more: dict[str, Any] = {}
        if file is not None:
            more = {"pretrained_cfg_overlay": {"file": file, "custom_load": False}}
        elif folder is not None:
            name = f"local-dir:{folder}"
        else:
            name = f"hf-hub:{name}@{settings['revision']}"
        with hub.explained("picture", name):
            network = timm.create_model(name, pretrained=True, num_classes=0, **more).eval().to(runtime.device())
        return BackboneModel(network, Recipe.of_timm(timm.data.resolve_data_config(model=network)))
