"""The second stage for histories in a built space. Its limits are made small, so that 40 users are enough for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import antiphon
from antiphon import Query
from antiphon.channels import mixture, rerank, rerank_training
from antiphon.config.load import load_config
from antiphon.run.build import build
from antiphon.space.space import Space

HISTORY = ("film-001", "film-002", "film-003")
N_ITEMS = 60


@pytest.fixture
def run(own_run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run whose space follows a second stage, whatever validation says of it."""
    for module in (rerank, rerank_training):
        monkeypatch.setattr(module, "DEPTH", 10)
    monkeypatch.setattr(rerank_training, "FEWEST_USERS", 5)
    monkeypatch.setattr(rerank_training, "EPOCHS", 2)
    monkeypatch.setattr(mixture, "RERANK_GAIN", -1.0)
    build(load_config(own_run.project, ["space.ease_rank=12"]), own_run.run)
    return own_run.run


def first_stage_only(run: Any) -> Space:
    """The same space without its second stage."""
    space = antiphon.load(run)
    space.mixture = replace(space.mixture, rerank=0.0)
    return space


def scores(space: Space, query: Query) -> np.ndarray:
    """Scores of all items by their rows; -inf for those that are left out."""
    rows, values = space.rank_rows([query], N_ITEMS)
    result = np.full(N_ITEMS, -np.inf)
    result[rows[0][rows[0] >= 0]] = values[0][rows[0] >= 0]
    return result


def test_a_history_is_answered_in_the_order_of_the_second_stage(run: Any) -> None:
    """The ten that lead by taste have changed scores, the others have those of before."""
    space, before = antiphon.load(run), first_stage_only(run)
    assert space.mixture.rerank > 0
    before.mixture = replace(before.mixture, history=space.mixture.reranked)
    query = Query(history=HISTORY)
    moved = np.flatnonzero(~np.isclose(scores(space, query), scores(before, query), atol=1e-5))
    assert 5 <= len(moved) <= 10
    assert not {space.row_of[item] for item in HISTORY} & set(moved)


def test_what_does_not_ask_by_a_history_is_answered_as_before(run: Any) -> None:
    """Texts, items to be like, and a history among other parts: the second stage has learned of histories alone."""
    space, before = antiphon.load(run), first_stage_only(run)
    both = Query(text="dark space robots", history=HISTORY)
    for query in (Query(text="dark space robots"), Query(likes=HISTORY), both):
        assert_allclose(scores(space, query), scores(before, query))


def test_its_part_grows_with_the_weight_of_the_history(run: Any) -> None:
    """Half of the weight, half of the change."""
    space, before = antiphon.load(run), first_stage_only(run)
    before.mixture = replace(before.mixture, history=space.mixture.reranked)

    def change(weight: float) -> np.ndarray:
        query = Query(history=HISTORY, weights={"user": weight})
        with np.errstate(invalid="ignore"):
            return np.nan_to_num(scores(space, query) - scores(before, query))

    assert np.abs(change(1.0)).max() > 0
    assert_allclose(change(0.5), 0.5 * change(1.0), atol=1e-4)


def test_the_parts_of_a_score_sum_to_it(run: Any) -> None:
    """What the second stage adds is part of taste."""
    space = antiphon.load(run)
    resolved = space.resolve([Query(history=HISTORY)])
    rows, values = space.best(resolved, 5)
    for row, value in zip(rows[0], values[0], strict=True):
        parts = space.contributions(resolved, int(row))
        assert sum(parts.values()) == pytest.approx(float(value), abs=1e-4)
        assert "taste" in parts


def test_a_history_alone_and_among_others_is_answered_alike(run: Any) -> None:
    """A batch with queries of other kinds, and one with a filter."""
    space = antiphon.load(run)
    queries = [Query(text="robots"), Query(history=HISTORY), Query(history=("film-009",)), Query(likes=HISTORY)]
    together = space.rank_rows(queries, 8)[0]
    for place, query in enumerate(queries):
        assert together[place].tolist() == space.rank_rows([query], 8)[0][0].tolist()


def test_it_can_be_left_out(own_run: Any, run: Any) -> None:
    """space.rerank = false: neither trained nor published."""
    build(load_config(own_run.project, ["space.ease_rank=12", "space.rerank=false"]), run)
    space = antiphon.load(run)
    assert space.mixture.rerank == 0
    assert space.taste is not None
    assert space.taste.reranker is None


def test_more_items_leave_it_as_it_is(run: Any, tmp_path: Any, cli: Any) -> None:
    """Items that are added have no users, so the second stage leaves them where the first puts them."""
    before = scores(antiphon.load(run), Query(history=HISTORY))
    new = tmp_path / "new.csv"
    new.write_text("item_id,title,year\nfilm-900,A New Film,1999\n", encoding="utf-8")
    done = cli("add", run, "--items", new)
    assert done.returncode == 0, done.stderr
    space = antiphon.load(run)
    assert space.taste is not None
    assert space.taste.users[space.row_of["film-900"]] == 0
    assert space.taste.reranker is not None
    assert len(before) + 1 == space.n_items
