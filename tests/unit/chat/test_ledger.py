"""Answers of a model, kept by the hash of what was asked."""

from __future__ import annotations

from pathlib import Path

from antiphon.chat.ledger import Answers, Reply


def test_what_a_killed_process_left_of_an_answer_goes_when_it_is_kept(tmp_path: Path) -> None:
    """The same question is asked again after a kill, and its answer takes the place of the half of one."""
    answers, key = Answers(tmp_path), "ab" * 32
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / f".{key}.json.123.part").write_text("{")
    answers.put(key, "m", Reply("a text"))
    assert [path.name for path in (tmp_path / "ab").iterdir()] == [f"{key}.json"]
    assert answers.get(key) == Reply("a text", cached=True)
