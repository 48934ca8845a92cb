"""What texts add to scores: words and facets."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels.mixture import Mixture
from antiphon.channels.words import Lexical, tokens
from antiphon.query.request import Query
from antiphon.space.added import Channels

NOBODY = np.zeros(0, dtype=np.int32)
TEXTS = ["a dark thriller", "a light comedy", "dark dark comedy", "a western", ""]


class Reader:
    """Stands for a facet channel: a text's score is its vector's first number, for the first item."""

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


@pytest.fixture
def channels() -> Channels:
    """Both channels, over five items of which the last cannot be found."""
    searchable = np.array([True] * 4 + [False])
    return Channels(Lexical.fit(tokens(TEXTS)), Reader(), Mixture(lexical=0.5, facets=3.0), searchable)  # type: ignore[arg-type]


def test_words_are_standardised_and_weighed(channels: Channels) -> None:
    """BM25 has the standard deviation of its weight over the items that can be found."""
    added = channels.added([Query(text="dark comedy")], np.ones((1, 2), np.float32), [NOBODY], None)
    assert added["words"][0, :4].std() == pytest.approx(0.5, rel=1e-5)
    assert added["words"][0].argmax() == 2


def test_facets_keep_their_certainty(channels: Channels) -> None:
    """What facets add grows with how sure the reading is; it is not standardised."""
    encoded = np.array([[0.9, 0], [0.1, 0]], np.float32)
    added = channels.added([Query(text="sure"), Query(text="unsure")], encoded, [NOBODY] * 2, None)
    assert added["facets"][:, 0].tolist() == pytest.approx([2.7, 0.3])


def test_queries_without_a_text_get_nothing(channels: Channels) -> None:
    """Rows of queries without words are zeros, and without any text there is nothing at all."""
    queries = [Query(user="a"), Query(text="dark", weights={"text": 0}), Query(text="dark", weights={"text": 2})]
    added = channels.added(queries, np.ones((3, 2), np.float32), [NOBODY] * 3, None)
    for scores in added.values():
        assert not scores[:2].any()
        assert scores[2].any()
    assert added["facets"][2, 0] == pytest.approx(6)
    assert channels.added(queries[:2], None, [NOBODY] * 2, None) == {}


def test_liked_items_speak_through_their_facets(channels: Channels) -> None:
    """What shares facets with a liked item gains `alike` standard deviations, as much as likes weigh."""
    queries = [Query(likes=("a",), weights={"likes": 2}), Query(user="u")]
    added = channels.added(queries, None, [np.array([2], np.int32), NOBODY], None)
    assert added["facets"][0].argmax() == 2
    assert added["facets"][0, :4].std() == pytest.approx(2 * channels.mixture.alike, rel=1e-5)
    assert not added["facets"][1].any()
    assert "words" not in added
