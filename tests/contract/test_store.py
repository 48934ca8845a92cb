"""What every store promises, whatever engine is behind it; the store in memory says what is right."""

from __future__ import annotations

import json
import runpy
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import antiphon
from antiphon import Query
from antiphon.base import storage, versions
from antiphon.base.layout import RunLayout, SpaceLayout, space_id_of
from antiphon.channels.stored import HELD
from antiphon.config.sections import StoreConfig
from antiphon.errors import FilterError, RunError, StoreError
from antiphon.query.filters import parse_filter
from antiphon.space.loading import write_to_store
from antiphon.space.space import Space
from antiphon.space.stored import put
from antiphon.stores.answering import answer
from antiphon.stores.contract import Narrowed, Shape, Store, Version, Wanted
from antiphon.stores.filters import lowered
from antiphon.stores.memory import Memory
from antiphon.stores.settings import open_store

SUPPORT = Path(__file__).parents[1] / "support"
made, engines = (runpy.run_path(str(SUPPORT / name)) for name in ("versions.py", "engines.py"))
engine_of = engines["engine_of"]
Engine = Any
N_ITEMS = 1_500
FEW = 240
"""For the client's local mode, which is written in Python and slow."""
SHAPE: Shape = replace(made["SHAPE"], n_items=N_ITEMS)
K = 50
FILTERS = (
    None, "year>=1980", "year>1990 and not genres any drama", "genres any drama,comedy", "genres all drama,comedy",
    "country=ITALY", "country!=italy", "not (country=france or seen=true)", "seen=false", "released<1990-01-01",
    "released exists", "year in 1980,1990,2000", "genres = 東京", "year>3000", "title_of_nothing exists",
)  # fmt: skip
REQUESTS = (
    Query(text="dark space robots"),
    Query(text="a drama without comedy, from the nineties"),
    Query(text="A witty film. It was quiet and dark in a small town. Robots come home to space."),
    Query(text="Signal 2"),
    Query(likes=("film-001", "film-002")),
    Query(user="user-05"),
    Query(history=("film-003", "film-009"), where=parse_filter("year>=1970")),
    Query(text="a tender drama", history=("film-003",), dislikes=("film-010",)),
    Query(text="tense", where=parse_filter("not country=France")),
    Query(text="eerie", weights={"joint": 0, "taste": 0, "passages": 0}),
)
WRITER = """
import json, runpy, sys
from dataclasses import replace
from pathlib import Path
from antiphon.config.sections import StoreConfig
from antiphon.stores.settings import open_store
made = runpy.run_path(sys.argv[1])
store = open_store(StoreConfig(**json.loads(sys.argv[2])), Path("."))
def batches():
    for number, batch in enumerate(made["batches"](seed=9, size=50, n_items=1_000_000)):
        if number == 2:
            print("writing", flush=True)
        yield batch
store.write("later", replace(made["SHAPE"], n_items=1_000_000), batches())
"""
READER = """
import json, runpy, sys
from pathlib import Path
from antiphon.config.sections import StoreConfig
from antiphon.stores.answering import answer
from antiphon.stores.settings import open_store
made = runpy.run_path(sys.argv[1])
version = open_store(StoreConfig(**json.loads(sys.argv[2])), Path(".")).version("first")
for seed in range(1_000_000):
    answer(version, made["wanted"](seed % 20))
    print("answered", flush=True)
"""


