"""Building: what is up to date is not done again, damage heals, and publishing never takes answers away."""

from __future__ import annotations

import ast
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from numpy.testing import assert_array_equal

import antiphon
from antiphon.base import code, storage
from antiphon.config.load import load_config
from antiphon.errors import IntegrityError, MismatchError, RunError
from antiphon.run.build import build

STAGES = [
    "catalog", "taste", "describe", "features.text", "features.image", "features.cf", "synthetic", "practice", "train",
    "facets", "publish",
]  # fmt: skip


def statuses(run: Path) -> dict[str, str]:
    """What the last build did with each stage."""
    stages = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return {stage["name"]: stage["status"] for stage in stages}


def built(run: Path) -> list[str]:
    """The stages that the last build did."""
    return [name for name, status in statuses(run).items() if status == "built"]


def rebuild(own: Any, *overrides: str) -> list[str]:
    """Build in this process; the stages that were done, as it told."""
    told: list[str] = []
    build(load_config(own.project, overrides), own.run, notify=told.append)
    names = [line.split(":")[0] for line in told if line.endswith(" s")]
    done = built(own.run)
    assert sorted(names) == sorted(done)  # one stage is at work beside others, and ends when it ends
    return done


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_first_build_does_every_stage_once(tiny_run: Any) -> None:
    """Stages stand in the manifest in their order, each with its files' checksums."""
    manifest = json.loads((tiny_run.run / "manifest.json").read_text(encoding="utf-8"))
    assert [stage["name"] for stage in manifest["stages"]] == STAGES
    assert all(stage["status"] == "built" and stage["files"] for stage in manifest["stages"])
    assert manifest["seed"] == 1


def test_a_second_build_does_nothing(own_run: Any, cli: Callable[..., Any]) -> None:
    """In another process: no stage runs, the same space stays, and no file of a stage is touched."""
    before = contents(own_run.run)
    done = cli("build", own_run.project, "--run", own_run.run)
    assert done.returncode == 0, done.stderr
    assert statuses(own_run.run) == dict.fromkeys(STAGES, "cached")
    after = contents(own_run.run)
    rewritten = {name for name in after if after[name] != before.get(name)}
    assert rewritten <= {"manifest.json", "config.toml", ".lock"}
    assert own_run.space_id in done.stderr


@pytest.mark.parametrize("cores", ["1", "3"])
def test_the_space_does_not_depend_on_the_cores(
    tiny_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: str
) -> None:
    """In order on one, and with taste beside the other stages on several: the same bits.

    Only one thread parses Python, as two at once fail in CPython 3.11.
    """
    monkeypatch.setenv("ANTIPHON_CORES", cores)
    parsing, parse = set[str](), ast.parse
    monkeypatch.setattr(ast, "parse", lambda *a, **k: parsing.add(threading.current_thread().name) or parse(*a, **k))
    code._parsed.cache_clear()
    build(load_config(tiny_run.project), tmp_path / "run")
    assert antiphon.load(tmp_path / "run").manifest["space_id"] == tiny_run.space_id
    assert parsing == {threading.current_thread().name}


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ('describe.opening="Film: {title}."', ["describe", "features.text", "train", "publish"]),
        ("train.epochs=2", ["train", "publish"]),
        ("joint.dim=20", ["train", "publish"]),
        ('name="other"', ["publish"]),
        ("split.test=0.3", ["taste", "features.cf", "practice", "train", "publish"]),
        ("space.lexical=false", ["publish"]),
        ("space.taste_trials=2", ["taste", "publish"]),
        ("synthetic.per_item=3", ["synthetic", "practice", "train", "facets", "publish"]),
        ('catalog.keep="year>=1960"', STAGES),
    ],
)  # fmt: skip
def test_a_change_redoes_what_depends_on_it(own_run: Any, override: str, expected: list[str]) -> None:
    """A stage runs again when something that it reads has changed, and only then; going back gives the old space."""
    before = own_run.space_id
    assert rebuild(own_run, override) == expected
    assert (own_run.space_id == before) == override.startswith("name=")
    rebuild(own_run)
    assert own_run.space_id == before


def test_a_change_of_one_title_redoes_what_reads_titles(own_run: Any, tmp_path: Path) -> None:
    """Pictures, collaborative filtering and taste have none; of the texts one is encoded."""
    folder = tmp_path / "changed"
    shutil.copytree(own_run.project.parent, folder)
    items = pq.read_table(folder / "items.parquet")
    titles = ["Another Harbour", *items["title"].to_pylist()[1:]]
    pq.write_table(items.set_column(items.column_names.index("title"), "title", [titles]), folder / "items.parquet")
    build(load_config(folder / "antiphon.toml"), own_run.run)
    assert not {"features.image", "features.cf", "taste"} & set(built(own_run.run))
    kept = [json.loads(path.read_text()) for path in (own_run.run / "features/text.work").glob("shards-*/*.json")]
    sizes = [len(shard["keys"]) for shard in kept]
    assert min(sizes) == 1 < max(sizes)


