"""Ranking metrics: one hand-computed fact each, and properties over random rankings."""

from __future__ import annotations

from math import isnan, log2, nan

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigError, DataError, MismatchError
from antiphon.numbers.metrics import (
    METRICS,
    MetricSpec,
    Relevance,
    catalog_coverage,
    evaluate_ranking,
    exposure,
    gini,
    hits,
    mean_over_queries,
    mean_popularity,
    ndcg,
    parse_metric,
)


def ranking(*rows: list[int]) -> npt.NDArray[np.int64]:
    """A ranking from rows of equal length."""
    return np.array(rows, dtype=np.int64)


def one(spec: str, results: list[int], relevant: list[int], n_items: int = 10) -> float:
    """The value of one metric for one query."""
    values = evaluate_ranking(ranking(results), Relevance.from_lists([relevant]), [spec], n_items)
    return float(values[spec][0])


class TestRelevance:
    """The truth as a table."""

    def test_from_lists_sorts_and_drops_duplicates_per_query(self) -> None:
        """Each query keeps its own set; the same item may be relevant to two queries."""
        relevance = Relevance.from_lists([[5, 2, 5], [], {2}])
        assert relevance.indptr.tolist() == [0, 2, 2, 3]
        assert relevance.indices.tolist() == [2, 5, 2]
        assert relevance.counts.tolist() == [2, 0, 1]
        assert relevance.n_queries == 3
        assert relevance.row(0).tolist() == [2, 5]
        assert relevance.row(1).tolist() == []

    def test_from_lists_takes_arrays_and_generators(self) -> None:
        """Any iterable of whole numbers will do, of any integer width."""
        relevance = Relevance.from_lists([np.array([3, 1], dtype=np.uint8), (i for i in (4, 0))])
        assert relevance.indices.tolist() == [1, 3, 0, 4]
        assert relevance.indices.dtype == relevance.indptr.dtype == np.int64

    def test_no_queries_is_a_table(self) -> None:
        """An empty list of queries gives a table with none."""
        assert Relevance.from_lists([]).n_queries == 0

    @pytest.mark.parametrize("items", [["tt01"], [1.5], [[1, 2]], [True]])
    def test_from_lists_refuses_what_is_not_a_row_number(self, items: list[object]) -> None:
        """Item ids, fractions, nested lists and truth values are refused, and the query is named."""
        with pytest.raises(DataError, match="relevant items of query 1 are"):
            Relevance.from_lists([[0], items])  # type: ignore[list-item]

    @pytest.mark.parametrize(
        ("indptr", "indices", "message"),
        [
            ([1, 2], [0, 1], "start at 0"),
            ([0, 2, 1, 2], [0, 1], "never fall"),
            ([0, 1], [0, 1], "end at 2"),
            ([], [], "start at 0"),
            ([0, 2], [3, 3], "rise strictly"),
            ([0, 1, 3], [0, 4, 3], "rise strictly"),
            ([0, 1], [-1], "item row -1"),
        ],
    )
    def test_broken_tables_are_refused(self, indptr: list[int], indices: list[int], message: str) -> None:
        """Pointers and indices that do not fit together never become a table."""
        with pytest.raises(DataError, match=message):
            Relevance(np.array(indptr, dtype=np.int64), np.array(indices, dtype=np.int64))

    def test_a_falling_index_is_fine_between_queries(self) -> None:
        """Only within a query must the items rise, also next to queries without items."""
        relevance = Relevance(np.array([0, 1, 1, 2, 2]), np.array([4, 3]))
        assert relevance.counts.tolist() == [1, 0, 1, 0]

    def test_other_dtypes_are_refused(self) -> None:
        """The arrays are int64, so that keys never overflow."""
        with pytest.raises(DataError, match="one-dimensional int64"):
            Relevance(np.array([0, 1], dtype=np.int32), np.array([0], dtype=np.int64))


