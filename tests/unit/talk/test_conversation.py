"""Conversations: all turns count, commands change the wish, and nothing is shown twice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from antiphon.channels.resolver import _faded
from antiphon.errors import QueryError
from antiphon.talk.conversation import Conversation, Talk, heard, query_of, reply
from antiphon.talk.vocabulary import Vocabulary

SHOWN = tuple(f"film-{number:03}" for number in (4, 8, 15))


@pytest.fixture(scope="module")
def words(space):
    """The vocabulary of the films."""
    return Vocabulary.of(space)


def begun(**more):
    """A conversation with answers on the table."""
    return Conversation(turns=("a drama",), shown=SHOWN, seen=SHOWN, **more)


def test_nothing_is_shown_twice(space):
    """Nothing is shown twice."""
    talk = space.talk(k=8)
    first = [hit.item_id for hit in talk.say("a drama")]
    second = [hit.item_id for hit in talk.say("with some music in it")]
    third = [hit.item_id for hit in talk.say("newer")]
    assert len(first) == len(second) == 8
    assert len({*first, *second, *third}) == len(first) + len(second) + len(third)


def test_all_turns_reach_the_space(space, words):
    """All turns reach the space."""
    after, _ = heard(space, begun(), "I would love to see some trains", words)
    query = query_of(space, after, k=5)
    assert query.turns == ("a drama", "I would love to see some trains")
    assert query.text is None
    assert set(query.exclude) == set(SHOWN)


def test_a_command_is_no_turn(space, words):
    """A command is no turn."""
    after, says = heard(space, begun(), "more like the second one, but newer", words)
    assert after.turns == ("a drama",)
    assert after.wish.likes == ("film-008",)
    assert any(part.startswith("year>") for part in after.wish.where)
    assert says[0].startswith("more like")


@pytest.mark.parametrize(
    ("sentence", "part"),
    [
        ("I loved the first one, is there anything with horses?", "likes"),
        ("I have already seen the first one. Anything with horses?", "exclude"),
        ("I didn't care for the first one, rather something with horses", "dislikes"),
    ],
)
def test_a_sentence_may_point_at_an_answer(space, words, sentence, part):
    """A sentence may point at an answer."""
    after, _ = heard(space, begun(), sentence, words)
    assert after.turns[-1] == sentence
    assert getattr(after.wish, part) == ("film-004",)


def test_the_first_sentence_is_no_command(space, words):
    """The first sentence is no command."""
    after, says = heard(space, Conversation(), "newer", words)
    assert (after.turns, says) == (("newer",), ())


def test_start_over_forgets_everything(space, words):
    """Start over forgets everything."""
    after, _ = heard(space, begun(), "start over", words)
    assert after == Conversation()
    with pytest.raises(QueryError, match="empty"):
        query_of(space, after)


def test_what_is_asked_for_by_name_comes_again(space):
    """What is asked for by name comes again."""
    title = space.titles[4]
    before = begun()
    assert "film-004" in before.seen
    answer = reply(space, before, f'play "{title}"')
    assert answer.hits[0].item_id == "film-004"


def test_what_a_newer_space_lacks_is_no_error(space):
    """A conversation that began before goes on, though what was shown is no item any more."""
    before = replace(begun(), seen=("film-gone", *SHOWN))
    assert not {hit.item_id for hit in reply(space, before, "something with horses").hits} & set(SHOWN)


def test_a_sentence_can_be_taken_back(space):
    """A sentence can be taken back."""
    talk = Talk(space, k=3)
    talk.say("a drama")
    before = talk.conversation
    talk.say("newer")
    talk.take_back()
    assert talk.conversation == before


def test_later_turns_count_more():
    """Each turn counts less than the one after it, at the length that vectors have."""
    turns = np.eye(3, dtype=np.float32) * 2
    mean = _faded(turns)
    assert mean[0] < mean[1] < mean[2]
    assert np.linalg.norm(mean) == pytest.approx(2)
    np.testing.assert_array_equal(_faded(turns[:1]), turns[0])


def test_an_empty_sentence_is_refused(space):
    """An empty sentence is refused."""
    with pytest.raises(QueryError, match="empty"):
        reply(space, begun(), "  ")
