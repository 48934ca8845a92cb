"""Pictures and sounds as requests: the library, the command line and the service give one answer."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("transformers")
pytest.importorskip("fastapi")

SUPPORT = Path(__file__).resolve().parents[1] / "support"
sys.path.insert(0, str(SUPPORT))
tiny_text_model = runpy.run_path(str(SUPPORT / "tiny_text.py"))["tiny_text_model"]
tiny = runpy.run_path(str(SUPPORT / "tiny_clip.py"))


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path) -> Path:
    """The folder of a run `run` and of the files that it was made of."""
    import media_films

    from antiphon.config.load import load_config
    from antiphon.run.build import build

    folder = tmp_path_factory.mktemp("media")
    media_films.register(folder / "site")
    clip = tiny["make_clip"](folder / "clip")
    notes: list[str] = []
    build(
        load_config(media_films.write_films(folder / "films", tiny_text_model, clip)),
        folder / "run",
        notify=notes.append,
    )
    assert any("pictures that are cut off or damaged" in note for note in notes)
    return folder


@pytest.fixture(scope="session")
def space(media: Path) -> Any:
    """The space of the run."""
    from antiphon.space.loading import load

    return load(media / "run")


@pytest.fixture(scope="session")
def client(media: Path) -> Iterator[Any]:
    """A client of the service over the run."""
    from fastapi.testclient import TestClient

    from antiphon.serve import Settings, create_app

    settings = Settings(poll=0, max_upload=400_000)
    with TestClient(create_app(media / "run", settings), raise_server_exceptions=False) as made:
        yield made


def picture(number: int) -> bytes:
    """The picture of a film."""
    return tiny["as_bytes"](tiny["picture"](number))


def sound(number: int) -> bytes:
    """The sound of a film."""
    import media_films

    return media_films.sound(number)


def ids(hits: Any) -> list[str]:
    """Item ids of hits, of the library or of a JSON document."""
    return [hit["item_id"] if isinstance(hit, dict) else hit.item_id for hit in hits]


def test_a_picture_is_asked_in_the_space_of_the_pictures(space: Any) -> None:
    """A picture's vector is the projection of the model's: near to the item that has it, whatever is done to it."""
    from antiphon.query.request import MediaFile, Query

    vector = space.embed(Query(image=MediaFile(picture(8)))).vector
    row, number = space.row_of["film-008"], space.modalities.index("image")
    expected = np.asarray(space.parts[number])
    size = np.linalg.norm(expected, axis=1)
    cosines = (
        expected
        @ space.model.project("image", space.sides["image"][1].encode([picture(8)]))[0]
        / np.where(size > 0, size, 1)
    )
    assert int(cosines.argmax()) == row
    assert cosines[row] > 0.999
    assert np.isfinite(vector).all()
    assert vector.any()


def test_paths_and_bytes_are_the_same_request(space: Any, tmp_path: Path) -> None:
    """A path, its text, and what the file holds give one answer; so do a sound's."""
    (tmp_path / "p.jpg").write_bytes(picture(3))
    answers = [
        ids(space.search(image=value, k=8)) for value in (tmp_path / "p.jpg", str(tmp_path / "p.jpg"), picture(3))
    ]
    assert answers[0] == answers[1] == answers[2]
    (tmp_path / "s.snd").write_bytes(sound(3))
    assert ids(space.search(audio=tmp_path / "s.snd", k=8)) == ids(space.search(audio=sound(3), k=8))


def test_parts_weigh(space: Any) -> None:
    """Text, picture and sound go together; with the weight 0 a part says nothing."""
    text = ids(space.search("a dark thriller", k=10))
    both = ids(space.search("a dark thriller", image=picture(9), audio=sound(2), k=10))
    assert both != text
    assert ids(space.search("a dark thriller", image=picture(9), weights={"image": 0.0}, k=10)) == text
    assert ids(space.search("a dark thriller", image=picture(9), weights={"text": 0.0}, k=10)) == ids(
        space.search(image=picture(9), k=10)
    )
    why = space.search("a dark thriller", image=picture(9), k=1, explain=True)[0].why
    assert sum(why.values()) == pytest.approx(1, abs=1e-3)


def test_texts_reach_the_pictures_where_they_are_asked_to(space: Any) -> None:
    """The part `look` is the text through the picture model's text side; its usual weight is 0."""
    plain = space.embed(_query("red stars")).vector
    looked = space.embed(_query("red stars", {"look": 1.0})).vector
    alone = space.embed(_query("red stars", {"look": 1.0, "text": 0.0})).vector
    np.testing.assert_allclose(plain + alone, looked, atol=1e-4)
    assert alone.any()


def _query(text: str, weights: dict[str, float] | None = None) -> Any:
    from antiphon.query.request import Query

    return Query(text=text, weights=weights or {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": b""}, "is empty"),
        ({"image": b"no picture"}, "files that are no pictures"),
        ({"image": "nowhere.jpg"}, "'nowhere.jpg' cannot be read"),
        ({"audio": b"noise"}, "no SOUND file"),
        ({"image": b"x" * 20_000_001}, "too large"),
        ({}, "the request is empty"),
    ],
)
def test_bad_files_are_query_errors(space: Any, given: dict[str, Any], said: str) -> None:
    """What cannot be decoded is refused in a sentence."""
    from antiphon.errors import QueryError

    with pytest.raises(QueryError, match=said):
        space.search(**given)


