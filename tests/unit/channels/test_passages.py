"""The best passage of each item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.channels.passages import MAX_SENTENCES, Passages, sentences_of
from antiphon.data.features import Features
from antiphon.errors import IntegrityError
from antiphon.numbers.rough import Rough, write_rough
from antiphon.numbers.vectors import unit


def made(seed: int = 0) -> tuple[Passages, Features]:
    """Five items with up to three passages; the last has none."""
    rng = np.random.default_rng(seed)
    mask = np.array([[1, 1, 1, 1, 0], [1, 0, 1, 0, 0], [0, 0, 1, 0, 0]], dtype=bool)
    matrix = np.where(mask[..., None], unit(rng.normal(size=(15, 4)).astype(np.float32)).reshape(3, 5, 4), 0)
    features = Features("text", ("a", "b", "c"), matrix.astype(np.float32), mask)
    return Passages.of([features]), features


def test_the_best_passage_counts() -> None:
    """As a naive loop over the views of each item says; an item without a text is nowhere near."""
    passages, features = made()
    text = unit(np.random.default_rng(1).normal(size=(1, 4)).astype(np.float32))[0]
    for row in range(5):
        cosines = [float(features.matrix[view, row] @ text) for view in range(3) if features.mask[view, row]]
        expected = max(cosines, default=-1.0)
        np.testing.assert_allclose(passages.scores(text, np.zeros((0, 4), np.float32))[row], expected, atol=1e-6)


def test_sentences_count_half() -> None:
    """The mean of the whole, and of the three best sentences."""
    passages, _ = made()
    texts = unit(np.random.default_rng(2).normal(size=(6, 4)).astype(np.float32))
    found = passages.scores(texts[0], texts[1:])
    parts = np.sort(passages.best(texts[1:]), axis=0)[-3:].mean(axis=0)
    np.testing.assert_allclose(found, (passages.best(texts[:1])[0] + parts) / 2, atol=1e-6)


def test_only_requests_of_several_sentences_are_taken_apart() -> None:
    """Short pieces, such as a greeting, are none."""
    assert sentences_of("something dark and slow from France") == []
    assert sentences_of("Hi! I want something dark and slow.") == []
    two = "A man wakes up in a hotel. He does not know who he is."
    assert sentences_of(two) == ["A man wakes up in a hotel.", "He does not know who he is."]
    assert len(sentences_of(" ".join(["This is one of many sentences."] * 50))) == MAX_SENTENCES


def test_passages_are_read_as_they_were_saved(tmp_path: Path) -> None:
    """And the first of an item is its description."""
    passages, features = made()
    passages.save(tmp_path)
    again = Passages.load(tmp_path)
    np.testing.assert_array_equal(again.vectors, passages.vectors)
    np.testing.assert_array_equal(again.first(2).vectors[0], features.matrix[0, 2])
    assert len(again.first(4).vectors) == 0


def test_many_requests_at_once_are_scored_as_one_by_one() -> None:
    """Requests with and without sentences, more than are met together."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(40, 8)).astype(np.float32)
    passages = Passages(vectors, np.array([0, 3, 3, 20, 40]))
    texts = rng.normal(size=(60, 8)).astype(np.float32)
    sentences = [rng.normal(size=(int(n), 8)).astype(np.float32) for n in rng.integers(0, 5, 60)]
    together = list(passages.scores_of(texts, sentences))
    alone = [passages.scores(text, some) for text, some in zip(texts, sentences, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_the_nearest_passage_of_all_is_found_by_eight_bits_too(tmp_path: Path) -> None:
    """Its cosine is that of the longest way; -1 where nobody has a passage."""
    rng = np.random.default_rng(4)
    vectors, texts = (unit(rng.normal(size=(n, 48)).astype(np.float32)) for n in (400, 20))
    bounds = np.arange(0, 401, 4)
    write_rough(tmp_path, vectors)
    exact = (texts @ vectors.T).max(axis=1)
    for passages in (Passages(vectors, bounds), Passages(vectors, bounds, Rough(tmp_path, 400))):
        np.testing.assert_allclose(passages.nearest(texts), exact, atol=1e-6)
    assert Passages(vectors[:0], np.zeros(3, dtype=np.int64)).nearest(texts).tolist() == [-1.0] * 20


def test_eight_bits_of_other_passages_are_refused(tmp_path: Path) -> None:
    """As codes of more or fewer rows are."""
    write_rough(tmp_path, np.eye(30, 8, dtype=np.float32))
    with pytest.raises(IntegrityError, match="has 30 vectors, expected 31"):
        Rough(tmp_path, 31)
