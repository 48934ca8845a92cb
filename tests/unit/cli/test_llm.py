"""Progress of long work with a language model."""

from __future__ import annotations

from antiphon.cli.llm import lines


def test_lines_tell_the_time_left(capsys):
    """One in thirty seconds, by the pace so far; none for short work."""
    now = [0.0]
    with lines("describing", 100, clock=lambda: now[0]) as advance:
        for second in range(1, 61):
            now[0] = float(second)
            advance(1)
    assert capsys.readouterr().err.splitlines() == [
        "describing: 30 of 100, about 1 min left",
        "describing: 60 of 100, about 1 min left",
    ]
    with lines("describing", 2, clock=lambda: 5.0) as advance:
        advance(2)
    assert capsys.readouterr().err == ""