@pytest.fixture(scope="module", params=engines["KINDS"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine; its graphs are used however few items there are."""
    with engine_of(request.param) as found:
        settings = {**found.settings, "name": "films"}
        yield replace(found, settings=settings if request.param == "memory" else {**settings, "exact_below": 0})


@pytest.fixture(scope="module")
def n_items(engine: Engine) -> int:
    """Items of the versions."""
    return FEW if engine.kind == "qdrant-client" else N_ITEMS


@pytest.fixture(scope="module")
def reference(n_items: int) -> Version:
    """The version `first`, in memory."""
    store = Memory()
    store.write("first", replace(SHAPE, n_items=n_items), made["batches"](n_items=n_items))
    return store.version("first")


@pytest.fixture(scope="module")
def store(engine: Engine, n_items: int) -> Iterator[Store]:
    """A store with the version `first`."""
    opened = _open(engine)
    opened.write("first", replace(SHAPE, n_items=n_items), made["batches"](n_items=n_items))
    opened.switch("first")
    yield opened
    opened.close()


@pytest.fixture
def version(store: Store) -> Version:
    """The version of the store."""
    return store.version("first")


@pytest.fixture
def lasting(engine: Engine) -> Engine:
    """Engines whose versions outlive a process."""
    if engine.kind in ("memory", "qdrant-client"):
        pytest.skip(f"{engine.kind}: its versions are gone with the process here, so nothing can be killed and found")
    return engine


def _open(engine: Engine) -> Store:
    return open_store(StoreConfig(**engine.settings), Path()) or Memory()


def _some(engine: Engine, requests: Any) -> Any:
    """All requests; a few for the client's local mode, which is written in Python and slow."""
    return list(requests)[:3] if engine.kind == "qdrant-client" else requests


def _check(text: str | None) -> Any:
    return None if text is None else lowered(parse_filter(text), SHAPE.types)


@pytest.mark.parametrize("where", FILTERS)
def test_the_same_answers_as_memory_at_full_depth(
    engine: Engine, reference: Version, version: Version, where: str | None
) -> None:
    """The same items with the same scores, whatever filter there is; what fits no field is refused in one sentence."""
    if where is not None and "nothing" in where:
        with pytest.raises(FilterError, match="no field 'title_of_nothing'"):
            _check(where)
        return
    for seed in _some(engine, range(8)):
        wanted = made["wanted"](seed, K, N_ITEMS, where=_check(where), hidden=np.array([3, 5, 99]))
        expected, found = answer(reference, wanted), answer(version, wanted)
        assert len(found.rows) == len(expected.rows)
        assert_allclose(found.scores, expected.scores, atol=1e-4)
        assert len(np.setdiff1d(found.rows, expected.rows)) <= 1  # two scores may be equal but for rounding
        assert not np.isin([3, 5, 99], found.rows).any()


def test_recall_at_the_depth_of_searches(engine: Engine, reference: Version, version: Version) -> None:
    """With eight times as many candidates of each part as are wanted, by graphs, nearly nothing is missed."""
    hits = total = 0
    for seed in _some(engine, range(25)):
        wanted = made["wanted"](seed, K, 8 * K)
        expected = answer(reference, replace(wanted, depth=N_ITEMS)).rows
        hits += len(np.intersect1d(answer(version, wanted).rows, expected))
        total += len(expected)
    assert hits >= 0.99 * total, hits / total


@pytest.mark.parametrize("where", FILTERS[:-1])
def test_k_answers_whenever_there_are_k(
    engine: Engine, reference: Version, version: Version, where: str | None
) -> None:
    """However little a filter leaves, and also of a request whose terms no item has."""
    narrowed = Narrowed(_check(where), "searchable")
    there = len(reference.first(N_ITEMS, narrowed))
    for seed in _some(engine, range(4)):
        wanted = made["wanted"](seed, K, 60, where=narrowed.where)
        assert len(answer(version, wanted).rows) == min(K, there)
    nothing = Wanted([], K, 60, narrowed.where, "searchable")
    assert_array_equal(answer(version, nothing).rows, reference.first(K, narrowed))


def test_explanations_sum_to_the_score(engine: Engine, reference: Version, version: Version) -> None:
    """What each channel gave, with what was known beforehand, is the score; items that come last do."""
    known = {"names": (np.array([7, 70]), np.array([9, 8], dtype=np.float32))}
    last = np.arange(0, reference.shape.n_items, 2)
    for seed in _some(engine, range(6)):
        wanted = made["wanted"](seed, K, 400, known=known, last=last)
        found = answer(version, wanted)
        shares = found.shares(wanted)
        assert "names" in shares
        assert_allclose(sum(shares.values()), found.scores, atol=1e-4)
        assert not (found.rows % 2 == 0).any()
        everything = answer(version, replace(wanted, k=N_ITEMS, depth=N_ITEMS))
        assert len(everything.rows) == len(reference.first(N_ITEMS, Narrowed(flag="searchable")))


def test_what_was_written_is_read(reference: Version, version: Version) -> None:
    """Vectors bit by bit, passages, fields with their types, and counts of each field under a filter."""
    rows = np.array([5, reference.shape.n_items - 1, 0, 70])
    for name in ("joint", "part text"):
        assert_array_equal(version.vectors(name, rows), reference.vectors(name, rows))
    assert_array_equal(version.passages(rows).bounds, reference.passages(rows).bounds)
    assert_array_equal(version.passages(rows).values, reference.passages(rows).values)
    assert version.fetch(rows) == reference.fetch(rows)
    assert version.shape == reference.shape
    for where in (None, "year>1980"):
        narrowed = Narrowed(_check(where), "met", rows)
        for name in SHAPE.types:
            assert version.count(name, narrowed) == reference.count(name, narrowed)


def test_versions_are_listed_switched_and_dropped(engine: Engine, store: Store) -> None:
    """One is current; what is not there can neither be asked nor switched to; writing again replaces."""
    small = replace(SHAPE, n_items=100)
    for seed in (1, 2):
        store.write("other", small, made["batches"](seed=seed, n_items=100))
    assert store.versions() == ["first", "other"]
    store.switch("other")
    assert store.current() == "other"
    expected = Memory()
    expected.write("other", small, made["batches"](seed=2, n_items=100))
    wanted = made["wanted"](0, 5, 100)
    assert_array_equal(answer(store.version("other"), wanted).rows, answer(expected.version("other"), wanted).rows)
    store.switch("first")
    store.drop("other")
    assert (store.versions(), store.current()) == (["first"], "first")
    for ask in (store.version, store.switch):
        with pytest.raises(StoreError, match="has no version other"):
            ask("other")
    store.check()


def test_a_switch_under_load(engine: Engine, store: Store, reference: Version) -> None:
    """Every answer is one of the old version or of the new one, and none fails."""
    seeds = [0, 1, 2]
    new = Memory()
    shape, n_items = reference.shape, reference.shape.n_items
    new.write("second", shape, made["batches"](seed=4, n_items=n_items))
    wanted = [made["wanted"](seed, 10, N_ITEMS) for seed in seeds]
    expected = {
        "first": [answer(reference, one).rows[0] for one in wanted],
        "second": [answer(new.version("second"), one).rows[0] for one in wanted],
    }
    seen: list[tuple[str, int, int]] = []
    errors: list[Exception] = []
    done = threading.Event()

    def ask(place: int) -> None:
        try:
            while not done.is_set():
                name = store.current()
                assert name is not None
                with store.version(name) as version:
                    seen.append((name, place, int(answer(version, wanted[place]).rows[0])))
                time.sleep(0.01)
        except Exception as error:  # noqa: BLE001  told by the test
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(place,)) for place in seeds]
    for thread in threads:
        thread.start()
    store.write("second", shape, made["batches"](seed=4, n_items=n_items))
    store.switch("second")
    switched = len(seen)
    while len(seen) < switched + 6 and not errors:
        time.sleep(0.05)
    done.set()
    for thread in threads:
        thread.join()
    store.switch("first")
    store.drop("second")
    assert not errors, errors
    assert {name for name, _, _ in seen} == {"first", "second"}
    assert not [one for one in seen if one[2] != expected[one[0]][one[1]]]


