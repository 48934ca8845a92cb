"""A sentence-transformers model small enough to make, load and export in a moment."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

WORDS = [
    "movie",
    "year",
    "genres",
    "country",
    "tags",
    "drama",
    "comedy",
    "thriller",
    "horror",
    "sci",
    "fi",
    "romance",
    "quiet",
    "family",
    "small",
    "town",
    "witty",
    "absurd",
    "feel",
    "good",
    "tense",
    "dark",
    "conspiracy",
    "eerie",
    "gory",
    "space",
    "robots",
    "dystopia",
    "tender",
    "bittersweet",
    "france",
    "italy",
    "japan",
    "usa",
    "film",
    "a",
    "and",
    "the",
    "of",
    "something",
]
DIM = 16


def make_model(folder: Path, *, seed: int = 7, words: tuple[str, ...] = ()) -> Path:
    """A folder with a random one-layer BERT of dimension 16 that knows a few words and all letters."""
    import tokenizers
    import torch
    import transformers

    letters = [*string.ascii_lowercase, *string.digits]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*special, *WORDS, *words, *letters, *(f"##{letter}" for letter in letters), *string.punctuation]
    ids = {piece: position for position, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(ids), hidden_size=DIM, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.3,
    )  # fmt: skip
    transformers.BertModel(config).eval().save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    listed = [
        {"idx": position, "name": str(position), "path": path, "type": f"sentence_transformers.models.{name}"}
        for position, (name, path) in enumerate(paths.items())
    ]
    _write(folder / "modules.json", listed)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    _write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": DIM, "pooling_mode_mean_tokens": True})
    return folder


@pytest.fixture(scope="session")
def tiny_text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sentence-transformers model with vectors of length 16."""
    return make_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session", autouse=True)
def exports_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Models are exported once for all tests, and not into the folder of whoever runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANTIPHON_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
