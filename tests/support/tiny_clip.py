"""CLIP and SigLIP models small enough to make in a moment, in the format of transformers, and pictures of any kind."""

from __future__ import annotations

import io
import string
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 32
DIM = 12


def make_clip(folder: Path, *, seed: int = 5, kind: str = "clip", text: bool = True) -> Path:
    """A folder with a random CLIP (or SigLIP) of two small layers, its preparation of pictures and its tokenizer."""
    import torch
    import transformers

    torch.manual_seed(seed)
    words = {
        "vocab_size": 64, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "projection_size": 16,
    }  # fmt: skip
    pixels = {
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": SIDE, "patch_size": 8,
    }  # fmt: skip
    if kind == "clip":
        config = transformers.CLIPConfig(text_config=words, vision_config=pixels, projection_dim=DIM)
        network = transformers.CLIPModel(config)
        prepares = transformers.CLIPImageProcessorPil(
            size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE}
        )
    else:
        config = transformers.SiglipConfig(text_config=words, vision_config=pixels)
        network = transformers.SiglipModel(config)
        prepares = transformers.SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})
    with torch.no_grad():
        for weights in network.parameters():  # the usual start is so small that all pictures look the same
            if weights.ndim > 1:
                weights.mul_(4)
    network.eval().save_pretrained(folder)
    prepares.save_pretrained(folder)
    if text:
        _tokenizer().save_pretrained(folder)
    return folder


def make_timm(folder: Path, *, seed: int = 5) -> Path:
    """A folder with a random small backbone in the format of timm."""
    import timm
    import torch
    from timm.models import save_for_hf

    if not folder.is_dir():
        torch.manual_seed(seed)
        network = timm.create_model("test_resnet", pretrained=False, num_classes=3)
        save_for_hf(network.eval(), str(folder), safe_serialization=True)
    return folder


def _tokenizer() -> Any:
    import tokenizers
    import transformers

    pieces = ["<pad>", "<s>", "</s>", "<unk>", *string.ascii_lowercase, *string.digits, " ", ",", "."]
    ids = {piece: number for number, piece in enumerate(pieces)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(ids, [], unk_token="<unk>"))
    made.normalizer = tokenizers.normalizers.Lowercase()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def picture(number: int, size: tuple[int, int] = (48, 64)) -> Any:
    """An RGB picture of its own: colours and stripes drawn from its number."""
    from PIL import Image

    rng = np.random.default_rng(number)
    width, height = size
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    waves = [np.sin(across * rng.uniform(0.05, 0.6) + down * rng.uniform(0.05, 0.6)) for _ in range(3)]
    return Image.fromarray(((np.stack(waves, axis=-1) + 1) * 127.5).astype(np.uint8))


def as_bytes(image: Any, kind: str = "JPEG", **options: Any) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    """A zip of files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
