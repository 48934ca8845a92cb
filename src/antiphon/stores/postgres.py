"""PostgreSQL with pgvector: a version is a schema, a block a column of vectors with a graph in half precision.

A search is exact SQL where a filter leaves few rows, and goes by the graph where it leaves many; scores are always
exact, of the vectors as they were written. A version is written in one transaction: it is there whole or not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, Field

from antiphon.config.sections import Section
from antiphon.errors import ConfigError
from antiphon.numbers.vectors import best_met
from antiphon.stores import documents
from antiphon.stores import postgres_sql as sql
from antiphon.stores.contract import (
    MISSING,
    PASSAGES,
    VERSION,
    Batch,
    Floats,
    Narrowed,
    Part,
    Ragged,
    Rows,
    Shape,
    Store,
    Version,
    checked_name,
    no_version,
)
from antiphon.stores.filters import is_number, values_of
from antiphon.stores.postgres_pool import Pool

MOST_EF = 1_000
"""The widest search that pgvector's graphs take."""
TOGETHER = 3
"""Passages that are looked at for each item that is wanted: the best of an item may not be the only good one."""


class PostgresOptions(Section):
    """[store] with kind = "postgres"."""

    url: str | None = Field(None, description="such as postgresql://user@host/database; ANTIPHON_STORE_URL goes before")
    exact_below: int = Field(20_000, ge=0, description="rows that a filter leaves up to which every one is looked at")
    graphs: bool = Field(True, description="an HNSW graph for each block, for what a filter leaves more of")
    connect_timeout: int = Field(5, ge=1, description="seconds until a server that does not answer counts as down")
    statement_timeout: float = Field(10.0, gt=0, description="seconds that one search may take")


class Postgres(Store):
    """Versions as schemas of one database; a table says which of them is the current one of which space."""

    options: ClassVar[type[BaseModel]] = PostgresOptions

    def __init__(self, name: str, options: PostgresOptions, pool: Pool) -> None:
        self.name, self.settings, self.pool = name, options, pool

    @classmethod
    def open(cls, name: str, options: PostgresOptions, folder: Path) -> Self:
        """Make the table of versions, where it is not there."""
        if options.url is None:
            raise ConfigError(
                'store: kind = "postgres" needs a url, such as postgresql://user@host/database; write it into [store], '
                "or into the environment variable ANTIPHON_STORE_URL."
            )
        store = cls(checked_name(name), options, Pool(options.url, options.connect_timeout))
        store.pool.run(_prepare)
        return store

    def write(self, version: str, shape: Shape, batches: Iterable[Batch]) -> None:
        """One transaction: tables, rows, indexes, and its line in the table of versions."""
        checked_name(version, VERSION)
        schema = self._schema(version)

        def work(connection: Any) -> None:
            with connection.transaction():
                connection.execute("SET LOCAL statement_timeout = 0")
                # Two that write the same version wait for each other.
                connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [schema])
                _drop(connection, schema)
                connection.execute(f"CREATE SCHEMA {schema}")
                for statement in sql.tables(schema, shape):
                    connection.execute(statement)
                for batch in batches:
                    _copy(connection, schema, shape, batch)
                for statement in sql.indexes(schema, shape, graphs=self.settings.graphs):
                    connection.execute(statement)
                connection.execute(
                    "INSERT INTO antiphon.versions (name, version, shape) VALUES (%s, %s, %s)",
                    [self.name, version, json.dumps(shape.plain())],
                )

        self.pool.run(work, again=False)

    def switch(self, version: str) -> None:
        """One statement."""
        if version not in self.versions():
            raise no_version(version, self.versions())
        say = (
            "INSERT INTO antiphon.current (name, version) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET version = excluded.version"
        )
        self.pool.run(lambda connection: connection.execute(say, [self.name, version]))

    def current(self) -> str | None:
        """What the table says."""
        found = self.pool.rows("SELECT version FROM antiphon.current WHERE name = %s", [self.name])
        return str(found[0][0]) if found else None

    def versions(self) -> list[str]:
        """By the time of their writing."""
        found = self.pool.rows("SELECT version FROM antiphon.versions WHERE name = %s ORDER BY written", [self.name])
        return [str(line[0]) for line in found]

    def version(self, version: str) -> Version:
        """A version; its shape is read once."""
        ask = "SELECT shape FROM antiphon.versions WHERE name = %s AND version = %s"
        found = self.pool.rows(ask, [self.name, version])
        if not found:
            raise no_version(version, self.versions())
        return PostgresVersion(self.pool, self._schema(version), Shape.of(found[0][0]), self.settings)

    def drop(self, version: str) -> None:
        """Remove the schema and what is said of it."""

        def work(connection: Any) -> None:
            with connection.transaction():
                _drop(connection, self._schema(checked_name(version, VERSION)))
                for table in ("versions", "current"):
                    connection.execute(
                        f"DELETE FROM antiphon.{table} WHERE name = %s AND version = %s",
                        [self.name, version],
                    )

        self.pool.run(work)

    def check(self) -> None:
        """Ask it for nothing."""
        self.pool.rows("SELECT 1", [])

    def close(self) -> None:
        """Close all connections."""
        self.pool.close()

    def _schema(self, version: str) -> str:
        return f"antiphon_{self.name}_{version}"


