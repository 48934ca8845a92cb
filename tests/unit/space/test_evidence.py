"""What speaks for an answer, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

import antiphon
from antiphon.space.evidence import matching_words, nothing_fits


@pytest.fixture(scope="module")
def space(built: Path) -> antiphon.Space:
    """Films with genres, tags and descriptions."""
    return antiphon.load(built)


def test_words_of_the_request_are_found_in_the_texts_of_each_answer(space: antiphon.Space) -> None:
    """As the request writes them; words around a request are none."""
    hits = space.search("can you recommend a quiet comedy", k=20)
    found = matching_words(space, "can you recommend a quiet comedy", [hit.item_id for hit in hits])
    for hit, words in zip(hits, found, strict=True):
        said = " ".join(map(str, [*hit.fields["genres"], *hit.fields["tags"]]))
        assert set(words) <= {"quiet", "comedy"}
        assert ("comedy" in words) >= ("comedy" in said)
    assert matching_words(space, "quiet", []) == []


def test_a_request_about_nothing_that_the_catalog_has_is_known(space: antiphon.Space) -> None:
    """Letters that are no word; a request for what there is, misspelt or by name, is no such thing."""
    assert nothing_fits(space, "zzzzqqqq") == (float(_nearest(space, "zzzzqqqq")) < 0.35)
    assert not nothing_fits(space, "a dark thriller")
    assert not nothing_fits(space, "comedys")
    assert not nothing_fits(space, space.titles[0])


def _nearest(space: antiphon.Space, text: str) -> float:
    resolved = space.resolve([antiphon.Query(text=text)])
    assert space.passages is not None
    assert resolved.texts is not None
    return float(space.passages.best(resolved.texts).max())
