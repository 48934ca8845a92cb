"""Models in folders and on hubs: their identity is kept between releases, and what is wrong is a sentence."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from antiphon.base import runtime
from antiphon.encoders import hub
from antiphon.encoders.pictures.models import ClipEncoder, TimmEncoder
from antiphon.encoders.sounds.models import FRONT_END_VERSION, ClapEncoder
from antiphon.encoders.text.models import load_model, model_identity, model_path
from antiphon.errors import ConfigError, MissingExtraError, RunError

FILES = {"a/config.json": b"{}", "model.safetensors": b"weights", "old.bin": b"pickle", "read.me": b"not read"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder."""
    for name, data in FILES.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_bytes(data)
    return tmp_path / "model"


def formula(*parts: Any) -> str:
    """The SHA-256 of values as JSON, which identities are."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def sums(*names: str) -> list[list[str]]:
    """Names and SHA-256 of files."""
    return [[name, hashlib.sha256(FILES[name]).hexdigest()] for name in names]


def test_the_identity_of_a_folder_is_that_of_its_files(folder: Path) -> None:
    """Kind, names and checksums, and nothing else, so that no vector that was made before is made again."""
    settings = {"model": str(folder), "revision": "", "windows": 6, "file": None}
    files = sums("a/config.json", "model.safetensors")
    assert ClipEncoder.identity_of(settings) == formula("clip", files)
    assert TimmEncoder.identity_of(settings) == formula("timm", files)
    assert ClapEncoder.identity_of(settings) == formula("clap", [FRONT_END_VERSION, 6], files)
    # Texts have been read from other weights too.
    assert model_identity(str(folder), "") == formula([*files, *sums("old.bin")])


def test_the_identity_of_a_hub_model_is_name_and_commit() -> None:
    """What is there is not asked for: a commit does not change."""
    settings = {"model": "no/model", "revision": "abc", "windows": 6, "file": None}
    assert ClipEncoder.identity_of(settings) == formula("clip", "no/model", "abc")
    assert TimmEncoder.identity_of(settings) == formula("timm", "no/model", "abc")
    assert ClapEncoder.identity_of(settings) == formula("clap", [FRONT_END_VERSION, 6], "no/model", "abc")
    assert model_identity("no/model", "abc") == formula("no/model", "abc")


def test_the_home_folder_may_be_written_as_a_tilde(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/model` is the folder, for its identity and for loading."""
    monkeypatch.setenv("HOME", str(folder.parent))
    assert hub.folder_of("~/model") == folder
    assert hub.identity("picture", "~/model", "", "clip") == hub.identity("picture", str(folder), "", "clip")
    assert hub.pretrained("~/model", "abc")[0] == model_path("~/model", "") == str(folder)


def test_a_folder_is_loaded_from_itself_and_a_hub_model_at_its_commit(folder: Path) -> None:
    """No code of a model is run, and a folder asks no hub for anything."""
    local = {"revision": None, "local_files_only": True, "trust_remote_code": False}
    assert hub.pretrained(str(folder), "abc") == (str(folder), local)
    remote = {"revision": "abc", "local_files_only": False, "trust_remote_code": False}
    assert hub.pretrained("no/model", "abc") == ("no/model", remote)


@pytest.mark.parametrize("noun", ["picture", "sound", "text"])
def test_a_hub_model_without_its_commit_is_refused(noun: str) -> None:
    """The sentence says what kind of model it is, and what is missing."""
    with pytest.raises(ConfigError, match=rf"the {noun} model 'no/model' is no local folder; .* needs `revision`"):
        hub.located(noun, "no/model", "")


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    """Other formats can run code; the folder is named."""
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"model' has no \.safetensors file; other formats of weights can run code"):
        hub.identity("sound", str(folder), "", "clap")


def load(error: Exception) -> None:
    """Loading that fails."""
    with hub.explained("sound", "no/model"):
        raise error


def test_errors_of_loading_are_a_sentence() -> None:
    """It names the model, has the first line of the reason, and says what to do."""
    said = r"the sound model 'no/model' cannot be loaded \(out of reach\)\. .* give its folder as `model`\.$"
    with pytest.raises(RunError, match=said):
        load(OSError("out of reach\nand much more"))


def test_a_missing_package_is_not_explained_away() -> None:
    """Its own sentence says what to install."""
    with pytest.raises(MissingExtraError, match="pip install"):
        load(MissingExtraError("one", "image", "encoding pictures"))


def test_a_text_model_that_cannot_be_loaded_names_the_embedded_one(folder: Path) -> None:
    """A folder that is no model is an error with another way out."""
    with pytest.raises(RunError, match=r"the text model '.*' cannot be loaded .*use the embedded 'all-MiniLM-L6-v2'\."):
        load_model(str(folder), "")


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("\none\ntwo"), "one"), (ValueError(), "ValueError"), (OSError("x" * 300), "x" * 200)],
)
def test_a_reason_is_one_line(error: Exception, said: str) -> None:
    """Of 200 characters at most; the type stands for an error that says nothing."""
    assert hub.reason(error) == said


def test_a_library_that_is_not_there_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, the extra and what it is needed for are those of the caller; torch is looked for first."""
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"encoding pictures needs the package 'timm'.*antiphon\[timm\]"):
        hub.library("timm", "timm", "encoding pictures")
    monkeypatch.setattr(runtime, "has", lambda package: package != "torch")
    with pytest.raises(MissingExtraError, match=r"encoding sounds needs the package 'torch'.*antiphon\[build\]"):
        hub.library("timm", "build", "encoding sounds")


def test_a_library_that_does_not_fit_torch_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Libraries over torch fail in their own ways when they are imported."""
    pytest.importorskip("torch")
    (tmp_path / "misfit.py").write_text("raise RuntimeError('operator nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RunError, match=r"'misfit' cannot be loaded \(operator nms does not exist\)\. Its version must"):
        hub.library("misfit", "image", "encoding pictures")
