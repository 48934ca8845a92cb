"""Bad input of every kind: a clear sentence on standard error, exit code 2, nothing half-written."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import antiphon

IMAGE = {"name": "image", "encoder": "precomputed", "file": "image.parquet"}
CF = {"name": "cf", "encoder": "als", "trials": 1, "factors": [4]}


def refused(result: tuple[int, str, str], *words: str) -> str:
    """Check that a call was refused as it should be; the sentence."""
    code, out, err = result
    assert code == 2, (code, out, err)
    assert out == ""
    assert "Traceback" not in err
    for word in words:
        assert word in err, err
    return err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["search", "RUN", ""], "the text of the request is empty"),
        (["search", "RUN", " \t\n"], "the text of the request is empty"),
        (["search", "RUN", "dark", "-k", "0"], "k is 0"),
        (["search", "RUN", "dark", "-k", "-5"], "k is -5"),
        (["search", "RUN", "dark", "-k", "1000000"], "k is 1,000,000"),
        (["search", "RUN", "dark", "-k", "many"], "is not a valid integer"),
        (["search", "RUN", "dark", "--where", "no_such_field>=3"], "no field 'no_such_field'"),
        (["search", "RUN", "dark", "--where", "year >>> 'x"], "cannot be read"),
        (["search", "RUN", "dark", "--where", "year>=soon"], "'year' holds numbers"),
        (["search", "RUN", "dark", "--where", ""], "cannot be read"),
        (["search", "RUN", "dark", "--like", "no-such-item"], "no item 'no-such-item'"),
        (["search", "RUN", "dark", "--user", "nobody"], "no user 'nobody'"),
        (["search", "RUN", "dark", "--weight", "text"], "part=number"),
        (["search", "RUN", "dark", "--weight", "text=much"], "part=number"),
        (["search", "RUN", "dark", "--weight", "txet=1"], "did you mean 'text'"),
        (["search", "RUN", "dark", "--weight", "text=-1"], "0 or more"),
        (["search", "RUN", "dark", "--weight", "text=0"], "nothing is left"),
        (["recommend", "RUN"], "the request is empty"),
        (["recommend", "RUN", "--like", "😀"], "no item '😀'"),
        (["similar", "RUN", "no-such-item"], "no item 'no-such-item'"),
        (["similar", "RUN", "film-01"], "did you mean 'film-"),
        (["search", "runs/there-is-no-such-run", "dark"], "there is no run at"),
        (["inspect", "runs/there-is-no-such-run"], "there is no run at"),
    ],
)
def test_requests(tiny_run: Any, call: Callable[..., Any], words: list[str], sentence: str) -> None:
    """A request that cannot be answered says why."""
    refused(call(*(str(tiny_run.run) if word == "RUN" else word for word in words)), sentence)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[catalog\nitems = 3", ["not valid TOML", "line 1"]),
        ("", ["'catalog' is missing"]),
        ("[catalog]\n", ["'catalog.items' is missing"]),
        ("[catalog]\nitemz = 'items.parquet'\n", ["unknown key 'catalog.itemz'", "did you mean 'items'"]),
        ("[catalog]\nitems = 3\n", ["catalog.items"]),
        ("[catalog]\nitems = 'missing.parquet'\n", ["missing.parquet does not exist"]),
        ("[catalog]\nitems = 'antiphon.toml'\n", [".parquet, .csv or .jsonl"]),
        ("seed = -1\n[catalog]\nitems = 'x.csv'\n", ["seed"]),
        ("[catalog]\nitems = 'x.csv'\n[train]\ntemperature = 0\n", ["train.temperature"]),
        (
            "[catalog]\nitems = 'x.csv'\n[[modalities]]\nname = 'x'\nencoder = 'abc'\n",
            ["no encoder 'abc'", "known are"],
        ),
        ("[catalog]\nitems = 'x.csv'\n[[modalities]]\nname = 'cf'\nencoder = 'als'\n", ["'cf' needs interactions"]),
        ("\udcff", ["not valid TOML"]),
    ],
)
def test_configurations(tmp_path: Path, call: Callable[..., Any], text: str, words: list[str]) -> None:
    """A wrong configuration names the file and the key, and no run's folder is made."""
    path = tmp_path / "antiphon.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(call("build", path, "--run", tmp_path / "run"), *words)
    assert [file.name for file in tmp_path.iterdir()] == ["antiphon.toml"]


@pytest.mark.parametrize("override", ["train.epochs", "=3", "train.epochs=many", "train=3", "train.epochs.x=3"])
def test_overrides(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any], override: str) -> None:
    """A wrong --set is refused before anything is made."""
    refused(
        call("build", project(), "--run", tmp_path / "run", "--set", override), "train" if "t" in override else "=3"
    )
    assert not (tmp_path / "run").exists()


def test_a_configuration_that_is_a_folder_or_missing(tmp_path: Path, call: Callable[..., Any]) -> None:
    """Paths that are not files are named."""
    refused(call("build", tmp_path), str(tmp_path), "cannot be read")
    refused(call("build", tmp_path / "none.toml"), "none.toml does not exist")


