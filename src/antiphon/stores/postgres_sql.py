"""The SQL of the PostgreSQL store: tables of a version, filters, and searches.

Names of tables and columns are made here and checked; everything that comes from a request or a catalog is a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from antiphon.query.columns import FieldType
from antiphon.stores.contract import Floats, Narrowed, Shape
from antiphon.stores.filters import Between, Check, Either, Every, Holds, Opposite, Present, is_number

Params = dict[str, Any]
MAX_INDEXED = 4_000
"""Dimensions that pgvector's HNSW takes of a halfvec."""
PLAIN = 1_900
"""Columns of vectors in a row of a page, in floats, up to which they are kept in the row itself."""


def columns_of(shape: Shape) -> dict[str, str]:
    """Field -> column with its values."""
    return {name: f"f{number}" for number, name in enumerate(shape.types)}


def vectors_of(shape: Shape) -> dict[str, str]:
    """Block or what is kept -> column with its vectors."""
    return {name: f"v{number}" for number, name in enumerate((*shape.blocks, *shape.kept))}


def flags_of(shape: Shape) -> dict[str, str]:
    """Mark -> column."""
    return {name: f"m{number}" for number, name in enumerate(shape.flags)}


def terms_of(shape: Shape) -> dict[str, str]:
    """Kind of terms -> table."""
    return {kind: f"t{number}" for number, kind in enumerate(shape.terms)}


def tables(schema: str, shape: Shape) -> list[str]:
    """Statements that make the tables of a version, without what makes them fast."""
    lengths = {**shape.blocks, **shape.kept}
    searched = [f"{vectors_of(shape)[name]} vector({length})" for name, length in shape.blocks.items()]
    kept = [f"{vectors_of(shape)[name]} vector({length})" for name, length in shape.kept.items()]
    fields = [f"{columns_of(shape)[name]} {_type(kind)}" for name, kind in shape.types.items()]
    marks = [f"{name} boolean NOT NULL" for name in flags_of(shape).values()]
    about = ["row integer NOT NULL", "item_id text NOT NULL", "title text NOT NULL", "fields jsonb NOT NULL"]
    made = [
        f"CREATE TABLE {schema}.items ({', '.join([*about, *marks, *fields, *searched])})",
        f"CREATE TABLE {schema}.kept ({', '.join(['row integer NOT NULL', *kept])})",
        f"CREATE TABLE {schema}.passages (row integer NOT NULL, v vector({max(shape.passages, 1)}) NOT NULL)",
    ]
    made += [
        f"CREATE TABLE {schema}.{table} (term integer NOT NULL, row integer NOT NULL, value real NOT NULL)"
        for table in terms_of(shape).values()
    ]
    for table, names in (("items", shape.blocks), ("kept", shape.kept)):
        if sum(lengths[name] for name in names) < PLAIN:
            # A vector outside its row costs a second look-up for every product.
            made += [
                f"ALTER TABLE {schema}.{table} ALTER {vectors_of(shape)[name]} SET STORAGE PLAIN" for name in names
            ]
    if shape.passages < PLAIN:
        made.append(f"ALTER TABLE {schema}.passages ALTER v SET STORAGE PLAIN")
    return made


def indexes(schema: str, shape: Shape, *, graphs: bool) -> list[str]:
    """Statements that make them fast; `graphs`: with an HNSW graph for each block, of half precision."""
    made = [
        f"ALTER TABLE {schema}.items ADD PRIMARY KEY (row)",
        f"ALTER TABLE {schema}.kept ADD PRIMARY KEY (row)",
        f"CREATE INDEX ON {schema}.passages (row)",
    ]
    for table in terms_of(shape).values():
        made += [f"CREATE INDEX ON {schema}.{table} (term) INCLUDE (row, value)"]
        made += [f"CREATE INDEX ON {schema}.{table} (row) INCLUDE (term, value)"]
    for name, kind in shape.types.items():
        how = "btree" if is_number(kind) else "gin"
        made.append(f"CREATE INDEX ON {schema}.items USING {how} ({columns_of(shape)[name]})")
    if graphs:
        made += [
            f"CREATE INDEX ON {schema}.items USING hnsw (({half(vectors_of(shape)[name], length)}) halfvec_ip_ops)"
            for name, length in shape.blocks.items()
            if 1 < length <= MAX_INDEXED
        ]
        if 0 < shape.passages <= MAX_INDEXED:
            made.append(f"CREATE INDEX ON {schema}.passages USING hnsw (({half('v', shape.passages)}) halfvec_ip_ops)")
    return made + [f"ANALYZE {schema}.{table}" for table in ("items", "kept", "passages", *terms_of(shape).values())]


def half(column: str, length: int) -> str:
    """A vector in half precision, as the graphs have it."""
    return f"({column}::halfvec({length}))"


def where(narrowed: Narrowed, shape: Shape, params: Params) -> str:
    """The condition on `items i` that rows may be found; values go into `params`."""
    tests = ["true"] if narrowed.flag is None else [f"i.{flags_of(shape)[narrowed.flag]}"]
    if len(narrowed.without):
        tests.append(f"NOT i.row = ANY({_param(params, narrowed.without.tolist())}::integer[])")
    if narrowed.where is not None:
        tests.append(_test(narrowed.where, shape, params))
    return " AND ".join(tests)


def as_text(vector: Floats) -> str:
    """A vector as pgvector reads it, every bit of it."""
    return f"[{','.join(map(str, np.asarray(vector, dtype=np.float32).tolist()))}]"


def _type(kind: FieldType) -> str:
    return "double precision" if is_number(kind) else "text[]"


def _test(check: Check, shape: Shape, params: Params) -> str:
    if isinstance(check, Opposite):
        # A missing value is unknown to SQL, and so would be its opposite; here it passes.
        return f"NOT coalesce({_test(check.part, shape, params)}, false)"
    if isinstance(check, Every | Either):
        word = " AND " if isinstance(check, Every) else " OR "
        return f"({word.join(f'coalesce({_test(part, shape, params)}, false)' for part in check.parts)})"
    column = f"i.{columns_of(shape)[check.name]}"
    if isinstance(check, Present):
        return f"{column} IS NOT NULL"
    if isinstance(check, Holds):
        values = list(check.values)
        if is_number(shape.types[check.name]):
            return f"{column} = ANY({_param(params, values)}::double precision[])"
        return f"{column} && {_param(params, values)}::text[]"
    return _between(check, column, params)


def _between(check: Between, column: str, params: Params) -> str:
    equal = "" if check.strict else "="
    ends = [("<", check.high), (">", check.low)]
    tests = [f"{column} {sign}{equal} {_param(params, end)}::double precision" for sign, end in ends if end is not None]
    return f"({' AND '.join(tests)})"


def _param(params: Params, value: Any) -> str:
    name = f"p{len(params)}"
    params[name] = value
    return f"%({name})s"


def given(params: Params, value: Any) -> str:
    """A value of a request as a parameter."""
    return _param(params, value)


def named(values: Mapping[str, str], names: Sequence[str]) -> list[str]:
    """Columns of some names."""
    return [values[name] for name in names]
