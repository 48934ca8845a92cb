"""Progress of long work, as lines."""

from __future__ import annotations

import threading

import pytest

from antiphon.base.progress import duration
from antiphon.cli.output import going_on, hit_lines, lines
from antiphon.query.hits import Hit


def test_lines_tell_the_time_left(capsys):
    """The first after five seconds, then one in thirty; none for short work."""
    now = [0.0]
    with lines("describing", 100, clock=lambda: now[0]) as advance:
        for second in range(1, 61):
            now[0] = float(second)
            advance(1)
    assert capsys.readouterr().err.splitlines() == [
        "describing: 5 of 100, about 2 min left",
        "describing: 35 of 100, about 65 s left",
    ]
    with lines("describing", 2, clock=lambda: 5.0) as advance:
        advance(2)
    assert capsys.readouterr().err == ""


def test_a_first_step_that_takes_long_is_told_before_it_is_done(capsys):
    """Nobody should wonder whether anything happens."""
    told = threading.Event()
    with lines("searching taste", 12, first=0.01):
        for _ in range(1000):
            if "searching taste: begun, 0 of 12" in capsys.readouterr().err:
                break
            told.wait(0.01)
        else:
            pytest.fail("nothing was told")


def test_durations_are_said_in_one_unit():
    """As a person says them."""
    assert [duration(seconds) for seconds in (0.2, 89, 200, 9000)] == ["1 s", "89 s", "3 min", "2.5 h"]


def test_ctrl_c_says_that_the_work_goes_on_next_time(capsys):
    """And ends with the code of an interrupt."""
    with pytest.raises(SystemExit) as ended, going_on():
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_reasons_are_values_and_words_before_anything_else():
    """No score and no percentage: neither means anything to a reader."""
    shares = {"facets": 0.5, "words": 0.2, "passages": 0.2, "cf": 0.1, "image": 0.0}
    hit = Hit(1, "Alien", "Alien", 12.3456, {}, shares, {"genres": ["horror"], "year": ["1979"]})
    assert hit_lines([hit], [["ship", "horror"]]) == [
        "  1  Alien  Alien   genres: horror; year: 1979; words: ship; what is written of it"
    ]
    assert hit_lines([Hit(2, "x", "Up", 1.0)]) == ["  2  Up  x"]
    alone = Hit(1, "x", "Up", 1.0, {}, {"image": 0.9, "text": 0.1}, {})
    assert hit_lines([alone]) == ["  1  Up  x   its picture"]
    assert hit_lines([]) == ["Nothing passes the filter; loosen it."]
