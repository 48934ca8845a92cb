"""Factors of taste for items that nobody has met."""

from __future__ import annotations

import numpy as np

from antiphon.cold import content_of, predict
from antiphon.features import Features, unit
from antiphon.joint import Identity, JointModel, embed_items

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


def test_ridge_draws_predictions_to_the_mean() -> None:
    """A strong penalty leaves the mean of the known items."""
    known = np.arange(80) < 60
    found = predict(FACTORS, known, INPUTS, np.ones(80, bool), ridge=1e9)
    assert np.allclose(found[~known], FACTORS[known].mean(axis=0), atol=1e-3)


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
