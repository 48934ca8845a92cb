"""The lexical channel: BM25 that survives a round trip to the disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from antiphon.channels import words
from antiphon.channels.gate import leads_of
from antiphon.channels.words import Lexical, leads_for, tokens
from antiphon.errors import IntegrityError
from antiphon.numbers.lists import line_of
from antiphon.query.request import Query

pytest.importorskip("bm25s")
TEXTS = ["dark thriller", "thriller thriller war", "gentle comedy", "", "running dogs run"]


def test_scores_are_those_of_the_formula() -> None:
    """One word: idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean length)), up to the constant k1 + 1."""
    scores = Lexical.fit(tokens(TEXTS)).scores(["thriller"])[0]
    lengths = [2, 3, 2, 0, 3]
    idf = math.log(1 + (5 - 2 + 0.5) / (2 + 0.5))
    mean = sum(lengths) / 5
    expected = [
        idf * tf / (tf + 1.5 * (1 - 0.75 + 0.75 * length / mean)) if tf else 0
        for tf, length in zip([1, 2, 0, 0, 0], lengths, strict=True)
    ]
    assert_allclose(scores / scores[0], np.array(expected) / expected[0], rtol=1e-4)


def test_words_are_stemmed_and_stopwords_ignored() -> None:
    """'runs' finds 'running' and 'run'; 'the' finds nothing."""
    scores = Lexical.fit(tokens(TEXTS)).scores(["the runs", "the of and"])
    assert scores[0].argmax() == 4
    assert not scores[1].any()


def test_unknown_words_score_nothing() -> None:
    """Words of no item, other scripts and an empty text give zeros."""
    assert not Lexical.fit(tokens(TEXTS)).scores(["zzz", "映画 🎬", ""]).any()


def test_round_trip(tmp_path: Path) -> None:
    """The index on disk, npy and JSON only, scores as before."""
    fitted = Lexical.fit(tokens(TEXTS))
    fitted.save(tmp_path / "lexical")
    assert {path.suffix for path in (tmp_path / "lexical").iterdir()} <= {".npy", ".json", ".jsonl"}
    again = Lexical.load(tmp_path / "lexical", len(TEXTS))
    assert np.array_equal(again.scores(["dark war dogs"]), fitted.scores(["dark war dogs"]))


def test_a_broken_index_is_refused(tmp_path: Path) -> None:
    """A folder that holds no index says so."""
    with pytest.raises(IntegrityError, match="not a readable lexical index"):
        Lexical.load(tmp_path, 3)


def test_the_share_of_a_word_is_that_of_the_items_that_have_it() -> None:
    """However the word ends; one that no item has, and the empty word, have none."""
    lexical = Lexical.fit(tokens(["dark dark thriller", "a dark comedy", "comedies", ""]))
    assert [lexical.share(word) for word in ("dark", "comedy", "thrillers", "western", "")] == [0.5, 0.5, 0.25, 0, 0]


def test_holding_finds_the_items_that_have_every_word() -> None:
    """However the words end; too few words, or one that no item has, find nothing."""
    lexical = Lexical.fit(tokens(["cold sea storms", "cold seas and a storm", "cold", ""]))
    assert lexical.holding("the storm of the cold sea", 3).tolist() == [0, 1]
    assert lexical.holding("cold sea", 3).tolist() == []
    assert lexical.holding("cold sea", 2).tolist() == [0, 1]
    assert lexical.holding("cold sea zzz", 2).tolist() == []


@given(texts=st.lists(st.lists(st.sampled_from(["sea", "cold", "lamp", "fog"]), max_size=6), min_size=1, max_size=12))
def test_holding_is_what_a_naive_loop_finds(texts: list[list[str]]) -> None:
    """Whatever the texts are: the rows that have all of the words."""
    lexical = Lexical.fit(tokens([" ".join(words) for words in texts]))
    asked = ["sea", "cold", "fog"]
    expected = [row for row, words in enumerate(texts) if set(asked) <= set(words)]
    known = {word for words in texts for word in words}
    assert lexical.holding("sea cold fog", 3).tolist() == (expected if set(asked) <= known else [])


def test_lists_of_words_sum_to_the_scores() -> None:
    """A word that is said twice counts twice; a text without known words has no lists."""
    lexical = Lexical.fit(tokens(TEXTS))
    for text in ("dark thriller war", "thriller thriller dogs", "zzz", ""):
        assert_allclose(line_of(lexical.listed(text), len(TEXTS)), lexical.scores([text])[0], rtol=1e-5)


@pytest.mark.parametrize("searchable", [[True] * 5, [True, False, True, True, True]])
def test_leads_of_a_large_catalog_are_those_of_the_lines(
    monkeypatch: pytest.MonkeyPatch, searchable: list[bool]
) -> None:
    """Without a line of all items."""
    lexical, known = Lexical.fit(tokens(TEXTS)), np.array(searchable)
    resolved = Spoken([Query(text=text) for text in ("dark thriller war", "comedy", "zzz")])
    expected = leads_of(lexical.scores([str(query.text) for query in resolved.queries]), known)
    monkeypatch.setattr(words, "LARGE", 1)
    assert_allclose(leads_for(lexical, resolved, known), expected, rtol=1e-4)  # type: ignore[arg-type]


class Spoken:
    """Requests of which nothing but their texts is read."""

    def __init__(self, queries: list[Query]) -> None:
        self.queries = queries

    def __len__(self) -> int:
        return len(self.queries)

    def kept(self, _: str, make: Any) -> Any:
        """What is made, each time."""
        return make()
