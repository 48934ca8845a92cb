"""The command line: documents for machines, lines for people, and a package that loads quickly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import antiphon


def document(result: tuple[int, str, str]) -> Any:
    """The one JSON document on standard output."""
    code, out, err = result
    assert code == 0, err
    assert out.count("\n") == 1
    return json.loads(out)


@pytest.mark.parametrize(
    "words",
    [["search", "RUN", "a dark thriller"], ["recommend", "RUN", "--like", "film-003"], ["similar", "RUN", "film-003"]],
)  # fmt: skip
@pytest.mark.parametrize("explain", [False, True])
def test_hits_as_json(tiny_run: Any, call: Callable[..., Any], words: list[str], explain: bool) -> None:
    """{"space_id", "took_ms", "hits": [{"rank", "item_id", "score", "fields", ...}]}; why only with --explain."""
    words = [str(tiny_run.run) if word == "RUN" else word for word in words]
    found = document(call(*words, "-k", "4", "--json", *["--explain"] * explain))
    assert set(found) == {"space_id", "took_ms", "hits"}
    assert found["space_id"] == tiny_run.space_id
    assert found["took_ms"] > 0
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3, 4]
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    for hit in found["hits"]:
        assert set(hit["fields"]) == {"year", "genres", "country", "tags", "released", "seen"}
        assert ("why" in hit) == explain
        if explain:
            more = {"taste", "popularity", "words", "passages", "facets", "names"}
            assert {"text", "image", "cf"} <= set(hit["why"]) <= {"text", "image", "cf", *more}
            assert sum(hit["why"].values()) == pytest.approx(1, abs=1e-4)


def test_the_command_line_answers_as_the_library_does(tiny_run: Any, call: Callable[..., Any]) -> None:
    """One path answers both, with every option."""
    space = antiphon.load(tiny_run.run)
    expected = space.search(
        "dark", likes=["film-001"], dislikes=["film-002"], user="user-01", weights={"text": 2.0, "taste": 0.5},
        where=["year>=1960", "not genres=romance"], k=6,
    )  # fmt: skip
    found = document(
        call(
            "search", tiny_run.run, "dark", "--like", "film-001", "--dislike", "film-002", "--user", "user-01",
            "--weight", "text=2", "--weight", "taste=0.5", "--where", "year>=1960", "--where", "not genres=romance",
            "-k", "6", "--json",
        )
    )  # fmt: skip
    assert [hit["item_id"] for hit in found["hits"]] == [hit.item_id for hit in expected]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx([hit.score for hit in expected], abs=1e-5)


def test_inspect_as_json(tiny_run: Any, call: Callable[..., Any]) -> None:
    """name, space_id, n_items, modalities with dim and coverage, stages with seconds and status, dropped."""
    found = document(call("inspect", tiny_run.run, "--json"))
    assert {"name", "space_id", "n_items", "modalities", "stages", "dropped"} <= set(found)
    assert (found["name"], found["space_id"], found["n_items"]) == ("films", tiny_run.space_id, 60)
    assert {name: item["dim"] for name, item in found["modalities"].items()} == {"text": 16, "image": 8, "cf": 8}
    assert found["modalities"]["text"]["coverage"] == 1
    assert found["modalities"]["image"]["coverage"] == pytest.approx(52 / 60)
    assert [stage["name"] for stage in found["stages"]][:3] == ["catalog", "taste", "describe"]
    assert all(set(stage) == {"name", "seconds", "status"} for stage in found["stages"])
    assert all(isinstance(count, int) for count in found["dropped"].values())


def test_data_list_as_json(call: Callable[..., Any]) -> None:
    """Every data set with its licence and source."""
    found = document(call("data", "list", "--json"))
    names = {item["name"] for item in found["datasets"]}
    assert {"generated", "ml-latest-small", "movies", "music"} <= names
    assert all(item["licence"] and item["source"] for item in found["datasets"])


def test_lines_for_people(tiny_run: Any, call: Callable[..., Any]) -> None:
    """Without --json: a line a hit, and a table of stages and coverage."""
    code, out, err = call("search", tiny_run.run, "dark", "-k", "3", "--explain")
    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 3
    assert "what is written of it" in out.splitlines()[0]
    assert call("search", tiny_run.run, "dark", "--where", "year>=3000")[1] == "Nothing passes the filter; loosen it.\n"
    out = call("inspect", tiny_run.run)[1]
    for word in ("60 items", "features.text", "image", "86.7%", "built"):
        assert word in out


def test_every_command_has_help_with_an_example(call: Callable[..., Any]) -> None:
    """--help of each command shows how to call it."""
    for words in ("build", "search", "recommend", "similar", "inspect", "demo", "data list", "data fetch"):
        code, out, _ = call(*words.split(), "--help")
        assert code == 0
        assert "Example: antiphon" in out


def test_a_process_of_its_own_keeps_its_streams_apart(tiny_run: Any, cli: Callable[..., Any]) -> None:
    """`python -m antiphon`: one document on standard output and nothing else; errors on standard error with exit 2."""
    done = cli("search", tiny_run.run, "dark", "-k", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["hits"]) == 2
    assert done.stderr == ""
    done = cli("search", tiny_run.run, "")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("antiphon: the text of the request is empty")


@pytest.mark.parametrize("statement", ["import antiphon", "import antiphon.cli", "import antiphon; dir(antiphon)"])
def test_importing_loads_neither_torch_nor_a_web_framework(statement: str) -> None:
    """The package and its command line are light: heavy libraries load when they are used."""
    heavy = ["torch", "fastapi", "starlette", "uvicorn", "sentence_transformers", "transformers", "implicit", "scipy"]
    program = f"import sys; {statement}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_answering_loads_no_torch(tiny_run: Any) -> None:
    """A published space whose text model was exported answers text, likes and users without torch."""
    program = (
        "import sys, antiphon\n"
        f"space = antiphon.load({str(tiny_run.run)!r})\n"
        "hits = space.search('dark', likes=['film-001'], user='user-01', weights={'taste': 1.0}, k=3, explain=True)\n"
        "print(len(hits), 'torch' in sys.modules, 'sentence_transformers' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.stdout.strip() == "3 False False", done.stderr


def test_exported_names_exist() -> None:
    """Every public name is importable, and nothing else is listed."""
    assert sorted(antiphon.__all__) == dir(antiphon)
    for name in antiphon.__all__:
        assert getattr(antiphon, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = antiphon.no_such_name


def test_a_relative_model_folder_is_found_from_anywhere(
    project: Callable[..., Path], tiny_text_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths in antiphon.toml are relative to its folder, that of a text model too."""
    import shutil

    from antiphon.config.load import load_config

    toml = project({"modalities": [{"name": "text", "encoder": "sentence-transformers", "model": "models/tiny"}]})
    shutil.copytree(tiny_text_model, toml.parent / "models" / "tiny")
    monkeypatch.chdir(tmp_path)
    options = load_config(toml).modalities[0].options
    assert Path(options["model"]) == toml.parent / "models" / "tiny"


def test_a_conversation_on_the_terminal(tiny_run: Any) -> None:
    """A sentence per line, answers in between; a sentence that cannot be answered does not end it."""
    said = "a dark thriller\nmore like the ninety-ninth one\nstart over\nnewer ones with music\nundo\n"
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", "talk", str(tiny_run.run), "-k", "3"],
        input=said, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip().splitlines()) % 3 == 0
    assert "the request is empty" in done.stderr
    assert "taken back" in done.stderr
