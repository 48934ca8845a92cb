"""Ranking metrics agree with pytrec_eval and with a plain loop, on random and on degenerate rankings."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np
import numpy.typing as npt
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from antiphon.numbers.metrics import Relevance, evaluate_ranking, hits

Floats = npt.NDArray[np.float64]
CUTOFFS = (1, 3, 7, 200)
TOLERANCE = 1e-9
TREC_NAMES = {"ndcg": "ndcg_cut", "recall": "recall", "precision": "P", "map": "map_cut", "hit_rate": "success"}


@dataclass(frozen=True)
class Case:
    """A ranking of some queries with its truth."""

    ranked: npt.NDArray[np.int64]
    relevant: list[set[int]]
    n_items: int

    def values(self, specs: list[str]) -> dict[str, Floats]:
        """What the library says."""
        return evaluate_ranking(self.ranked, Relevance.from_lists(self.relevant), specs, self.n_items)


@st.composite
def cases(draw: st.DrawFn, duplicates: bool) -> Case:
    """Small rankings with every kind of trouble: short and empty lists, empty truths, repetitions if allowed."""
    n_items = draw(st.integers(1, 12))
    width = draw(st.integers(0, 10 if duplicates else min(10, n_items)))
    items = st.integers(0, n_items - 1)
    lists = draw(st.lists(st.lists(items, max_size=width, unique=not duplicates), min_size=1, max_size=6))
    ranked = np.full((len(lists), width), -1, dtype=np.int64)
    for row, results in zip(ranked, lists, strict=True):
        row[: len(results)] = results
    relevant = draw(st.lists(st.sets(items), min_size=len(lists), max_size=len(lists)))
    return Case(ranked, relevant, n_items)


def large_case(seed: int, n_items: int = 400, width: int = 250) -> Case:
    """A ranking longer than the largest cutoff, with padded tails and queries without a truth."""
    rng = np.random.default_rng(seed)
    ranked = np.argsort(rng.random((60, n_items)), axis=1)[:, :width]
    ranked[np.arange(width) >= rng.integers(0, width + 1, size=60)[:, None]] = -1
    relevant = [set(rng.choice(n_items, size=rng.integers(0, n_items), replace=False).tolist()) for _ in range(60)]
    relevant[0] = set()
    return Case(ranked, relevant, n_items)


def loop_value(name: str, k: int | None, results: list[int], relevant: set[int]) -> float:
    """A metric as its definition reads, one result at a time."""
    if not relevant:
        return float("nan")
    seen: set[int] = set()
    ranks = []
    for rank, item in enumerate(results, start=1):
        if item in relevant and item not in seen and (k is None or rank <= k):
            ranks.append(rank)
        seen.add(item)
    if name == "ndcg":
        assert k is not None
        ideal = sum(1 / log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
        return sum(1 / log2(rank + 1) for rank in ranks) / ideal
    if name == "mrr":
        return 1 / ranks[0] if ranks else 0.0
    if name == "map":
        return sum(number / rank for number, rank in enumerate(ranks, start=1)) / len(relevant)
    if name == "hit_rate":
        return float(bool(ranks))
    assert k is not None
    return len(ranks) / (len(relevant) if name == "recall" else k)


def assert_equals_loop(case: Case) -> None:
    """Every metric at every cutoff is the loop's."""
    wanted: dict[str, tuple[str, int | None]] = {"mrr": ("mrr", None), "map": ("map", None)}
    wanted |= {f"{name}@{k}": (name, k) for name in (*TREC_NAMES, "mrr") for k in CUTOFFS}
    for spec, values in case.values(list(wanted)).items():
        rows = zip(case.ranked.tolist(), case.relevant, strict=True)
        expected = [loop_value(*wanted[spec], results, relevant) for results, relevant in rows]
        np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE, err_msg=spec)


