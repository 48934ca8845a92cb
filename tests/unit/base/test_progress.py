"""Progress is optional, and never on standard output."""

from __future__ import annotations

from antiphon.base.progress import bar, silent


def test_silent_progress_shows_nothing(capsys):
    """What the library uses unless told otherwise."""
    with silent("work", 3) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")


def test_a_bar_is_on_standard_error(capsys):
    """Standard output stays free for results."""
    with bar("counting sheep", 3) as advance:
        advance(3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "counting sheep" in shown.err
