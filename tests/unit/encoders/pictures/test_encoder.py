"""Encoders of pictures: vectors are the model's, files are counted, a killed job goes on, requests are read."""

from __future__ import annotations

import io
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from antiphon.base.progress import silent
from antiphon.config.sections import CatalogConfig, SplitConfig
from antiphon.data.catalog import Catalog, Media
from antiphon.data.descriptions import Descriptions
from antiphon.data.splits import Split
from antiphon.encoders.base import Source
from antiphon.encoders.files import read_findings
from antiphon.encoders.pictures.models import ClipEncoder, ClipOptions, TimmEncoder, TimmOptions
from antiphon.errors import ConfigError, IntegrityError, MissingExtraError, QueryError, RunError

pytest.importorskip("transformers")
pytest.importorskip("torch")

tiny = runpy.run_path(str(Path(__file__).resolve().parents[3] / "support" / "tiny_clip.py"))
make_clip, picture, as_bytes, write_zip, SIDE = (
    tiny[name] for name in ("make_clip", "picture", "as_bytes", "write_zip", "SIDE")
)
NOBODY = np.empty(0, dtype=np.int64)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny CLIP."""
    return make_clip(tmp_path_factory.mktemp("clip") / "tiny")


def source_of(path: Path, ids: list[str], present: list[bool] | None = None, pattern: str = "{item_id}.jpg") -> Source:
    """A catalog of items with pictures in a folder or a zip."""
    media = Media(path, pattern, np.array(present or [True] * len(ids)))
    catalog = Catalog(pa.table({"item_id": ids, "title": ids}), pa.table({"item_id": ids}), {}, media={"image": media})
    return Source(catalog, Descriptions({}), Split(NOBODY, NOBODY, NOBODY, NOBODY), SplitConfig(), 0)


def encoder(model: Path | str, **options: Any) -> ClipEncoder:
    """The encoder as the configuration makes it."""
    return ClipEncoder("image", ClipOptions(model=str(model), **options))


def folder_of(path: Path, n_items: int) -> tuple[Path, list[str]]:
    """A folder with a JPEG of each of some items."""
    path.mkdir()
    ids = [f"i{number}" for number in range(n_items)]
    for number, item_id in enumerate(ids):
        (path / f"{item_id}.jpg").write_bytes(as_bytes(picture(number), quality=95))
    return path, ids


@pytest.mark.parametrize("kind", ["clip", "siglip"])
@pytest.mark.parametrize("shape", [(48, 64), (301, 100), (33, 32), (20, 47)])
def test_vectors_are_those_of_transformers(tmp_path: Path, kind: str, shape: tuple[int, int]) -> None:
    """Prepared here and by the library itself, a picture of any shape gets the same vector."""
    import torch
    import transformers
    from PIL import Image

    folder = make_clip(tmp_path / kind, kind=kind)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        (pictures / f"i{number}.jpg").write_bytes(as_bytes(picture(number, shape)))
    features = encoder(folder).encode(source_of(pictures, ["i0", "i1", "i2"]), tmp_path / "work", silent)
    network = transformers.AutoModel.from_pretrained(folder)
    name = "CLIPImageProcessorPil" if kind == "clip" else "SiglipImageProcessorPil"
    prepares = getattr(transformers, name).from_pretrained(folder)
    for number in range(3):
        pixels = prepares(Image.open(pictures / f"i{number}.jpg").convert("RGB"), return_tensors="pt")
        with torch.no_grad():
            expected = network.get_image_features(**pixels).pooler_output[0].numpy()
        assert_allclose(features.matrix[0, number], expected / np.linalg.norm(expected), atol=2e-4)
    assert np.abs(features.matrix[0, 0] - features.matrix[0, 1]).max() > 1e-3


def test_a_zip_and_a_folder_give_the_same_bits(clip: Path, tmp_path: Path) -> None:
    """Where the files are makes no difference to their vectors."""
    folder, ids = folder_of(tmp_path / "pictures", 5)
    archive = write_zip(tmp_path / "pictures.zip", {f"{one}.jpg": (folder / f"{one}.jpg").read_bytes() for one in ids})
    first = encoder(clip).encode(source_of(folder, ids), tmp_path / "a", silent)
    second = encoder(clip).encode(source_of(archive, ids), tmp_path / "b", silent)
    assert_array_equal(first.matrix, second.matrix)


def test_batches_and_threads_make_no_difference(clip: Path, tmp_path: Path) -> None:
    """One picture at a time by one thread, or seven by four: the vectors are the same."""
    folder, ids = folder_of(tmp_path / "pictures", 16)
    first = encoder(clip, batch_size=1, workers=1).encode(source_of(folder, ids), tmp_path / "a", silent)
    second = encoder(clip, batch_size=7, workers=4).encode(source_of(folder, ids), tmp_path / "b", silent)
    assert_allclose(first.matrix, second.matrix, atol=1e-5)


def test_hostile_files_are_counted_and_spoil_nothing(clip: Path, tmp_path: Path) -> None:
    """Each kind of bad file has no vector, is counted under its name, and leaves the others as they were."""
    from PIL import Image

    good = as_bytes(picture(1))
    bomb = io.BytesIO()
    Image.new("1", (9000, 9000)).save(bomb, "PNG")
    files = {
        "good": good,
        "zero": b"",
        "text": b"this is no picture",
        "cut": as_bytes(picture(2, (400, 400)))[:2000],
        "bomb": bomb.getvalue(),
        "line": as_bytes(Image.new("RGB", (6000, 2)), "PNG"),
        "suffix": as_bytes(picture(3), "PNG"),
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n",
        "none": b"unused",
    }
    archive = write_zip(tmp_path / "pictures.zip", {f"{name}.jpg": data for name, data in files.items()})
    ids = list(files)
    source = source_of(archive, ids, [name != "none" for name in ids])
    features = encoder(clip).encode(source, tmp_path / "work", silent)
    assert dict(zip(ids, features.mask[0].tolist(), strict=True)) == {name: name in ("good", "suffix") for name in ids}
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "good.jpg").write_bytes(good)
    alone = encoder(clip).encode(source_of(tmp_path / "alone", ["good"]), tmp_path / "other", silent)
    assert_allclose(features.matrix[0, 0], alone.matrix[0, 0], atol=1e-6)
    found = {finding.kind: finding.count for finding in read_findings(tmp_path / "work")}
    assert found == {
        "files without any bytes": 1,
        "files that are no pictures": 2,
        "pictures that are cut off or damaged": 1,
        "pictures of more than 40,000,000 pixels": 1,
        "pictures more than 50 times as long as wide": 1,
        "pictures whose suffix says something else": 1,
    }


def test_a_damaged_zip_member_is_counted(clip: Path, tmp_path: Path) -> None:
    """A member whose checksum does not fit is left out; the build goes on."""
    archive = write_zip(tmp_path / "p.zip", {"a.jpg": as_bytes(picture(1)), "b.jpg": as_bytes(picture(2))})
    data = bytearray(archive.read_bytes())
    place = data.index(b"b.jpg") + 200
    data[place : place + 8] = bytes(byte ^ 0xFF for byte in data[place : place + 8])
    archive.write_bytes(bytes(data))
    features = encoder(clip).encode(source_of(archive, ["a", "b"]), tmp_path / "work", silent)
    assert features.mask[0].tolist() == [True, False]
    assert [finding.kind for finding in read_findings(tmp_path / "work")] == ["files that cannot be read"]


def test_a_second_run_does_not_load_the_model(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When every picture is known the model is not even loaded; a new picture is encoded alone."""
    folder, ids = folder_of(tmp_path / "pictures", 6)
    first = encoder(clip).encode(source_of(folder, ids), tmp_path / "work", silent)
    with monkeypatch.context() as patch:
        patch.setattr(ClipEncoder, "load", lambda settings: pytest.fail("the model was loaded"))
        second = encoder(clip).encode(source_of(folder, ids), tmp_path / "work", silent)
    assert_array_equal(first.matrix, second.matrix)
    (folder / "i3.jpg").write_bytes(as_bytes(picture(99)))
    seen: list[int] = []
    real = ClipEncoder.encode_files

    def seeing(self: Any, model: Any, work: Any, keys: Any) -> Any:
        seen.extend(work.row_of[key] for key in keys)
        return real(self, model, work, keys)

    monkeypatch.setattr(ClipEncoder, "encode_files", seeing)
    third = encoder(clip).encode(source_of(folder, ids), tmp_path / "work", silent)
    assert seen == [3]
    assert (third.matrix[0, 3] != first.matrix[0, 3]).any()