def test_the_command_line_takes_files(media: Path, space: Any, tmp_path: Path) -> None:
    """`antiphon search RUN --image FILE` and `--audio FILE` answer as the library does, with or without a text."""
    from antiphon.cli import cli

    (tmp_path / "p.jpg").write_bytes(picture(5))
    (tmp_path / "s.snd").write_bytes(sound(5))
    for words, expected in (
        (["--image", str(tmp_path / "p.jpg")], space.search(image=picture(5), k=5)),
        (["drama", "--audio", str(tmp_path / "s.snd")], space.search("drama", audio=sound(5), k=5)),
    ):
        done = CliRunner().invoke(cli, ["search", str(media / "run"), *words, "-k", "5", "--json"])
        assert done.exit_code == 0, done.output
        assert ids(json.loads(done.stdout)["hits"]) == ids(expected)


def test_inspect_counts_the_flaws(media: Path) -> None:
    """What was wrong with pictures is in `antiphon inspect`."""
    from antiphon.run.inspection import inspect_run

    dropped = inspect_run(media / "run")["dropped"]
    assert dropped["pictures that are cut off or damaged (image)"] == 1


def test_an_upload_is_the_library_s_answer(client: Any, space: Any) -> None:
    """The service answers a form with files and a JSON part as the library does."""
    query = {"text": "a quiet drama", "k": 6, "where": "year>=1960", "explain": True}
    files = {"image": ("poster.jpg", picture(7), "image/jpeg"), "audio": ("a.snd", sound(1), "audio/wav")}
    got = client.post("/v1/search/media", files=files, data={"query": json.dumps(query)})
    assert got.status_code == 200, got.text
    expected = space.search("a quiet drama", image=picture(7), audio=sound(1), where="year>=1960", k=6)
    assert ids(got.json()["hits"]) == ids(expected)
    assert [hit["score"] for hit in got.json()["hits"]] == pytest.approx([hit.score for hit in expected], abs=1e-5)
    alone = client.post("/v1/search/media", files={"image": ("p", picture(7))}).json()
    assert ids(alone["hits"]) == ids(space.search(image=picture(7), k=10))


def test_the_space_says_what_it_accepts(client: Any) -> None:
    """A page can know which files to offer."""
    said = client.get("/v1/space").json()
    assert said["accepts"] == ["text", "image", "audio"]
    assert said["limits"]["upload"] == 400_000


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"files": {"image": ("p.jpg", b"this is no picture")}}, 400, "files that are no pictures"),
        ({"files": {"image": ("p.jpg", b"")}}, 400, "is empty"),
        ({"files": {"image": ("../../etc/passwd", b"")}}, 400, "'passwd' is empty"),
        ({"files": {"audio": ("a.wav", b"RIFF")}}, 400, "no SOUND file"),
        ({"files": {"film": ("p.jpg", b"x")}}, 400, "has the part 'film'"),
        ({"files": {"image": ("p.jpg", b"x")}, "data": {"query": "{"}}, 422, "query"),
        ({"files": {"image": ("p.jpg", b"x")}, "data": {"query": '{"txet": 1}'}}, 422, "query.txet"),
        ({"files": [("image", ("a", b"x")), ("image", ("b", b"x"))]}, 400, "twice"),
        ({"files": {"image": ("p.jpg", b"x" * 500_000)}}, 413, "longer than 400,000 bytes"),
        ({"files": {"query": ("q.json", b"{}")}}, 400, "is a file"),
        ({"data": {"image": "text"}, "files": {"audio": ("a", b"SOUND1")}}, 400, "is no file"),
        ({"json": {"text": "x"}}, 415, "multipart/form-data"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400, ""),
        ({"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 400, "no file"),
    ],
)
def test_bad_uploads_are_problem_documents(client: Any, sent: dict[str, Any], status: int, said: str) -> None:
    """Bad files and forms are the caller's fault, in a sentence."""
    got = client.post("/v1/search/media", **sent)
    assert got.status_code == status, got.text
    assert got.headers["content-type"] == "application/problem+json"
    assert said in got.json()["detail"]


def test_one_bad_file_does_not_spoil_the_batch(space: Any) -> None:
    """A request with a broken picture that is answered together with others is the only one refused."""
    from antiphon.errors import QueryError
    from antiphon.query.request import MediaFile
    from antiphon.serve.served import Ask, Served
    from antiphon.talk.wish import Wish

    asks = [Ask(Wish(text="drama")), Ask(Wish(), image=MediaFile(b"no")), Ask(Wish(), image=MediaFile(picture(2)))]
    first, second, third = Served(space).answer(asks)
    assert isinstance(second, QueryError)
    assert first.n_hits == third.n_hits == 10


