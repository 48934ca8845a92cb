"""A large space: codes find candidates, and what is answered is what a small space would answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import antiphon
from antiphon import Query
from antiphon.base import storage, versions
from antiphon.base.layout import RunLayout, SpaceLayout, space_id_of
from antiphon.channels import base, facets, names, passages, taste, words
from antiphon.channels.passages import Passages
from antiphon.errors import IntegrityError
from antiphon.numbers import coded
from antiphon.run import publish
from antiphon.space import answer
from antiphon.space.space import Space

pytest.importorskip("faiss")
QUERIES = [
    Query(text="dark space robots"),
    Query(likes=("film-001", "film-002"), exclude=("film-003",)),
    Query(user="user-05"),
    Query(history=("film-003", "film-004")),
    Query(text="a tender drama. It has a slow and quiet end.", history=("film-003",)),
    Query(text="dark", user="user-07"),
]


def reseal(root: Path) -> None:
    """Take up files that were written into the current version as if it had been published with them."""
    layout = RunLayout(root)
    version = versions.current(layout)
    files = {
        path.relative_to(version.root).as_posix(): storage.sha256(path)
        for path in sorted(version.root.rglob("*"))
        if path.is_file() and path != version.manifest
    }
    space_id = space_id_of(files)
    storage.write_sealed(version.manifest, {**versions.manifest_of(version), "files": files, "space_id": space_id})
    version.root.rename(layout.spaces / space_id)
    storage.write_text(layout.current, space_id + "\n")


@pytest.fixture(scope="module")
def run(built: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films' run, published as a large one is: with codes."""
    root = tmp_path_factory.mktemp("large") / "run"
    shutil.copytree(built, root)
    layout = RunLayout(root)
    version = versions.current(layout)
    manifest = versions.manifest_of(version)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "LARGE", 10)
        publish.write_codes(version, manifest["blocks"])
    assert {path.name for path in version.codes.iterdir()} == {"vectors", "texts"}
    reseal(root)
    return root


@pytest.fixture
def large(run: Path, monkeypatch: pytest.MonkeyPatch) -> Space:
    """It, answered as a large space is."""
    for module in (base, facets, names, passages, taste, words):
        monkeypatch.setattr(module, "LARGE", 10)
    monkeypatch.setattr(answer, "SMALL", 0)
    for module in (answer, coded):
        monkeypatch.setattr(module, "GATHERED", 0.0)
    monkeypatch.setattr(passages, "SAMPLE", 10_000)
    space = antiphon.load(run)
    assert set(space.codes) == {"vectors", "texts"}
    return space


@pytest.mark.parametrize("where", [None, "year>=1980"])
def test_at_the_usual_depth_of_a_small_catalog_nothing_is_lost(built: Any, large: Space, where: str | None) -> None:
    """Candidates are deep enough to hold all items: rows are those of the exact path, and so are scores."""
    from antiphon.query.filters import parse_filter

    queries = [Query(**{**vars(query), "where": None if where is None else parse_filter(where)}) for query in QUERIES]
    rows, scores = large.rank_rows(queries, 12)
    exact = large_exactly(built, queries)
    for place in range(len(queries)):
        assert_allclose(scores[place], exact[1][place], atol=2e-3)
        assert len(np.intersect1d(rows[place], exact[0][place])) >= 11


def large_exactly(built: Any, queries: list[Query]) -> tuple[np.ndarray, np.ndarray]:
    """The answers of the run without codes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "SMALL", 10**9)
        return antiphon.load(built).rank_rows(queries, 12)


def test_few_candidates_still_give_k_answers_with_exact_scores(large: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the codes find: as many as are asked for, none hidden, each with the score that it has among all."""
    monkeypatch.setattr(answer, "LEAST", 1)
    monkeypatch.setattr(answer, "DEPTH", 1)
    monkeypatch.setattr(taste, "DEPTH", 8)
    for query in QUERIES:
        resolved = large.resolve([query])
        rows, scores = large.best(resolved, 4)
        assert (rows >= 0).all()
        assert not np.isin(rows[0], resolved.hidden[0]).any()
        heard = [channel for channel in large.channels if resolved.hears(channel)]
        total = np.sum([channel.scores(resolved, None)[0] for channel in heard], axis=0)
        assert_allclose(scores[0], total[rows[0]], atol=1e-3)


