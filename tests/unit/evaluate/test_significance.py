"""Intervals, paired tests, Holm's adjustment and the spread of seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError
from itertools import product
from math import isnan, nan, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from antiphon.errors import ConfigError, DataError, MismatchError
from antiphon.evaluate import significance
from antiphon.evaluate.significance import (
    PairedTest,
    bootstrap_interval,
    holm,
    paired_bootstrap_test,
    paired_randomisation_test,
    seed_spread,
)

Floats = npt.NDArray[np.float64]
Compare = Callable[..., PairedTest]
both_tests = pytest.mark.parametrize("test", [paired_bootstrap_test, paired_randomisation_test])


def normal(seed: int, *shape: int) -> Floats:
    """Seeded standard normal numbers."""
    return np.random.default_rng(seed).normal(size=shape)


class TestBootstrapInterval:
    """Intervals of a mean."""

    def test_it_is_the_normal_interval_where_that_holds(self) -> None:
        """For many values the ends are mean -/+ 1.96 standard errors."""
        values = normal(0, 2000)
        error = values.std() / sqrt(values.size)
        interval = bootstrap_interval(values, n_resamples=4000, seed=1)
        assert interval.mean == pytest.approx(values.mean(), abs=1e-12)
        assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
        assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)

    def test_it_agrees_with_scipy_on_skewed_values(self) -> None:
        """Scipy's percentile bootstrap of the mean gives the same ends, up to the noise of resampling."""
        values = np.random.default_rng(2).exponential(size=40)
        ours = bootstrap_interval(values, level=0.9, n_resamples=20000, seed=3)
        theirs = stats.bootstrap(
            (values,), np.mean, confidence_level=0.9, n_resamples=20000, method="percentile", rng=4
        ).confidence_interval
        error = values.std() / sqrt(values.size)
        assert ours.low == pytest.approx(theirs.low, abs=0.05 * error)
        assert ours.high == pytest.approx(theirs.high, abs=0.05 * error)

    def test_nan_values_are_dropped(self) -> None:
        """Queries that do not count change nothing, wherever they are."""
        values = normal(5, 30)
        with_nan = np.insert(values, [0, 7, 30], nan)
        assert bootstrap_interval(with_nan, seed=6) == bootstrap_interval(values, seed=6)

    def test_a_higher_level_is_a_wider_interval(self) -> None:
        """The interval of a level lies within that of a higher level."""
        values = normal(7, 50)
        wide, narrow = bootstrap_interval(values, 0.99), bootstrap_interval(values, 0.5)
        assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high

    def test_the_seed_decides(self) -> None:
        """The same seed repeats the interval, another seed moves it."""
        values = normal(8, 50)
        assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
        assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)

    def test_it_covers_the_true_mean_as_often_as_it_says(self) -> None:
        """About 90 of 100 intervals of level 0.9 hold the mean that the values were drawn around."""
        samples = normal(9, 400, 60)
        intervals = [bootstrap_interval(row, 0.9, 500, seed) for seed, row in enumerate(samples)]
        covered = np.mean([i.low <= 0.0 <= i.high for i in intervals])
        assert 0.84 <= covered <= 0.95

    def test_without_values_it_is_nan(self) -> None:
        """No query gives no interval, without a warning."""
        interval = bootstrap_interval(np.array([nan, nan]))
        assert isnan(interval.mean)
        assert isnan(interval.low)
        assert isnan(interval.high)

    def test_equal_values_give_no_width(self) -> None:
        """A constant has no spread."""
        interval = bootstrap_interval(np.full(9, 0.25))
        assert (interval.mean, interval.low, interval.high) == (0.25, 0.25, 0.25)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"level": 1.0}, "level of the interval is 1.0"),
            ({"level": 0.0}, "level of the interval is 0.0"),
            ({"level": nan}, "level of the interval is nan"),
            ({"n_resamples": 0}, "n_resamples is 0"),
            ({"seed": -1}, "seed is -1"),
        ],
    )
    def test_options_out_of_range_are_refused(self, options: dict[str, float], message: str) -> None:
        """The message names the option and what it may be."""
        with pytest.raises(ConfigError, match=message):
            bootstrap_interval(np.ones(3), **options)  # type: ignore[arg-type]

    @pytest.mark.parametrize("values", [np.ones((2, 2)), np.array([1.0, np.inf])])
    def test_other_values_are_refused(self, values: Floats) -> None:
        """Tables and infinite values have no mean over queries."""
        with pytest.raises(DataError, match=r"expected one per query|1 of 2 values are infinite"):
            bootstrap_interval(values)


