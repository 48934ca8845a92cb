"""Synthetic queries: drawn from an item's facets, and answered by every item that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from antiphon.config.load import load_config
from antiphon.config.sections import SyntheticConfig
from antiphon.data.catalog import Catalog
from antiphon.data.reading import read_catalog
from antiphon.data.synthetic import SyntheticQueries
from antiphon.describe import synthetic
from antiphon.describe.synthetic import MAX_FACETS, make_queries, plain_texts
from antiphon.query.columns import words_of

CONFIG = SyntheticConfig(per_item=6, noun="films", decades=("year",), phrases={"country": "made in {}"}, min_items=3)


@pytest.fixture
def catalog(make_catalog: Callable[..., Path]) -> Catalog:
    """Forty films with genres, tags, countries and years."""
    return read_catalog(load_config(make_catalog()).catalog)


def facets_of(catalog: Catalog, row: int) -> set[str]:
    """What an item may be asked for by, read in another way: words of its text fields, and its decade."""
    words = set()
    for name, kind in catalog.field_types.items():
        if kind in ("string", "list"):
            words |= {word.casefold() for word in words_of(catalog.fields[name][row].as_py())}
    year = catalog.fields["year"][row].as_py()
    return words | ({f"{int(year) // 10 * 10}"} if year is not None else set())


def test_every_item_with_facets_gets_its_queries(catalog: Catalog) -> None:
    """`per_item` texts for each item, in the order of the items."""
    queries = make_queries(catalog, CONFIG, seed=0)
    counts = np.bincount(queries.owner, minlength=catalog.n_items)
    assert set(counts.tolist()) <= {0, CONFIG.per_item}
    assert counts.max() == CONFIG.per_item
    assert np.all(np.diff(queries.owner) >= 0)
    assert np.array_equal(np.diff(queries.starts()), counts)


def test_an_item_answers_the_queries_drawn_from_it(catalog: Catalog) -> None:
    """The owner of a query always has all of its facets."""
    queries = make_queries(catalog, CONFIG, seed=1)
    numbers = np.arange(len(queries.texts))
    answered = queries.answered(numbers, np.arange(catalog.n_items))
    assert answered[numbers, queries.owner].all()


def test_answers_equal_a_slow_count_of_facets(catalog: Catalog) -> None:
    """Which items answer is what comparing sets of facets one by one gives, for any subset and order of rows."""
    queries = make_queries(catalog, CONFIG, seed=2)
    rng = np.random.default_rng(0)
    rows = rng.permutation(catalog.n_items)[:17]
    chosen = rng.permutation(len(queries.texts))[:50]
    held = [set(queries.facets[queries.bounds[row] : queries.bounds[row + 1]].tolist()) for row in rows]
    wanted = [{number for number in queries.wanted[query].tolist() if number >= 0} for query in chosen]
    slow = np.array([[want <= have for have in held] for want in wanted])
    assert np.array_equal(queries.answered(chosen, rows), slow)
    assert slow.any()
    assert not slow.all()


def test_texts_name_the_facets(catalog: Catalog) -> None:
    """The words of a query come from its item; countries and decades are said as the configuration says."""
    queries = make_queries(catalog, CONFIG, seed=3)
    for text, owner, wanted in zip(queries.texts, queries.owner, queries.wanted, strict=True):
        words = facets_of(catalog, int(owner))
        assert 1 <= (wanted >= 0).sum() <= MAX_FACETS
        assert any(word in text.casefold() or word[2:] in text for word in words)
    assert any("made in" in text for text in queries.texts)
    assert any("0s" in text for text in queries.texts)


def test_facets_said_in_the_same_words_are_one(make_catalog: Callable[..., Path]) -> None:
    """A genre and a tag of one name are one facet: of any two facets the words differ."""
    catalog = read_catalog(load_config(make_catalog()).catalog)
    merged = make_queries(catalog, CONFIG, seed=0)
    assert len(set(merged.labels)) == len(merged.labels) == len(merged.names)
    said = {(name, CONFIG.phrases.get(name, "{}").format(value)) for name, value in merged.names if name != "year"}
    assert {words for _, words in said} <= set(merged.labels)
    assert any(label.endswith("0s") for label in merged.labels)


def test_plain_texts_are_titles(catalog: Catalog) -> None:
    """Each title once, without its year, as it is or after a few words; the same ones for the same seed."""
    texts = plain_texts(catalog, seed=0)
    titles = {title.partition(" (")[0] for title in catalog.items["title"].to_pylist()}
    assert len(texts) == len(titles)
    assert all(any(text.endswith(title) for title in titles) for text in texts)
    assert texts == plain_texts(catalog, seed=0) != plain_texts(catalog, seed=1)


def test_the_seed_decides(catalog: Catalog) -> None:
    """The same seed draws the same queries, another one others."""
    first, second, other = (make_queries(catalog, CONFIG, seed=seed) for seed in (0, 0, 1))
    assert first.texts == second.texts
    assert first.texts != other.texts


def test_rare_facets_are_not_asked_for(catalog: Catalog) -> None:
    """Where no facet has enough items there is no query."""
    none = make_queries(catalog, CONFIG.model_copy(update={"min_items": 1000}), seed=0)
    assert none.texts == ()
    assert none.starts().tolist() == [0] * (catalog.n_items + 1)


def test_a_query_with_one_facet_is_answered_by_all_that_have_it() -> None:
    """Places without a facet ask for nothing."""
    queries = SyntheticQueries(
        ("a", "b"), np.array([0, 1], np.int32), np.array([[0, -1, -1], [0, 1, -1]], np.int32),
        np.array([0, 1, 3, 3]), np.array([0, 0, 1], np.int32), (("tags", "a"), ("tags", "b")), ("a", "b"),
    )  # fmt: skip
    got = queries.answered(np.array([0, 1]), np.array([0, 1, 2]))
    assert got.tolist() == [[True, True, False], [False, True, False]]


def test_a_large_catalog_has_fewer_queries_of_each_item(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit of all, and one of each item at least."""
    usual = make_queries(catalog, CONFIG, seed=0)
    monkeypatch.setattr(synthetic, "MOST_QUERIES", 2 * catalog.n_items)
    fewer = make_queries(catalog, CONFIG, seed=0)
    assert len(fewer.texts) <= 2 * catalog.n_items < len(usual.texts)
    monkeypatch.setattr(synthetic, "MOST_QUERIES", 1)
    assert set(make_queries(catalog, CONFIG, seed=0).owner.tolist()) == set(usual.owner.tolist())
