"""A log of requests: read with care, since people's systems wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from antiphon.data.log import Logged, read_log
from antiphon.errors import DataError

ROWS = {"a": 0, "b": 1, "7": 2}


def written(tmp_path: Path, *lines: object) -> Path:
    """A file of lines; texts are written as they are."""
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_requests_and_conversations_are_read(tmp_path: Path) -> None:
    """Turns are one text; unknown ids are left out; numbers are ids; a request with nothing chosen is counted."""
    log = read_log(
        written(
            tmp_path,
            {"text": "a quiet film", "chosen": ["b", "gone", 7]},
            "",
            {"turns": ["hello", "a war film"], "text": "not too long", "chosen": ["a", "a"]},
            {"text": "nothing for me", "chosen": []},
        ),
        ROWS,
    )
    assert log.requests == (Logged("a quiet film", (1, 2)), Logged("hello\na war film\nnot too long", (0,)))
    assert log.without == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{broken", "line 2: not JSON"),
        (["a list"], "line 2: got"),
        ({"chosen": ["a"]}, "'text' is None"),
        ({"text": " ", "chosen": ["a"]}, "'text' is ' '"),
        ({"text": "a", "chosen": "a"}, "'chosen' is 'a'"),
        ("[" * 100_000, "line 2"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, line: object, said: str) -> None:
    """The sentence has the line and what was expected."""
    with pytest.raises(DataError, match=said):
        read_log(written(tmp_path, {"text": "a", "chosen": ["a"]}, line), ROWS)


def test_a_log_of_another_catalog_is_refused(tmp_path: Path) -> None:
    """Nothing could be learned from it."""
    with pytest.raises(DataError, match="no request"):
        read_log(written(tmp_path, {"text": "a", "chosen": ["other"]}), ROWS)
    with pytest.raises(DataError, match="cannot be read"):
        read_log(tmp_path / "missing.jsonl", ROWS)