class TestHits:
    """Which results are relevant."""

    def test_a_result_is_a_hit_for_its_own_query_only(self) -> None:
        """The same item can be a hit in one row and none in the next."""
        found = hits(ranking([1, 2, 3], [1, 2, 3]), Relevance.from_lists([[1, 3], [2]]), 4)
        assert found.tolist() == [[True, False, True], [False, True, False]]

    def test_padding_is_not_the_last_item_of_the_query_before(self) -> None:
        """-1 stays no hit where query * n_items - 1 is a relevant pair, and where it is the first query."""
        found = hits(ranking([3, -1], [-1, -1], [-1, 3]), Relevance.from_lists([[3], [0, 3], [3]]), 4)
        assert found.tolist() == [[True, False], [False, False], [False, True]]

    def test_a_repeated_result_is_a_hit_once(self) -> None:
        """Only the best-ranked copy counts, separately in every row."""
        found = hits(ranking([2, 1, 1, 1], [1, 2, 1, 2]), Relevance.from_lists([[1], [1, 2]]), 3)
        assert found.tolist() == [[False, True, False, False], [True, True, False, False]]

    @pytest.mark.parametrize("dtype", [np.int32, np.int64])
    def test_keys_do_not_overflow(self, dtype: type[np.signedinteger[npt.NBitBase]]) -> None:
        """A large catalog times many queries goes beyond 32 bits and is still right."""
        n_items = 2_000_000_000
        ranked = np.full((3, 1), n_items - 1, dtype=dtype)
        found = hits(ranked, Relevance.from_lists([[n_items - 1], [0], [n_items - 1]]), n_items)
        assert found.ravel().tolist() == [True, False, True]

    @pytest.mark.parametrize("shape", [(0, 5), (2, 0)])
    def test_empty_rankings_have_no_hits(self, shape: tuple[int, int]) -> None:
        """No queries, or no results, give an empty array of the same shape."""
        relevance = Relevance.from_lists([[0]] * shape[0])
        assert hits(np.empty(shape, dtype=np.int64), relevance, 3).shape == shape

    def test_no_relevant_item_anywhere_gives_no_hits(self) -> None:
        """An empty truth is a truth."""
        assert not hits(ranking([0, 1]), Relevance.from_lists([[]]), 3).any()

    @pytest.mark.parametrize("row", [-2, 3])
    def test_rows_outside_the_catalog_are_refused(self, row: int) -> None:
        """A ranking from another catalog is an error, never a miss."""
        with pytest.raises(DataError, match=f"item row {row}; expected -1"):
            hits(ranking([0, row]), Relevance.from_lists([[0]]), 3)

    def test_truths_outside_the_catalog_are_refused(self) -> None:
        """A relevant item that cannot be found would lower every metric in silence."""
        with pytest.raises(DataError, match="item row 3, but the catalog has 3 items"):
            hits(ranking([0]), Relevance.from_lists([[3]]), 3)

    def test_a_different_number_of_queries_is_refused(self) -> None:
        """Rankings and truths belong together row by row."""
        with pytest.raises(MismatchError, match="ranking has 2 queries and the relevance has 1"):
            hits(ranking([0], [1]), Relevance.from_lists([[0]]), 3)

    @pytest.mark.parametrize(
        "ranked", [np.zeros((1, 2)), np.zeros(2, dtype=np.int64), np.zeros((1, 2), dtype=np.uint8)]
    )
    def test_other_arrays_are_refused(self, ranked: npt.NDArray[np.int64]) -> None:
        """Scores, a single list and unsigned rows are not a ranking."""
        with pytest.raises(DataError, match="expected signed integers of shape"):
            hits(ranked, Relevance.from_lists([[0]]), 3)

    def test_an_empty_catalog_is_refused(self) -> None:
        """There is nothing to rank."""
        with pytest.raises(DataError, match="n_items = 0"):
            hits(ranking([-1]), Relevance.from_lists([[]]), 0)


