"""Items that are added to a run: they have the vectors of a build that had them from the start."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import antiphon
from antiphon.base import storage
from antiphon.config.load import load_config
from antiphon.encoders.text.encoder import TextEncoder
from antiphon.errors import ConfigError, DataError, MismatchError, RunError
from antiphon.query.request import Query
from antiphon.run.build import build
from antiphon.run.growing import add_items

NEW = ["film-003", "film-006", "film-017", "film-041"]
"""film-006 and film-041 have no picture; no new film has interactions in the small run."""
FROZEN = ("train", "synthetic", "practice")


def part(source: Path, target: Path, ids: list[str], *, without: bool) -> Path:
    """The rows of a table that have one of the ids, or the others."""
    table = pq.read_table(source)
    chosen = np.isin(table["item_id"].to_pylist(), ids)
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.filter(pa.array(~chosen if without else chosen)), target)
    return target


@pytest.fixture(scope="module")
def small_run(tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the films without the new ones, whose joint model is trained on them."""
    folder = tmp_path_factory.mktemp("small")
    for name in ("items", "interactions", "image"):
        part(tiny_run.project.parent / f"{name}.parquet", folder / f"{name}.parquet", NEW, without=True)
    shutil.copy(tiny_run.project, folder / "antiphon.toml")
    build(load_config(folder / "antiphon.toml"), folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def whole(small_run: Path, tiny_run: Any, tmp_path_factory: pytest.TempPathFactory) -> antiphon.Space:
    """All films, built from the start with the model of the small run."""
    folder = tmp_path_factory.mktemp("whole")
    part(small_run.parent / "interactions.parquet", folder / "interactions.parquet", NEW, without=True)
    for name in ("items.parquet", "image.parquet", "antiphon.toml"):
        shutil.copy(tiny_run.project.parent / name, folder / name)
    run = folder / "run"
    build(load_config(folder / "antiphon.toml"), run)
    for name in ("model.safetensors", "model.json"):
        shutil.copy(small_run / "model" / name, run / "model" / name)
    manifest = storage.read_sealed(run / "manifest.json")
    for stage in manifest["stages"]:
        if stage["name"] == "train":
            stage["files"] = {name: storage.sha256(run / name) for name in stage["files"]}
    storage.write_sealed(run / "manifest.json", manifest)
    build(load_config(folder / "antiphon.toml"), run)
    return antiphon.load(run)


@pytest.fixture
def files(tiny_run: Any, tmp_path: Path) -> dict[str, Path]:
    """The new films, and the vectors of their pictures."""
    folder = tiny_run.project.parent
    return {
        name: part(folder / f"{name}.parquet", tmp_path / "new" / f"{name}.parquet", NEW, without=False)
        for name in ("items", "image")
    }


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """A copy of the small run."""
    return Path(shutil.copytree(small_run, tmp_path / "run"))


@pytest.fixture
def grown(run: Path, files: dict[str, Path]) -> Path:
    """The copy with the new films."""
    add_items(run, files["items"], vectors={"image": files["image"]})
    return run


def rows(space: antiphon.Space, ids: list[str]) -> np.ndarray:
    """Rows of some items."""
    return np.array([space.row_of[item] for item in ids])


def test_added_equals_built_with_it(grown: Path, whole: antiphon.Space) -> None:
    """For one model, an added film has the joint vector and the parts of a build that had it from the start."""
    space = antiphon.load(grown)
    assert space.item_ids == whole.item_ids
    for weights in (space.model, whole.model):
        assert weights.weights == whole.model.weights
    there = rows(space, NEW)
    assert_allclose(space.vectors[there], whole.vectors[there], atol=1e-5)
    assert_allclose(space.parts[:, there], whole.parts[:, there], atol=1e-5)
    assert_array_equal(space.present, whole.present)
    # What needs no collaborative filtering is the same for every film.
    assert_allclose(space.parts[:2], whole.parts[:2], atol=1e-5)
    assert list(space.titles) == list(whole.titles)
    assert space.fields.equals(whole.fields)


def test_words_are_counted_over_all_items(grown: Path, whole: antiphon.Space) -> None:
    """BM25 of the grown space is that of a build."""
    words = ["dark space robots", "Signal 17", "witty comedy from Japan"]
    space = antiphon.load(grown)
    assert space.lexical is not None
    assert whole.lexical is not None
    assert_allclose(space.lexical.scores(words), whole.lexical.scores(words), atol=1e-5)


def test_what_was_there_stays(small_run: Path, grown: Path) -> None:
    """Vectors of the items from before stay, up to rounding, in every block; what reads queries keeps its bits."""
    before, after = antiphon.load(small_run), antiphon.load(grown)
    there = rows(after, before.item_ids)
    assert_allclose(after.blocks[there], before.blocks, atol=1e-6)
    assert_allclose(after.parts[:, there], before.parts, atol=1e-6)
    query = Query(text="dark space robots")
    assert_array_equal(after.resolve([query]).texts, before.resolve([query]).texts)
    assert after.mixture == before.mixture
    for name in ("model/model.safetensors", "facets/reader.safetensors", "query/text/text.json"):
        assert (after.layout.root / name).read_bytes() == (before.layout.root / name).read_bytes()
    assert before.users is not None
    assert after.users is not None
    for user in ("user-05", "user-11"):
        known = [before.item_ids[row] for row in before.users.known(user)[0]]
        assert [after.item_ids[row] for row in after.users.known(user)[0]] == known


def test_an_added_item_is_found(grown: Path) -> None:
    """By its words, by its facets, as an item that others are like, and as one that a history may be answered with."""
    space = antiphon.load(grown)
    assert space.search(text="Orchard 41", k=1)[0].item_id == "film-041"
    assert len(space.similar("film-017", k=5)) == 5
    assert space.facets is not None
    held = space.facets.facets_of(rows(space, ["film-017"]).astype(np.int32))
    values = {space.facets.names[facet][1] for facet in held}
    known = {value for _, value in space.facets.names}
    genres = space.fields["genres"][space.row_of["film-017"]].as_py()
    assert values >= {genre.casefold() for genre in genres} & known
    start, stop = space.manifest["blocks"]["ials"]
    taste = np.asarray(space.blocks[rows(space, NEW), start:stop])
    assert taste.any(axis=1).all()  # predicted of what they are
    user = space.search(user="user-05", k=space.n_items)
    assert set(NEW) <= {hit.item_id for hit in user}


def test_nothing_is_trained_or_encoded_twice(
    run: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the texts of the new films are encoded, and the stages that learn are kept."""
    seen: list[str] = []
    plain = TextEncoder._encoder

    def watched(self: TextEncoder, *args: Any, **options: Any) -> Any:
        encode = plain(self, *args, **options)

        def count(texts: list[str]) -> np.ndarray:
            seen.extend(texts)
            return encode(texts)

        return count

    monkeypatch.setattr(TextEncoder, "_encoder", watched)
    before = {name: stage for name, stage in stages(run).items() if name in FROZEN}
    add_items(run, files["items"])
    assert len(seen) == len(NEW)
    after = stages(run)
    for name in FROZEN:
        assert after[name] == {**before[name], "status": "frozen"}


def stages(run: Path) -> dict[str, Any]:
    """Stages of a run's manifest by name."""
    return {stage["name"]: stage for stage in storage.read_json(run / "manifest.json")["stages"]}


def test_a_run_that_grew_is_whole(grown: Path, whole: antiphon.Space) -> None:
    """Catalog, texts, features and manifest are those of the published space, and nothing is left over."""
    from antiphon.data.catalog import Catalog
    from antiphon.data.descriptions import Descriptions
    from antiphon.data.features import Features

    catalog = Catalog.load(grown / "catalog")
    assert catalog.item_ids == whole.item_ids
    assert len(Descriptions.load(grown / "descriptions.parquet").best()) == catalog.n_items
    for name in ("text", "image", "cf"):
        assert Features.load(grown / "features", name).n_items == catalog.n_items
    for stage in stages(grown).values():
        for file, expected in stage["files"].items():
            assert storage.sha256(grown / file) == expected, file
    assert not (grown / ".growing").exists()
    assert not list(grown.rglob("added"))


def test_items_are_added_again_and_again(run: Path, tiny_run: Any, tmp_path: Path, whole: antiphon.Space) -> None:
    """One film after the other gives what all at once give."""
    for item in NEW:
        folder = tiny_run.project.parent
        table = part(folder / "items.parquet", tmp_path / item / "items.parquet", [item], without=False)
        picture = part(folder / "image.parquet", tmp_path / item / "image.parquet", [item], without=False)
        vectors = {"image": picture} if pq.read_table(picture).num_rows else {}
        add_items(run, table, vectors=vectors)
    space = antiphon.load(run)
    assert_allclose(space.vectors[rows(space, NEW)], whole.vectors[rows(space, NEW)], atol=1e-5)


def test_an_item_that_is_there_is_refused(grown: Path, files: dict[str, Path]) -> None:
    """With a sentence, and the run stays as it was."""
    before = (grown / "space" / "CURRENT").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"4 of the 4 items are in the catalog already, such as 'film-003'.*--replace"):
        add_items(grown, files["items"])
    assert (grown / "space" / "CURRENT").read_text(encoding="utf-8") == before


def test_an_item_is_replaced(grown: Path, files: dict[str, Path], tmp_path: Path) -> None:
    """Its texts and fields are the new ones; the picture that the files have stays."""
    table = pq.read_table(files["items"]).slice(0, 1)
    changed = table.set_column(table.column_names.index("title"), "title", pa.array(["Zebra crossing"]))
    pq.write_table(changed, tmp_path / "again.parquet")
    before = antiphon.load(grown)
    added = add_items(grown, tmp_path / "again.parquet", vectors={"image": files["image"]}, replace=True)
    assert (added.new, added.replaced) == ((), ("film-003",))
    space = antiphon.load(grown)
    row = space.row_of["film-003"]
    assert space.titles[row] == "Zebra crossing"
    assert space.lexical is not None
    assert space.lexical.scores(["zebra crossing"])[0].argmax() == row
    assert_array_equal(space.present, before.present)
    assert_array_equal(space.parts[1], before.parts[1])
    assert (np.asarray(space.parts[0, row]) != np.asarray(before.parts[0, row])).any()


def test_a_text_alone_is_enough(run: Path, tmp_path: Path) -> None:
    """A film with a title and nothing else is searchable, also from a CSV without the other columns' values."""
    path = tmp_path / "one.jsonl"
    line = {"item_id": "zz", "title": "Lonely Robot", "year": None, "genres": [], "country": None, "tags": []}
    path.write_text(json.dumps({**line, "released": None, "seen": None}) + "\n", encoding="utf-8")
    add_items(run, path)
    space = antiphon.load(run)
    assert space.search(text="lonely robot", k=1)[0].item_id == "zz"
    assert space.present[:, space.row_of["zz"]].tolist() == [True, False, False]


def test_spaces_are_not_mixed(small_run: Path, grown: Path, whole: antiphon.Space) -> None:
    """A query that was embedded for one version is refused by another: a retrained space, or one that has grown."""
    before, after = antiphon.load(small_run), antiphon.load(grown)
    query = before.embed(Query(text="dark"))
    for other in (after, whole):
        with pytest.raises(MismatchError, match="embed the query again"):
            other.search_dense(query)


def test_a_build_tells_what_it_forgets(grown: Path, small_run: Path, files: dict[str, Path]) -> None:
    """A build of the configuration's files has the added films no more, says so, and trains nothing again."""
    told: list[str] = []
    before = antiphon.load(small_run).space_id
    build(load_config(small_run.parent / "antiphon.toml"), grown, notify=told.append)
    assert any(line.startswith("4 items that were added, such as 'film-003', are not in") for line in told)
    assert stages(grown)["train"]["status"] == "cached"
    assert antiphon.load(grown).space_id == before


@pytest.mark.parametrize("after", ["addition", "build"])
def test_a_killed_addition_is_settled(
    run: Path, small_run: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    """Killed before the space is published, nothing has changed; killed after, the next command does the rest."""
    from antiphon.run import growing

    class Killed(BaseException):
        pass

    def kill(*_: Any) -> None:
        raise Killed

    before = (run / "space" / "CURRENT").read_text(encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(growing, "place", kill)
        with pytest.raises(Killed):
            add_items(run, files["items"])
    assert (run / "space" / "CURRENT").read_text(encoding="utf-8") == before
    with monkeypatch.context() as patch:
        calls: list[int] = []
        settle = growing.settle
        patch.setattr(growing, "settle", lambda layout: kill() if calls else (calls.append(1), settle(layout)))
        with pytest.raises(Killed):
            add_items(run, files["items"])
    assert (run / "space" / "CURRENT").read_text(encoding="utf-8") != before
    if after == "build":
        told: list[str] = []
        build(load_config(small_run.parent / "antiphon.toml"), run, notify=told.append)
        assert any("items that were added" in line for line in told)
        assert antiphon.load(run).space_id == before.strip()
        return
    with pytest.raises(DataError, match="already"):
        add_items(run, files["items"])
    assert storage.read_table(run / "catalog" / "items.parquet").num_rows == antiphon.load(run).n_items == 60


def test_refusals_are_sentences(run: Path, files: dict[str, Path], tmp_path: Path) -> None:
    """Wrong names, types, lengths and folders are refused before anything is published."""
    before = (run / "space" / "CURRENT").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no modality 'imge'; did you mean 'image'"):
        add_items(run, files["items"], vectors={"imge": files["image"]})
    with pytest.raises(ConfigError, match="makes the vectors of 'text' itself"):
        add_items(run, files["items"], vectors={"text": files["image"]})
    with pytest.raises(ConfigError, match="no media 'poster'"):
        add_items(run, files["items"], media={"poster": tmp_path})
    with pytest.raises(DataError, match="another of the files"):
        add_items(run, [files["items"], files["items"]])
    with pytest.raises(RunError, match="no finished run"):
        add_items(tmp_path / "nowhere", files["items"])
    short = pa.table({"item_id": NEW, "embedding": [[1.0, 2.0]] * len(NEW)})
    pq.write_table(short, tmp_path / "short.parquet")
    with pytest.raises(DataError, match="expected vectors of length 8"):
        add_items(run, files["items"], vectors={"image": tmp_path / "short.parquet"})
    table = pq.read_table(files["items"])
    odd = table.set_column(table.column_names.index("tag_counts"), "tag_counts", pa.array(["many"] * table.num_rows))
    pq.write_table(odd, tmp_path / "odd.parquet")
    with pytest.raises(DataError, match=r"column 'tag_counts': expected list"):
        add_items(run, tmp_path / "odd.parquet")
    assert (run / "space" / "CURRENT").read_text(encoding="utf-8") == before


def test_the_command_adds(run: Path, files: dict[str, Path], call: Callable[..., Any]) -> None:
    """`antiphon add` says what it added; a second time it ends with a sentence and exit code 2."""
    words = ["add", run, "--items", files["items"], "--vectors", f"image={files['image']}"]
    code, out, err = call(*words, "--json")
    assert code == 0, err
    assert json.loads(out)["added"] == NEW
    assert json.loads(out)["n_items"] == 60
    code, _, err = call(*words)
    assert code == 2
    assert "are in the catalog already" in err
    code, _, err = call("add", run, "--items", files["items"], "--vectors", "image")
    assert code == 2
    assert "NAME=PATH" in err


def test_pictures_are_read_from_a_folder(
    tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the pictures of the new films are encoded, as a build encodes them; the next build encodes none again."""
    import runpy

    pytest.importorskip("transformers")
    from antiphon.data.features import Features
    from antiphon.encoders.pictures.encoder import PictureEncoder

    support = Path(__file__).resolve().parents[1] / "support"
    made = runpy.run_path(str(support / "media_films.py"))
    path = made["write_films"](tmp_path / "films", tiny_text_model, made["tiny"]["make_clip"](tmp_path / "clip"))
    text = path.read_text(encoding="utf-8").replace('[[modalities]]\nname = "sound"\nencoder = "ear"\n', "")
    path.write_text(text, encoding="utf-8")
    new = ["film-002", "film-004", "film-013", "film-030"]  # the second's file is broken, the third has none
    shutil.copy(path.parent / "items.parquet", tmp_path / "all.parquet")
    part(tmp_path / "all.parquet", path.parent / "items.parquet", new, without=True)
    run = tmp_path / "run"
    build(load_config(path), run)
    with zipfile.ZipFile(path.parent / "pictures.zip") as archive:
        archive.extractall(tmp_path / "folder", [f"{item}.jpg" for item in new if item != "film-013"])
    seen: list[int] = []
    plain = PictureEncoder.encode_files

    def count(self: Any, model: Any, work: Any, keys: Any) -> np.ndarray:
        seen.append(len(keys))
        return plain(self, model, work, keys)

    monkeypatch.setattr(PictureEncoder, "encode_files", count)
    told: list[str] = []
    items = part(tmp_path / "all.parquet", tmp_path / "new.parquet", new, without=False)
    add_items(run, items, media={"image": tmp_path / "folder"}, notify=told.append)
    assert seen == [3]
    assert any("pictures that are cut off or damaged" in line for line in told)
    grown = Features.load(run / "features", "image")
    matrix, mask = np.array(grown.matrix), grown.mask
    there = rows(antiphon.load(run), new)
    assert mask[0, there].tolist() == [True, False, False, True]
    shutil.copy(tmp_path / "all.parquet", path.parent / "items.parquet")
    build(load_config(path), run)
    assert seen == [3]
    again = Features.load(run / "features", "image")
    assert_array_equal(again.mask, mask)
    assert_allclose(again.matrix, matrix, atol=1e-6)


def test_a_grown_large_run_has_codes_of_all_items(
    run: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its codes are made again with the new items among them, which the scan finds."""
    pytest.importorskip("faiss")
    monkeypatch.setattr("antiphon.run.publish.LARGE", 10)
    assert antiphon.load(run).codes == {}
    add_items(run, files["items"])
    space = antiphon.load(run)
    assert {"vectors", "texts"} <= set(space.codes)
    assert all(codes.n_rows == space.n_items for codes in space.codes.values())
    for item_id in NEW:
        row = space.row_of[item_id]
        query = np.append(space.blocks[row], np.float32(0))[None]
        assert row in space.codes["vectors"].nearest(query, 10)[0]
