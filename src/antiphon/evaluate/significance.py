"""How sure a mean over queries is, and whether two systems differ by more than the choice of queries explains.

The unit of all resampling is the query, and values are per query: (n_queries,) floats, NaN for a query that does not
count. Every function takes a seed and gives the same numbers for the same seed. Draws are made in chunks, so memory
does not grow with the number of resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from antiphon.errors import ConfigError, DataError, MismatchError

Floats = npt.NDArray[np.float64]
Values = npt.NDArray[np.floating[Any]]

DRAWS_PER_CHUNK = 1 << 20
"""Random draws held in memory at once; about 16 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval around it; all three are NaN where there was no value."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """What a paired test of system a against system b over the same queries found.

    `n` counts the queries that have a value for both. `mean_difference` is mean(a) - mean(b), and `low` and `high`
    are its percentile bootstrap interval. `ratio` is mean(a) / mean(b), NaN where mean(b) is 0. `p_value` is
    two-sided. Without queries the p value is 1 and the rest is NaN.
    """

    n: int
    mean_difference: float
    ratio: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """Noise of training apart from noise of the choice of queries.

    `seed_std` is the standard deviation (n - 1) of the seeds' means: how far another training run would move the
    mean on these queries; NaN with one seed. `query_se` is the standard error over queries of the per-query mean
    over seeds: how far other queries would move it; NaN with one query. Both are in the unit of the metric.
    """

    n_seeds: int
    n_queries: int
    mean: float
    seed_std: float
    query_se: float


def bootstrap_interval(values: Values, level: float = 0.95, n_resamples: int = 2000, seed: int = 0) -> Interval:
    """The percentile bootstrap interval of the mean over queries.

    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3. `values`: (n_queries,) floats; NaN
    values are dropped. One value alone gives an interval of width zero, which says nothing.

    Raises:
        ConfigError: the level is not between 0 and 1, or the number of resamples or the seed is out of range.
        DataError: the values are not one-dimensional, or one is infinite.
    """
    rng = _generator(level, n_resamples, seed)
    known = _known(_vector(values))
    if known.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = _percentiles(_resampled_means(known, n_resamples, rng), level)
    return Interval(float(known.mean()), low, high)


def paired_bootstrap_test(
    a: Values, b: Values, level: float = 0.95, n_resamples: int = 10000, seed: int = 0
) -> PairedTest:
    """The shift method: how often a resampled mean difference strays from the observed one by as much as that is.

    p = (1 + #{|d* - d| >= |d|}) / (1 + n_resamples), with d the observed mean of a - b and d* that of a resample of
    queries: the bootstrap under a null of no difference. Efron and Tibshirani, 1993, section 16.4; for retrieval
    Smucker, Allan and Carterette, "A comparison of statistical significance tests for information retrieval
    evaluation", CIKM 2007. It is too sure of itself with few queries; with fewer than two, p is 1.

    `a`, `b`: (n_queries,) floats in the same order of queries; a query that is NaN in either is dropped.

    Raises:
        ConfigError: the level is not between 0 and 1, or the number of resamples or the seed is out of range.
        DataError: the values are not one-dimensional, or one is infinite.
        MismatchError: the two have different lengths.
    """
    rng = _generator(level, n_resamples, seed)
    first, second = _pairs(a, b)
    difference = first - second
    if difference.size == 0:
        return _paired(first, second, (float("nan"), float("nan")), 1.0)
    means = _resampled_means(difference, n_resamples, rng)
    p_value = _p_value(means - difference.mean(), difference) if difference.size > 1 else 1.0
    return _paired(first, second, _percentiles(means, level), p_value)


def paired_randomisation_test(
    a: Values, b: Values, n_resamples: int = 10000, seed: int = 0, level: float = 0.95
) -> PairedTest:
    """How often a random swap of the two systems' values, query by query, makes as large a mean difference.

    p = (1 + #{|d*| >= |d|}) / (1 + n_resamples), with d the observed mean of a - b and d* that after the sign of each
    query's difference is drawn anew: Fisher's randomisation test as in Smucker, Allan and Carterette, "A comparison
    of statistical significance tests for information retrieval evaluation", CIKM 2007. The observed assignment is
    counted as one of the draws, so p is never 0 (Davison and Hinkley, "Bootstrap Methods", 1997, section 4.2).
    The interval is `bootstrap_interval` of the differences; it is not made by the test and may rarely disagree.

    `a`, `b`: (n_queries,) floats in the same order of queries; a query that is NaN in either is dropped.

    Raises:
        ConfigError: the level is not between 0 and 1, or the number of resamples or the seed is out of range.
        DataError: the values are not one-dimensional, or one is infinite.
        MismatchError: the two have different lengths.
    """
    rng = _generator(level, n_resamples, seed)
    first, second = _pairs(a, b)
    difference = first - second
    interval = bootstrap_interval(difference, level=level, seed=seed)
    if difference.size == 0:
        return _paired(first, second, (interval.low, interval.high), 1.0)
    p_value = _p_value(_flipped_means(difference, n_resamples, rng), difference)
    return _paired(first, second, (interval.low, interval.high), p_value)


def holm(p_values: Sequence[float] | Values) -> Floats:
    """P values adjusted for testing several hypotheses at once, in the order given: (n_tests,) float64 in [0, 1].

    With the m values in rising order, adjusted_i = max_{j <= i} min(1, (m - j + 1) p_j). Rejecting where it is at most
    alpha keeps the chance of any false rejection at alpha, whatever the dependence. Holm, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.

    Raises:
        DataError: a value is not between 0 and 1.
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not bool(((values >= 0.0) & (values <= 1.0)).all()):
        raise DataError(f"Holm's method got {values.tolist()}; expected a flat list of p values between 0 and 1.")
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.maximum.accumulate(np.minimum(scaled, 1.0))
    return adjusted


def seed_spread(values: Values) -> SeedSpread:
    """The spread between training seeds and the spread between queries, told apart.

    `values`: (n_seeds, n_queries) floats, the same queries in the same order for every seed; a query that is NaN for
    any seed is dropped.

    Raises:
        DataError: the values are not two-dimensional, one is infinite, or there is no seed.
    """
    if values.ndim != 2 or values.shape[0] == 0:
        raise DataError(
            f"The values per seed have the shape {values.shape}; expected (n_seeds, n_queries) with at least one seed."
        )
    _refuse_infinite(values)
    table = values[:, ~np.isnan(values).any(axis=0)].astype(np.float64)
    n_seeds, n_queries = table.shape
    if n_queries == 0:
        return SeedSpread(n_seeds, 0, float("nan"), float("nan"), float("nan"))
    return SeedSpread(
        n_seeds,
        n_queries,
        mean=float(table.mean()),
        seed_std=_deviation(table.mean(axis=1)),
        query_se=_deviation(table.mean(axis=0)) / float(np.sqrt(n_queries)),
    )


def _generator(level: float, n_resamples: int, seed: int) -> np.random.Generator:
    """The random generator of a seed, once the options are known to be right."""
    if not 0.0 < level < 1.0:
        raise ConfigError(f"The level of the interval is {level}; expected a number between 0 and 1, such as 0.95.")
    if n_resamples < 1:
        raise ConfigError(f"n_resamples is {n_resamples}; expected 1 or more, such as 2000.")
    if seed < 0:
        raise ConfigError(f"The seed is {seed}; expected a whole number from 0.")
    return np.random.default_rng(seed)


def _refuse_infinite(values: Values) -> None:
    """An infinite value would silently make every mean infinite or NaN."""
    if bool(np.isinf(values).any()):
        raise DataError(
            f"{int(np.isinf(values).sum())} of {values.size} values are infinite; expected finite numbers, "
            "or NaN for a query that does not count. Check the metric that made them."
        )


def _vector(values: Values) -> Floats:
    """The values as float64, once known to be one-dimensional and not infinite."""
    if values.ndim != 1:
        raise DataError(f"The values have the shape {values.shape}; expected one per query, (n_queries,).")
    _refuse_infinite(values)
    return values.astype(np.float64)


def _known(values: Floats) -> Floats:
    """The values that are not NaN."""
    return values[~np.isnan(values)]


def _pairs(a: Values, b: Values) -> tuple[Floats, Floats]:
    """Both systems' values at the queries that have one for both."""
    first, second = _vector(a), _vector(b)
    if first.size != second.size:
        raise MismatchError(
            f"A paired test got {first.size} values and {second.size} values; expected one of each per query, "
            "in the same order. Evaluate both systems on the same queries."
        )
    both = ~np.isnan(first - second)
    return first[both], second[both]


def _paired(first: Floats, second: Floats, interval: tuple[float, float], p_value: float) -> PairedTest:
    """The result of a test, with the effect next to the p value."""
    n = first.size
    difference = float((first - second).mean()) if n else float("nan")
    base = float(second.mean()) if n else 0.0
    ratio = float(first.mean()) / base if base != 0.0 else float("nan")
    return PairedTest(n, difference, ratio, *interval, p_value)


def _chunks(n_resamples: int, draws_per_resample: int) -> Iterator[slice]:
    """Consecutive slices of the resamples, each small enough to hold."""
    step = max(1, DRAWS_PER_CHUNK // draws_per_resample)
    for start in range(0, n_resamples, step):
        yield slice(start, min(start + step, n_resamples))


def _resampled_means(values: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Means of samples drawn with replacement, each as large as `values`: (n_resamples,) float64."""
    means = np.empty(n_resamples)
    for part in _chunks(n_resamples, values.size):
        rows = rng.integers(0, values.size, size=(part.stop - part.start, values.size))
        means[part] = values[rows].mean(axis=1)
    return means


def _flipped_means(difference: Floats, n_resamples: int, rng: np.random.Generator) -> Floats:
    """Means of the differences after a fair coin decides the sign of each: (n_resamples,) float64."""
    n = difference.size
    n_words = -(-n // 64)
    means = np.empty(n_resamples)
    for part in _chunks(n_resamples, n):
        # 64 coins per random word; little-endian bytes keep the draws the same on every machine.
        words = rng.integers(0, 2**64 - 1, size=(part.stop - part.start, n_words), dtype=np.uint64, endpoint=True)
        kept = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, count=n)
        # The kept differences minus the flipped ones, from one product.
        means[part] = (2.0 * (kept @ difference) - difference.sum()) / n
    return means


def _p_value(null_means: Floats, difference: Floats) -> float:
    """Share of draws under the null that are at least as far from 0 as the observed mean, which counts as one."""
    # Draws that tie with the observed mean differ from it by rounding, on the scale of the summands.
    slack = 1e-12 * float(np.abs(difference).mean())
    extreme = np.count_nonzero(np.abs(null_means) >= abs(float(difference.mean())) - slack)
    return float((1 + extreme) / (1 + null_means.size))


def _percentiles(means: Floats, level: float) -> tuple[float, float]:
    """The two ends of the middle `level` share of the means."""
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def _deviation(values: Floats) -> float:
    """Sample standard deviation with n - 1; NaN for one value."""
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")