class TestPairedTests:
    """Two systems on the same queries."""

    @both_tests
    def test_effect_and_count_stand_next_to_the_p_value(self, test: Compare) -> None:
        """A query that is NaN for either system is dropped before anything is counted."""
        result = test(np.array([0.5, 0.7, nan, 0.9]), np.array([0.2, 0.4, 0.3, nan]))
        assert result.n == 2
        assert result.mean_difference == pytest.approx(0.3)
        assert result.ratio == pytest.approx(2.0)
        assert result.low == pytest.approx(0.3)
        assert result.high == pytest.approx(0.3)

    @both_tests
    def test_swapped_systems_mirror_the_result(self, test: Compare) -> None:
        """The p value is exactly the same and the effect changes sign."""
        a, b = np.abs(normal(10, 80)) + 0.2, np.abs(normal(11, 80))
        forth, back = test(a, b, seed=3), test(b, a, seed=3)
        assert forth.p_value == back.p_value
        assert forth.mean_difference == -back.mean_difference
        assert forth.low == pytest.approx(-back.high, abs=1e-12)
        assert forth.high == pytest.approx(-back.low, abs=1e-12)
        assert forth.ratio == pytest.approx(1 / back.ratio)

    @both_tests
    @settings(max_examples=40)
    @given(data=st.data())
    def test_any_pair_is_symmetric_with_a_possible_p_value(self, test: Compare, data: st.DataObject) -> None:
        """Whatever the values, p is the same both ways and lies in [1 / (1 + n), 1]."""
        pairs = data.draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
        a, b = np.array(pairs).T
        forth, back = test(a, b, n_resamples=99), test(b, a, n_resamples=99)
        assert forth.p_value == back.p_value
        assert 0.01 <= forth.p_value <= 1.0

    @both_tests
    def test_p_values_are_uniform_without_a_difference(self, test: Compare) -> None:
        """Where both systems are alike, p is below any level about that often: neither bold nor timid."""
        a, b = normal(12, 400, 100), normal(13, 400, 100)
        p_values = np.array(
            [test(x, y, n_resamples=199, seed=seed).p_value for seed, (x, y) in enumerate(zip(a, b, strict=True))]
        )
        assert stats.kstest(p_values, "uniform").statistic < 0.08
        assert 0.02 <= np.mean(p_values <= 0.05) <= 0.085

    @both_tests
    def test_a_real_difference_is_found(self, test: Compare) -> None:
        """A shift of half a standard deviation over 200 queries has the smallest p value there is."""
        b = normal(14, 200)
        a = b + 0.5 + normal(15, 200)
        result = test(a, b, n_resamples=999)
        assert result.p_value == 1 / 1000
        assert 0.2 < result.low < result.mean_difference < result.high < 0.8

    @both_tests
    def test_the_same_system_twice_has_p_one(self, test: Compare) -> None:
        """No difference at any query is no evidence at all."""
        values = normal(16, 20)
        result = test(values, values)
        assert result.p_value == 1.0
        assert (result.mean_difference, result.ratio, result.low, result.high) == (0.0, 1.0, 0.0, 0.0)

    @both_tests
    def test_one_query_is_no_evidence(self, test: Compare) -> None:
        """A single query cannot show that systems differ."""
        assert test(np.array([0.9]), np.array([0.1])).p_value == 1.0

    @both_tests
    def test_no_query_is_no_evidence(self, test: Compare) -> None:
        """Without a common query p is 1 and the effect is NaN."""
        result = test(np.array([nan, 1.0]), np.array([1.0, nan]))
        assert result.n == 0
        assert result.p_value == 1.0
        assert all(isnan(x) for x in (result.mean_difference, result.ratio, result.low, result.high))

    @both_tests
    def test_no_ratio_to_a_system_that_scores_nothing(self, test: Compare) -> None:
        """The ratio to 0 is NaN, without a warning."""
        assert isnan(test(np.array([0.5, 0.6]), np.zeros(2)).ratio)

    @both_tests
    def test_the_chunk_size_does_not_matter(self, test: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
        """Drawing in small pieces gives the same test as drawing at once."""
        a, b = normal(17, 70), normal(18, 70)
        at_once = test(a, b, n_resamples=500)
        monkeypatch.setattr(significance, "DRAWS_PER_CHUNK", 211)
        in_pieces = test(a, b, n_resamples=500)
        assert in_pieces.p_value == at_once.p_value
        assert in_pieces.low == pytest.approx(at_once.low, abs=1e-12)
        assert in_pieces.high == pytest.approx(at_once.high, abs=1e-12)

    @both_tests
    def test_different_lengths_are_refused(self, test: Compare) -> None:
        """Values of different queries cannot be paired."""
        with pytest.raises(MismatchError, match="3 values and 1 values"):
            test(np.ones(3), np.ones(1))

    @both_tests
    def test_options_out_of_range_are_refused(self, test: Compare) -> None:
        """The options are those of the interval."""
        with pytest.raises(ConfigError, match="n_resamples is 0"):
            test(np.ones(3), np.ones(3), n_resamples=0)

    @pytest.mark.parametrize("shift", [0.0, 0.4, 1.0])
    def test_randomisation_agrees_with_the_exact_test_of_scipy(self, shift: float) -> None:
        """With ten queries scipy goes through all 1,024 assignments; the p value is that up to sampling noise."""
        a, b = normal(19, 10) + shift, normal(20, 10)
        exact = stats.permutation_test(
            (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", vectorized=True
        ).pvalue
        p_value = paired_randomisation_test(a, b, n_resamples=20000, seed=1).p_value
        assert p_value == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 20000) + 1e-4)

    @pytest.mark.parametrize("tenths", [[1, 1, 1], [1, 2, 3, -1, 7, 2], [3, 3, -1, 2, 6, -2, 1]])
    def test_randomisation_counts_ties_as_extreme(self, tenths: list[int]) -> None:
        """Assignments that tie with the observed mean count in spite of rounding, as they do among whole numbers."""
        signs = np.array(list(product([-1, 1], repeat=len(tenths))))
        exact = np.mean(np.abs(signs @ np.array(tenths)) >= abs(sum(tenths)))
        difference = np.array([0.1 * tenth for tenth in tenths])
        p_value = paired_randomisation_test(difference, np.zeros(len(tenths)), 20000).p_value
        assert p_value == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / 20000) + 1e-4)

    def test_randomisation_sees_no_difference_in_rounding(self) -> None:
        """Differences that cancel out to a rounding error have p 1."""
        assert paired_randomisation_test(np.array([0.1, 0.2, 0.0]), np.array([0.0, 0.0, 0.3])).p_value == 1.0

    def test_each_coin_is_fair_and_its_own(self) -> None:
        """Over 130 queries of different weight the flipped means have the spread of independent fair signs."""
        difference = np.linspace(0.1, 1.0, 130)
        means = significance._flipped_means(difference, 20000, np.random.default_rng(21))
        expected = sqrt(float((difference**2).sum())) / difference.size
        assert means.mean() == pytest.approx(0.0, abs=4 * expected / sqrt(20000))
        assert means.std() == pytest.approx(expected, rel=0.03)

    @pytest.mark.parametrize("shift", [0.1, 0.2])
    def test_bootstrap_agrees_with_the_normal_test(self, shift: float) -> None:
        """For many queries p is that of the z test of the differences."""
        a, b = normal(22, 300) + shift, normal(23, 300)
        difference = a - b
        z = abs(difference.mean()) / (difference.std() / sqrt(300))
        expected = 2 * stats.norm.sf(z)
        assert paired_bootstrap_test(a, b, n_resamples=20000, seed=2).p_value == pytest.approx(expected, abs=0.015)

    def test_the_interval_is_that_of_the_differences(self) -> None:
        """The randomisation test reports the bootstrap interval of a - b with the same seed."""
        a, b = normal(24, 60), normal(25, 60)
        result, interval = paired_randomisation_test(a, b, seed=5), bootstrap_interval(a - b, seed=5)
        assert (result.low, result.high) == (interval.low, interval.high)

    def test_results_are_frozen(self) -> None:
        """A result is a value."""
        result = paired_randomisation_test(np.ones(2), np.zeros(2))
        with pytest.raises(FrozenInstanceError):
            result.p_value = 0.0  # type: ignore[misc]