class PostgresVersion(Version):
    """One schema."""

    def __init__(self, pool: Pool, schema: str, shape: Shape, settings: PostgresOptions) -> None:
        self.pool, self.schema, self.shape, self.settings = pool, schema, shape, settings

    def nearest(self, parts: Sequence[Part], n: int, narrowed: Narrowed) -> list[Rows]:
        """One statement for each vector and for each kind of terms, in one transaction."""

        def work(connection: Any) -> list[Rows]:
            with connection.transaction():
                self._set(connection, n)
                exact = not self.settings.graphs or self._few(connection, narrowed)
                return [self._nearest(connection, part, n, narrowed, exact=exact) for part in parts]

        return self.pool.run(work)

    def scores(self, parts: Sequence[Part], rows: Rows) -> Floats:
        """One statement for all blocks, one for each other part."""

        def work(connection: Any) -> Floats:
            result = np.zeros((len(parts), len(rows)), dtype=np.float32)
            place_of = {int(row): place for place, row in enumerate(rows)}
            dense = [place for place, part in enumerate(parts) if part.vectors is not None and part.over != PASSAGES]
            for line in self._products(connection, [parts[place] for place in dense], rows) if dense else ():
                result[dense, place_of[line[0]]] = line[1:]
            for place, part in enumerate(parts):
                if part.ids is not None:
                    for row, value in self._weighed(connection, part, rows):
                        result[place, place_of[row]] = value
                elif part.over == PASSAGES:
                    result[place] = self._met(connection, part, rows, place_of)
            return result

        return self.pool.run(work)

    def first(self, n: int, narrowed: Narrowed) -> Rows:
        """By the primary key."""
        params: sql.Params = {}
        test = sql.where(narrowed, self.shape, params)
        ask = f"SELECT i.row FROM {self.schema}.items i WHERE {test} ORDER BY i.row LIMIT {sql.given(params, n)}"
        return self._rows(ask, params)

    def passing(self, rows: Rows, narrowed: Narrowed) -> Rows:
        """By the primary key."""
        params: sql.Params = {}
        test = sql.where(narrowed, self.shape, params)
        among = f"i.row = ANY({sql.given(params, rows.tolist())}::integer[])"
        return self._rows(f"SELECT i.row FROM {self.schema}.items i WHERE {among} AND {test} ORDER BY i.row", params)

    def vectors(self, name: str, rows: Rows) -> Floats:
        """By the primary key."""
        table = "items" if name in self.shape.blocks else "kept"
        column = sql.vectors_of(self.shape)[name]
        length = {**self.shape.blocks, **self.shape.kept}[name]
        ask = (
            f"SELECT u.place, t.{column}::real[] FROM unnest(%(rows)s::integer[]) WITH ORDINALITY u(row, place) "
            f"JOIN {self.schema}.{table} t ON t.row = u.row ORDER BY u.place"
        )
        found = self.pool.rows(ask, {"rows": rows.tolist()})
        result = np.zeros((len(rows), length), dtype=np.float32)
        for place, vector in found:
            result[place - 1] = vector
        return result

    def passages(self, rows: Rows) -> Ragged:
        """By an index of the rows."""
        ask = (
            f"SELECT u.place, p.v::real[] FROM unnest(%(rows)s::integer[]) WITH ORDINALITY u(row, place) "
            f"JOIN {self.schema}.passages p ON p.row = u.row ORDER BY u.place"
        )
        found = self.pool.rows(ask, {"rows": rows.tolist()})
        values = np.array([line[1] for line in found], dtype=np.float32).reshape(len(found), self.shape.passages)
        counts = np.bincount([line[0] - 1 for line in found], minlength=len(rows)) if found else np.zeros(len(rows))
        return Ragged(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), values)

    def fetch(self, rows: Rows) -> list[dict[str, Any]]:
        """By the primary key."""
        ask = (
            "SELECT i.item_id, i.title, i.fields FROM unnest(%(rows)s::integer[]) WITH ORDINALITY u(row, place) "
            f"JOIN {self.schema}.items i ON i.row = u.row ORDER BY u.place"
        )
        found = self.pool.rows(ask, {"rows": rows.tolist()})
        return [
            {"item_id": item_id, "title": title, "fields": documents.read(fields, self.shape.types)}
            for item_id, title, fields in found
        ]

    def count(self, name: str, narrowed: Narrowed) -> dict[Any, int]:
        """One grouped statement."""
        params: sql.Params = {}
        column, test = sql.columns_of(self.shape)[name], sql.where(narrowed, self.shape, params)
        value = f"i.{column}" if is_number(self.shape.types[name]) else f"unnest(i.{column})"
        ask = (
            f"SELECT value, count(*) FROM (SELECT {value} AS value FROM {self.schema}.items i WHERE {test}) v "
            "WHERE value IS NOT NULL GROUP BY value"
        )
        return dict(self.pool.rows(ask, params))

    def _set(self, connection: Any, n: int) -> None:
        milliseconds = int(self.settings.statement_timeout * 1000)
        for name, value in (
            ("statement_timeout", str(milliseconds)),
            ("hnsw.ef_search", str(min(max(n, 40), MOST_EF))),
            # The graph is walked on until there are n rows that pass, however many it takes.
            ("hnsw.iterative_scan", "relaxed_order"),
            ("hnsw.max_scan_tuples", str(max(self.shape.n_items, 1))),
        ):
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])

    def _few(self, connection: Any, narrowed: Narrowed) -> bool:
        """Whether few enough rows are left for a look at each."""
        most = self.settings.exact_below
        if self.shape.n_items <= most:
            return True
        params: sql.Params = {}
        test = sql.where(narrowed, self.shape, params)
        some = f"SELECT 1 FROM {self.schema}.items i WHERE {test} LIMIT {sql.given(params, most + 1)}"
        return bool(connection.execute(f"SELECT count(*) FROM ({some}) s", params).fetchone()[0] <= most)

    def _nearest(self, connection: Any, part: Part, n: int, narrowed: Narrowed, *, exact: bool) -> Rows:
        if part.ids is not None:
            return self._with_terms(connection, part, n, narrowed)
        assert part.vectors is not None  # noqa: S101  a part has vectors or terms
        search = self._near_passages if part.over == PASSAGES else self._near
        found = [search(connection, part.over, vector, n, narrowed, exact=exact) for vector in part.vectors]
        return np.unique(np.concatenate(found))

    def _near(self, connection: Any, block: str, vector: Floats, n: int, narrowed: Narrowed, *, exact: bool) -> Rows:
        params: sql.Params = {"vector": sql.as_text(vector)}
        column, length = f"i.{sql.vectors_of(self.shape)[block]}", self.shape.blocks[block]
        exact = exact or not 1 < length <= sql.MAX_INDEXED
        product = _product(column, length, exact=exact)
        test = sql.where(narrowed, self.shape, params)
        ask = f"SELECT i.row FROM {self.schema}.items i WHERE {test} ORDER BY {product} LIMIT {sql.given(params, n)}"
        found = _column(connection.execute(ask, params))
        if exact or len(found) >= n:
            return found
        return self._near(connection, block, vector, n, narrowed, exact=True)

    def _near_passages(
        self, connection: Any, over: str, vector: Floats, n: int, narrowed: Narrowed, *, exact: bool
    ) -> Rows:
        params: sql.Params = {"vector": sql.as_text(vector)}
        product = _product("p.v", self.shape.passages, exact=exact)
        test = sql.where(narrowed, self.shape, params)
        joined = f"FROM {self.schema}.passages p JOIN {self.schema}.items i ON i.row = p.row WHERE {test}"
        if exact:
            ask = f"SELECT p.row {joined} GROUP BY p.row ORDER BY min({product}) LIMIT {sql.given(params, n)}"
            return _column(connection.execute(ask, params))
        ask = f"SELECT p.row {joined} ORDER BY {product} LIMIT {sql.given(params, n * TOGETHER)}"
        return np.unique(_column(connection.execute(ask, params)))

    def _with_terms(self, connection: Any, part: Part, n: int, narrowed: Narrowed) -> Rows:
        params, asked = _terms(part)
        test = sql.where(narrowed, self.shape, params)
        table = f"{self.schema}.{sql.terms_of(self.shape)[part.over]}"
        ask = (
            f"SELECT t.row FROM {asked} JOIN {table} t ON t.term = q.term JOIN {self.schema}.items i ON i.row = t.row "
            f"WHERE {test} GROUP BY t.row ORDER BY sum(q.weight * t.value) DESC LIMIT {sql.given(params, n)}"
        )
        return _column(connection.execute(ask, params))

    def _products(self, connection: Any, parts: Sequence[Part], rows: Rows) -> Iterator[Any]:
        params: sql.Params = {"rows": rows.tolist()}
        products = []
        for part in parts:
            assert part.vectors is not None  # noqa: S101  dense
            vector = sql.given(params, sql.as_text(part.vectors[0]))
            products.append(f"-(i.{sql.vectors_of(self.shape)[part.over]} <#> {vector}::vector)")
        ask = f"SELECT i.row, {', '.join(products)} FROM {self.schema}.items i WHERE i.row = ANY(%(rows)s::integer[])"
        return iter(connection.execute(ask, params).fetchall())

    def _weighed(self, connection: Any, part: Part, rows: Rows) -> list[Any]:
        params, asked = _terms(part)
        table = f"{self.schema}.{sql.terms_of(self.shape)[part.over]}"
        among = f"t.row = ANY({sql.given(params, rows.tolist())}::integer[])"
        ask = (
            f"SELECT t.row, sum(q.weight * t.value) FROM {asked} JOIN {table} t ON t.term = q.term "
            f"WHERE {among} GROUP BY t.row"
        )
        found: list[Any] = connection.execute(ask, params).fetchall()
        return found

    def _met(self, connection: Any, part: Part, rows: Rows, place_of: dict[int, int]) -> Floats:
        assert part.vectors is not None  # noqa: S101  over passages
        params: sql.Params = {"rows": rows.tolist()}
        best = [f"-min(p.v <#> {sql.given(params, sql.as_text(vector))}::vector)" for vector in part.vectors]
        ask = (
            f"SELECT p.row, {', '.join(best)} FROM {self.schema}.passages p "
            "WHERE p.row = ANY(%(rows)s::integer[]) GROUP BY p.row"
        )
        products = np.full((len(part.vectors), len(rows)), MISSING, dtype=np.float32)
        for row, *values in connection.execute(ask, params).fetchall():
            products[:, place_of[row]] = values
        return best_met(products)

    def _rows(self, statement: str, params: sql.Params) -> Rows:
        return self.pool.run(lambda connection: _column(connection.execute(statement, params)))


