"""What answers are made of, counted by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.splits import Split
from antiphon.evaluate.answers import COLD, FEW, NEVER, answer_shares


def test_shares_of_the_first_answers() -> None:
    """Item 0 is known, 1 is rare, 2 was met and not liked, 3 was met by nobody; missing answers do not count."""
    user, item = np.array([0, 0, 1, 1], dtype=np.int32), np.array([1, 2, 0, 2], dtype=np.int32)
    positive = np.array([True, False, True, False])
    made = Interactions(("u", "v"), user, item, np.ones(4, np.float32), positive)
    items = pa.table({"item_id": list("abcd"), "title": list("abcd")})
    nobody = np.zeros(0, dtype=np.int64)
    data = SimpleNamespace(
        popularity=np.array([9.0, 1, 0, 0]),
        catalog=Catalog(items, items.select(["item_id"]), {}, made),
        split=Split(np.array([0, 1]), nobody, nobody, nobody),
    )
    ranked = np.array([[0, 1, 2, 3], [2, 0, -1, -1], [-1, -1, -1, -1]])
    found = answer_shares(ranked, data)
    np.testing.assert_allclose(found[COLD], [0.5, 0.5, np.nan])
    np.testing.assert_allclose(found[FEW], [0.75, 0.5, np.nan])
    np.testing.assert_allclose(found[NEVER], [0.25, 0.5, np.nan])