@pytest.mark.parametrize("name", ["items.parquet", "interactions.parquet", "image.parquet"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "text"])
def test_files(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any], name: str, damage: str) -> None:
    """A file that is missing or broken is named; nothing is published."""
    toml = project({"modalities": [IMAGE, CF]})
    path = toml.parent / name
    content = path.read_bytes()
    path.write_bytes(
        {"missing": b"", "truncated": content[: len(content) // 2], "empty": b"", "text": b"a,b\n"}[damage]
    )
    if damage == "missing":
        path.unlink()
    refused(call("build", toml, "--run", tmp_path / "run"), name)
    assert not (tmp_path / "run" / "space").exists()
    if damage == "missing" or name != "image.parquet":
        assert not (tmp_path / "run").exists()


def test_an_embedding_of_another_length(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """The error names file, column, the usual length and the odd item."""
    toml = project({"modalities": [IMAGE, CF]})
    table = pq.read_table(toml.parent / "image.parquet")
    vectors = table["embedding"].to_pylist()
    vectors[3] = vectors[3][:5]
    pq.write_table(pa.table({"item_id": table["item_id"], "embedding": vectors}), toml.parent / "image.parquet")
    refused(call("build", toml, "--run", tmp_path / "run"), "image.parquet", "'embedding'", "most have 8", "'film-003'")


def test_an_item_with_no_modality_at_all(
    project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]
) -> None:
    """It is kept and counted, is never an answer, and asking for its like is refused with the reason."""
    toml = project({"modalities": [IMAGE, CF]})
    table = pq.read_table(toml.parent / "interactions.parquet")
    keep = [item != "film-006" for item in table["item_id"].to_pylist()]  # film-006 has no image either
    pq.write_table(table.filter(pa.array(keep)), toml.parent / "interactions.parquet")
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    refused(call("similar", tmp_path / "run", "film-006"), "'film-006' has no vector of any modality")
    refused(call("search", tmp_path / "run", "dark"), "cannot answer a text query")
    space = antiphon.load(tmp_path / "run")
    hits = space.search(likes=["film-001"], k=1000)
    assert len(hits) == 58
    assert "film-006" not in {hit.item_id for hit in hits}
    assert len(space.search(history=["film-006", "film-001"], k=5)) == 5
    with pytest.raises(antiphon.QueryError, match="nothing is left"):
        space.search(history=["film-006"])
    code, out, _ = call("inspect", tmp_path / "run", "--json")
    assert code == 0
    assert json.loads(out)["dropped"]["items without any modality"] == 1


def test_a_user_with_one_interaction(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """Such a user is never held out, and is recommended to like anybody else."""
    toml = project({"modalities": [IMAGE, CF]})
    table = pq.read_table(toml.parent / "interactions.parquet")
    lonely = pa.table(
        {name: [value] for name, value in {**table.to_pylist()[0], "user_id": "lonely", "rating": 5.0}.items()}
    )
    pq.write_table(pa.concat_tables([table, lonely.cast(table.schema)]), toml.parent / "interactions.parquet")
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    code, out, _ = call("recommend", tmp_path / "run", "--user", "lonely", "--weight", "taste=1", "-k", "5", "--json")
    assert code == 0
    assert len(json.loads(out)["hits"]) == 5


def test_a_user_who_liked_nothing(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """A user whose interactions are all below `positive` is known, and cannot be recommended to."""
    toml = project({"modalities": [IMAGE, CF]})
    table = pq.read_table(toml.parent / "interactions.parquet")
    sad = pa.table({name: [value] for name, value in {**table.to_pylist()[0], "user_id": "sad", "rating": 1.0}.items()})
    pq.write_table(pa.concat_tables([table, sad.cast(table.schema)]), toml.parent / "interactions.parquet")
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    refused(call("recommend", tmp_path / "run", "--user", "sad"), "'sad' has no positive interactions")


def test_a_catalog_of_one_item(tmp_path: Path, tiny_text_model: Path, call: Callable[..., Any]) -> None:
    """With one modality it is a space of one answer; there is nothing to join with two."""
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "items.jsonl").write_text('{"item_id": "Ä 🎬", "title": "映画 🎬"}\n', encoding="utf-8")
    (folder / "items.csv").write_text("item_id,embedding_0,embedding_1\nÄ 🎬,1,2\n", encoding="utf-8")
    text = f'[[modalities]]\nname = "text"\nencoder = "sentence-transformers"\nmodel = "{tiny_text_model}"\n'
    catalog = '[catalog]\nitems = "items.jsonl"\ntitle = "title"\n'
    toml = folder / "antiphon.toml"
    toml.write_text(catalog + text, encoding="utf-8")
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    code, out, _ = call("search", tmp_path / "run", "люблю 🎬", "--json")
    assert code == 0
    assert [hit["item_id"] for hit in json.loads(out)["hits"]] == ["Ä 🎬"]
    assert call("similar", tmp_path / "run", "Ä 🎬", "--json")[1].endswith('"hits": []}\n')
    both = catalog + text + '[[modalities]]\nname = "image"\nencoder = "precomputed"\nfile = "items.csv"\n'
    toml.write_text(both, encoding="utf-8")
    refused(call("build", toml, "--run", tmp_path / "two"), "only 1 items")


def test_descriptions_without_any_word(tmp_path: Path, tiny_text_model: Path, call: Callable[..., Any]) -> None:
    """Texts of signs and stop words only have no lexical index to speak of, and are a space all the same."""
    (tmp_path / "items.csv").write_text("item_id,title\n1,A\n2,!\n3,the\n", encoding="utf-8")
    toml = tmp_path / "antiphon.toml"
    text = f'[[modalities]]\nname = "text"\nencoder = "sentence-transformers"\nmodel = "{tiny_text_model}"\n'
    toml.write_text('[catalog]\nitems = "items.csv"\ntitle = "title"\n' + text, encoding="utf-8")
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    code, out, _ = call("search", tmp_path / "run", "the dark", "--json")
    assert code == 0
    assert len(json.loads(out)["hits"]) == 3


def test_unicode_and_emoji(tiny_run: Any, call: Callable[..., Any]) -> None:
    """Any script is a request; titles come back as they are, also in JSON."""
    code, out, _ = call("search", tiny_run.run, "люблю 🎬 映画", "-k", "60", "--json")
    assert code == 0
    titles = {hit["title"] for hit in json.loads(out)["hits"]}
    assert {"東京 7", "Waltz 🎬 8", 'The "Mirror" 9'} <= titles
    assert "東京" in out
    assert call("search", tiny_run.run, "slow and sad " * 2000, "-k", "3")[0] == 0


@pytest.mark.parametrize("place", ["file/run", "file"])
def test_a_folder_that_cannot_be_written(
    project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any], place: str
) -> None:
    """A run below a regular file cannot be made: the sentence names the place."""
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    refused(call("build", project({"modalities": [IMAGE, CF]}), "--run", tmp_path / place), "cannot write", place)
    assert (tmp_path / "file").read_text(encoding="utf-8") == "not a folder"


def no_larger_than(n_bytes: int) -> Callable[[], None]:
    """For a child process: writing beyond this size of a file fails, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes")
@pytest.mark.parametrize("n_bytes", [0, 12_000])
def test_a_full_disk(
    project: Callable[..., Path], tmp_path: Path, cli: Callable[..., Any], call: Callable[..., Any], n_bytes: int
) -> None:
    """Whichever write fails first, it is one sentence, no temporary file stays, and the next build goes on."""
    toml = project({"modalities": [IMAGE, CF]}, n_items=200)
    done = cli("build", toml, "--run", tmp_path / "run", preexec_fn=no_larger_than(n_bytes))
    refused((done.returncode, done.stdout, done.stderr.splitlines()[-1]), "cannot write", "free space")
    assert "None" not in done.stderr
    assert not (tmp_path / "run" / "space" / "CURRENT").exists()
    assert [path.name for path in tmp_path.rglob(".*")] in ([".lock"], [])
    assert call("build", toml, "--run", tmp_path / "run")[0] == 0
    assert call("build", toml, "--run", tmp_path / "other")[0] == 0
    ids = [(tmp_path / run / "space" / "CURRENT").read_text(encoding="utf-8") for run in ("run", "other")]
    assert ids[0] == ids[1]


def test_a_disk_that_fills_up_later(own_run: Any, cli: Callable[..., Any], call: Callable[..., Any]) -> None:
    """A build that cannot write leaves the published space as it was, and it answers."""
    done = cli(
        "build", own_run.project, "--run", own_run.run, "--set", "joint.dim=64", preexec_fn=no_larger_than(8_000)
    )
    refused((done.returncode, done.stdout, done.stderr.splitlines()[-1]), "cannot write")
    before = own_run.space_id
    assert len(antiphon.load(own_run.run).search("dark", k=3)) == 3
    assert call("build", own_run.project, "--run", own_run.run)[0] == 0
    assert own_run.space_id == before


def test_a_run_without_a_space(own_run: Any, call: Callable[..., Any]) -> None:
    """A run whose build has not ended is named as such, by search and by inspect."""
    shutil.rmtree(own_run.run / "space")
    refused(call("search", own_run.run, "dark"), "no published space yet")
    refused(call("inspect", own_run.run), "no published space yet")


def test_a_diverging_training(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """Settings that make the loss NaN are refused with the settings to change, and nothing is published."""
    toml = project({"modalities": [IMAGE, CF], "train": {"epochs": 60, "learning_rate": 1e30}})
    refused(call("build", toml, "--run", tmp_path / "run"), "diverged", "train.learning_rate")
    assert not (tmp_path / "run" / "space").exists()


def test_vectors_of_numbers_are_no_ids(project: Callable[..., Path], tmp_path: Path, call: Callable[..., Any]) -> None:
    """Vectors whose ids are of another kind are refused with both kinds shown."""
    toml = project({"modalities": [IMAGE, CF]})
    table = pa.table({"item_id": np.arange(5), "embedding": pa.array(np.eye(5).tolist())})
    pq.write_table(table, toml.parent / "image.parquet")
    refused(call("build", toml, "--run", tmp_path / "run"), "none of the 5 ids", "'film-000'")