class TestHolm:
    """Several tests at once."""

    def test_holm_by_hand(self) -> None:
        """Of 0.01, 0.04, 0.03, 0.005: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 raised to the one before."""
        np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02], atol=1e-15)

    def test_adjusted_values_stop_at_one(self) -> None:
        """A p value never goes above 1."""
        assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]

    def test_few_tests_change_little(self) -> None:
        """One test stays as it is, and none gives none."""
        assert holm([0.03]).tolist() == [0.03]
        assert holm([]).tolist() == []

    @given(p_values=st.lists(st.floats(0, 1), max_size=12))
    def test_adjustment_keeps_the_order(self, p_values: list[float]) -> None:
        """Adjusted values rise with the raw ones, and lie between them and Bonferroni's."""
        raw, adjusted = np.array(p_values), holm(p_values)
        order = np.argsort(raw, kind="stable")
        assert bool((np.diff(adjusted[order]) >= 0).all())
        assert bool((adjusted >= raw).all())
        assert bool((adjusted <= np.minimum(raw * max(raw.size, 1), 1.0)).all())

    @given(p_values=st.lists(st.floats(0, 1), max_size=8), alpha=st.floats(0.001, 0.999))
    def test_rejections_are_those_of_the_stepwise_procedure(self, p_values: list[float], alpha: float) -> None:
        """Stepping from the smallest p value up to the first with (m - i) p above alpha rejects the same tests."""
        rejected = set()
        for step, test in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            if min(p_values[test] * (len(p_values) - step), 1.0) > alpha:
                break
            rejected.add(test)
        assert set(np.flatnonzero(holm(p_values) <= alpha).tolist()) == rejected

    @given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=8), data=st.data())
    def test_the_order_of_tests_does_not_matter(self, p_values: list[float], data: st.DataObject) -> None:
        """Shuffled p values give shuffled adjusted values."""
        order = data.draw(st.permutations(range(len(p_values))))
        assert holm([p_values[i] for i in order]).tolist() == holm(p_values)[list(order)].tolist()

    @pytest.mark.parametrize("p_values", [[0.5, nan], [-0.1], [1.1], [[0.1]]])
    def test_what_is_not_a_p_value_is_refused(self, p_values: list[float]) -> None:
        """NaN and numbers outside [0, 1] have no place among p values."""
        with pytest.raises(DataError, match="p values between 0 and 1"):
            holm(p_values)


