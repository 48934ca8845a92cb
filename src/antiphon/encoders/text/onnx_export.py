"""Export of a sentence-transformers model to the files that `antiphon.encoders.text.onnx_run` runs without torch.

Supported: a Transformer module, a Pooling module (mean, cls or lasttoken) and, optionally, Normalize. Everything else
is refused with a ConfigError, so that a caller can go on with sentence-transformers. An export is only kept when its
vectors equal those of the original model on texts of mixed length.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import logging
import secrets
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.encoders import hub
from antiphon.encoders.text.onnx_quantize import quantise
from antiphon.encoders.text.onnx_run import (
    MODEL_FILE,
    OUTPUT_NAME,
    SPEC_FILE,
    TOKENIZER_FILE,
    OnnxTextEncoder,
    TextSpec,
)
from antiphon.errors import ConfigError, RunError

POOLINGS = ("mean", "cls", "lasttoken")
MAX_DIFFERENCE = 1e-4  # of a unit vector's element, between torch and onnxruntime
MIN_INT8_COSINE = 0.99  # mean over the probe texts, between int8 and fp32
OPSET = 20  # what torch's exporter writes itself; another one goes through onnx's converter

_MODULES = ("Transformer", "Pooling", "Normalize")
_NO_LIMIT = 1_000_000
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_PROBES = (
    "",
    "space opera",
    "Dark science fiction from the EIGHTIES, slow and full of neon.",
    "Две сестры, ein Klavier & 東京の夜 — été 1962 🎹",
    "A retired lighthouse keeper finds a message in a bottle written by his younger self and sails out to answer it.",
    "Three siblings inherit a cinema that shows only one film. " * 4,
    "After the war a piano tuner travels from village to village, and everywhere somebody asks him to stay. " * 30,
)


def export_text_encoder(model_dir: Path, out_dir: Path) -> None:
    """Write model.onnx, tokenizer.json and text.json of a local sentence-transformers folder.

    The three files appear at once: they are written into a folder beside `out_dir`, which then takes its name and the
    place of an earlier export. The same model and package versions give the same bytes.

    Raises:
        ConfigError: the model is not supported, or its export does not give the original's vectors.
        MissingExtraError: sentence-transformers, onnx, onnxscript or onnxruntime is not installed.
        RunError: `out_dir` cannot be written.
    """
    _check_modules(model_dir)
    for package in ("onnx", "onnxscript", "onnxruntime"):
        runtime.library(package, "build", "exporting a text encoder")
    model = _load(model_dir)
    reference = _reference(model_dir, model)
    spec = _spec(model_dir, model, dim=reference.shape[1])
    with _replacing_folder(out_dir) as beside:
        _tokenizer(model_dir, model).save(str(beside / TOKENIZER_FILE))
        _write(beside, _graph(model_dir, model, spec), spec)
        _check_equal(model_dir, beside, reference)


def export_in_8_bits(exported: Path, out_dir: Path) -> None:
    """Write an export again with products in 8 bits: faster for many texts, and less exact.

    Raises:
        ConfigError: its vectors are too far from those of `exported`.
        MissingExtraError: onnx or onnxruntime is not installed.
        RunError: `out_dir` cannot be written.
    """
    for package in ("onnx", "onnxruntime"):
        runtime.library(package, "build", "exporting a text encoder")
    spec = TextSpec.model_validate_json((exported / SPEC_FILE).read_bytes())
    proto = importlib.import_module("onnx").load(str(exported / MODEL_FILE))
    with _replacing_folder(out_dir) as beside:
        shutil.copyfile(exported / TOKENIZER_FILE, beside / TOKENIZER_FILE)
        quantise(proto)
        _write(beside, proto, spec.model_copy(update={"int8": True}))
        _check_close(exported, beside)


def _unsupported(model_dir: Path, reason: str) -> ConfigError:
    return ConfigError(
        f"{model_dir} cannot be exported for queries without torch: {reason}. Supported is a sentence-transformers "
        f"folder with Transformer, Pooling ({', '.join(POOLINGS)}) and optionally Normalize. "
        "Encode queries with sentence-transformers instead, or choose another model."
    )


def _check_modules(model_dir: Path) -> None:
    path = model_dir / "modules.json"
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(str(module["type"]).rsplit(".", 1)[-1] for module in modules)
    except FileNotFoundError as error:
        raise _unsupported(model_dir, f"there is no {path.name} in it") from error
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise _unsupported(model_dir, f"its {path.name} cannot be read ({hub.reason(error)})") from error
    if names not in (_MODULES, _MODULES[:2]):
        raise _unsupported(model_dir, f"its modules are {', '.join(names)}")


def _load(model_dir: Path) -> Any:
    library = runtime.sentence_transformers()
    try:
        # Eager attention exports to plain MatMul and Softmax; the mask stays an input.
        options = {"attn_implementation": "eager", "dtype": runtime.torch().float32}
        return library.SentenceTransformer(
            str(model_dir), device="cpu", local_files_only=True, model_kwargs=options
        ).eval()
    except Exception as error:  # the folder may be broken in any way
        raise _unsupported(model_dir, f"sentence-transformers does not load it ({hub.reason(error)})") from error


def _spec(model_dir: Path, model: Any, dim: int) -> TextSpec:
    transformer, pooling = model[0], model[1]
    # Before version 6 of sentence-transformers, `pooling_mode` is a method's answer and there is only text.
    mode = pooling.pooling_mode if hasattr(pooling, "pooling_mode") else pooling.get_pooling_mode_str()
    if mode not in POOLINGS:
        raise _unsupported(model_dir, f"its pooling is {mode!r}")
    if not pooling.include_prompt:
        raise _unsupported(model_dir, "its pooling leaves the prompt out")
    gives = getattr(transformer, "module_output_name", "token_embeddings")
    reads = set(getattr(transformer, "modality_config", ["text"]))
    if gives != "token_embeddings" or reads != {"text"}:
        raise _unsupported(model_dir, f"its Transformer reads {', '.join(sorted(reads))} and gives {gives!r}")
    named = inspect.signature(transformer.auto_model.forward).parameters
    accepted = set(model.tokenizer.model_input_names) & set(named)
    return TextSpec(
        pooling=mode,
        normalize=len(model) == len(_MODULES),
        max_seq_length=_max_tokens(model),
        dim=dim,
        do_lower_case=bool(transformer.do_lower_case),
        pad_token_id=int(model.tokenizer.pad_token_id or 0),
        prompt=model.prompts.get(model.default_prompt_name) or "",
        inputs=tuple(name for name in _INPUTS if name in accepted),
        int8=False,
    )


def _tokenizer(model_dir: Path, model: Any) -> Any:
    """A copy of the model's tokenizer that truncates and does not pad."""
    backend = getattr(model.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise _unsupported(model_dir, f"its {type(model.tokenizer).__name__} has no tokenizer.json")
    tokenizer = type(backend).from_str(backend.to_str())
    tokenizer.no_padding()
    tokenizer.no_truncation()
    limit = _max_tokens(model)
    if limit is not None:
        tokenizer.enable_truncation(limit, direction=model.tokenizer.truncation_side)
    return tokenizer


def _max_tokens(model: Any) -> int | None:
    limit = model[0].max_seq_length
    # A tokenizer that knows no limit says 1e30.
    return int(limit) if limit is not None and limit < _NO_LIMIT else None


def _reference(model_dir: Path, model: Any) -> NDArray[Any]:
    """The original's vectors of the probe texts, (n_probes, dim) float32, unit L2."""
    try:
        return np.asarray(
            model.encode(list(_PROBES), batch_size=len(_PROBES), normalize_embeddings=True, show_progress_bar=False)
        )
    except Exception as error:  # such as a tokenizer that allows more tokens than the model has positions
        raise _unsupported(model_dir, f"it does not encode the probe texts ({hub.reason(error)})") from error


def _graph(model_dir: Path, model: Any, spec: TextSpec) -> Any:
    """The transformer and its pooling as an onnx ModelProto."""
    torch = runtime.torch()

    class Pooled(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]  # torch is loaded late, so its classes are Any
        def __init__(self) -> None:
            super().__init__()
            self.transformer = model[0].auto_model

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> Any:
            extra = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            states = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **extra).last_hidden_state
            return _pool(states, attention_mask, spec.pooling)

    axes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length")}
    try:
        # The example has padding: torch's older exporter takes a mask of ones for "nothing is ever masked".
        batch = model.tokenizer(list(_PROBES[1:4]), padding=True, truncation=True, max_length=32, return_tensors="pt")
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                Pooled().eval(),
                (),
                kwargs={name: batch[name] for name in spec.inputs},
                dynamic_shapes=dict.fromkeys(spec.inputs, axes),
                input_names=list(spec.inputs),
                output_names=[OUTPUT_NAME],
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        return _stripped(program.model_proto)
    except Exception as error:  # torch.export fails in many ways
        kind = type(model[0].auto_model).__name__
        raise _unsupported(model_dir, f"torch does not export the architecture {kind} ({hub.reason(error)})") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the notes that torch's exporter makes about its own internals and about torchvision."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _pool(states: Any, mask: Any, mode: str) -> Any:
    """Pool (batch, length, dim) states over the text's own tokens; padding is always on the right."""
    if mode == "cls":
        return states[:, 0]
    weights = mask.unsqueeze(-1).to(states.dtype)
    if mode == "mean":
        return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-9)
    last = mask.sum(dim=1, keepdim=True) - 1
    return states.gather(1, last.unsqueeze(-1).expand(-1, 1, states.shape[-1])).squeeze(1)


