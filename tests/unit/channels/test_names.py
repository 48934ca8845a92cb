"""The names channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import antiphon
from antiphon.channels import names


def test_an_item_that_is_asked_for_by_name_comes_first(built: Any) -> None:
    """With and without the year; as an example it is no answer."""
    space = antiphon.load(built)
    title = space.titles[7]
    assert space.search(title)[0].title == title
    assert space.item_ids[7] not in [hit.item_id for hit in space.search(f"something like {title}", k=50)]
    quiet = space.search(f"something like {title}", weights={"names": 0}, k=space.n_items)
    assert space.item_ids[7] in [hit.item_id for hit in quiet]


def test_in_a_large_catalog_no_line_is_made(built: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are the rows that are asked for, as far as they are allowed, and scores those of the line."""
    space = antiphon.load(built)
    channel = next(channel for channel in space.channels if channel.name == "names")
    resolved = space.resolve([antiphon.Query(text=space.titles[7]), antiphon.Query(text="dark")])
    line, rows = channel.scores(resolved, None), np.array([0, 7, 9])
    assert np.array_equal(channel.scores(resolved, rows), line[:, rows])
    monkeypatch.setattr(names, "LARGE", 1)
    assert channel.candidates(resolved, 3, None).tolist() == [[7, -1, -1], [-1, -1, -1]]
    assert (channel.candidates(resolved, 3, np.arange(space.n_items) > 7) == -1).all()
