"""Who speaks, and how loud: the weights of the channels that a request gets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import antiphon
from antiphon import Query, QueryError
from antiphon.channels.dictionary import Dictionary
from antiphon.channels.facets import FacetsChannel
from antiphon.channels.words import Lexical, WordsChannel, tokens
from antiphon.space.space import Space

TEXTS = ["a dark thriller", "a light comedy", "dark dark comedy", "a western", ""]
A, B = "film-001", "film-002"


@pytest.fixture(scope="module")
def space(built: Any) -> Space:
    """Films with every channel."""
    return antiphon.load(built)


def voices(space: Space, query: Query) -> dict[str, float]:
    """The weights of one request that are not 0."""
    weights = space.resolve([query]).weights
    return {voice: float(part[0]) for voice, part in weights.items() if part[0]}


def test_a_text_speaks_to_whatever_reads_texts(space: Space) -> None:
    """And to nothing that needs a history or a name."""
    texts = {"joint", "words", "passages", "facets", "named", "popularity"}
    assert set(voices(space, Query(text="dark"))) == texts
    assert set(voices(space, Query(text=space.titles[3]))) == {*texts, "names"}
    assert set(voices(space, Query(text="dark", weights={"text": 0}, likes=(A,)))) == {"joint", "taste", "alike"}


def test_items_speak_to_taste_and_their_facets(space: Space) -> None:
    """Likes have facets in common with their answers; a history is a matter of taste."""
    assert set(voices(space, Query(likes=(A,)))) == {"joint", "taste", "alike"}
    assert set(voices(space, Query(user="user-05"))) <= {"joint", "taste", "rerank", "doubt"}
    assert "rerank" not in voices(space, Query(user="user-05", text="dark"))


@pytest.mark.parametrize("channel", ["words", "passages", "facets", "taste", "joint"])
def test_a_channel_can_be_weighed_by_its_name(space: Space, channel: str) -> None:
    """`weights={"taste": 2}` doubles what taste adds to each score, 0 silences it, and the others stay."""
    query = {"text": "dark", "likes": (A, B)}
    usual, double, silent = (space.resolve([Query(**query, weights={channel: weight})]) for weight in (1.0, 2.0, 0.0))
    for row in range(space.n_items):
        before, twice, without = (space.contributions(resolved, row) for resolved in (usual, double, silent))
        for name, value in before.items():
            mine = name == channel or name in {"joint": space.modalities, "taste": ("popularity",)}.get(channel, ())
            assert twice[name] == pytest.approx(2 * value if mine else value, abs=1e-5)
            assert without.get(name, 0.0) == pytest.approx(0.0 if mine else value, abs=1e-5)


def test_an_unknown_channel_is_refused(space: Space) -> None:
    """With the nearest known name."""
    with pytest.raises(QueryError, match=r"'tastes'.*'taste'"):
        space.search("dark", weights={"tastes": 2.0})


def test_a_request_is_looked_up_once(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """The history of a user is read one time per answer, and the text encoded one time."""
    calls: list[str] = []
    users, (modality, side) = space.users, space.sides["text"]
    assert users is not None
    known = type(users).known

    class Counted:
        """A query side that counts."""

        def encode(self, texts: list[str]) -> np.ndarray:
            """As the real one."""
            calls.append("text")
            return np.asarray(side.encode(texts))

    def counted(self: Any, user_id: str) -> Any:
        calls.append("user")
        return known(self, user_id)

    monkeypatch.setattr(type(users), "known", counted)
    monkeypatch.setitem(space.sides, "text", (modality, Counted()))  # type: ignore[arg-type]
    space.search("dark", user="user-05", k=5, explain=True)
    assert sorted(calls) == ["text", "user"]


class Reader:
    """Stands for facets: a text's score is its vector's first number, for the first item."""

    n_items = len(TEXTS)

    def reader(self, texts: np.ndarray) -> np.ndarray:
        """The vectors themselves."""
        return texts

    def scores(self, texts: np.ndarray) -> np.ndarray:
        """(n, n_items)."""
        result = np.zeros((len(texts), len(TEXTS)), dtype=np.float32)
        result[:, 0] = texts[:, 0]
        return result

    def alike(self, liked: np.ndarray) -> np.ndarray:
        """Only the liked items are like themselves."""
        result = np.zeros(len(TEXTS), dtype=np.float32)
        result[liked] = 1
        return result


def resolved(texts: list[str], encoded: list[float], likes: list[list[int]], **weights: list[float]) -> Any:
    """Requests whose weights are given."""
    from antiphon.channels.base import Resolved

    n = len(texts)
    zeros = {name: [0.0] * n for name in ("joint", "words", "facets", "named", "alike", "refused", "taste", "rerank")}
    return Resolved(
        [Query(text=text) for text in texts],
        np.array([[value, 0] for value in encoded], dtype=np.float32),
        [np.zeros((0, 2), dtype=np.float32)] * n,
        {},
        [np.array(rows, dtype=np.int32) for rows in likes],
        [np.zeros(0, dtype=np.int32)] * n,
        [np.zeros(0, dtype=np.int32)] * n,
        [np.zeros(0, dtype=np.int64)] * n,
        [None] * n,
        {name: np.array(values, dtype=np.float32) for name, values in {**zeros, **weights}.items()},
    )


SEARCHABLE = np.array([True] * 4 + [False])
"""Of five items, the last cannot be found."""


def test_words_are_standardised_and_weighed() -> None:
    """BM25 has the standard deviation of its weight over the items that can be found; silent requests get zeros."""
    channel = WordsChannel(Lexical.fit(tokens(TEXTS)), SEARCHABLE)
    scores = channel.scores(resolved(["dark comedy", "dark"], [1, 1], [[], []], words=[0.5, 0.0]), None)
    assert scores[0, :4].std() == pytest.approx(0.5, rel=1e-5)
    assert scores[0].argmax() == 2
    assert not scores[1].any()


def test_facets_keep_their_certainty() -> None:
    """What facets add grows with how sure the reading is; it is not standardised."""
    channel = FacetsChannel(Reader(), Dictionary({}, len(TEXTS)), SEARCHABLE)  # type: ignore[arg-type]
    asked = resolved(["sure", "unsure", "silent"], [0.9, 0.1, 0.9], [[]] * 3, facets=[3.0, 3.0, 0.0])
    assert channel.scores(asked, None)[:, 0].tolist() == pytest.approx([2.7, 0.3, 0.0])


def test_liked_items_speak_through_their_facets() -> None:
    """What shares facets with a liked item gains its weight in standard deviations."""
    channel = FacetsChannel(Reader(), Dictionary({}, len(TEXTS)), SEARCHABLE)  # type: ignore[arg-type]
    scores = channel.scores(resolved(["a", "b"], [0, 0], [[2], []], alike=[1.0, 0.0]), None)
    assert scores[0].argmax() == 2
    assert scores[0, :4].std() == pytest.approx(1.0, rel=1e-5)
    assert not scores[1].any()


def test_the_name_of_an_item_is_no_value_of_the_catalog(space: Space) -> None:
    """A film is named: the words of its name are not read as a tag, whatever else is asked."""
    title = space.titles[3]
    resolved = space.resolve([Query(text=f'I loved "{title}", something dark please')])
    assert len(resolved.likes[0]) == 1
    assert title not in resolved.without_names(0)
    assert "something dark please" in resolved.without_names(0)
    plain = space.resolve([Query(text="something dark please")])
    assert plain.without_names(0) == "something dark please"
