"""The query side of a text encoder: text -> vector with onnxruntime, without torch.

A folder that `antiphon.encoders.text.onnx_export` wrote holds three files:

    model.onnx       token ids -> one pooled vector per text
    tokenizer.json   the tokenizer, with its truncation; padding is done here
    text.json        `TextSpec`: what the graph expects
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from antiphon.base import runtime
from antiphon.base.storage import first_line
from antiphon.encoders.text.vocabulary import has_word
from antiphon.errors import ConfigError, IntegrityError, MismatchError, MissingExtraError, QueryError

MODEL_FILE = "model.onnx"
TOKENIZER_FILE = "tokenizer.json"
SPEC_FILE = "text.json"
OUTPUT_NAME = "text_vector"
FORMAT_VERSION = 1
PURPOSE = "encoding a query"

Tokens = tuple[NDArray[np.int64], NDArray[np.int64]]  # token ids and token type ids of one text, both (n_tokens,)


class TextSpec(BaseModel):
    """What text.json holds.

    `pooling`: "mean", "cls" or "lasttoken", done in the graph. `normalize`: the original model ends with a Normalize
    module (`encode` normalises either way). `max_seq_length`: tokens that are read, None for all. `inputs`: the graph's
    inputs. `prompt`: put before every text. `int8`: products are in 8 bits.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    pooling: str
    normalize: bool
    max_seq_length: int | None
    dim: int
    do_lower_case: bool
    pad_token_id: int
    prompt: str
    inputs: tuple[str, ...]
    int8: bool
    format_version: int = FORMAT_VERSION

    @classmethod
    def read(cls, path: Path) -> TextSpec:
        """Read text.json.

        Raises:
            IntegrityError: the file is missing, is not JSON, or lacks a field.
            MismatchError: the file was written in another format version.
        """
        try:
            text = path.read_text(encoding="utf-8")
            value = json.loads(text)
        except (OSError, ValueError) as error:
            raise IntegrityError(_broken(path, error)) from error
        if not isinstance(value, dict):
            raise IntegrityError(f"{path} holds {type(value).__name__}, expected an object. {_AGAIN}")
        version = value.get("format_version")
        if version != FORMAT_VERSION:
            raise MismatchError(f"{path} has format_version {version!r}, expected {FORMAT_VERSION}. {_AGAIN}")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = ", ".join(dict.fromkeys(str(found["loc"][0]) for found in error.errors()))
            raise IntegrityError(f"{path}: missing or wrong values for {wrong}. {_AGAIN}") from error


