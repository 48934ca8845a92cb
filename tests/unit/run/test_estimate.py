"""How long a build will take, said before it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog, Interactions
from antiphon.run import estimate
from antiphon.run.estimate import expected_seconds


def catalog(n_items: int, n_pairs: int = 0) -> Catalog:
    """Items with names, and as many interactions as asked for, a user for each hundred."""
    items = pa.table(
        {"item_id": [str(row) for row in range(n_items)], "title": [f"Name {row}" for row in range(n_items)]}
    )
    liked = None
    if n_pairs:
        users, rows = np.divmod(np.arange(n_pairs), 100)
        liked = Interactions(
            tuple(str(user) for user in range(int(users.max()) + 1)),
            users.astype(np.int32),
            (rows % n_items).astype(np.int32),
            np.ones(n_pairs, dtype=np.float32),
            np.ones(n_pairs, dtype=bool),
        )
    return Catalog(items, pa.table({"tags": [["a"]] * n_items}), {"tags": "list"}, interactions=liked)


def config(*, quick: bool = False) -> Config:
    """One with everything as it comes."""
    return Config.model_validate({"quick": quick, "catalog": {"items": Path("items.parquet")}})


def test_more_of_anything_takes_longer() -> None:
    """Items, and interactions, which are learned from beside the rest: few of them cost nothing."""
    small, large, with_users = (
        expected_seconds(config(), one) for one in (catalog(300), catalog(900), catalog(300, 2_000_000))
    )
    assert small < large
    assert small < with_users


def test_a_quick_build_is_expected_to_be_quicker() -> None:
    """By more than half, where much is to be learned."""
    wanted = catalog(3_000, 60_000)
    assert expected_seconds(config(quick=True), wanted) < expected_seconds(config(), wanted) / 2


@pytest.mark.parametrize(("n_items", "quicker"), [(1_900, False), (2_100, True)])
def test_8_bits_are_expected_where_the_encoder_takes_them(
    n_items: int, quicker: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From as many texts on as the encoder asks for, and only on a CPU that has them."""
    monkeypatch.setattr(estimate, "is_fast", lambda: False)
    exact = expected_seconds(config(), catalog(n_items))
    monkeypatch.setattr(estimate, "is_fast", lambda: True)
    assert (expected_seconds(config(), catalog(n_items)) < exact) == quicker