def test_kill_9_of_whoever_writes(lasting: Engine, store: Store) -> None:
    """The version that was current stays, the one that was begun is not there, and can be written again."""
    process = _process(WRITER, lasting)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert (store.versions(), store.current()) == (["first"], "first")
    assert len(answer(store.version("first"), made["wanted"](0)).rows) == K
    store.write("later", replace(SHAPE, n_items=60), made["batches"](seed=9, n_items=60))
    assert store.versions() == ["first", "later"]
    store.drop("later")


def test_kill_9_of_whoever_asks(lasting: Engine, store: Store, reference: Version) -> None:
    """What is left is whole, for others that ask meanwhile and for the next."""
    process = _process(READER, lasting)
    assert process.stdout is not None
    for _ in range(5):
        assert process.stdout.readline() == b"answered\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    again = _open(lasting)
    wanted = made["wanted"](5, K, N_ITEMS)
    assert_allclose(answer(again.version("first"), wanted).scores, answer(reference, wanted).scores, atol=1e-4)
    again.close()


def test_kill_9_of_the_engine(lasting: Engine, store: Store, reference: Version) -> None:
    """A store that is down says so in a sentence; when it is back, what was open answers again."""
    version, wanted = store.version("first"), made["wanted"](5, K, N_ITEMS)
    answer(version, wanted)
    lasting.kill()
    if lasting.kind == "qdrant":  # the engine is in this process, which has its files mapped
        version.close()
    with pytest.raises(StoreError, match="is it"):
        answer(version, wanted)
    with pytest.raises(StoreError):
        store.check()
    lasting.start()
    assert_allclose(answer(version, wanted).scores, answer(reference, wanted).scores, atol=1e-4)
    assert (store.versions(), store.current()) == (["first"], "first")