def _prepare(connection: Any) -> None:
    with connection.transaction():
        # Two services that start at once would both make them.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('antiphon'))")
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE SCHEMA IF NOT EXISTS antiphon")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS antiphon.versions (name text, version text, shape jsonb NOT NULL, "
            "written timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (name, version))"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS antiphon.current (name text PRIMARY KEY, version text NOT NULL)")


def _drop(connection: Any, schema: str) -> None:
    connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    connection.execute("DELETE FROM antiphon.versions WHERE 'antiphon_' || name || '_' || version = %s", [schema])


def _copy(connection: Any, schema: str, shape: Shape, batch: Batch) -> None:
    columns, vectors, flags = sql.columns_of(shape), sql.vectors_of(shape), sql.flags_of(shape)
    names = ["row", "item_id", "title", "fields", *flags.values(), *columns.values()]
    names += [vectors[name] for name in shape.blocks]
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY {schema}.items ({', '.join(names)}) FROM STDIN") as copy:
            for place in range(len(batch)):
                fields = batch.fields[place]
                copy.write_row([
                    batch.start + place, batch.item_ids[place], batch.titles[place],
                    json.dumps(documents.written(fields, shape.types)),
                    *(bool(batch.flags[name][place]) for name in flags),
                    *(_value(fields.get(name), kind) for name, kind in shape.types.items()),
                    *(sql.as_text(batch.vectors[name][place]) for name in shape.blocks),
                ])  # fmt: skip
        with cursor.copy(f"COPY {schema}.kept FROM STDIN") as copy:
            for place in range(len(batch)):
                copy.write_row([batch.start + place, *(sql.as_text(batch.vectors[n][place]) for n in shape.kept)])
        for kind, table in sql.terms_of(shape).items():
            lists = batch.terms[kind]
            rows = batch.start + np.repeat(np.arange(len(batch)), np.diff(lists.bounds))
            with cursor.copy(f"COPY {schema}.{table} (term, row, value) FROM STDIN") as copy:
                for line in zip(lists.ids.tolist(), rows.tolist(), lists.values.tolist(), strict=True):
                    copy.write_row(line)
        if batch.passages is not None:
            rows = batch.start + np.repeat(np.arange(len(batch)), np.diff(batch.passages.bounds))
            with cursor.copy(f"COPY {schema}.passages (row, v) FROM STDIN") as copy:
                for row, vector in zip(rows.tolist(), batch.passages.values, strict=True):
                    copy.write_row([row, sql.as_text(vector)])


def _value(value: Any, kind: Any) -> Any:
    found = values_of(value, kind)
    return None if not found else found[0] if is_number(kind) else found


def _product(column: str, length: int, *, exact: bool) -> str:
    """Minus the inner product with the parameter `vector`, which is what pgvector orders by."""
    if exact:
        return f"({column} <#> %(vector)s::vector)"
    return f"({sql.half(column, length)} <#> %(vector)s::halfvec({length}))"


def _terms(part: Part) -> tuple[sql.Params, str]:
    assert part.ids is not None  # noqa: S101  terms
    assert part.weights is not None  # noqa: S101
    params: sql.Params = {}
    ids = sql.given(params, part.ids.tolist())
    weights = sql.given(params, part.weights.tolist())
    return params, f"unnest({ids}::integer[], {weights}::real[]) q(term, weight)"


def _column(cursor: Any) -> Rows:
    return np.array([line[0] for line in cursor.fetchall()], dtype=np.int64)