@pytest.fixture
def rewrite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str, str], None]]:
    """Makes a module's text another one for whatever reads it to see what code a stage runs."""
    real = code.source_of

    def change(file: str, old: str, new: str) -> None:
        def other(path: Path) -> str:
            text = real(path)
            assert not path.as_posix().endswith(f"antiphon/{file}") or old in text
            return text.replace(old, new) if path.as_posix().endswith(f"antiphon/{file}") else text

        monkeypatch.setattr(code, "source_of", other)
        code._parsed.cache_clear()

    yield change
    code._parsed.cache_clear()


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("channels/facet_training.py", "250_000, 400_000, 8", "250_000, 400_000, 9", ["facets"]),
        ("channels/gate_training.py", "START = {", "MORE = 1\nSTART = {", ["publish"]),
        ("channels/cold.py", "RIDGE = 3.0", "RIDGE = 2.0", ["publish"]),
        ("channels/rerank_training.py", "FOLDS = 3", "FOLDS = 4", ["taste"]),
        ("joint/network.py", "MIN_TEMPERATURE = 0.01", "MIN_TEMPERATURE = 0.02", ["train"]),
        ("joint/fused_loss.py", "import torch", "import torch\nMORE = 1", ["train"]),
        ("describe/template.py", "import re", "import re\nMORE = 1", ["describe"]),
        ("encoders/text/encoder.py", "from pathlib import Path", "from pathlib import Path\nMORE = 1", None),
        ("evaluate/plots.py", "import math", "import math\nMORE = 1", []),
        ("joint/network.py", '"""Network: the joint model while it learns', '"""Network: a model while it learns', []),
    ],
)  # fmt: skip
def test_a_change_of_code_redoes_the_stages_that_run_it(
    own_run: Any, rewrite: Callable[..., None], file: str, old: str, new: str, expected: list[str] | None
) -> None:
    """Another constant repeats its stage; a plot or a docstring repeats nothing; nobody keeps a list."""
    rewrite(file, old, new)
    redone = rebuild(own_run)
    if expected is None:  # an encoder runs where items and requests are encoded, and where it is published
        assert redone == ["features.text", "synthetic", "practice", "publish"]
    else:
        assert redone == expected


