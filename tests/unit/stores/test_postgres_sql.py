"""The SQL of the PostgreSQL store: values are parameters, whatever they hold."""

from __future__ import annotations

import numpy as np

from antiphon.query.filters import parse_filter
from antiphon.stores.contract import Narrowed, Shape
from antiphon.stores.filters import lowered
from antiphon.stores.postgres_sql import as_text, indexes, tables, where

SHAPE = Shape(
    n_items=3, types={"year": "number", "x'); DROP": "string"}, blocks={"joint": 8, "wide": 5_000}, kept={"part": 8},
    terms=("words",), flags=("searchable",), passages=8,
)  # fmt: skip


def test_nothing_of_a_request_is_in_the_text():
    """Names of fields are numbered columns, values are parameters."""
    params = {}
    check = lowered(parse_filter({"x'); DROP": {"ne": "'; DROP TABLE items; --"}, "year": {"gt": 1980}}), SHAPE.types)
    text = where(Narrowed(check, "searchable", np.array([4])), SHAPE, params)
    assert "DROP" not in text
    assert "1980" not in text
    assert text == (
        "i.m0 AND NOT i.row = ANY(%(p0)s::integer[]) AND (coalesce(NOT coalesce(i.f1 && %(p1)s::text[], false), false)"
        " AND coalesce((i.f0 > %(p2)s::double precision), false))"
    )
    assert params == {"p0": [4], "p1": ["'; drop table items; --"], "p2": 1980.0}


def test_what_pgvector_cannot_index_has_no_graph():
    """More than 4,000 dimensions; without graphs there are none at all."""
    made = indexes("s", SHAPE, graphs=True)
    assert sum("hnsw" in one for one in made) == 2
    assert not [one for one in indexes("s", SHAPE, graphs=False) if "hnsw" in one]
    assert any("vector(5000)" in one for one in tables("s", SHAPE))
    assert not any("DROP" in one for one in [*made, *tables("s", SHAPE)])


def test_a_vector_loses_no_bit():
    """As text and back."""
    vector = np.random.default_rng(0).normal(size=50).astype(np.float32)
    assert (np.array(as_text(vector)[1:-1].split(","), dtype=np.float32) == vector).all()