class TestMetrics:
    """Metrics by hand."""

    def test_ndcg_by_hand(self) -> None:
        """Hits at ranks 1 and 3 of three relevant items give (1 + 1/2) / (1 + 1/log2(3) + 1/2)."""
        assert one("ndcg@3", [1, 9, 2], [1, 2, 3]) == pytest.approx(1.5 / (1.5 + 1 / log2(3)), abs=1e-12)

    def test_ndcg_ideal_is_cut_at_k(self) -> None:
        """With more relevant items than places, a list full of hits scores 1."""
        assert one("ndcg@2", [1, 2, 9], [1, 2, 3, 4]) == pytest.approx(1.0, abs=1e-12)

    def test_ndcg_ideal_goes_beyond_a_short_list(self) -> None:
        """A list with one result is not perfect where two relevant items would fit within k."""
        assert one("ndcg@10", [1], [1, 2]) == pytest.approx(1 / (1 + 1 / log2(3)), abs=1e-12)

    def test_recall_divides_by_all_relevant_items(self) -> None:
        """One of four relevant items in the first two results is a quarter."""
        assert one("recall@2", [1, 9, 2], [1, 2, 3, 4]) == 0.25

    def test_precision_divides_by_k(self) -> None:
        """A short list does not raise the precision."""
        assert one("precision@4", [1, 9], [1]) == 0.25

    def test_reciprocal_rank_is_that_of_the_first_hit(self) -> None:
        """The second hit does not matter, and a cutoff before the first gives 0."""
        assert one("mrr", [9, 8, 1, 2], [1, 2]) == pytest.approx(1 / 3)
        assert one("mrr@3", [9, 8, 1, 2], [1, 2]) == pytest.approx(1 / 3)
        assert one("mrr@2", [9, 8, 1, 2], [1, 2]) == 0.0

    def test_average_precision_by_hand(self) -> None:
        """Hits at ranks 1 and 3 of four relevant items give (1 + 2/3) / 4, also where k is 3."""
        assert one("map@3", [1, 9, 2, 3], [1, 2, 3, 4]) == pytest.approx((1 + 2 / 3) / 4)
        assert one("map", [1, 9, 2, 3], [1, 2, 3, 4]) == pytest.approx((1 + 2 / 3 + 3 / 4) / 4)

    def test_hit_rate_is_one_or_zero(self) -> None:
        """One hit in the first k is as good as many."""
        assert one("hit_rate@2", [9, 1, 2], [1, 2]) == 1.0
        assert one("hit_rate@1", [9, 1, 2], [1, 2]) == 0.0

    def test_a_gap_in_the_list_keeps_its_rank(self) -> None:
        """The rank is the column, so a hit after -1 is at rank 2."""
        assert one("mrr", [-1, 1], [1]) == 0.5

    def test_a_repeated_result_keeps_its_rank(self) -> None:
        """A duplicate pushes what follows down and adds nothing."""
        assert one("map", [1, 1, 2], [1, 2]) == pytest.approx((1 + 2 / 3) / 2)
        assert one("recall@3", [1, 1, 1], [1, 2]) == 0.5

    @pytest.mark.parametrize("name", sorted(METRICS))
    def test_a_query_without_relevant_items_is_nan(self, name: str) -> None:
        """Such a query says nothing about the ranking, and its neighbours are untouched."""
        relevance = Relevance.from_lists([[], [1]])
        values = evaluate_ranking(ranking([1, 2], [1, 2]), relevance, [f"{name}@1"], 5)[f"{name}@1"]
        assert isnan(values[0])
        assert values[1] == 1.0

    @pytest.mark.parametrize("name", sorted(METRICS))
    def test_a_query_without_results_is_zero(self, name: str) -> None:
        """Finding nothing is a bad answer, not a missing one; also where the ranking has no columns."""
        relevance = Relevance.from_lists([[1]])
        for ranked in (ranking([-1, -1]), np.empty((1, 0), dtype=np.int64)):
            assert evaluate_ranking(ranked, relevance, [f"{name}@5"], 5)[f"{name}@5"].tolist() == [0.0]

    def test_whole_list_metrics_take_an_empty_ranking(self) -> None:
        """Without columns and without a cutoff there is nothing to find."""
        values = evaluate_ranking(np.empty((1, 0), dtype=np.int64), Relevance.from_lists([[1]]), ["mrr", "map"], 5)
        assert [v.tolist() for v in values.values()] == [[0.0], [0.0]]

    def test_a_huge_cutoff_costs_nothing(self) -> None:
        """Cutoffs far beyond the list are read as the whole list."""
        assert one("ndcg@999999999", [9, 1], [1]) == pytest.approx(1 / log2(3))

    def test_results_are_keyed_by_spec_in_order(self) -> None:
        """Values come back under the strings that were asked for."""
        specs = ["recall@2", "mrr", "ndcg@200"]
        values = evaluate_ranking(ranking([0]), Relevance.from_lists([[0]]), specs, 2)
        assert list(values) == specs
        assert all(v.dtype == np.float64 and v.shape == (1,) for v in values.values())

    def test_a_cutoff_below_one_is_refused(self) -> None:
        """A metric function called without a spec checks its cutoff too."""
        with pytest.raises(ConfigError, match="cutoff of 0"):
            ndcg(np.zeros((1, 2), dtype=np.bool_), np.ones(1, dtype=np.int64), 0)

    @given(data=st.data(), n_items=st.integers(2, 8), k=st.integers(1, 6))
    def test_values_lie_between_zero_and_one(self, data: st.DataObject, n_items: int, k: int) -> None:
        """Whatever the ranking, each metric stays in [0, 1], and NaN appears only without a truth."""
        results = data.draw(st.lists(st.integers(-1, n_items - 1), min_size=5, max_size=5))
        relevant = data.draw(st.sets(st.integers(0, n_items - 1)))
        for name in METRICS:
            value = one(f"{name}@{k}", results, sorted(relevant), n_items)
            assert isnan(value) == (not relevant)
            assert isnan(value) or 0.0 <= value <= 1.0

    @given(n_relevant=st.integers(1, 300), k=st.integers(1, 300))
    def test_the_ideal_ranking_has_ndcg_one(self, n_relevant: int, k: int) -> None:
        """All relevant items on top is the best there is, and never above 1."""
        value = one(f"ndcg@{k}", list(range(300)), list(range(n_relevant)), 300)
        assert value == pytest.approx(1.0, abs=1e-12)
        assert value <= 1.0

    @given(order=st.permutations(range(8)), at=st.integers(0, 6))
    def test_moving_a_hit_up_raises_ndcg(self, order: list[int], at: int) -> None:
        """Swapping a hit with the miss just above it makes nDCG strictly larger."""
        relevant = {0, 1, 2}
        if order[at] in relevant or order[at + 1] not in relevant:
            return
        better = [*order[:at], order[at + 1], order[at], *order[at + 2 :]]
        assert one("ndcg@8", better, sorted(relevant)) > one("ndcg@8", order, sorted(relevant))


