"""What lists are made of: novelty, diversity and popularity, against slow loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from antiphon.evaluate.protocols import recommend_task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Popularity, Random, mean_of_views
from antiphon.reproduce.measure import DIVERSITY, NOVELTY, POPULARITY, beyond, measure, truth_popularity


def test_values_are_those_of_a_slow_loop(data: RunData) -> None:
    """Item by item and pair by pair."""
    ranked = np.array([[3, 1, 4, -1], [5, 9, 2, 6]])
    found = beyond(ranked, data)
    users = len(set(data.training.user.tolist()))
    vectors = mean_of_views(data.features("text"))
    for line, rows in enumerate([[3, 1, 4], [5, 9, 2, 6]]):
        surprise = [-math.log2(max(1, data.popularity[row]) / users) for row in rows]
        pairs = [1 - float(vectors[a] @ vectors[b]) for a in rows for b in rows if a != b]
        assert found[NOVELTY][line] == pytest.approx(np.mean(surprise))
        assert found[DIVERSITY][line] == pytest.approx(np.mean(pairs), abs=1e-6)
        assert found[POPULARITY][line] == pytest.approx(np.mean(data.popularity[rows]))


def test_an_empty_list_has_no_values(data: RunData) -> None:
    """NaN, which no mean counts; one item alone is not diverse."""
    found = beyond(np.array([[-1, -1], [2, -1]]), data)
    assert all(np.isnan(found[name][0]) for name in found)
    assert np.isnan(found[DIVERSITY][1])
    assert np.isfinite(found[NOVELTY][1])


def test_popularity_is_more_popular_and_less_novel_than_chance(data: RunData) -> None:
    """The measures say what they are named after."""
    task = recommend_task(data)
    popular, chance = (measure(system, task, data) for system in (Popularity(data), Random(data)))
    assert np.mean(popular.values[POPULARITY]) > np.mean(chance.values[POPULARITY])
    assert np.mean(popular.values[NOVELTY]) < np.mean(chance.values[NOVELTY])
    assert truth_popularity(task, data) > 0