def test_a_killed_job_goes_on_with_the_same_bits(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in its third shard and started again, it gives what an undisturbed job gives."""
    monkeypatch.setattr(ClipEncoder, "shard_size", 4)
    folder, ids = folder_of(tmp_path / "pictures", 13)
    whole = encoder(clip, batch_size=3).encode(source_of(folder, ids), tmp_path / "whole", silent)
    real, calls = ClipEncoder.encode_files, [0]

    def dying(self: Any, model: Any, work: Any, keys: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(self, model, work, keys)

    with monkeypatch.context() as patch:
        patch.setattr(ClipEncoder, "encode_files", dying)
        with pytest.raises(KeyboardInterrupt):
            encoder(clip, batch_size=3).encode(source_of(folder, ids), tmp_path / "killed", silent)
    resumed = encoder(clip, batch_size=3).encode(source_of(folder, ids), tmp_path / "killed", silent)
    assert_array_equal(resumed.matrix, whole.matrix)


def test_fingerprints_follow_files_and_weights(clip: Path, tmp_path: Path) -> None:
    """Another file, or other weights, are another fingerprint; the same ones are the same."""
    folder, ids = folder_of(tmp_path / "pictures", 3)
    before = encoder(clip).fingerprint(source_of(folder, ids))
    assert encoder(clip).fingerprint(source_of(folder, ids)) == before
    other = make_clip(tmp_path / "other", seed=6)
    assert encoder(other).fingerprint(source_of(folder, ids)) != before
    (folder / "i1.jpg").write_bytes(as_bytes(picture(77), quality=50))
    assert encoder(clip).fingerprint(source_of(folder, ids)) != before


def test_the_query_side_finds_the_picture_itself(clip: Path, tmp_path: Path) -> None:
    """A picture of the catalog, sent as bytes or as a path, has the vector of its item."""
    folder, ids = folder_of(tmp_path / "pictures", 4)
    one = encoder(clip)
    features = one.encode(source_of(folder, ids), tmp_path / "work", silent)
    one.publish(tmp_path / "work", tmp_path / "side")
    side = ClipEncoder.query_side(tmp_path / "side")
    vectors = side.encode([folder / "i2.jpg", (folder / "i0.jpg").read_bytes()])
    assert_allclose(vectors, features.matrix[0, [2, 0]], atol=1e-5)
    assert not side.reads_text
    for bad in (b"", b"no picture", (folder / "i0.jpg").read_bytes()[:300], tmp_path / "nowhere.jpg"):
        with pytest.raises(QueryError, match="the picture"):
            side.encode([bad])


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_texts_get_the_vectors_of_the_text_side(kind: str, tmp_path: Path) -> None:
    """With text_side, texts have the vectors of the model's other half, alone or in a batch, however long."""
    import torch
    import transformers

    folder = make_clip(tmp_path / kind, kind=kind)
    encoder(folder, text_side=True).publish(tmp_path, tmp_path / "side")
    side = ClipEncoder.query_side(tmp_path / "side")
    assert side.reads_text
    texts = ["red", "a long blue poster with stars and moons", ""]
    vectors = side.encode_text(texts)
    network = transformers.AutoModel.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # SigLIP was trained on texts that are padded to one length, and sees the padding.
    options = {"return_attention_mask": False, "padding": "max_length"} if kind == "siglip" else {}
    for text, vector in zip(texts, vectors, strict=True):
        tokens = tokenizer(
            [text], truncation=True, max_length=16, return_tensors="pt", return_token_type_ids=False, **options
        )
        with torch.no_grad():
            expected = network.get_text_features(**tokens).pooler_output[0].numpy()
        assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-5)