class TestSpecs:
    """Metric strings."""

    @pytest.mark.parametrize("spec", ["ndcg@200", "recall@20", "mrr", "mrr@10", "map", "map@5", "hit_rate@1"])
    def test_a_spec_survives_the_round_trip(self, spec: str) -> None:
        """str() of a parsed spec is the string itself."""
        assert str(parse_metric(spec)) == spec

    def test_a_spec_has_a_name_and_a_cutoff(self) -> None:
        """The cutoff is a number, or None for the whole list."""
        assert parse_metric("ndcg@200") == MetricSpec("ndcg", 200)
        assert parse_metric("mrr") == MetricSpec("mrr", None)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("ndgc@10", "did you mean 'ndcg'"),
            ("NDCG@10", "did you mean 'ndcg'"),
            ("", "known are: hit_rate, map"),
            ("recall", "'recall' has no cutoff.*'recall@20'"),
            ("recall@", "has the cutoff ''"),
            ("recall@0", "has the cutoff '0'"),
            ("recall@-5", "has the cutoff '-5'"),
            ("recall@010", "has the cutoff '010'"),
            ("mrr@ten", "has the cutoff 'ten'"),
            ("mrr@1\n", "has the cutoff"),
            ("ndcg@" + "9" * 5000, "expected a whole number"),
        ],
    )
    def test_wrong_specs_say_what_was_meant(self, spec: str, message: str) -> None:
        """The message names the nearest metric or the right form."""
        with pytest.raises(ConfigError, match=message):
            parse_metric(spec)


