"""Qdrant inside this process (qdrant-edge-py): a version is a folder, which is renamed when it is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from antiphon.base import storage
from antiphon.errors import MissingExtraError
from antiphon.stores.contract import PASSAGES, VERSION, Rows, Shape
from antiphon.stores.filters import is_number
from antiphon.stores.qdrant_queries import MARKS, Dialect, Engine, Nearest, fields_of

CURRENT, SHAPE, SHARD, BESIDE = "CURRENT", "shape.json", "shard", ".new-"
GRAPH = {"m": 16, "ef_construct": 200}
Points = Iterable[Sequence[tuple[int, dict[str, Any], dict[str, Any]]]]


class EdgePlace:
    """Versions of one space in a folder; any number of processes may read one that is whole."""

    def __init__(self, root: Path, options: Any) -> None:
        self.root, self.settings = root, options

    @classmethod
    def open(cls, root: Path, options: Any) -> Self:
        """The folder is made at the first write."""
        _edge()
        return cls(root, options)

    def write(self, version: str, shape: Shape, points: Points) -> None:
        """Beside the others, then in their row."""
        self.root.mkdir(parents=True, exist_ok=True)
        with storage.locked(self.root, self.root / ".lock"):
            for left in self.root.glob(f"{BESIDE}*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            beside = Path(tempfile.mkdtemp(prefix=BESIDE, dir=self.root))
            try:
                self._fill(beside, shape, points)
                storage.write_json(beside / SHAPE, shape.plain())
                storage.sync(beside)
                shutil.rmtree(self.root / version, ignore_errors=True)
                beside.rename(self.root / version)
                storage.sync(self.root)
            finally:
                shutil.rmtree(beside, ignore_errors=True)

    def switch(self, version: str) -> None:
        """One file is replaced."""
        storage.write_text(self.root / CURRENT, version + "\n")

    def current(self) -> str | None:
        """What the file says."""
        file = self.root / CURRENT
        return file.read_text(encoding="ascii").strip() if file.is_file() else None

    def versions(self) -> list[str]:
        """Folders that are whole."""
        there = [path for path in self.root.glob("*") if VERSION.fullmatch(path.name) and (path / SHAPE).is_file()]
        return [path.name for path in sorted(there, key=lambda path: (path / SHAPE).stat().st_mtime_ns)]

    def shape(self, version: str) -> dict[str, Any] | None:
        """What a version holds; None where it is not there."""
        found: dict[str, Any] | None = None
        if (self.root / version / SHAPE).is_file():
            found = storage.read_json(self.root / version / SHAPE)
        return found

    def engine(self, version: str, shape: Shape) -> Engine:
        """A version that is open."""
        return EdgeEngine(_edge().EdgeShard.load(str(self.root / version / SHARD)), self.settings.ef)

    def drop(self, version: str) -> None:
        """Whoever has it open keeps its files until it is closed."""
        shutil.rmtree(self.root / version, ignore_errors=True)
        if self.current() == version:
            (self.root / CURRENT).unlink()

    def check(self) -> None:
        """Whether the folder can be read."""
        next(self.root.iterdir(), None)

    def close(self) -> None:
        """There is nothing to give back."""

    def _fill(self, folder: Path, shape: Shape, points: Points) -> None:
        edge = _edge()
        shard = edge.EdgeShard.create(str(folder / SHARD), self._config(shape))
        try:
            for some in points:
                made = [edge.Point(row, _vectors(vectors), payload) for row, vectors, payload in some]
                shard.update(edge.UpdateOperation.upsert_points(made))
            for key, kind in _indexed(shape, edge).items():
                shard.update(edge.UpdateOperation.create_field_index(key, kind))
            shard.optimize()
            shard.flush()
        finally:
            shard.close()

    def _config(self, shape: Shape) -> Any:
        edge = _edge()
        vectors = {
            name: edge.EdgeVectorParams(
                size=length, distance=edge.Distance.Dot, hnsw_config=self._graph(graph=graph), memory=memory
            )
            for lengths, graph, memory in (
                (shape.blocks, True, edge.Memory.Cached),
                (shape.kept, False, edge.Memory.Cold),
            )
            for name, length in lengths.items()
        }
        if shape.passages:
            vectors[PASSAGES] = edge.EdgeVectorParams(
                size=shape.passages,
                distance=edge.Distance.Dot,
                multivector_config=edge.MultiVectorConfig(edge.MultiVectorComparator.MaxSim),
            )
        longest = max([*shape.blocks.values(), 1])
        return edge.EdgeConfig(
            vectors=vectors,
            sparse_vectors={kind: edge.EdgeSparseVectorParams() for kind in shape.terms},
            hnsw_config=self._graph(graph=True),
            # A version is written once and not changed: the flush at its end makes it last.
            wal_enabled=False,
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=max(1, self._threshold(longest))),
        )

    def _graph(self, *, graph: bool) -> Any:
        few = max(1, self._threshold(64))
        return _edge().HnswIndexConfig(**{**GRAPH, "m": GRAPH["m"] if graph else 0}, full_scan_threshold=few)

    def _threshold(self, length: int) -> int:
        """Kilobytes of the vectors of `exact_below` items: what Qdrant takes for many is said in these."""
        return int(self.settings.exact_below) * length * 4 // 1024


class EdgeEngine(Engine):
    """A shard that is open."""

    def __init__(self, shard: Any, ef: int) -> None:
        self._shard, self._ef = shard, ef
        self.dialect = EdgeDialect()

    def query(self, searches: Sequence[Nearest]) -> list[list[tuple[int, float]]]:
        """One batch."""
        edge = _edge()
        found = self._shard.query_batch(edge.QueryBatchRequest([self._request(one, edge) for one in searches]))
        return [[(point.id, point.score) for point in points] for points in found]

    def scroll(self, n: int, where: Any, keys: Sequence[str] = ()) -> list[tuple[int, dict[str, Any]]]:
        """One call."""
        edge = _edge()
        payload = list(keys) if keys else False
        points, _ = self._shard.scroll(edge.ScrollRequest(limit=n, filter=where, with_payload=payload))
        return [(point.id, point.payload or {}) for point in points]

    def facet(self, key: str, where: Any) -> dict[str, int]:
        """Exact."""
        request = _edge().FacetRequest(key, limit=10_000_000, exact=True, filter=where)
        return {hit.value: hit.count for hit in self._shard.facet(request).hits}

    def payloads(self, rows: Rows) -> dict[int, dict[str, Any]]:
        """One call."""
        return {point.id: point.payload for point in self._shard.retrieve(rows.tolist(), True, False)}

    def vectors(self, name: str, rows: Rows) -> dict[int, Any]:
        """One call."""
        found = self._shard.retrieve(rows.tolist(), False, [name])
        return {point.id: point.vector[name] for point in found if name in (point.vector or {})}

    def close(self) -> None:
        """Unmap its files."""
        self._shard.close()

    def _request(self, search: Nearest, edge: Any) -> Any:
        vector: Any = [search.vector] if search.many else search.vector
        if search.terms is not None:
            vector = edge.SparseVector(*search.terms)
        params = edge.SearchParams(hnsw_ef=self._ef or max(search.limit, 64), exact=search.exact)
        query = edge.Query.Nearest(vector, using=search.using)
        return edge.QueryRequest(
            limit=search.limit, query=query, filter=search.where, params=params, with_payload=False, with_vector=False
        )


class EdgeDialect(Dialect):
    """Conditions of qdrant-edge-py."""

    def both(self, must: Sequence[Any] = (), should: Sequence[Any] = (), must_not: Sequence[Any] = ()) -> Any:
        """A filter."""
        return _edge().Filter(must=list(must) or None, should=list(should) or None, must_not=list(must_not) or None)

    def any_of(self, key: str, values: Sequence[str]) -> Any:
        """A match."""
        return _edge().FieldCondition(key, match=_edge().MatchAny(list(values)))

    def lies(self, key: str, ends: Mapping[str, float]) -> Any:
        """A range."""
        return _edge().FieldCondition(key, range=_edge().RangeFloat(**ends))

    def empty(self, key: str) -> Any:
        """A key that is missing, null or an empty list."""
        return _edge().IsEmptyCondition(key)

    def rows(self, rows: Rows) -> Any:
        """Ids."""
        return _edge().HasIdCondition(set(rows.tolist()))


def _indexed(shape: Shape, edge: Any) -> dict[str, Any]:
    kinds = edge.PayloadSchemaType
    fields = {
        key: kinds.Float if is_number(shape.types[name]) else kinds.Keyword for name, key in fields_of(shape).items()
    }
    return {**fields, MARKS: kinds.Keyword}


def _vectors(vectors: Mapping[str, Any]) -> dict[str, Any]:
    edge = _edge()
    return {
        name: edge.SparseVector(*value) if isinstance(value, tuple) else value
        for name, value in vectors.items()
        if not (isinstance(value, tuple) and not value[0])
    }


def _edge() -> Any:
    try:
        import qdrant_edge
    except ImportError as error:
        raise MissingExtraError("qdrant-edge-py", "qdrant", "the embedded Qdrant store") from error
    return qdrant_edge