def test_another_model_in_the_folder_is_refused(tmp_path: Path) -> None:
    """A query side whose model was replaced since the build says so."""
    make_clip(tmp_path / "clip")
    encoder(tmp_path / "clip").publish(tmp_path, tmp_path / "side")
    make_clip(tmp_path / "clip", seed=9)
    with pytest.raises(IntegrityError, match="not the one that this space was built with"):
        ClipEncoder.query_side(tmp_path / "side").warm()


def test_without_its_packages_other_queries_are_still_answered(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warming is quiet where torch is not installed; a picture then says which extra is missing."""
    encoder(clip).publish(tmp_path, tmp_path / "side")

    def missing(settings: Any) -> Any:
        raise MissingExtraError("torch", "image", "encoding pictures")

    monkeypatch.setattr(ClipEncoder, "load", missing)
    side = ClipEncoder.query_side(tmp_path / "side")
    side.warm()
    with pytest.raises(MissingExtraError, match=r"antiphon\[image\]"):
        side.encode([as_bytes(picture(1))])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda folder: encoder("openai/clip-vit-base-patch32"), "needs `revision`"),
        (encoder, r"no \.safetensors file"),
        (lambda folder: TimmEncoder("image", TimmOptions(model="timm/resnet18.a1_in1k")), "needs `revision`"),
        (
            lambda folder: TimmEncoder("image", TimmOptions(model="resnet18", file=folder / "weights.pth")),
            r"no \.safetensors file",
        ),
    ],
)
def test_models_that_cannot_be_trusted_are_refused_early(tmp_path: Path, made: Any, said: str) -> None:
    """A hub model without a commit, and weights that are pickled, are refused before anything is read."""
    (tmp_path / "weights.pth").write_bytes(b"pickle")
    catalog = CatalogConfig(items=Path("items.csv"), media={"image": {"path": "pictures"}})
    with pytest.raises(ConfigError, match=said):
        made(tmp_path).check(catalog)


def test_files_that_the_configuration_does_not_name(clip: Path) -> None:
    """A modality whose media are not in the catalog is refused, with the nearest name."""
    catalog = CatalogConfig(items=Path("items.csv"), media={"images": {"path": "pictures"}})
    with pytest.raises(ConfigError, match="did you mean 'images'"):
        encoder(clip).check(catalog)


def test_a_hub_out_of_reach_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a connection the error names the model and asks for a local folder."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder, ids = folder_of(tmp_path / "pictures", 1)
    with pytest.raises(RunError, match=r"no-such/model.*give its folder as `model`"):
        encoder("no-such/model", revision="0" * 40).encode(source_of(folder, ids), tmp_path / "work", silent)


@pytest.fixture
def timm() -> Any:
    """The package timm; the test is skipped where it is not installed, or does not fit torch."""
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm cannot be loaded: {error}")
    return timm


@pytest.mark.parametrize("shape", [(48, 64), (301, 100), (33, 32), (200, 200), (161, 164)])
def test_a_backbone_s_vectors_are_those_of_timm(timm: Any, tmp_path: Path, shape: tuple[int, int]) -> None:
    """Prepared here and by timm itself, a picture gets the same vector, from a folder and from a file of weights."""
    import torch
    from PIL import Image

    backbone = tiny["make_timm"](tmp_path / "backbone")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    ids = [f"i{number}" for number in range(3)]
    for number, item_id in enumerate(ids):
        (pictures / f"{item_id}.png").write_bytes(as_bytes(picture(number, shape), "PNG"))
    source = source_of(pictures, ids, pattern="{item_id}.png")
    network = timm.create_model(f"local-dir:{backbone}", pretrained=True, num_classes=0).eval()
    prepares = timm.data.create_transform(**timm.data.resolve_data_config(model=network))
    options = ({"model": str(backbone)}, {"model": "test_resnet", "file": backbone / "model.safetensors"})
    for place, given in enumerate(options):
        features = TimmEncoder("image", TimmOptions(**given)).encode(source, tmp_path / f"work{place}", silent)
        for row, item_id in enumerate(ids):
            pixels = prepares(Image.open(pictures / f"{item_id}.png").convert("RGB"))
            with torch.no_grad():
                expected = network(pixels[None])[0].numpy()
            assert_allclose(features.matrix[0, row], expected / np.linalg.norm(expected), atol=1e-4)
