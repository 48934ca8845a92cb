"""Qdrant on a server or a cluster, through qdrant-client: a version is a collection, an alias names the current one.

No server can be had where this was written: it is tested against the client's own local mode, and the requests that it
sends against recorded ones.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from antiphon.errors import MissingExtraError
from antiphon.stores.contract import PASSAGES, Rows, Shape
from antiphon.stores.filters import is_number
from antiphon.stores.qdrant_queries import MARKS, Dialect, Engine, Nearest, fields_of

GRAPH = {"m": 16, "ef_construct": 200}
LOCAL = ":memory:"
"""The client's own mode without a server, for tests."""
PAGE = 10_000
"""Points of one answer where all are asked for."""
Points = Iterable[Sequence[tuple[int, dict[str, Any], dict[str, Any]]]]


class ServerPlace:
    """Versions of one space as collections; which are whole, a small collection beside them says."""

    def __init__(self, name: str, client: Any, options: Any) -> None:
        self.name, self.client, self.settings = name, client, options

    @classmethod
    def open(cls, name: str, options: Any) -> Self:
        """Connect; `url` may be ":memory:", the client's local mode."""
        client = _client()
        if options.url == LOCAL:
            return cls(name, client.QdrantClient(":memory:"), options)
        made = client.QdrantClient(
            url=options.url, api_key=options.api_key, timeout=int(max(1, options.timeout)), check_compatibility=False
        )
        return cls(name, made, options)

    def write(self, version: str, shape: Shape, points: Points) -> None:
        """A collection, its points, its indexes; last the word that it is whole."""
        models = _client().models
        self.drop(version)
        collection = self._collection(version)
        self.client.create_collection(collection, **self._config(shape))
        for some in points:
            made = [
                models.PointStruct(id=row, vector=_vectors(vectors), payload=payload) for row, vectors, payload in some
            ]
            self.client.upsert(collection, made, wait=True)
        if self.settings.url != LOCAL:  # where an index would do nothing, and the client warns of it
            self._index(collection, shape)
        self._say_whole(version, shape)

    def switch(self, version: str) -> None:
        """One request drops the alias and makes it anew; the server takes both together."""
        models = _client().models
        make = models.CreateAliasOperation(
            create_alias=models.CreateAlias(collection_name=self._collection(version), alias_name=self._alias)
        )
        drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias))
        self.client.update_collection_aliases([make] if self.current() is None else [drop, make])

    def current(self) -> str | None:
        """What the alias names."""
        for alias in self.client.get_aliases().aliases:
            if alias.alias_name == self._alias:
                return str(alias.collection_name).rpartition("-")[2]
        return None

    def versions(self) -> list[str]:
        """Those that were said to be whole, by the time of it."""
        found = sorted(self._whole(), key=lambda one: one["written"])
        return [one["version"] for one in found]

    def shape(self, version: str) -> dict[str, Any] | None:
        """What a version holds; None where it is not there."""
        found = [one["shape"] for one in self._whole() if one["version"] == version]
        return found[0] if found else None

    def engine(self, version: str, shape: Shape) -> Engine:
        """A collection."""
        return ServerEngine(self.client, self._collection(version), self.settings.ef)

    def drop(self, version: str) -> None:
        """Take the word back, then the collection, and the alias of it."""
        models = _client().models
        if self.client.collection_exists(self._register):
            self.client.delete(self._register, models.PointIdsList(points=[_id(version)]), wait=True)
        if self.current() == version:
            drop = models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=self._alias))
            self.client.update_collection_aliases([drop])
        if self.client.collection_exists(self._collection(version)):
            self.client.delete_collection(self._collection(version))

    def check(self) -> None:
        """Ask for the aliases."""
        self.client.get_aliases()

    def close(self) -> None:
        """Close the connection."""
        self.client.close()

    @property
    def _alias(self) -> str:
        return f"antiphon-{self.name}"

    @property
    def _register(self) -> str:
        return f"antiphon-{self.name}-versions"

    def _collection(self, version: str) -> str:
        return f"antiphon-{self.name}-{version}"

    def _whole(self) -> list[dict[str, Any]]:
        if not self.client.collection_exists(self._register):
            return []
        points, _ = self.client.scroll(self._register, limit=1_000, with_payload=True)
        return [point.payload for point in points]

    def _index(self, collection: str, shape: Shape) -> None:
        models = _client().models
        for name, key in fields_of(shape).items():
            kind = models.PayloadSchemaType.FLOAT if is_number(shape.types[name]) else models.PayloadSchemaType.KEYWORD
            self.client.create_payload_index(collection, key, kind, wait=True)
        self.client.create_payload_index(collection, MARKS, models.PayloadSchemaType.KEYWORD, wait=True)

    def _say_whole(self, version: str, shape: Shape) -> None:
        models = _client().models
        if not self.client.collection_exists(self._register):
            self.client.create_collection(
                self._register, vectors_config=models.VectorParams(size=1, distance=models.Distance.DOT)
            )
        said = {"version": version, "shape": shape.plain(), "written": time.time_ns()}
        self.client.upsert(self._register, [models.PointStruct(id=_id(version), vector=[0.0], payload=said)], wait=True)

    def _config(self, shape: Shape) -> dict[str, Any]:
        models = _client().models
        few = max(1, self.settings.exact_below * max([*shape.blocks.values(), 1]) * 4 // 1024)
        vectors = {
            name: models.VectorParams(
                size=length, distance=models.Distance.DOT, on_disk=True,
                hnsw_config=models.HnswConfigDiff(m=GRAPH["m"] if graph else 0, ef_construct=GRAPH["ef_construct"]),
            )
            for lengths, graph in ((shape.blocks, True), (shape.kept, False))
            for name, length in lengths.items()
        }  # fmt: skip
        if shape.passages:
            many = models.MultiVectorConfig(comparator=models.MultiVectorComparator.MAX_SIM)
            vectors[PASSAGES] = models.VectorParams(
                size=shape.passages, distance=models.Distance.DOT, on_disk=True, multivector_config=many
            )
        return {
            "vectors_config": vectors,
            "sparse_vectors_config": {kind: models.SparseVectorParams() for kind in shape.terms},
            "hnsw_config": models.HnswConfigDiff(full_scan_threshold=max(10, few)),
            "optimizers_config": models.OptimizersConfigDiff(indexing_threshold=few),
            "shard_number": self.settings.shards,
            "replication_factor": self.settings.replicas,
            "on_disk_payload": True,
        }


class ServerEngine(Engine):
    """A collection of a server."""

    def __init__(self, client: Any, collection: str, ef: int) -> None:
        self._client, self._collection, self._ef = client, collection, ef
        self.dialect = ServerDialect()

    def query(self, searches: Sequence[Nearest]) -> list[list[tuple[int, float]]]:
        """One request for all."""
        if not searches:
            return []
        requests = [self._request(one) for one in searches]
        found = self._client.query_batch_points(self._collection, requests)
        return [[(point.id, point.score) for point in answer.points] for answer in found]

    def scroll(self, n: int, where: Any, keys: Sequence[str] = ()) -> list[tuple[int, dict[str, Any]]]:
        """Pages, in the order of the rows."""
        found: list[tuple[int, dict[str, Any]]] = []
        after: Any = None
        while len(found) < n:
            points, after = self._client.scroll(
                self._collection, scroll_filter=where, limit=min(PAGE, n - len(found)), offset=after,
                with_payload=list(keys) if keys else False, with_vectors=False,
            )  # fmt: skip
            found += [(point.id, point.payload or {}) for point in points]
            if after is None:
                break
        return found

    def facet(self, key: str, where: Any) -> dict[str, int]:
        """Exact."""
        answer = self._client.facet(self._collection, key, facet_filter=where, limit=1_000_000, exact=True)
        return {hit.value: hit.count for hit in answer.hits}

    def payloads(self, rows: Rows) -> dict[int, dict[str, Any]]:
        """One request."""
        points = self._client.retrieve(self._collection, rows.tolist(), with_payload=True, with_vectors=False)
        return {point.id: point.payload for point in points}

    def vectors(self, name: str, rows: Rows) -> dict[int, Any]:
        """One request."""
        points = self._client.retrieve(self._collection, rows.tolist(), with_payload=False, with_vectors=[name])
        return {point.id: point.vector[name] for point in points if name in (point.vector or {})}

    def close(self) -> None:
        """The connection is the place's."""

    def _request(self, search: Nearest) -> Any:
        models = _client().models
        vector: Any = [search.vector] if search.many else search.vector
        if search.terms is not None:
            vector = models.SparseVector(indices=search.terms[0], values=search.terms[1])
        return models.QueryRequest(
            query=models.NearestQuery(nearest=vector),
            using=search.using,
            filter=search.where,
            limit=search.limit,
            params=models.SearchParams(hnsw_ef=self._ef or max(search.limit, 64), exact=search.exact),
            with_payload=False,
            with_vector=False,
        )


class ServerDialect(Dialect):
    """Conditions of qdrant-client."""

    def both(self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """A filter."""
        some = {"must": list(must), "should": list(should), "must_not": list(must_not)}
        return _client().models.Filter(**{name: parts for name, parts in some.items() if parts})

    def any_of(self, key: str, values: Sequence[str]) -> Any:
        """A match."""
        models = _client().models
        return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))

    def lies(self, key: str, ends: Mapping[str, float]) -> Any:
        """A range."""
        models = _client().models
        return models.FieldCondition(key=key, range=models.Range(**ends))

    def empty(self, key: str) -> Any:
        """A key that is missing, null or an empty list."""
        models = _client().models
        return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))

    def rows(self, rows: Rows) -> Any:
        """Ids."""
        return _client().models.HasIdCondition(has_id=rows.tolist())


def _vectors(vectors: Mapping[str, Any]) -> dict[str, Any]:
    models = _client().models
    return {
        name: models.SparseVector(indices=value[0], values=value[1]) if isinstance(value, tuple) else value
        for name, value in vectors.items()
        if not (isinstance(value, tuple) and not value[0])
    }


def _id(version: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, version))


def _client() -> Any:
    try:
        import qdrant_client
    except ImportError as error:
        raise MissingExtraError("qdrant-client", "qdrant", "a Qdrant server as a store") from error
    return qdrant_client
