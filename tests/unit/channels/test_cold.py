"""Factors of taste for items that nobody has met."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.channels import cold
from antiphon.channels.cold import MOST_STRETCH, content_of, predict, words_of
from antiphon.data.features import Features
from antiphon.joint.model import Identity, JointModel, embed_items
from antiphon.numbers.vectors import unit

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((80, 6)).astype(np.float32)
FACTORS = (INPUTS @ RNG.standard_normal((6, 3)) + 1).astype(np.float32)


def test_what_content_explains_is_found() -> None:
    """Where factors are a linear function of the content, those of unknown items are predicted."""
    known = np.arange(80) < 60
    given = np.where(known[:, None], FACTORS, 0).astype(np.float32)
    found = predict(given, known, INPUTS, np.ones(80, bool), ridge=1e-6)
    assert np.array_equal(found[known], FACTORS[known])
    assert np.allclose(found[~known], FACTORS[~known], atol=1e-3)


def test_predictions_spread_as_much_as_known_factors() -> None:
    """However strong the penalty, predicted items lie as far from the mean as known ones do, on average."""
    known = np.arange(80) < 60
    mean = FACTORS[known].mean(axis=0)
    spread = np.linalg.norm(FACTORS[known] - mean, axis=1).mean()
    for ridge in (0.1, 10.0, 60.0):
        found = predict(FACTORS, known, INPUTS, np.ones(80, bool), ridge=ridge)
        got = np.linalg.norm(found[~known] - mean, axis=1).mean()
        assert abs(got / spread - 1) < 0.25, ridge


def test_content_that_says_nothing_is_not_taken_for_much() -> None:
    """A strong penalty leaves about the mean of the known items: predictions are stretched three times at most."""
    known = np.arange(80) < 60
    found = predict(FACTORS, known, INPUTS, np.ones(80, bool), ridge=1e9)
    assert np.allclose(found[~known], FACTORS[known].mean(axis=0), atol=1e-3)
    assert MOST_STRETCH == 3


def test_unknown_items_do_not_change_the_predictions_of_others() -> None:
    """An item that is added later gets the factors that it would have got from the start."""
    known, described = np.arange(80) < 60, np.ones(80, bool)
    given = np.where(known[:, None], FACTORS, 0).astype(np.float32)
    some = predict(given[:70], known[:70], INPUTS[:70], described[:70])
    assert np.allclose(predict(given, known, INPUTS, described)[:70], some, atol=1e-6)


def test_words_are_learned_from_known_items_only() -> None:
    """Texts of other items change no vector; texts without words give no columns."""
    texts = ["dark crime film", "dark space film", "bright crime comedy", "space comedy", "a western", "dark western"]
    fitted = np.arange(6) < 5
    vectors = words_of(texts, fitted)
    assert vectors.shape[0] == 6
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(words_of([*texts[:5], "quite another"], fitted)[:5], vectors[:5])
    assert words_of(["", "", ""], np.ones(3, bool)).shape == (3, 0)


def test_an_item_without_content_stays_unknown() -> None:
    """Nothing is made up for an item of which nothing is known."""
    known, described = np.arange(80) < 60, np.arange(80) != 70
    given = np.where(known[:, None], FACTORS, 0).astype(np.float32)
    found = predict(given, known, INPUTS, described)
    assert not found[70].any()
    assert found[71].any()


def test_nothing_to_learn_from_changes_nothing() -> None:
    """Without known items, or without unknown ones, factors stay as they are."""
    nobody = np.zeros(80, bool)
    assert np.array_equal(predict(FACTORS, nobody, INPUTS, ~nobody), FACTORS)
    assert np.array_equal(predict(FACTORS, ~nobody, INPUTS, ~nobody), FACTORS)


def test_modalities_count_as_much_as_they_weigh() -> None:
    """Content is made of the modalities asked for, each by its weight; one that weighs nothing is left out."""
    matrices = {name: RNG.standard_normal((1, 5, 4)).astype(np.float32) for name in ("text", "image", "noise", "cf")}
    mask = np.ones((1, 5), bool)
    mask[0, 4] = False
    features = [Features(name, ("item",), matrix, mask) for name, matrix in matrices.items()]
    weights = {"text": 0.6, "image": 0.3, "noise": 0.001, "cf": 0.4}
    model = JointModel({name: Identity(4) for name in matrices}, {}, weights)
    described, inputs = content_of(features, model, embed_items(model, features), ("text", "image", "noise"))
    assert described.tolist() == [True] * 4 + [False]
    assert inputs.shape == (5, 16)
    assert not inputs[4].any()
    expected = [unit(matrices["text"][0]), unit(matrices["image"][0]) / 2]
    assert np.allclose(inputs[:4, :4], expected[0][:4], atol=1e-6)
    assert np.allclose(inputs[:4, 8:12], expected[1][:4], atol=1e-6)


def test_items_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A regression over blocks of items is that over all of them at once."""
    known = np.arange(80) < 60
    given = np.where(known[:, None], FACTORS + RNG.normal(size=FACTORS.shape), 0).astype(np.float32)
    whole = predict(given, known, INPUTS, np.ones(80, bool))
    monkeypatch.setattr(cold, "BLOCK", 7)
    assert np.allclose(predict(given, known, INPUTS, np.ones(80, bool)), whole, atol=1e-5)