class TestMeans:
    """Means over queries."""

    def test_nan_is_left_out(self) -> None:
        """Queries without a truth do not count, not even as zero."""
        assert mean_over_queries(np.array([1.0, nan, 0.0])) == 0.5

    @pytest.mark.parametrize("values", [[], [nan, nan]])
    def test_without_values_the_mean_is_nan(self, values: list[float]) -> None:
        """No query, no mean, and no warning."""
        assert isnan(mean_over_queries(np.array(values, dtype=np.float64)))


class TestBeyondAccuracy:
    """What the lists look like as a whole."""

    def test_exposure_counts_queries_per_item(self) -> None:
        """Padding, repetitions and results after k do not count."""
        assert exposure(ranking([0, 0, 2], [0, -1, 3], [-1, -1, 3]), 4, 2).tolist() == [2, 0, 0, 0]
        assert exposure(ranking([0, 0, 2], [0, -1, 3], [-1, -1, 3]), 4, 3).tolist() == [2, 0, 1, 2]

    def test_coverage_is_the_share_of_items_shown(self) -> None:
        """Two of four items within the first two results are one half."""
        ranked = ranking([0, 1, 2], [1, 0, 3])
        assert catalog_coverage(ranked, 4, 2) == 0.5
        assert catalog_coverage(ranked, 4, 3) == 1.0
        assert catalog_coverage(ranking([-1, -1]), 4, 2) == 0.0

    def test_gini_by_hand(self) -> None:
        """Exposures 0, 1, 1, 2 give (-3*0 - 1*1 + 1*1 + 3*2) / (4 * 4) = 3/8."""
        assert gini(ranking([0, 1], [0, 2]), 4, 2) == pytest.approx(0.375)

    def test_gini_runs_from_equal_to_one_item(self) -> None:
        """0 if all items are shown equally often, (n - 1) / n if only one is, NaN if none."""
        assert gini(ranking([0, 1], [2, 3]), 4, 2) == pytest.approx(0.0, abs=1e-12)
        assert gini(ranking([2], [2], [2]), 4, 1) == pytest.approx(0.75)
        assert isnan(gini(ranking([-1]), 4, 1))

    @given(data=st.data(), n_items=st.integers(1, 7))
    def test_gini_is_half_the_relative_mean_difference(self, data: st.DataObject, n_items: int) -> None:
        """G = sum_ij |x_i - x_j| / (2 n sum x), the definition over pairs."""
        rows = data.draw(st.lists(st.lists(st.integers(0, n_items - 1), min_size=3, max_size=3), min_size=1))
        counts = exposure(ranking(*rows), n_items, 3)
        pairs = np.abs(counts[:, None] - counts[None, :]).sum() / (2 * n_items * counts.sum())
        assert gini(ranking(*rows), n_items, 3) == pytest.approx(pairs, abs=1e-12)

    def test_mean_popularity_is_per_query(self) -> None:
        """Each list's mean counts an item once and skips the padding; an empty list is NaN."""
        popularity = np.array([10, 20, 60])
        values = mean_popularity(ranking([0, 1, 2], [2, 2, 0], [1, -1, 2], [-1, -1, 0]), popularity, 2)
        np.testing.assert_array_equal(values, [15.0, 60.0, 20.0, nan])

    def test_mean_popularity_needs_one_number_per_item(self) -> None:
        """A table of popularities, and one that is too short, are refused."""
        with pytest.raises(DataError, match="one number per item"):
            mean_popularity(ranking([0]), np.ones((2, 2)), 1)
        with pytest.raises(DataError, match="item row 2"):
            mean_popularity(ranking([2]), np.ones(2), 1)

    def test_a_cutoff_below_one_is_refused(self) -> None:
        """Nobody looks at the first zero results."""
        with pytest.raises(ConfigError, match="cutoff of 0"):
            catalog_coverage(ranking([0]), 2, 0)