def _stripped(proto: Any) -> Any:
    """The model without stack traces, paths and other notes of the exporter, which change from machine to machine."""
    graph, functions = proto.graph, proto.functions
    nodes = [*graph.node, *(node for function in functions for node in function.node)]
    for holder in (proto, graph, *nodes, *functions, *graph.initializer, *graph.input, *graph.output):
        del holder.metadata_props[:]
        holder.doc_string = ""
    del graph.value_info[:]
    return proto


def _write(folder: Path, proto: Any, spec: TextSpec) -> None:
    (folder / MODEL_FILE).write_bytes(proto.SerializeToString(deterministic=True))
    (folder / SPEC_FILE).write_text(
        json.dumps(spec.model_dump(mode="json"), indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


def _check_equal(model_dir: Path, folder: Path, reference: NDArray[Any]) -> None:
    encoder, usual = OnnxTextEncoder(folder), _with_vector(reference)
    sizes = (len(_PROBES), 1)  # together and alone
    differences = [np.abs(encoder.encode(_PROBES, batch_size=n) - reference)[usual] for n in sizes]
    worst = max(float(found.max(initial=0)) for found in differences)
    if not usual.any() or not worst <= MAX_DIFFERENCE:
        raise _unsupported(model_dir, f"the exported vectors differ from the original's by up to {worst:.2g}")


def _check_close(exported: Path, folder: Path) -> None:
    reference, vectors = (OnnxTextEncoder(path).encode(_PROBES) for path in (exported, folder))
    cosine = float((vectors * reference).sum(axis=1)[_with_vector(reference)].mean())
    if not cosine >= MIN_INT8_COSINE:
        raise ConfigError(
            f"{exported} loses too much in 8 bits: a mean cosine of {cosine:.4f} to its vectors in 32, expected "
            f"{MIN_INT8_COSINE}. Keep 32 bits (fp32)."
        )


def _with_vector(reference: NDArray[Any]) -> NDArray[np.bool_]:
    # torch has no vector for a text without tokens.
    return np.asarray(np.linalg.norm(reference, axis=1) > 0.5)


@contextlib.contextmanager
def _replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder beside `path` that takes its place when the block ends without an error."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.mkdir(parents=True)
        yield beside
        for file in beside.iterdir():
            storage.sync(file)
        shutil.rmtree(path, ignore_errors=True)
        beside.rename(path)
        storage.sync(path.parent)
    except OSError as error:
        reason = f"cannot write {path}: {error.strerror}"
        raise RunError(f"{reason}. Check the folder's permissions and free space.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
