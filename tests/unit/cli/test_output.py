"""What commands print: titles come from catalogs, and cannot steer a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.cli.output import document, hit_lines, note, printable, show
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
