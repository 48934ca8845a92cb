"""Conversations without a language model: what sentences change, and what they do to the answers."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.errors import QueryError
from antiphon.talk.refine import answer, change_from_plain, refine, to_query
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Wish, apply_change

SHOWN = tuple(f"film-{number:03}" for number in (4, 8, 15, 16, 23))


@pytest.fixture(scope="module")
def words(space):
    """The vocabulary of the films."""
    return Vocabulary.of(space)


def said(space, words, sentence, wish=None):
    """The wish after a sentence."""
    return refine(space, wish or Wish(text="a film"), sentence, SHOWN, vocabulary=words)


@pytest.mark.parametrize(
    ("sentence", "changed"),
    [
        ("more like the second one", {"likes": ("film-008",)}),
        ("More like the first and the third!", {"likes": ("film-004", "film-015")}),
        ("like #2", {"likes": ("film-008",)}),
        ("less like the last one", {"dislikes": ("film-023",)}),
        ("not the second one", {"exclude": ("film-008",)}),
        ("I've seen the first", {"exclude": ("film-004",)}),
        ("less violent", {"less": ("violent",)}),
        ("a lot less violent", {"less": ("violent", "violent")}),
        ("not so dark, funnier", {"less": ("dark",), "more": ("funny",)}),
        ("darker", {"more": ("dark",)}),
        ("bigger", {"more": ("big",)}),
        ("no horror", {"where": ("not genres any 'horror'",)}),
        ("only comedies", {"where": ("genres any 'comedy'",)}),
        ("no horror and only dramas", {"where": ("not genres any 'horror'", "genres any 'drama'")}),
        ("from the 80s", {"where": ("year>=1980", "year<1990")}),
        ("the nineties", {"where": ("year>=1990", "year<2000")}),
        ("before 1970", {"where": ("year<1970",)}),
        ("after 2000", {"where": ("year>=2001",)}),
        ("between 1970 and 1980", {"where": ("year>=1970", "year<1981")}),
        ("something with trains", {"more": ("something with trains",)}),
        ("start over", {"text": None}),
    ],
)
def test_sentences(space, words, sentence, changed):
    """Each sentence changes what it names, and nothing else."""
    before = Wish(text="a film")
    after = said(space, words, sentence, before).wish
    expected = {**before.plain(), **{name: list(v) if isinstance(v, tuple) else v for name, v in changed.items()}}
    assert after.plain() == expected


def test_newer_is_newer_than_what_is_shown(space, words):
    """The bound is the middle year of the answers; said again, a later one takes its place."""
    years = space.fields["year"].to_pylist()
    middle = np.median([years[space.row_of[item]] for item in SHOWN if years[space.row_of[item]] is not None])
    wish = said(space, words, "newer").wish
    assert wish.where == (f"year>{middle:.0f}",) or wish.where[0].startswith("year>")
    hits = answer(space, wish, k=5)
    assert all(hit.fields["year"] > middle for hit in hits)
    again = refine(space, wish, "newer", [hit.item_id for hit in hits], vocabulary=words).wish
    assert len(again.where) == 1
    assert again.where != wish.where


def test_guesses_are_marked(space, words):
    """What fits no rule is added as words, and said to be a guess."""
    step = said(space, words, "rather with a dog in it")
    assert step.guessed
    assert not said(space, words, "newer").guessed


def test_what_is_not_shown_cannot_be_meant(space, words):
    """A reference beyond the answers is refused with a sentence; so is an empty one."""
    with pytest.raises(QueryError, match="answer 9, but 5 are shown"):
        said(space, words, "more like the ninth")
    with pytest.raises(QueryError, match="empty"):
        said(space, words, "  ")


def test_more_takes_less_back(space, words):
    """A word that was to be less and is now to be more is no longer to be less."""
    wish = said(space, words, "less dark").wish
    wish = said(space, words, "more dark", wish).wish
    assert (wish.more, wish.less) == (("dark",), ())


def test_less_lowers_what_is_typical_of_the_words(space):
    """The mean similarity of the answers to the words falls."""

    def closeness(wish):
        rows, _ = space.rank_rows([to_query(space, wish, k=10)], 10)
        everything, scores = space.rank_rows([to_query(space, Wish(text="gory horror"))], space.n_items)
        score_of = dict(zip(everything[0].tolist(), scores[0].tolist(), strict=True))
        return float(np.mean([score_of[row] for row in rows[0].tolist()]))

    plain = closeness(Wish(text="a dark film"))
    once = closeness(Wish(text="a dark film", less=("gory horror",)))
    assert once < plain


def test_a_translator_is_asked_only_for_guesses_and_is_checked(space, words):
    """A language model may translate what the rules do not read; what it gives must be a valid change."""
    asked = []

    def translate(sentence, wish):
        asked.append(sentence)
        return {"says": "with dogs", "more": ["dogs"], "where": ["year>=1990"], "over": ["year"]}

    refine(space, Wish(text="a film"), "newer", SHOWN, vocabulary=words, translate=translate)
    assert asked == []
    wish = refine(
        space, Wish(text="a film"), "rather one where a dog", SHOWN, vocabulary=words, translate=translate
    ).wish
    assert asked == ["rather one where a dog"]
    assert (wish.more, wish.where) == (("dogs",), ("year>=1990",))
    for wrong in ({"likes": ["nobody"]}, {"where": ["yeer>1"]}, {"mood": 1}, {"more": "dogs"}, {"weights": {"x": 1}}):
        with pytest.raises(QueryError):
            change_from_plain(wrong, space)


def test_weights_move_between_words_and_taste(space, words):
    """Asking for "my taste" lowers the words and raises the likes; the change is relative and bounded."""
    wish = said(space, words, "closer to my taste").wish
    assert wish.weights["text"] < 1 < wish.weights["likes"]
    for _ in range(20):
        wish = said(space, words, "closer to my taste", wish).wish
    assert wish.weights["text"] >= 0.1


def test_the_state_is_a_value(space):
    """A wish goes to plain values and back, and a change gives a new one."""
    wish = Wish(text="a", more=("b",), likes=("film-001",), where=("year>1990",))
    plain = wish.plain()
    back = Wish(**{name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()})
    assert back == wish
    assert apply_change(wish, change_from_plain({"reset": True}, space)) == Wish()