def trec_values(case: Case, measures: set[str], k: int | None = None) -> dict[str, dict[str, float]]:
    """What trec_eval says, for the queries that it can judge; scores fall strictly with the rank."""
    qrels = {str(q): {f"d{item}": 1 for item in items} for q, items in enumerate(case.relevant) if items}
    lists = {str(q): [item for item in row[:k] if item >= 0] for q, row in enumerate(case.ranked.tolist())}
    run = {
        q: {f"d{item}": float(len(items) - at) for at, item in enumerate(items)}
        for q, items in lists.items()
        if items and q in qrels
    }
    result: dict[str, dict[str, float]] = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run) if run else {}
    return result


def assert_equals_trec(case: Case) -> None:
    """Every metric at every cutoff is trec_eval's; a query that trec_eval does not judge is 0, or NaN if untrue."""
    cuts = ",".join(str(k) for k in CUTOFFS)
    judged = trec_values(case, {f"{name}.{cuts}" for name in TREC_NAMES.values()} | {"recip_rank", "map"})
    names: dict[str, str] = {"mrr": "recip_rank", "map": "map"}
    names |= {f"{ours}@{k}": f"{theirs}_{k}" for ours, theirs in TREC_NAMES.items() for k in CUTOFFS}
    for spec, values in case.values(list(names)).items():
        assert_rows(case, values, judged, names[spec], spec)
    for k in CUTOFFS:
        values = case.values([f"mrr@{k}"])[f"mrr@{k}"]
        assert_rows(case, values, trec_values(case, {"recip_rank"}, k), "recip_rank", f"mrr@{k}")


def assert_rows(case: Case, values: Floats, judged: dict[str, dict[str, float]], measure: str, spec: str) -> None:
    """One metric's values are trec_eval's, query by query."""
    missing = [0.0 if relevant else float("nan") for relevant in case.relevant]
    expected = [judged[str(q)][measure] if str(q) in judged else other for q, other in enumerate(missing)]
    np.testing.assert_allclose(values, expected, rtol=0, atol=TOLERANCE, err_msg=spec)


@given(case=cases(duplicates=True))
def test_metrics_equal_a_plain_loop(case: Case) -> None:
    """Short lists, empty lists, empty truths and repeated results give what the definitions say."""
    assert_equals_loop(case)


@given(case=cases(duplicates=False))
def test_metrics_equal_trec_eval(case: Case) -> None:
    """The names map to ndcg_cut, recall, P, map_cut, success and recip_rank."""
    assert_equals_trec(case)


@pytest.mark.parametrize("seed", range(3))
def test_long_lists_equal_both_references(seed: int) -> None:
    """Lists and truths beyond the largest cutoff are cut in the same places."""
    case = large_case(seed)
    assert_equals_loop(case)
    assert_equals_trec(case)


def test_repeated_results_equal_trec_eval_after_removal() -> None:
    """Where all repetitions come last, a list with them scores as the list without."""
    plain = large_case(7, n_items=60, width=40)
    tail = np.repeat(plain.ranked[:, :1], 20, axis=1)
    repeated = Case(np.concatenate([plain.ranked, tail], axis=1), plain.relevant, plain.n_items)
    specs = ["ndcg@200", "map", "mrr", "recall@200", "precision@200"]
    for spec, values in repeated.values(specs).items():
        np.testing.assert_array_equal(values, plain.values(specs)[spec], err_msg=spec)
    assert_equals_trec(plain)


@given(case=cases(duplicates=True), narrow=st.booleans())
def test_hits_equal_a_plain_loop(case: Case, narrow: bool) -> None:
    """A hit is a relevant item that its row did not have before, for 32 and 64 bits alike."""
    ranked = case.ranked.astype(np.int32) if narrow else case.ranked
    expected = [
        [item in relevant and item not in row[:at] for at, item in enumerate(row)]
        for row, relevant in zip(case.ranked.tolist(), case.relevant, strict=True)
    ]
    assert hits(ranked, Relevance.from_lists(case.relevant), case.n_items).tolist() == expected