def test_a_constant_that_changes_a_number_redoes_what_follows(
    own_run: Any, rewrite: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of facets learns from fewer requests, becomes another one, and is published."""
    before = own_run.space_id
    rewrite("channels/facet_training.py", "250_000, 400_000, 8", "250_000, 64, 8")
    monkeypatch.setattr("antiphon.channels.facet_training.DRAWS", 64)
    assert rebuild(own_run) == ["facets", "publish"]
    assert own_run.space_id != before


def test_a_new_name_is_published_although_the_vectors_are_the_same(own_run: Any) -> None:
    """The published manifest says what the configuration says now."""
    rebuild(own_run, 'name="other"')
    assert antiphon.load(own_run.run).manifest["name"] == "other"


@pytest.mark.parametrize(
    "file",
    [
        "catalog/items.parquet", "catalog/catalog.json", "descriptions.parquet", "features/text.npy",
        "features/cf.mask.npy", "features/cf.work/item_factors.npy", "features/cf.work/setting.json",
        "features/synthetic.npy", "taste/ials.npy", "model/model.safetensors", "manifest.json", "config.toml",
        "space/CURRENT", "space/{id}/lexical/vocab.index.json",
        "space/{id}/vectors.npy", "space/{id}/manifest.json", "space/{id}/query/text/onnx/model.onnx",
    ],
)  # fmt: skip
@pytest.mark.parametrize("damage", ["removed", "truncated"])
def test_building_again_heals_damage(own_run: Any, file: str, damage: str) -> None:
    """Whichever file is lost or cut, the next build makes the same space again, and it loads."""
    before = own_run.space_id
    path = own_run.run / file.replace("{id}", before)
    if damage == "removed":
        path.unlink()
    else:
        content = path.read_bytes()
        path.unlink()  # published files may share their contents with the workspace
        path.write_bytes(content[: len(content) // 2])
    rebuild(own_run)
    assert own_run.space_id == before
    assert len(antiphon.load(own_run.run).search("dark", k=5)) == 5


def test_what_a_killed_build_left_is_removed(own_run: Any) -> None:
    """Temporary files and half-published versions of a killed process are gone after the next build."""
    left = [own_run.run / "features" / ".text.npy.0123.part", own_run.run / "space" / ".new-0123" / "vectors.npy"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    rebuild(own_run, "train.epochs=2")
    assert not left[0].exists()
    assert not left[1].parent.exists()


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(own_run: Any) -> None:
    """After a build there is no checkpoint left, and one of another fingerprint is removed unread."""
    other = own_run.run / "model" / "checkpoint-0123456789ab"
    other.mkdir()
    (other / "state.json").write_text("nonsense", encoding="utf-8")
    rebuild(own_run, "train.epochs=2")
    assert not list((own_run.run / "model").glob("checkpoint-*"))


def test_only_one_build_at_a_time(own_run: Any, call: Callable[..., Any]) -> None:
    """A second build in the same folder is refused while the first is at work; afterwards it goes on."""
    with FileLock(own_run.run / ".lock"):
        code, _, err = call("build", own_run.project, "--run", own_run.run, "--set", "train.epochs=2")
        assert code == 2
        assert "another build is at work" in err
        assert statuses(own_run.run)["train"] == "built"  # the manifest was not touched
    assert call("build", own_run.project, "--run", own_run.run)[0] == 0


def test_a_build_that_waited_for_nobody_sees_what_another_did(own_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When another build ends between the look at the manifest and the lock, the manifest is read again."""
    import antiphon.run.build as module

    real, calls = module.is_current, []

    def meanwhile(*args: Any) -> Any:
        result = real(*args)
        if not calls:
            calls.append(1)
            rebuild(own_run, "train.epochs=2", 'catalog.keep="year>=1960"')
        return result

    monkeypatch.setattr(module, "is_current", meanwhile)
    before = own_run.space_id
    build(load_config(own_run.project), own_run.run)
    assert own_run.space_id == before


def test_a_loaded_space_keeps_answering_while_others_are_published(own_run: Any) -> None:
    """Four builds later, a space that was loaded before and never asked still has its users and query encoders."""
    space = antiphon.load(own_run.run)
    expected = [hit.item_id for hit in antiphon.load(own_run.run).search("dark space", user="user-01", k=5)]
    for epochs in (2, 4, 5, 6):
        rebuild(own_run, f"train.epochs={epochs}")
    got = space.search("dark space", user="user-01", weights={"folded": 0.0}, k=5)
    assert [hit.item_id for hit in got] == expected
    assert space.space_id != antiphon.load(own_run.run).space_id
    assert space.search(history=["film-001"], weights={"taste": 1.0}, k=3)


def test_old_versions_that_nobody_uses_are_removed(own_run: Any) -> None:
    """Beside the current version the one before is kept, and no more."""
    ids = [own_run.space_id]
    for epochs in (2, 4, 5):
        rebuild(own_run, f"train.epochs={epochs}")
        ids.append(own_run.space_id)
    versions = {path.name for path in (own_run.run / "space").iterdir() if path.is_dir()}
    assert versions == set(ids[-2:])


@pytest.mark.parametrize("name", ["vectors.npy", "items.parquet", "model/model.safetensors", "query/text/text.json"])
def test_a_file_that_was_changed_is_not_loaded(own_run: Any, name: str, call: Callable[..., Any]) -> None:
    """One flipped bit is an IntegrityError that names the file; the command line exits with 2."""
    path = own_run.version / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{name}.*SHA-256"):
        antiphon.load(own_run.run)
    code, out, err = call("search", own_run.run, "dark")
    assert (code, out) == (2, "")
    assert name in err


def test_a_query_side_of_another_space_is_refused(own_run: Any) -> None:
    """Files of two builds in one folder are a MismatchError, even when the manifest is made to fit them."""
    first = own_run.version
    rebuild(own_run, "train.epochs=2")
    second = own_run.version
    shutil.rmtree(second / "model")
    shutil.copytree(first / "model", second / "model")
    with pytest.raises(IntegrityError, match="SHA-256"):
        antiphon.load(own_run.run)
    manifest = storage.read_sealed(second / "manifest.json")
    other = storage.read_sealed(first / "manifest.json")
    manifest["files"] |= {name: value for name, value in other["files"].items() if name.startswith("model/")}
    (second / "manifest.json").unlink()
    storage.write_sealed(second / "manifest.json", manifest)
    with pytest.raises(MismatchError, match="space id"):
        antiphon.load(own_run.run)


def test_an_embedded_query_of_another_space_is_refused(own_run: Any) -> None:
    """A query's vector says which space it belongs to."""
    before = antiphon.load(own_run.run)
    rebuild(own_run, "train.epochs=2")
    embedding = before.embed(antiphon.Query(text="dark"))
    assert len(before.search_dense(embedding, k=3)) == 3
    with pytest.raises(MismatchError, match=f"{before.space_id}.*embed the query again"):
        antiphon.load(own_run.run).search_dense(embedding)


def test_a_space_of_another_format_is_refused(own_run: Any) -> None:
    """A later antiphon's space is not misread."""
    path = own_run.version / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    path.write_text(json.dumps({**manifest, "format": 99}), encoding="utf-8")
    with pytest.raises(MismatchError, match="format 99"):
        antiphon.load(own_run.run)


def test_one_version_can_be_loaded_by_its_folder(tiny_run: Any) -> None:
    """The folder of a version, copied elsewhere without the run, is a space of its own."""
    space = antiphon.load(tiny_run.version)
    assert space.space_id == tiny_run.space_id
    assert_array_equal(space.blocks, np.load(tiny_run.version / "vectors.npy"))


def test_a_run_that_is_not_built_yet_says_so(tmp_path: Path) -> None:
    """No folder, and a folder without a space, are told apart."""
    with pytest.raises(RunError, match="there is no run at"):
        antiphon.load(tmp_path / "nowhere")
    with pytest.raises(RunError, match="no published space yet"):
        antiphon.load(tmp_path)
