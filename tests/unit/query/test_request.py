"""Query: what a request may say, and the sentence it gets when it says something else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import QueryError
from antiphon.query.parts import MAX_ITEMS, MAX_K, MAX_MEDIA, MAX_TEXT, PARTS
from antiphon.query.request import MediaFile, Query


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({}, "request is empty"),
        ({"where": None, "exclude": ("a",)}, "request is empty"),
        ({"text": ""}, "text of the request is empty"),
        ({"text": " \n\t"}, "text of the request is empty"),
        ({"text": "x" * (MAX_TEXT + 1)}, "100,001 characters"),
        ({"text": "x", "k": 0}, "k is 0"),
        ({"text": "x", "k": -3}, "k is -3"),
        ({"text": "x", "k": 1_000_000}, "k is 1,000,000"),
        ({"text": "x", "k": 10, "offset": MAX_K}, "offset 10,000"),
        ({"text": "x", "offset": -1}, "offset is -1"),
        ({"likes": "1240"}, "likes is a list"),
        ({"text": "x", "exclude": "1240"}, "exclude is a list"),
        ({"likes": ("a",) * (MAX_ITEMS + 1)}, "likes has 10,001 items"),
        ({"text": "x", "weights": {"txet": 1}}, "did you mean 'text'"),
        ({"text": "x", "weights": {"text": -0.1}}, "0 or more"),
        ({"text": "x", "weights": {"text": float("nan")}}, "finite"),
        ({"text": "x", "weights": {"text": float("inf")}}, "finite"),
    ],
)
def test_what_cannot_be_answered_is_refused(request_: dict[str, Any], sentence: str) -> None:
    """Each wrong request is a QueryError whose sentence names what is wrong."""
    with pytest.raises(QueryError, match=sentence):
        Query(**request_)


@pytest.mark.parametrize(
    "request_",
    [
        {"text": "люблю 🎬 映画"},
        {"text": "x" * MAX_TEXT},
        {"likes": ("a",)},
        {"dislikes": ("a",)},
        {"user": "u"},
        {"user": ""},
        {"history": ("a",)},
        {"text": "x", "k": MAX_K},
        {"text": "x", "k": 1, "offset": MAX_K - 1},
        {"text": "x", "weights": {"text": 0}},
    ],
)
def test_what_can_be_answered_is_taken(request_: dict[str, Any]) -> None:
    """The limits themselves are inside."""
    Query(**request_)


def test_weights_that_are_not_given_are_the_usual_ones() -> None:
    """Each part has a usual weight; a request changes the ones that it names."""
    query = Query(text="x", weights={"dislikes": 2})
    assert {part: query.weight(part) for part in PARTS} == {**PARTS, "dislikes": 2.0}


def test_a_text_counts_where_it_weighs() -> None:
    """A query has a text where it gives one whose weight is not 0."""
    assert Query(text="dark").has_text
    assert Query(text="dark", weights={"text": 0.1, "likes": 0}).has_text
    assert not Query(text="dark", weights={"text": 0}).has_text
    assert not Query(likes=("a",)).has_text


def test_files_are_values_with_limits(tmp_path):
    """A file comes from bytes or a path; empty and large ones are refused, and their bytes are in no message."""
    (tmp_path / "p.jpg").write_bytes(b"abc")
    for value in (tmp_path / "p.jpg", str(tmp_path / "p.jpg"), b"abc", bytearray(b"abc")):
        file = MediaFile.of(value, "image")
        assert file.content == b"abc"
        assert Query(image=file).image == file
        assert "abc" not in repr(file)
    with pytest.raises(QueryError, match="is empty"):
        Query(image=MediaFile(b""))
    with pytest.raises(QueryError, match="at most 20,000,000 bytes"):
        Query(image=MediaFile(bytes(MAX_MEDIA["image"] + 1)))
    Query(audio=MediaFile(bytes(MAX_MEDIA["image"] + 1)))
    for bad in (tmp_path, tmp_path / "nowhere", "bad\0name"):
        with pytest.raises(QueryError, match="cannot be read"):
            MediaFile.of(bad, "audio")


def test_a_path_without_an_end_is_not_read_to_its_end():
    """A device that gives bytes for ever is read up to the limit."""
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("there is no /dev/zero here")
    with pytest.raises(QueryError, match="too large"):
        Query(image=MediaFile.of(endless, "image"))


def test_every_door_says_of_a_part_what_the_request_says():
    """One table describes the fields of a request; HTTP bodies and options of the command line are made of it."""
    from dataclasses import fields

    from antiphon.cli import cli
    from antiphon.query.parts import ABOUT
    from antiphon.serve.models import SearchBody

    assert list(ABOUT) == sorted(ABOUT, key=[item.name for item in fields(Query)].index)
    assert set(ABOUT) == {item.name for item in fields(Query)}
    said = SearchBody.model_json_schema()["properties"]
    for name in set(said) & set(ABOUT):
        assert said[name]["description"].startswith(ABOUT[name]), name
    options = {option.name: option for option in cli.commands["search"].params}
    assert {"likes", "dislikes", "user", "weights", "where", "k", "explain", "image", "audio"} <= set(options)
    for name in set(options) & set(ABOUT) - {"text"}:
        assert options[name].help.startswith(ABOUT[name]), name


def test_turns_and_text_are_one_text_with_the_text_last():
    """Turns and text are one text with the text last."""
    assert Query(turns=("first", "second"), text="third").spoken == "first\nsecond\nthird"
    assert Query(likes=("1",)).spoken is None


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"turns": ("a", " ")}, "turn 2"),
        ({"turns": "all one text"}, "list of texts"),
        ({"turns": ("a",) * 1_001}, "at most 1,000"),
    ],
)
def test_odd_conversations_are_refused(parts, said):
    """Odd conversations are refused."""
    with pytest.raises(QueryError, match=said):
        Query(**parts)


def test_half_a_surrogate_pair_is_no_text():
    """What no encoder can read is refused where the request is made."""
    with pytest.raises(QueryError, match="half a surrogate pair at character 2"):
        Query(text="a \ud800")
