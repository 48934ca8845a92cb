"""The split that time makes: nothing of after the moment is learned from, and profiles come before truths."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from antiphon.evaluate.rundata import RunData
from antiphon.reproduce.temporal import split_at, task_after


def ratings(rows: list[tuple[str, str, float, int]]) -> pa.Table:
    """A table of ratings."""
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("user_id", "item_id", "rating", "timestamp"), map(list, columns), strict=True)))


def test_the_moment_parts_the_ratings() -> None:
    """What is before it is all there, liked or not; what is after it counts where it is liked."""
    before, after = split_at(ratings([("a", str(n), float(n % 5), n) for n in range(10)]), 0.5)
    assert before["timestamp"].to_pylist() == [0, 1, 2, 3, 4]
    assert after["item_id"].to_pylist() == ["9"]


def test_profiles_are_earlier_than_truths(data: RunData) -> None:
    """Earlier likes and the first half of later ones are known; who has nothing later is no test user."""
    names = data.item_ids
    before = ratings([("a", names[0], 5.0, 1), ("a", names[1], 1.0, 2), ("b", names[2], 5.0, 3)])
    after = ratings(
        [("a", names[5], 5.0, 14), ("a", names[4], 5.0, 13), ("a", names[3], 5.0, 12), ("a", names[6], 5.0, 15),
         ("c", names[7], 5.0, 11), ("c", names[8], 5.0, 16), ("d", names[9], 5.0, 17), ("a", "unknown", 5.0, 18)]
    )  # fmt: skip
    task = task_after(data, before, after)
    assert task.ids == ("a", "c")
    assert [rows.tolist() for rows in task.profiles] == [[0, 3, 4], [7]]
    assert [task.relevance.row(row).tolist() for row in range(2)] == [[5, 6], [8]]
    assert task.queries[0].history == tuple(names[row] for row in (0, 3, 4))
    assert all(np.isin(profile, truth).sum() == 0 for profile, truth in zip(task.profiles, [[5, 6], [8]], strict=True))
