"""What commands print: lines of progress, reasons, and titles, which come from catalogs and cannot steer a terminal."""

from __future__ import annotations

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.base.progress import duration
from antiphon.cli.output import document, going_on, hit_lines, lines, note, printable, show
from antiphon.query.hits import Hit

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "a\rb", "\u202etxt.exe", "\u2066hidden\u2069", "a\x08b", "\x7f", "\u2028line",
    "\ud800",
)  # fmt: skip


def steers(text):
    """Signs that a terminal or an editor would obey."""
    return [sign for sign in text if (sign < " " and sign not in "\n\t") or "\x7f" <= sign <= "\x9f" or sign in BIDI]


BIDI = "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ud800"


@pytest.mark.parametrize("title", HOSTILE)
def test_titles_cannot_steer_a_terminal(title, capsys):
    """As a hit, as a note, as a line; the document says the same as JSON."""
    hit = Hit(1, f"id{title}", f"t{title}", 0.5, {"genres": [title]}, why={"text": 1.0}, matched={"genres": [title]})
    show("\n".join(hit_lines([hit])))
    note(f"what about {title}")
    document({"title": title})
    said = capsys.readouterr()
    assert not steers(said.out + said.err)
    assert len(said.out.splitlines()) == 2
    assert json.loads(said.out.splitlines()[1]) == {"title": title}


@given(st.text())
def test_what_steers_nothing_stays(text):
    """Letters of any language, emoji, blanks, line ends and tabs are printed as they are."""
    shown = printable(text)
    assert not steers(shown)
    if not steers(text):
        assert shown == text


def test_a_title_stays_on_its_line():
    """A line end in a title begins no hit of its own."""
    hits = [Hit(1, "a", "one\n  2  0.900  forged", 0.5, {}), Hit(2, "b", "two\tthree", 0.4, {})]
    assert [len(line.splitlines()) for line in hit_lines(hits)] == [1, 1]


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