class TestSeedSpread:
    """Noise of training apart from noise of queries."""

    def test_spread_by_hand(self) -> None:
        """Seed means 0.3 and 0.5 deviate by 0.2 / sqrt(2); query means 0.2 and 0.6 give an error of 0.2."""
        spread = seed_spread(np.array([[0.1, 0.5], [0.3, 0.7]]))
        assert (spread.n_seeds, spread.n_queries) == (2, 2)
        assert spread.mean == pytest.approx(0.4)
        assert spread.seed_std == pytest.approx(0.2 / sqrt(2))
        assert spread.query_se == pytest.approx(0.4 / sqrt(2) / sqrt(2))

    def test_noise_of_seeds_and_of_queries_are_told_apart(self) -> None:
        """Adding a constant per seed moves only the first, adding one per query only the second."""
        per_seed, per_query = normal(30, 6, 1), normal(31, 1, 50)
        only_seeds, only_queries = seed_spread(per_seed + np.zeros((6, 50))), seed_spread(per_query + np.zeros((6, 1)))
        both = seed_spread(per_seed + per_query)
        assert only_seeds.query_se == pytest.approx(0.0, abs=1e-12)
        assert only_queries.seed_std == pytest.approx(0.0, abs=1e-12)
        assert both.seed_std == pytest.approx(only_seeds.seed_std)
        assert both.query_se == pytest.approx(only_queries.query_se)

    def test_it_agrees_with_scipy(self) -> None:
        """The two are the deviation of row means and scipy's standard error of column means."""
        values = normal(32, 5, 40)
        spread = seed_spread(values)
        assert spread.seed_std == pytest.approx(stats.tstd(values.mean(axis=1)))
        assert spread.query_se == pytest.approx(stats.sem(values.mean(axis=0)))

    def test_a_query_that_is_nan_for_any_seed_is_dropped(self) -> None:
        """All seeds are compared on the same queries."""
        values = normal(33, 3, 10)
        with_nan = np.insert(values, 4, [nan, 1.0, 1.0], axis=1)
        assert seed_spread(with_nan) == seed_spread(values)

    def test_one_seed_or_one_query_has_no_spread(self) -> None:
        """What cannot be known is NaN, without a warning."""
        spread = seed_spread(np.array([[0.5]]))
        assert spread.mean == 0.5
        assert isnan(spread.seed_std)
        assert isnan(spread.query_se)
        assert isnan(seed_spread(np.array([[nan], [1.0]])).mean)

    @pytest.mark.parametrize("values", [np.ones(3), np.empty((0, 3)), np.array([[1.0, -np.inf]])])
    def test_other_tables_are_refused(self, values: Floats) -> None:
        """A flat list, no seed and infinite values are errors."""
        with pytest.raises(DataError, match=r"n_seeds, n_queries|are infinite"):
            seed_spread(values)
