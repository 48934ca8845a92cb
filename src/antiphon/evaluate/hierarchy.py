"""Seeds and queries together: intervals and tests of means over several seeds, each with queries of its own.

A seed draws everything anew: who is held out, what is asked, and whatever is drawn in a build. The bootstrap draws
seeds with replacement, and queries with replacement within each drawn seed (the nested bootstrap of Davison and
Hinkley, "Bootstrap Methods", 1997, section 3.8). All systems of a column see the same draws, so their differences are
paired. With one seed it is the bootstrap over queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from antiphon.errors import DataError
from antiphon.evaluate.significance import paired_randomisation_test

Floats = npt.NDArray[np.float64]
N_RESAMPLES = 50_000
"""Holm multiplies the smallest p by the number of pairs, some hundreds: with fewer, no difference could pass 0.01."""
STEP = 2_000


def seed_means(values: Sequence[Floats]) -> Floats:
    """Mean over the queries of each seed, (n_seeds, n_columns) float64; NaN where a seed has no value.

    `values`: for each seed (n_queries, n_columns), NaN for a query that does not count.

    Raises:
        DataError: there is no seed, or the seeds have different columns.
    """
    if not values or len({table.shape[1:] for table in values}) != 1 or values[0].ndim != 2:
        shapes = [table.shape for table in values]
        raise DataError(f"The values per seed have the shapes {shapes}; expected (n_queries, n_columns) for each seed.")
    return np.stack([_mean(table) for table in values])


def resampled_means(values: Sequence[Floats], n_resamples: int = N_RESAMPLES, seed: int = 0) -> Floats:
    """Means over seeds of means over queries, of resamples of both, (n_resamples, n_columns) float32.

    `values`: for each seed (n_queries, n_columns), NaN for a query that does not count.

    Raises:
        DataError: there is no seed, or the seeds have different columns.
    """
    seed_means(values)
    rng = np.random.default_rng([seed, 21])
    n_seeds, n_columns = len(values), values[0].shape[1]
    tables = [np.nan_to_num(table).astype(np.float32) for table in values]
    known = [(~np.isnan(table)).astype(np.float32) for table in values]
    chosen = rng.integers(0, n_seeds, size=(n_resamples, n_seeds))
    total = np.zeros((n_resamples, n_columns), dtype=np.float32)
    for slot in range(n_seeds):
        for which in range(n_seeds):
            rows = np.flatnonzero(chosen[:, slot] == which)
            for start in range(0, len(rows), STEP):
                part = rows[start : start + STEP]
                counts = _counts(len(tables[which]), len(part), rng)
                with np.errstate(invalid="ignore", divide="ignore"):
                    total[part] += (counts @ tables[which]) / (counts @ known[which])
    return total / n_seeds


def intervals(means: Floats, level: float = 0.95) -> Floats:
    """The two ends of the percentile interval of each column, (2, n_columns)."""
    ends = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.asarray(ends, dtype=np.float64)


def shift_p(means: Floats, observed: float) -> float:
    """How often a resampled difference strays from the observed one by as much as that is, (1 + hits) / (1 + n).

    `means`: (n_resamples,) of differences. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section
    16.4.
    """
    if not abs(observed) > 0:
        return 1.0
    hits = int(np.count_nonzero(np.abs(means - observed) >= abs(observed) * (1 - 1e-6)))
    return (1 + hits) / (1 + len(means))


def swapped_p(differences: Sequence[tuple[Sequence[str], Floats]], n_resamples: int = N_RESAMPLES) -> float:
    """The randomisation test of a mean difference over seeds: a query that several seeds ask is swapped in all of them.

    `differences`: for each seed the ids of its queries and a minus b. See `significance.paired_randomisation_test`.
    """
    shares: dict[str, float] = {}
    for ids, values in differences:
        known = ~np.isnan(values)
        weight = 1 / max(1, int(known.sum())) / len(differences)
        for name, value in zip(np.asarray(ids, dtype=object)[known], values[known], strict=True):
            shares[name] = shares.get(name, 0.0) + float(value) * weight
    together = np.array(list(shares.values())) * len(shares)
    return paired_randomisation_test(together, np.zeros(len(together)), n_resamples=n_resamples).p_value


def mean_intervals(
    columns: Mapping[str, Sequence[Floats]], n_resamples: int = 2000
) -> dict[str, dict[str, float | None]]:
    """Mean, low and high of several columns, for JSON; each column has (n_queries,) values for each seed."""
    names = list(columns)
    n_seeds = len(columns[names[0]])
    values = [np.stack([columns[name][seed] for name in names], axis=1) for seed in range(n_seeds)]
    low, high = intervals(resampled_means(values, n_resamples))
    mean = seed_means(values).mean(axis=0)
    return {
        name: {"mean": number(mean[place]), "low": number(low[place]), "high": number(high[place])}
        for place, name in enumerate(names)
    }


def number(value: float) -> float | None:
    """A number for JSON, None if there is none."""
    return None if np.isnan(value) else float(value)


def _mean(table: Floats) -> Floats:
    counts = (~np.isnan(table)).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nansum(table, axis=0) / counts)


def _counts(n: int, n_resamples: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """How often each query is in each resample, (n_resamples, n) float32."""
    drawn = rng.integers(0, n, size=(n_resamples, n)) + n * np.arange(n_resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=n * n_resamples).reshape(n_resamples, n).astype(np.float32)
