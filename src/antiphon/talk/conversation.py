"""A conversation: everything that was said counts, and what was shown is not shown again.

    talk = space.talk()
    hits = talk.say("I loved Heat and Ronin, what else is there?")
    hits = talk.say("more like the second one, but newer")

A sentence that only gives commands ("newer", "more like the second one", "without romance") changes the wish, as
`refine` does. Every other one is one more turn of what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from antiphon.base.language import ENGLISH, any_of
from antiphon.errors import QueryError
from antiphon.query.hits import Hit
from antiphon.query.parts import MAX_ITEMS, MAX_TURNS
from antiphon.query.request import Query
from antiphon.talk.refine import to_query
from antiphon.talk.rules import ORDINALS, read_sentence
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Change, Wish, apply_change

if TYPE_CHECKING:
    from antiphon.space.space import Space

_REFERENCE = re.compile(
    rf"\bthe (?P<which>{'|'.join(ORDINALS)}|last)(?: (?:one|film|movie|song|artist|item|book))\b", re.IGNORECASE
)
_SEEN = re.compile(r"\b(?:seen|saw|heard|watched|read|know)\b", re.IGNORECASE)
_NOT = re.compile(rf"\b(?:{any_of(ENGLISH.refusals.refusing)}|hate[ds]?|dislike[ds]?|don't|didn't)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Conversation:
    """What was said and shown so far, as a value. `wish`: what commands made of it. `shown`: ids of the last answers.

    `seen`: ids of all answers so far.
    """

    turns: tuple[str, ...] = ()
    wish: Wish = field(default_factory=Wish)
    shown: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """The conversation as plain values, for JSON."""
        return {
            "turns": list(self.turns), "wish": self.wish.plain(), "shown": list(self.shown), "seen": list(self.seen),
        }  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """What a sentence leads to: answers, what was done, and the conversation after it."""

    hits: Sequence[Hit]
    says: tuple[str, ...]
    conversation: Conversation


def reply(
    space: Space, conversation: Conversation, sentence: str, *, vocabulary: Vocabulary | None = None, **more: Any
) -> Turn:
    """Answer the next sentence of a conversation; `more` are parts of `Query` such as k, user, explain.

    Raises:
        QueryError: an empty sentence, a reference to an answer that is not shown, or nothing to search by.
    """
    after, says = heard(space, conversation, sentence, vocabulary or Vocabulary.of(space))
    hits = space.answer(query_of(space, after, **more))
    ids = tuple(hit.item_id for hit in hits)
    seen = tuple(dict.fromkeys((*after.seen, *ids)))[-MAX_ITEMS:]
    read = [] if after.turns == conversation.turns else [one.says for one in space.read(sentence)]
    return Turn(hits, (*says, *read), replace(after, shown=ids, seen=seen))


def heard(
    space: Space, conversation: Conversation, sentence: str, words: Vocabulary
) -> tuple[Conversation, tuple[str, ...]]:
    """The conversation after a sentence, before it is answered, and what was done.

    Raises:
        QueryError: an empty sentence, or a reference to an answer that is not shown.
    """
    if not sentence.strip():
        raise QueryError('the sentence is empty; say for example "something dark" or "newer".')
    begun = bool(conversation.turns or conversation.shown)
    changes = read_sentence(sentence, words, conversation.shown, has_text=True) if begun else []
    if not changes or any(change.guessed for change in changes):
        changes = _references(sentence, conversation.shown, space)
        turns = (*conversation.turns, sentence.strip())[-MAX_TURNS:]
        # What is asked for by name is an answer, also where it was shown before.
        asked = {space.item_ids[mention.row] for mention in space.said(sentence) if mention.how == "asked"}
        seen = tuple(item_id for item_id in conversation.seen if item_id not in asked)
        conversation = replace(conversation, turns=turns, seen=seen)
    for change in changes:
        if change.reset:
            conversation = Conversation()
        conversation = replace(conversation, wish=apply_change(conversation.wish, change))
    return conversation, tuple(change.says for change in changes)


def query_of(space: Space, conversation: Conversation, **more: Any) -> Query:
    """The query that a conversation stands for.

    Raises:
        QueryError: there is nothing to search by, as after "start over".
    """
    wish = conversation.wish
    # A space that was published meanwhile may lack what was shown: nobody asked for it, and it is no answer.
    seen = [item_id for item_id in conversation.seen if item_id in space.row_of]
    exclude = tuple(dict.fromkeys((*wish.exclude, *seen)))[-MAX_ITEMS:]
    return to_query(space, replace(wish, exclude=exclude), turns=conversation.turns, **more)


class Talk:
    """A conversation over a space that remembers itself. `options`: parts of `Query` for every answer, such as k."""

    def __init__(self, space: Space, **options: Any) -> None:
        self.space, self.options = space, options
        self.vocabulary = Vocabulary.of(space)
        self.states = [Conversation()]
        self.says: tuple[str, ...] = ()
        """What was done with the last sentence, for people."""

    @property
    def conversation(self) -> Conversation:
        """What was said and shown so far."""
        return self.states[-1]

    def say(self, sentence: str, **options: Any) -> list[Hit]:
        """Answers to the next sentence, best first; nothing that was shown before.

        Raises:
            QueryError: as `reply`.
        """
        said = reply(self.space, self.conversation, sentence, vocabulary=self.vocabulary, **{**self.options, **options})
        self.states.append(said.conversation)
        self.says = said.says
        return list(said.hits)

    def take_back(self) -> None:
        """Forget the last sentence and its answers."""
        if len(self.states) > 1:
            self.states.pop()
            self.says = ()


def _references(sentence: str, shown: Sequence[str], space: Space) -> list[Change]:
    """Answers that a sentence points at: "I liked the second one, has anybody made something like it with robots?"."""
    changes = []
    for clause in re.split(r"[.,;!?]+|\bbut\b", sentence):
        for match in _REFERENCE.finditer(clause):
            place = len(shown) if match["which"].lower() == "last" else ORDINALS.index(match["which"].lower()) + 1
            if not 1 <= place <= len(shown):
                continue
            item_id, before = shown[place - 1], clause[: match.start()]
            title = space.titles[space.row_of[item_id]] if item_id in space.row_of else item_id
            if _SEEN.search(before):
                changes.append(Change(f"without {title}", exclude=(item_id,)))
            elif _NOT.search(before):
                changes.append(Change(f"less like {title}", dislikes=(item_id,)))
            else:
                changes.append(Change(f"more like {title}", likes=(item_id,)))
    return changes
