"""The names channel."""

from __future__ import annotations

from typing import Any

import antiphon


def test_an_item_that_is_asked_for_by_name_comes_first(built: Any) -> None:
    """With and without the year; as an example it is no answer."""
    space = antiphon.load(built)
    title = space.titles[7]
    assert space.search(title)[0].title == title
    assert space.item_ids[7] not in [hit.item_id for hit in space.search(f"something like {title}", k=50)]
    quiet = space.search(f"something like {title}", weights={"names": 0}, k=space.n_items)
    assert space.item_ids[7] in [hit.item_id for hit in quiet]