def test_who_asks_without_words_waits_for_none(large: Space) -> None:
    """Names, values and spelling are made at the first text: of a million titles that takes a while."""
    large.search(likes=["film-001"])
    large.search(user="user-05")
    assert not {"names", "speller", "dictionary"} & set(vars(large))
    large.search("dark")
    assert {"names", "speller", "dictionary"} <= set(vars(large))


@pytest.mark.parametrize("name", ["facets", "passages", "words"])
def test_scores_of_some_rows_are_those_of_the_lines(large: Space, name: str) -> None:
    """Though no line of all items is made for them, and candidates are rows that the channel speaks for."""
    channel = next(channel for channel in large.channels if channel.name == name)
    resolved = large.resolve(QUERIES)
    rows = np.array([0, 3, 17, 41, 59])
    lines = channel.scores(large.resolve(QUERIES), None)
    assert_allclose(channel.scores(resolved, rows), lines[:, rows], atol=1e-4)
    for place, found in enumerate(channel.candidates(resolved, 5, None)):
        assert (lines[place, found[found >= 0]] > 0).all()
        if len(found[found >= 0]) == 5:
            assert lines[place, found].max() >= lines[place].max() - 1e-4


@pytest.fixture(scope="module")
def many(built: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The films' run, published as one of few items with many passages is: these have eight bits beside them."""
    root = tmp_path_factory.mktemp("many") / "run"
    shutil.copytree(built, root)
    version = versions.current(RunLayout(root))
    n_passages = Passages.load(version.passages).n_passages
    n_items = len(storage.read_array(version.vectors, mmap=True))
    assert n_passages > n_items
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "LARGE", n_items)
        publish.write_codes(version, versions.manifest_of(version)["blocks"])
    assert [path.name for path in version.codes.iterdir()] == ["passages"]
    reseal(root)
    return root


@pytest.mark.parametrize("where", [None, "year>=1980"])
def test_many_passages_answer_as_few_do(
    many: Path, built: Any, monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    """Eight bits find the rows that may lead, and these have the scores of 32."""
    from antiphon.query.filters import parse_filter

    queries = [Query(**{**vars(query), "where": None if where is None else parse_filter(where)}) for query in QUERIES]
    exact = antiphon.load(built).rank_rows(queries, 12)
    monkeypatch.setattr(passages, "LARGE", 60)
    monkeypatch.setattr(passages, "SAMPLE", 10_000)
    space = antiphon.load(many)
    asked: list[int] = []
    products = space.passages.rough.products
    monkeypatch.setattr(space.passages.rough, "products", lambda texts: asked.append(len(texts)) or products(texts))
    rows, scores = space.rank_rows(queries, 12)
    assert asked, "eight bits were not asked"
    assert_allclose(scores, exact[1], rtol=1e-5, atol=1e-4)
    assert (rows == exact[0]).mean() > 0.98
    resolved = space.resolve(queries[:1])
    shares = [channel.explain(resolved, int(rows[0, 0])) for channel in space.channels if resolved.hears(channel)]
    assert_allclose(sum(sum(share.values()) for share in shares), scores[0, 0], atol=1e-3)


def test_a_space_without_codes_is_answered_as_before(built: Any) -> None:
    """A small run has none, and its files are those of before."""
    space = antiphon.load(built)
    assert space.codes == {}
    assert not SpaceLayout(versions.current(RunLayout(Path(built))).root).codes.exists()


def test_a_damaged_large_file_is_refused_when_it_is_found(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The space loads at once, and no request is answered after the background has read the file."""
    monkeypatch.setattr(versions, "LARGE_FILE", 1_000)
    antiphon.load(run).checking.finish()
    path = versions.current(RunLayout(run)).vectors
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        space = antiphon.load(run)
        with pytest.raises(IntegrityError, match=r"vectors\.npy"):
            space.checking.finish()
        with pytest.raises(IntegrityError, match=r"vectors\.npy"):
            space.search("dark")
    finally:
        path.write_bytes(whole)