def test_kill_9_of_the_engine_while_it_is_written_to(lasting: Engine, store: Store) -> None:
    """What was current is whole, and what was begun is not there."""
    if lasting.kind == "qdrant":
        pytest.skip("qdrant: the engine is in the process that writes, which another test kills")
    process = _process(WRITER, lasting)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    lasting.kill()
    assert process.wait(60) != 0
    lasting.start()
    assert (store.versions(), store.current()) == (["first"], "first")
    assert len(answer(store.version("first"), made["wanted"](0)).rows) == K


def _process(source: str, engine: Engine) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", source, str(SUPPORT / "versions.py"), json.dumps(dict(engine.settings))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.fixture
def run(built: Path, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of films whose space is in the engine's store, without the files that a space on a store leaves unread."""
    if engine.kind == "qdrant-client":
        pytest.skip("qdrant-client: its local mode belongs to one client, and a space opens another")
    copy = Path(shutil.copytree(built, tmp_path / "run"))
    if engine.kind != "memory":
        for name, value in _variables(engine).items():
            monkeypatch.setenv(name, value)
        write_to_store(copy, RunLayout(copy).current.read_text().strip())
        for name in HELD:
            (versions.current(RunLayout(copy)).root / name).unlink(missing_ok=True)
    return copy


def _variables(engine: Engine) -> dict[str, str]:
    found = dict(engine.variables)
    if engine.kind == "qdrant":
        found["ANTIPHON_STORE_PATH"] = str(engine.settings["path"])
    return found


def test_a_space_on_a_store_answers_as_in_memory(built: Path, run: Path) -> None:
    """Requests of every kind, at the usual depth: the same items, scores, shares and fields; and a vector alone."""
    memory, stored = antiphon.load(built, store={"kind": "memory"}), antiphon.load(run)
    for query in REQUESTS:
        asked = replace(query, k=20, explain=True)
        expected, found = memory.answer(asked), stored.answer(asked)
        assert [hit.item_id for hit in found] == [hit.item_id for hit in expected]
        assert_allclose([hit.score for hit in found], [hit.score for hit in expected], rtol=1e-4, atol=1e-3)
        for one, other in zip(found, expected, strict=True):
            assert one.fields == other.fields
            assert one.why == pytest.approx(other.why, abs=2e-3)
            assert one.matched == other.matched
    embedding = memory.embed(REQUESTS[7])
    assert [hit.item_id for hit in stored.search_dense(embedding)] == [
        hit.item_id for hit in memory.search_dense(embedding)
    ]


def test_two_services_on_one_store_and_a_store_that_is_down(built: Path, run: Path, engine: Engine) -> None:
    """Both answer alike. Where the store is down a request is a 503 with a sentence; it is answered when it is back."""
    from fastapi.testclient import TestClient

    from antiphon.serve import create_app
    from antiphon.serve.served import Served
    from antiphon.serve.settings import Settings

    apps = [create_app(run, Settings(poll=0)) for _ in range(2)]
    with TestClient(apps[0]) as one, TestClient(apps[1]) as other:
        bodies = [{"text": "dark space robots", "k": 5}, {"likes": ["film-004"], "where": "year>=1960", "k": 5}]
        answers = [[client.post("/v1/search", json=body).json()["hits"] for body in bodies] for client in (one, other)]
        assert answers[0] == answers[1]
        assert all(len(hits) == 5 for hits in answers[0])
        assert one.get("/readyz").status_code == 200
        counted = one.get("/v1/facets", params={"where": "year>=1980 and not country=USA"}).json()
        if engine.kind == "memory":
            return
        alone = Served(antiphon.load(built, store={"kind": "memory"})).facets
        assert counted["facets"] == alone.count(parse_filter("year>=1980 and not country=USA"), None)
        engine.kill()
        if engine.kind == "qdrant":
            for app in apps:
                app.state.live.served.space.on_store.version.close()
        down = one.post("/v1/search", json=bodies[0])
        assert down.status_code == 503
        assert down.headers["retry-after"]
        assert "store" in down.json()["detail"]
        assert one.get("/readyz").status_code == 503
        assert one.get("/healthz").status_code == 200
        with pytest.raises(RunError, match="store"):
            antiphon.load(run)
        engine.start()
        again = [[client.post("/v1/search", json=body).json()["hits"] for body in bodies] for client in (one, other)]
        assert again == answers
        assert one.get("/readyz").status_code == 200


def test_a_service_takes_up_a_new_version_of_the_store(built: Path, run: Path, engine: Engine) -> None:
    """What is published is written into the store first; until then the old version answers, and it is looked again."""
    from fastapi.testclient import TestClient

    from antiphon.serve import create_app
    from antiphon.serve.settings import Settings

    if engine.kind == "memory":
        pytest.skip("memory: the service's own tests take up new versions")
    app = create_app(run, Settings(poll=0))
    with TestClient(app) as client:
        before = client.get("/readyz").json()["space_id"]
        space_id = _other_version(built, run)
        assert client.post("/v1/reload").json() == {"space_id": before, "changed": False}
        assert client.post("/v1/search", json={"text": "robots"}).status_code == 200
        space = Space(
            SpaceLayout(run / "space" / space_id), versions.manifest_of(SpaceLayout(run / "space" / space_id))
        )
        put(space, app.state.live.served.space.on_store.store)
        assert client.post("/v1/reload").json() == {"space_id": space_id, "changed": True}
        titles = [hit["title"] for hit in client.post("/v1/search", json={"text": "robots"}).json()["hits"]]
        assert titles
        assert all(title.endswith("!") for title in titles)


def _other_version(built: Path, run: Path) -> str:
    """Publish the films once more with other titles; returns the id."""
    import pyarrow as pa

    new = SpaceLayout(run / "space" / "beside")
    shutil.copytree(versions.current(RunLayout(built)).root, new.root)
    items = storage.read_table(new.items)
    titles = pa.array([f"{title}!" for title in items["title"].to_pylist()])
    storage.write_table(new.items, items.set_column(1, "title", titles))
    manifest = versions.manifest_of(new)
    files = {**manifest["files"], "items.parquet": storage.sha256(new.items)}
    space_id = space_id_of(files)
    storage.write_sealed(new.manifest, {**manifest, "files": files, "space_id": space_id})
    new.root.rename(run / "space" / space_id)
    storage.write_text(RunLayout(run).current, space_id + "\n")
    return space_id