def test_more_uploads_than_places_are_refused(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every place for files is taken, the answer is 503 at once; other requests go on."""
    from fastapi.testclient import TestClient

    from antiphon.serve import Settings, create_app, uploads

    monkeypatch.setattr(uploads, "MOST", 0)
    with TestClient(create_app(media / "run", Settings(poll=0))) as full:
        got = full.post("/v1/search/media", files={"image": ("p.jpg", picture(1))})
        assert got.status_code == 503
        assert got.headers["retry-after"] == "1"
        assert full.post("/v1/search", json={"text": "drama"}).status_code == 200


def base64_of(data: bytes) -> str:
    """A file as a tool takes it."""
    return base64.b64encode(data).decode()


def called(space: Any, settings: Any = None, **arguments: Any) -> tuple[Any, bool]:
    """(result or sentence, whether it is an error) of the tool `search`, and the tool, by the SDK's client."""
    from mcp import Client

    from antiphon.serve.mcp import make_server
    from antiphon.serve.served import Served

    served = Served(space)

    async def main() -> Any:
        async with Client(make_server(lambda: served, settings)) as client:
            return await client.call_tool("search", arguments)

    result = asyncio.run(main())
    text = "".join(part.text for part in result.content)
    return (text, True) if result.is_error else (json.loads(text)["items"], False)


def test_a_model_may_search_with_files(space: Any) -> None:
    """The tool takes files as base64 text, bare or as a data URL, alone or with words; the answer is the library's."""
    film, heard = base64_of(picture(7)), base64_of(sound(1))
    for given in (film, f"data:image/jpeg;base64,{film}", film[:40] + "\n" + film[40:]):
        found, failed = called(space, image=given)
        assert not failed
        assert ids(found) == ids(space.search(image=picture(7)))
    found, _ = called(space, text="a quiet drama", image=film, audio=heard, where="year>=1960", k=6)
    assert ids(found) == ids(space.search("a quiet drama", image=picture(7), audio=sound(1), where="year>=1960", k=6))


def test_the_tool_says_which_files_it_takes(space: Any) -> None:
    """Files are among the arguments, and what they are is described."""
    from antiphon.serve.mcp import make_server
    from antiphon.serve.served import Served

    served = Served(space)
    tool = next(tool for tool in asyncio.run(make_server(lambda: served).list_tools()) if tool.name == "search")
    assert "by a picture, by a sound" in tool.description
    assert "base64" in tool.input_schema["properties"]["image"]["description"]
    assert "base64" in tool.input_schema["properties"]["audio"]["description"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"image": base64_of(b"this is no picture")}, "files that are no pictures"),
        ({"audio": base64_of(b"RIFF")}, "no SOUND file"),
        ({"image": "data:image/png;base64,"}, "the image 'the file' is empty: it has no bytes."),
        ({"image": "no base64!"}, "the image is no base64"),
        ({"image": "http://127.0.0.1/poster.jpg"}, "the image is no base64"),
        ({"image": base64_of(b"x" * 500_000)}, "too large; this service takes at most 400,000 bytes"),
    ],
)
def test_bad_files_come_back_as_sentences(space: Any, given: dict[str, str], said: str) -> None:
    """What the service says of a bad file is what a model is told; nothing of the file is in it."""
    from antiphon.serve import Settings

    text, failed = called(space, Settings(max_upload=400_000), **given)
    assert failed
    assert said in text
    assert len(text) < 400


def test_tools_over_http_take_bodies_with_files(media: Path, space: Any) -> None:
    """At /mcp a body may be as long as one with files; a longer one is refused."""
    from fastapi.testclient import TestClient

    from antiphon.serve import Settings, create_app

    app = create_app(media / "run", Settings(poll=0, max_body=1_000, max_upload=400_000), tools=True)
    headers = {"accept": "application/json, text/event-stream"}
    padded = picture(7) + bytes(200_000)  # readers of pictures stop at the end of the picture

    def body(data: bytes) -> dict[str, Any]:
        arguments = {"image": base64_of(data), "k": 3}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": arguments}}

    with TestClient(app, base_url="http://127.0.0.1:8765") as client:
        got = client.post("/mcp", json=body(padded), headers=headers)
        assert got.status_code == 200, got.text
        found = json.loads(got.json()["result"]["content"][0]["text"])["items"]
        assert ids(found) == ids(space.search(image=picture(7), k=3))
        assert client.post("/mcp", json=body(bytes(400_000)), headers=headers).status_code == 413
        assert client.post("/v1/search", json={"text": "x" * 2_000}).status_code == 413


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to search by: give a text, --image or --audio"),
        (["--image", "nowhere.jpg"], "the image file 'nowhere.jpg' cannot be read"),
        (["--audio", __file__], "it is no SOUND file"),
        (["drama", "--weight", "lok=1"], "did you mean 'look'?"),
    ],
)
def test_bad_words_on_the_command_line(media: Path, words: list[str], said: str) -> None:
    """What cannot be answered ends with one sentence and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "antiphon", "search", str(media / "run"), *words],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": paths(media)},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def paths(media: Path) -> str:
    """Where a process finds antiphon and the plugin of the tests."""
    return os.pathsep.join([str(media / "site"), str(SUPPORT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
