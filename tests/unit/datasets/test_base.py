"""Data sets: where their files are looked for, and the projects that they become."""

from __future__ import annotations

import pytest

from antiphon.base.progress import silent
from antiphon.config.load import load_config
from antiphon.datasets.base import VARIABLE, Dataset, from_toml
from antiphon.errors import DataError, RunError


def dataset(fetch=None):
    """A data set of one file."""
    return Dataset(
        name="toys", summary="toys", licence="free", source="the attic", files=("toys.csv",),
        prepare=lambda source, out, progress: {"name": "toys", "catalog": {"items": str(source / "toys.csv")}},
        fetch=fetch,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_data(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def put(folder):
    """The file of the data set, in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toys.csv").write_text("item_id\n1\n")
    return folder


def test_the_folder_may_be_the_data_sets_own_or_the_one_above(tmp_path):
    """--from data and --from data/toys are the same."""
    put(tmp_path / "toys")
    assert dataset().find(tmp_path) == (tmp_path / "toys").resolve()
    assert dataset().find(tmp_path / "toys") == (tmp_path / "toys").resolve()
    assert dataset().find(tmp_path / "elsewhere") is None
    assert dataset().find() is None


def test_the_variable_is_used_where_no_folder_is_given(tmp_path, monkeypatch):
    """A folder that is given is the only one."""
    put(tmp_path / "toys")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert dataset().find() == (tmp_path / "toys").resolve()
    assert dataset().find(tmp_path / "elsewhere") is None


def test_a_project_is_a_configuration_that_loads(tmp_path):
    """Its folder is made."""
    put(tmp_path / "toys")
    path = dataset().make_project(tmp_path / "project", tmp_path, silent)
    assert path == tmp_path / "project" / "antiphon.toml"
    assert load_config(path).catalog.items == (tmp_path / "toys" / "toys.csv").resolve()


def test_missing_files_are_named_with_where_they_were_looked_for(tmp_path, monkeypatch):
    """And where they come from."""
    with pytest.raises(DataError) as caught:
        dataset().make_project(tmp_path / "project", tmp_path / "x", silent)
    assert f"needs the files toys.csv, which are not in {tmp_path / 'x'}." in str(caught.value)
    assert "They come from: the attic" in str(caught.value)
    with pytest.raises(DataError, match=r"the folder that ANTIPHON_DATA names \(not set\)"):
        dataset().make_project(tmp_path / "project", None, silent)
    monkeypatch.setenv(VARIABLE, "/nowhere")
    with pytest.raises(DataError, match=r"the folder that ANTIPHON_DATA names \(/nowhere\)"):
        dataset().make_project(tmp_path / "project", None, silent)
    assert not (tmp_path / "project").exists()


def test_what_is_nowhere_is_fetched_unless_a_folder_was_given(tmp_path):
    """A folder that was named and is wrong is a mistake, not a reason to download."""
    fetched = dataset(lambda out, progress: put(out))
    path = fetched.make_project(tmp_path / "project", None, silent)
    assert load_config(path).catalog.items == tmp_path / "project" / "original" / "toys.csv"
    with pytest.raises(DataError):
        fetched.make_project(tmp_path / "other", tmp_path / "x", silent)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    """A file stands where the project should be."""
    put(tmp_path / "toys")
    (tmp_path / "project").write_text("")
    with pytest.raises(RunError, match=r"cannot write .*antiphon\.toml"):
        dataset().make_project(tmp_path / "project", tmp_path, silent)


def test_a_toml_file_may_describe_a_data_set(tmp_path):
    """Its project is the configuration; {source} stands for the folder of the files, at every depth."""
    put(tmp_path / "toys")
    (tmp_path / "toys.toml").write_text(
        'summary = "toys"\nlicence = "free"\nsource = "the attic"\nfiles = ["toys.csv"]\n'
        '[project]\nname = "toys"\ndescribe.opening = "Toy: {title}."\ncatalog.items = "{source}/toys.csv"\n'
        'catalog.media = { image = { path = "{source}/a", pattern = "{item_id}.jpg" } }\n'
        'modalities = [{ name = "image", encoder = "precomputed", file = "{source}/v.parquet", standardise = true }]\n'
    )
    made = []
    toys = from_toml(tmp_path / "toys.toml", lambda source, out, progress: made.append((source, out)))
    assert (toys.name, toys.licence, toys.files, toys.fetch) == ("toys", "free", ["toys.csv"], None)
    config = load_config(toys.make_project(tmp_path / "project", tmp_path, silent))
    source = (tmp_path / "toys").resolve()
    assert made == [(source, tmp_path / "project")]
    assert config.catalog.items == source / "toys.csv"
    assert config.catalog.media["image"].path == source / "a"
    assert config.describe.opening == "Toy: {title}."
    assert config.modalities[0].options == {"file": str(source / "v.parquet"), "standardise": True}
