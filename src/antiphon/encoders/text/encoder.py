"""Text: any sentence-transformers model; all-MiniLM-L6-v2 comes with the package and works offline."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import Field

from antiphon.base import runtime, storage
from antiphon.base.package import __version__
from antiphon.base.progress import Progress
from antiphon.config.sections import CatalogConfig, Model, Section
from antiphon.data.features import Features
from antiphon.encoders.base import Growth, QueryKind, QuerySide, RequestEncoder, Source
from antiphon.encoders.shards import encode_in_shards
from antiphon.encoders.text import precision as bits
from antiphon.encoders.text.models import (
    EMBEDDED,
    PRESETS,
    Preset,
    check_weights,
    declared_dim,
    load_model,
    model_identity,
    model_path,
)
from antiphon.encoders.text.precision import Encode, Precision, in_batches, mean_cosine, sample_of, spread
from antiphon.encoders.text.vocabulary import has_word
from antiphon.errors import ConfigError, IntegrityError, MissingExtraError
from antiphon.numbers.engine import Encoding
from antiphon.numbers.vectors import unit

PRECISION_FILE = "precision.json"


class TextOptions(Section):
    """Options of the encoder `sentence-transformers`."""

    model: Model = Field(EMBEDDED, description="the embedded default, a local folder, or a hub name")
    revision: str | None = Field(None, description="commit of the hub model; presets bring theirs")
    query_prompt: str | None = None
    document_prompt: str | None = None
    batch_size: int = Field(64, ge=1)
    truncate_dim: int | None = Field(None, ge=1, description="keep the first dimensions, for matryoshka models")
    precision: Literal["auto", "fp32", "int8"] = Field("auto", description="of descriptions while a run is built")


class TextEncoder(RequestEncoder[TextOptions]):
    """Encodes descriptions, and requests in plain words, with a frozen sentence-transformers model."""

    name: ClassVar[str] = "sentence-transformers"
    Options: ClassVar[type[Section]] = TextOptions
    accepts: ClassVar[QueryKind | None] = "text"

    def __init__(self, modality: str, options: TextOptions) -> None:
        super().__init__(modality, options)
        preset = PRESETS.get(options.model, Preset(options.revision or ""))
        self.revision = options.revision or preset.revision
        self.query_prompt = preset.query_prompt if options.query_prompt is None else options.query_prompt
        self.document_prompt = preset.document_prompt if options.document_prompt is None else options.document_prompt

    def check(self, catalog: CatalogConfig) -> None:
        """The model must be there, or be named so that it can be fetched again."""
        path = Path(model_path(self.options.model, self.revision))
        wanted, known = self.options.truncate_dim, declared_dim(path)
        if wanted is not None and known is not None and wanted > known:
            raise ConfigError(_too_long(self.modality, wanted, known))

    def fingerprint(self, source: Source) -> str:
        """Hash of the model's identity, the options that change vectors, and every text."""
        settings = [self.options.truncate_dim, self.options.precision]
        return storage.digest("text", self._identity(), self.document_prompt, settings, dict(source.descriptions.views))

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of every view of the descriptions, unit length; an item without a text is masked."""
        views = source.descriptions.views
        texts = sorted({self.document_prompt + text for view in views.values() for text in view if text})
        texts.sort(key=len)
        documents = self._document_precision(texts, workspace)
        vectors = self._vectors(texts, workspace, "shards", documents, progress)
        row_of = {text: row for row, text in enumerate(texts)}
        rows = np.array(
            [[row_of[self.document_prompt + text] if text else -1 for text in view] for view in views.values()]
        )
        mask = rows >= 0
        matrix = np.where(mask[..., None], vectors[rows] if len(vectors) else 0, 0).astype(np.float32)
        return Features(self.modality, tuple(views), matrix, mask)

    def encode_fresh(self, growth: Growth, workspace: Path, progress: Progress) -> Features:
        """Vectors of the fresh items, in the precision that was chosen for those from before."""
        chosen = {"precision": self._chosen(workspace)["documents"]}
        settled = TextEncoder(self.modality, self.options.model_copy(update=chosen))
        settled.engine = self.engine
        return RequestEncoder.encode_fresh(settled, growth, workspace, progress)

    def request_identity(self) -> str:
        """Hash of the model's identity and the query prompt."""
        return storage.digest(self._identity(), self.query_prompt, self.options.truncate_dim)

    def encode_requests(self, texts: Sequence[str], workspace: Path, progress: Progress) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, unit L2, each text encoded once."""
        unique = sorted({self.query_prompt + text for text in texts}, key=lambda text: (len(text), text))
        vectors = self._vectors(unique, workspace, "requests", "fp32", progress)
        row_of = {text: row for row, text in enumerate(unique)}
        return vectors[[row_of[self.query_prompt + text] for text in texts]]

    def kept(self, workspace: Path) -> list[Path]:
        """The record of the precision that was used."""
        return [workspace / PRECISION_FILE]

    def _vectors(
        self, texts: Sequence[str], workspace: Path, kind: str, precision: str, progress: Progress
    ) -> NDArray[np.float32]:
        """Unit vectors of texts in shards; the model is loaded when there is something to encode.

        Shards have all dimensions, so that another `truncate_dim` encodes nothing again.
        """
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        load = functools.cache(lambda: self._encoder(precision))

        def encode(positions: list[int]) -> NDArray[np.float32]:
            return load()([texts[position] for position in positions])

        suffix = "" if precision == "fp32" else f"-{precision}"
        folder = workspace / f"{kind}-{self._identity()[:12]}{suffix}"
        settings = {"modality": self.modality, "options": self.options.model_dump(mode="json"), "precision": precision}
        away = self.away(Encoding("antiphon.encoders.text.encoder:elsewhere", settings), texts)
        vectors = encode_in_shards(keys, encode, folder, progress, name=f"encoding {self.modality}", away=away)
        return shortened(vectors, self.options.truncate_dim, self.modality)

    def _document_precision(self, texts: Sequence[str], workspace: Path) -> str:
        """The precision of descriptions, decided once for these texts and recorded."""
        sample, asked = sample_of(texts), self.options.precision
        many = len(texts) >= bits.MANY_TEXTS
        key = storage.digest(self._identity(), asked, self.options.truncate_dim, many, sample)
        known = self._chosen(workspace)
        if known.get("key") == key:
            return str(known["documents"])
        chosen: tuple[str, float | None] = (asked, None)
        if asked == "auto":
            fast = many and runtime.device() == "cpu" and bits.is_fast()
            chosen = self._measured(sample) if fast else ("fp32", 1.0)
        value = {"key": key, "documents": chosen[0], "cosine": chosen[1]}
        storage.write_sealed(workspace / PRECISION_FILE, value)
        return chosen[0]

    def _measured(self, sample: Sequence[str]) -> tuple[Precision, float]:
        """8 bits and their mean cosine to 32 where they keep the sample's vectors, else 32 bits and 1."""
        try:
            small = self._encoder("int8")
        except ConfigError:  # this model cannot be had in 8 bits
            return "fp32", 1.0
        cosine = mean_cosine(sample, self._encoder("fp32"), small, self.options.truncate_dim)
        return ("int8", cosine) if cosine >= bits.MIN_COSINE else ("fp32", 1.0)

    def _chosen(self, workspace: Path) -> dict[str, Any]:
        """The recorded precision; what the options say, and 32 bits for `auto`, where nothing was encoded yet."""
        asked = self.options.precision
        try:
            recorded = storage.read_sealed(workspace / PRECISION_FILE, ("key", "documents", "cosine"))
        except IntegrityError:
            return {"documents": "fp32" if asked == "auto" else asked, "cosine": None}
        return recorded

    def _encoder(self, precision: str) -> Encode:
        """What encodes texts: the export, which takes half the time on a CPU, else the model itself.

        Raises:
            ConfigError: the model has no 8 bit export that keeps its vectors.
        """
        size = self.options.batch_size
        if precision == "int8":
            exported = self._export("int8")
            if exported is None:
                raise ConfigError(
                    f"modality {self.modality!r}: the text model {self.options.model!r} has no 8 bit export that keeps "
                    "its vectors (it needs a local folder and onnxruntime); take precision fp32."
                )
            small = _onnx(exported, n_threads=1)
            return lambda texts: spread(small.encode, texts, runtime.n_cores())
        if runtime.device() == "cpu" and (exported := self._export("fp32")) is not None:
            # A thread for each batch: two threads within one batch take half as long again.
            onnx = _onnx(exported, n_threads=1)
            one = functools.partial(onnx.encode, batch_size=size)
            return lambda texts: in_batches(one, texts, size, runtime.n_cores())
        model = load_model(self.options.model, self.revision)
        return lambda texts: _encode(model, texts, size)

    def _export(self, weights: Precision) -> Path | None:
        """The folder with an export that needs no torch, made once per machine; None where that cannot be."""
        from antiphon.encoders.text.onnx_export import export_in_8_bits, export_text_encoder

        path = Path(model_path(self.options.model, self.revision))
        kind = [] if weights == "fp32" else ["int8-bulk"]
        exported = runtime.cache_folder() / "onnx" / storage.digest(self._identity(), __version__, *kind)[:16]
        sums = exported.with_suffix(".json")
        exact = self._export("fp32") if weights == "int8" else None
        if not path.is_dir() or (weights == "int8" and exact is None):
            return None
        try:
            exported.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None  # no cache, no export: the model itself answers
        with FileLock(exported.with_suffix(".lock")):  # another build may be exporting the same model
            if exported.is_dir() and not _is_whole(exported, sums):
                shutil.rmtree(exported, ignore_errors=True)
            if not exported.is_dir():
                # Not every model can be exported; sentence-transformers then runs it.
                with contextlib.suppress(ConfigError, MissingExtraError):
                    if exact is not None:
                        export_in_8_bits(exact, exported)
                    else:
                        check_weights(self.options.model, path)
                        export_text_encoder(path, exported)
                    storage.write_json(sums, _sums(exported))
        return exported if exported.is_dir() else None

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write the model's name, revision and query prompt, and an export that answers without torch."""
        chosen = self._chosen(workspace)
        exported = self._export("fp32")
        if exported is not None:
            storage.copy_tree(exported, folder / "onnx")
        storage.write_json(
            folder / "text.json",
            {
                "model": self.options.model,
                "revision": self.revision,
                "query_prompt": self.query_prompt,
                "identity": self._identity(),
                "truncate_dim": self.options.truncate_dim,
                "precision": chosen["documents"],
                "cosine": chosen.get("cosine"),
            },
        )

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote: the export where there is one, else the model itself."""
        return TextQuerySide(folder)

    def _identity(self) -> str:
        return model_identity(self.options.model, self.revision)


def elsewhere(settings: Mapping[str, Any]) -> Encode:
    """What encodes texts in another process, see `Encoding`."""
    encoder = TextEncoder(settings["modality"], TextOptions(**settings["options"]))
    return encoder._encoder(settings["precision"])  # noqa: SLF001  of this file


class TextQuerySide:
    """Encodes requests in plain words; loads its model at the first request or at `warm`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = storage.read_json(folder / "text.json")
        self._model: Any = None
        self._has_word: Callable[[str], bool] = lambda _: False

    def warm(self) -> None:
        """Load the model now."""
        if self._model is not None:
            return
        if (self.folder / "onnx").is_dir() and runtime.has("onnxruntime"):
            exported = _onnx(self.folder / "onnx")
            self._model, self._has_word = exported.encode, exported.has_word
            return
        name, revision = self.meta["model"], self.meta["revision"]
        if model_identity(name, revision) != self.meta["identity"]:
            raise IntegrityError(
                f"the text model {name!r} is not the one that this space was built with; build the run again."
            )
        model = load_model(name, revision)
        pieces = model.tokenizer.get_vocab() if hasattr(model.tokenizer, "get_vocab") else {}
        self._has_word = lambda word: has_word(word, pieces.__contains__)
        self._model = lambda texts: _encode(model, texts, 32)

    def has_word(self, word: str) -> bool:
        """Whether the model's vocabulary has a word in one piece; False where the model does not say."""
        self.warm()
        return self._has_word(word)

    def encode(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, unit L2."""
        self.warm()
        prompt = self.meta["query_prompt"]
        return shortened(self._model([prompt + text for text in inputs]), self.meta.get("truncate_dim"), "text")


def shortened(vectors: NDArray[np.float32], dim: int | None, modality: str) -> NDArray[np.float32]:
    """The first `dim` dimensions (all where None), at unit length again: (n, dim) float32 (Kusupati et al. 2022).

    Raises:
        ConfigError: the vectors are shorter than that.
    """
    if dim is not None and len(vectors) and dim > vectors.shape[1]:
        raise ConfigError(_too_long(modality, dim, vectors.shape[1]))
    return unit(vectors[:, :dim])


def _too_long(modality: str, wanted: int, known: int) -> str:
    return f"modality {modality!r}: truncate_dim is {wanted}, but the text model's vectors have {known} dimensions."


def _onnx(folder: Path, n_threads: int | None = None) -> Any:
    from antiphon.encoders.text.onnx_run import OnnxTextEncoder

    return OnnxTextEncoder(folder, n_threads=n_threads)


def _is_whole(folder: Path, sums: Path) -> bool:
    try:
        recorded: bool = storage.read_json(sums) == _sums(folder)
    except IntegrityError:
        return False
    return recorded


def _sums(folder: Path) -> dict[str, str]:
    return {file.name: storage.cached_sha256(file) for file in sorted(folder.iterdir())}


def _encode(model: Any, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
    vectors = model.encode(
        list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False, convert_to_tensor=True
    )
    return np.asarray(vectors.float().cpu(), dtype=np.float32)
