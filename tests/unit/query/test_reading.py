"""What is read out of words, as it is shown."""

from __future__ import annotations

import pytest

from antiphon.query.reading import Read


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (Read("like", "heat", "Heat (1995)", "6"), "like Heat (1995)"),
        (Read("unlike", "heat", "Heat (1995)", "6"), "not like Heat (1995)"),
        (Read("asked", "heat", "Heat (1995)", "6"), "Heat (1995)"),
        (Read("without", "war", "war"), "without war"),
        (Read("spelling", "hitchcok", "Hitchcock"), "hitchcok: Hitchcock"),
    ],
)
def test_a_reading_says_what_it_is(read, said):
    """A reading says what it is."""
    assert read.says == said
    assert read.plain()["says"] == said
    assert ("item_id" in read.plain()) == (read.item_id is not None)
