"""A published space made larger: its items repeated, each copy moved by noise that has the shape of the data itself.

The noise of a block has the block's own covariance, so that it is as hard to compress as the data; joint vectors stay
of unit length, factors of taste keep their unequal norms, and words, facets, fields and popularity are the item's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import storage, versions
from antiphon.base.layout import RunLayout, SpaceLayout, space_id_of
from antiphon.numbers.vectors import unit
from antiphon.run.publish import write_codes

Floats = NDArray[np.float32]
NOISE = 0.3
"""Standard deviation of a copy's noise, in those of the data."""
LOT = "lot"
"""A field of numbers from 0 to 1, drawn at random: `lot<0.01` lets 1% pass."""


def enlarge(run: Path, target: Path, n_items: int, *, dense_only: bool = False, n_passages: int | None = None) -> int:
    """Publish the space of `run` in the new run `target`, with about so many items; says how many.

    `dense_only`: without words, facets and passages. `n_passages`: of each item, its own repeated with noise; as many
    as it has where not given.
    """
    old, layout = versions.current(RunLayout(run)), RunLayout(target)
    manifest = versions.manifest_of(old)
    times = max(1, round(n_items / manifest["n_items"]))
    new = SpaceLayout(layout.spaces / "larger")
    new.root.mkdir(parents=True)
    _copy_small(old, new)
    _write_vectors(old, new, manifest["blocks"], times)
    _write_items(old, new, times)
    if not dense_only:
        _write_words(old, new, times)
        _write_facets(old, new, times)
        _write_passages(old, new, times, n_passages)
    write_codes(new, manifest["blocks"])
    names = [path.relative_to(new.root).as_posix() for path in sorted(new.root.rglob("*")) if path.is_file()]
    files = {name: storage.sha256(new.root / name) for name in names}
    n_items = times * manifest["n_items"]
    more = {"files": files, "space_id": space_id_of(files), "n_items": n_items, "n_searchable": n_items}
    types = {**manifest["field_types"], LOT: "number"}
    storage.write_sealed(new.manifest, {**manifest, **more, "field_types": types})
    new.root.rename(layout.spaces / more["space_id"])
    storage.write_text(layout.current, more["space_id"] + "\n")
    storage.write_text(layout.config, RunLayout(run).config.read_text(encoding="utf-8"))
    return n_items


def _copy_small(old: SpaceLayout, new: SpaceLayout) -> None:
    """What does not grow with the items."""
    for path in sorted(old.root.rglob("*")):
        name = path.relative_to(old.root)
        if path.is_file() and (name.parts[0] in ("model", "query") or name.name.startswith(("user", "mixture", "cov"))):
            to = new.root / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(path.read_bytes())


def _write_vectors(old: SpaceLayout, new: SpaceLayout, blocks: dict[str, list[int]], times: int) -> None:
    base, rng = storage.read_array(old.vectors), np.random.default_rng(0)
    vectors = _mapped(new.vectors, (times * len(base), base.shape[1]))
    roots = {name: _root(base[:, slice(*columns)]) for name, columns in blocks.items()}
    for turn in range(times):
        for name, columns in blocks.items():
            part = np.array(base[:, slice(*columns)])
            if turn:
                part += np.float32(NOISE) * rng.standard_normal(part.shape, np.float32) @ roots[name]
            vectors[turn * len(base) : (turn + 1) * len(base), slice(*columns)] = (
                unit(part) if name == "joint" else part
            )
    parts = storage.read_array(old.parts, mmap=True)
    # Explanations alone read the parts: those of copies are holes in the file.
    _mapped(new.parts, (parts.shape[0], len(vectors), parts.shape[2]))[:, : len(base)] = parts
    for name in ("ials", "ease", "ease_left"):
        factors = storage.read_array(old.taste / f"{name}.npy")
        # Histories are folded in by the items that they name, which are the first ones.
        _mapped(new.taste / f"{name}.npy", (len(vectors), factors.shape[1]))[: len(base)] = factors
    for name in ("users", "passed"):
        counts = np.tile(storage.read_array(old.taste / f"{name}.npy"), times)
        storage.write_array(new.taste / f"{name}.npy", counts)
    for path in old.taste.glob("*.*"):
        if path.suffix != ".npy":
            (new.taste / path.name).write_bytes(path.read_bytes())