class OnnxTextEncoder:
    """Encodes texts with an exported sentence-transformers model.

    Safe to use from several threads. `n_threads` is the number of cores that one call may use (default: all that the
    process may use); waiting threads sleep instead of spinning, because the machine is shared with other work.

    Raises:
        MissingExtraError: onnxruntime or tokenizers is not installed.
        IntegrityError: a file of the folder is missing or broken, or the files do not fit each other.
        MismatchError: the folder was written in another format version.
        ConfigError: `n_threads` is below one.
    """

    def __init__(self, folder: Path, *, n_threads: int | None = None) -> None:
        if n_threads is not None and n_threads < 1:
            raise ConfigError(f"n_threads is {n_threads}, expected at least 1 (or None for all cores).")
        self._folder = folder
        self._spec = TextSpec.read(folder / SPEC_FILE)
        self._tokenizer = _load_tokenizer(folder / TOKENIZER_FILE)
        self._session = _load_session(folder / MODEL_FILE, n_threads or runtime.n_cores())
        self._check_graph()

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._spec.dim

    def encode(self, texts: Sequence[str], *, batch_size: int = 32) -> NDArray[np.float32]:
        """Vectors of the texts in their order, (n_texts, dim) float32, unit L2. An empty text has a vector too.

        A text's vector does not depend on the texts beside it (up to 1e-5). An int8 model quantises activations while
        it runs, where rounding turns the tiny numeric differences of another padding into visible ones; its texts are
        therefore run one by one, and `batch_size` does not matter.

        Raises:
            QueryError: `texts` is one string, holds something else than strings or text that is not valid Unicode,
                or `batch_size` is below one.
            IntegrityError: the model's output is not finite.
        """
        _check_texts(texts, batch_size)
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        tokens = [self._tokenize(text) for text in texts]
        # Longest first: a batch is padded little, and the largest memory is asked for at once.
        order = sorted(range(len(texts)), key=lambda row: -len(tokens[row][0]))
        step = 1 if self._spec.int8 else batch_size
        for start in range(0, len(order), step):
            rows = order[start : start + step]
            vectors[rows] = self._run([tokens[row] for row in rows])
        return vectors

    def has_word(self, word: str) -> bool:
        """Whether the model's vocabulary has a word in one piece."""
        return has_word(word, lambda piece: self._tokenizer.token_to_id(piece) is not None)

    def _prepare(self, text: str) -> str:
        text = self._spec.prompt + text
        return text.lower() if self._spec.do_lower_case else text

    def _tokenize(self, text: str) -> Tokens:
        encoding = self._tokenizer.encode(self._prepare(text))
        if not len(encoding):
            # A tokenizer without special tokens makes nothing of an empty text, and the graph needs one position.
            return np.array([self._spec.pad_token_id]), np.array([0])
        return np.array(encoding.ids, dtype=np.int64), np.array(encoding.type_ids, dtype=np.int64)

    def _run(self, batch: list[Tokens]) -> NDArray[np.float32]:
        shape = (len(batch), max(len(ids) for ids, _ in batch))
        feed = {
            "input_ids": np.full(shape, self._spec.pad_token_id, dtype=np.int64),
            "attention_mask": np.zeros(shape, dtype=np.int64),
            "token_type_ids": np.zeros(shape, dtype=np.int64),
        }
        for row, (ids, types) in enumerate(batch):
            feed["input_ids"][row, : len(ids)] = ids
            feed["attention_mask"][row, : len(ids)] = 1
            feed["token_type_ids"][row, : len(ids)] = types
        (pooled,) = self._session.run([OUTPUT_NAME], {name: feed[name] for name in self._spec.inputs})
        if not np.isfinite(pooled).all():
            raise IntegrityError(f"{self._folder / MODEL_FILE} gives values that are not finite. {_AGAIN}")
        norms = np.linalg.norm(pooled, axis=1, keepdims=True)
        return np.asarray(pooled / np.maximum(norms, 1e-12), dtype=np.float32)

    def _check_graph(self) -> None:
        inputs = sorted(node.name for node in self._session.get_inputs())
        outputs = {node.name: node.shape for node in self._session.get_outputs()}
        if inputs != sorted(self._spec.inputs) or outputs.get(OUTPUT_NAME, [None])[-1] != self.dim:
            raise IntegrityError(
                f"{self._folder}: {SPEC_FILE} says inputs {sorted(self._spec.inputs)} and {self.dim} dimensions, "
                f"{MODEL_FILE} has inputs {inputs} and outputs {outputs}. {_AGAIN}"
            )


_AGAIN = "Export the text encoder again (build the run again)."


def _broken(path: Path, error: Exception) -> str:
    if not path.is_file():
        return f"{path} is missing. {_AGAIN}"
    return f"{path} cannot be read ({first_line(error)}). {_AGAIN}"


def _check_texts(texts: Sequence[str], batch_size: int) -> None:
    if batch_size < 1:
        raise QueryError(f"batch_size is {batch_size}, expected at least 1.")
    if isinstance(texts, str):
        raise QueryError("encode got one string, expected a list of texts: encode([text]).")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise QueryError(f"text {row} is of type {type(text).__name__}, expected str.")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise QueryError(
                f"text {row} is not valid Unicode: a lone surrogate at character {error.start}. Remove or replace it."
            ) from error


def _load_tokenizer(path: Path) -> Any:
    tokenizers = runtime.library("tokenizers", "serve", PURPOSE)
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception for every broken file
        raise IntegrityError(_broken(path, error)) from error


def _load_session(path: Path, n_threads: int) -> Any:
    # The fused kernel made a batch 15% slower than the Add and LayerNormalization that it replaces.
    without = ["SkipLayerNormFusion"]
    try:
        return runtime.onnx_session(str(path), "serve", PURPOSE, n_threads=n_threads, without=without)
    except MissingExtraError:
        raise
    except Exception as error:  # onnxruntime's, as above
        raise IntegrityError(_broken(path, error)) from error
