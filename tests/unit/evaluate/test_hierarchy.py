"""Intervals and tests over seeds and queries together."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.errors import DataError
from antiphon.evaluate.hierarchy import (
    intervals,
    mean_intervals,
    resampled_means,
    seed_means,
    shift_p,
    swapped_p,
)
from antiphon.evaluate.significance import bootstrap_interval


def tables(spread: float, n_seeds: int = 3, n: int = 200) -> list[np.ndarray]:
    """One column; the seeds' means differ by about `spread`, the queries of each by about 0.1."""
    rng = np.random.default_rng(0)
    shifts = np.linspace(-spread, spread, n_seeds)
    return [(0.5 + shift + 0.1 * rng.standard_normal(n))[:, None] for shift in shifts]


def test_one_seed_is_the_bootstrap_over_queries() -> None:
    """The interval is that of `bootstrap_interval`, up to chance."""
    values = tables(0.0, n_seeds=1)
    low, high = intervals(resampled_means(values, 20_000))[:, 0]
    usual = bootstrap_interval(values[0][:, 0], n_resamples=20_000)
    assert low == pytest.approx(usual.low, abs=0.001)
    assert high == pytest.approx(usual.high, abs=0.001)


def test_seeds_that_disagree_widen_the_interval() -> None:
    """The same noise of queries, other noise of seeds: the interval covers both."""
    widths = [np.ptp(intervals(resampled_means(tables(spread), 5_000))[:, 0]) for spread in (0.0, 0.2)]
    assert widths[1] > 5 * widths[0]


def test_resampled_means_have_the_moments_of_theory() -> None:
    """The variance is that of drawing seeds, plus that of drawing queries within them."""
    values = tables(0.1)
    drawn = resampled_means(values, 40_000)[:, 0]
    means = seed_means(values)[:, 0]
    expected = means.var() / 3 + np.mean([table.var() / len(table) for table in values]) / 3
    assert drawn.var() == pytest.approx(expected, rel=0.05)
    assert drawn.mean() == pytest.approx(means.mean(), abs=0.002)


def test_a_query_without_a_value_does_not_count() -> None:
    """NaN is left out of means and resamples, column by column."""
    values = [np.array([[1.0, np.nan], [0.0, 2.0], [np.nan, 2.0]])]
    assert seed_means(values).tolist() == [[0.5, 2.0]]
    drawn = resampled_means(values, 500)
    assert np.nanmin(drawn[:, 1]) == np.nanmax(drawn[:, 1]) == 2


def test_columns_see_the_same_draws() -> None:
    """A column that is another one plus a constant differs from it by that constant in every resample."""
    values = [np.concatenate([table, table + 0.25], axis=1) for table in tables(0.1)]
    drawn = resampled_means(values, 300)
    np.testing.assert_allclose(drawn[:, 1] - drawn[:, 0], 0.25, atol=1e-5)


def test_p_is_small_for_a_lead_in_every_seed_and_large_for_none() -> None:
    """A lead that all seeds share is told from one that the seeds' noise explains."""
    sure = shift_p(resampled_means(tables(0.01), 5_000)[:, 0], 0.5)
    means = resampled_means([table - 0.5 for table in tables(0.2)], 5_000)[:, 0]
    assert sure < 0.001
    assert shift_p(means, float(means.mean())) > 0.5
    assert shift_p(means, 0.0) == 1


def test_a_query_of_several_seeds_is_swapped_in_all_of_them() -> None:
    """The same queries in three seeds are no three times as many: p is that of one seed."""
    rng = np.random.default_rng(1)
    ids, values = [str(number) for number in range(40)], 0.1 + 0.4 * rng.standard_normal(40)
    once = swapped_p([(ids, values)], 20_000)
    thrice = swapped_p([(ids, values)] * 3, 20_000)
    apart = swapped_p([([f"{seed}{name}" for name in ids], values) for seed in range(3)], 20_000)
    assert thrice == pytest.approx(once, abs=0.01)
    assert apart < once / 2


def test_shapes_that_do_not_fit_are_refused() -> None:
    """Seeds need the same columns, and at least one seed is needed."""
    for values in ([], [np.zeros(3)], [np.zeros((3, 1)), np.zeros((3, 2))]):
        with pytest.raises(DataError, match="for each seed"):
            seed_means(values)


def test_means_for_json() -> None:
    """Each column gets its mean and interval; None where there is no value."""
    found = mean_intervals({"a": [np.array([0.0, 1.0])], "b": [np.array([np.nan, np.nan])]})
    assert found["a"]["mean"] == 0.5
    assert found["a"]["low"] <= 0.5 <= found["a"]["high"]
    assert found["b"] == {"mean": None, "low": None, "high": None}