def _write_items(old: SpaceLayout, new: SpaceLayout, times: int) -> None:
    items, rng = storage.read_table(old.items), np.random.default_rng(1)
    ids, titles = items["item_id"].to_pylist(), items["title"].to_pylist()
    ids = [f"{item_id}-{turn}" if turn else item_id for turn in range(times) for item_id in ids]
    titles = [f"{title} {turn}" if turn else title for turn in range(times) for title in titles]
    storage.write_table(new.items, pa.table({"item_id": ids, "title": titles}))
    fields = pa.concat_tables([storage.read_table(old.fields)] * times)
    storage.write_table(new.fields, fields.append_column(LOT, pa.array(rng.random(len(ids)))))
    storage.write_array(new.present, np.tile(storage.read_array(old.present), (1, times)))
    storage.write_array(new.map, np.tile(storage.read_array(old.map), (times, 1)))


def _write_words(old: SpaceLayout, new: SpaceLayout, times: int) -> None:
    names = {part: f"{part}.csc.index.npy" for part in ("data", "indices", "indptr")}
    arrays = {part: storage.read_array(old.lexical / name) for part, name in names.items()}
    n_items = len(storage.read_array(old.map))
    data, rows = _lists(arrays["indptr"], arrays["data"], arrays["indices"], n_items, times)
    storage.write_array(new.lexical / names["data"], data)
    storage.write_array(new.lexical / names["indices"], rows)
    storage.write_array(new.lexical / names["indptr"], arrays["indptr"] * times)
    (new.lexical / "vocab.index.json").write_bytes((old.lexical / "vocab.index.json").read_bytes())
    params = storage.read_json(old.lexical / "params.index.json")
    storage.write_json(new.lexical / "params.index.json", {**params, "num_docs": n_items * times})


def _write_facets(old: SpaceLayout, new: SpaceLayout, times: int) -> None:
    bounds, rows, degrees = (storage.read_array(old.facets / f"{name}.npy") for name in ("bounds", "rows", "degrees"))
    about = storage.read_json(old.facets / "facets.json")
    storage.write_json(new.facets / "facets.json", {**about, "n_items": about["n_items"] * times})
    degrees, rows = _lists(bounds, degrees, rows, about["n_items"], times)
    for name, array in (("bounds", bounds * times), ("rows", rows), ("degrees", degrees)):
        storage.write_array(new.facets / f"{name}.npy", array)
    (new.facets / "reader.safetensors").write_bytes((old.facets / "reader.safetensors").read_bytes())


def _write_passages(old: SpaceLayout, new: SpaceLayout, times: int, n_passages: int | None) -> None:
    base, bounds = (storage.read_array(old.passages / f"{name}.npy") for name in ("vectors", "bounds"))
    root, rng = _root(base), np.random.default_rng(2)
    again = np.zeros(len(base), dtype=bool)
    if n_passages is not None:
        assert (np.diff(bounds) > 0).all()  # noqa: S101  of films, all of which have a description
        turns = np.arange(n_passages)
        own = np.diff(bounds)[:, None]
        base, bounds = base[(bounds[:-1, None] + turns % own).ravel()], np.arange(len(bounds)) * n_passages
        again = (turns >= own).ravel()
    vectors = _mapped(new.passages / "vectors.npy", (times * len(base), base.shape[1]))
    for turn in range(times):
        noise = np.float32(NOISE) * rng.standard_normal(base.shape, np.float32) @ root
        if not turn:
            noise[~again] = 0
        vectors[turn * len(base) : (turn + 1) * len(base)] = unit(base + noise)
    starts = [bounds[:-1] + turn * len(base) for turn in range(times)]
    storage.write_array(new.passages / "bounds.npy", np.concatenate([*starts, [times * len(base)]]).astype(np.int64))


def _lists(bounds: Any, values: Any, rows: Any, n_items: int, times: int) -> tuple[Any, Any]:
    """Inverted lists of repeated items: values and rows of each list, those of the first copies first."""
    lengths = np.diff(bounds)
    of = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(rows)) - bounds[of]
    more_values, more_rows = (np.empty(len(rows) * times, dtype=part.dtype) for part in (values, rows))
    for turn in range(times):
        places = bounds[of] * times + turn * lengths[of] + within
        more_values[places], more_rows[places] = values, rows + turn * n_items
    return more_values, more_rows


def _root(block: Floats) -> Floats:
    """A matrix that gives noise the covariance of a block."""
    values, vectors = np.linalg.eigh(np.cov(np.asarray(block, dtype=np.float64).T))
    return (np.sqrt(np.maximum(values, 0))[:, None] * vectors.T).astype(np.float32)


def _mapped(path: Path, shape: tuple[int, ...]) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
