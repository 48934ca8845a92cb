"""One answer for all stores: candidates of each part, their union scored exactly by all parts, the best of these."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from antiphon.numbers.exact import top_k
from antiphon.stores.contract import Floats, Narrowed, Ranking, Rows, Version, Wanted


def answer(version: Version, wanted: Wanted) -> Ranking:
    """The k best items of a request; k of them whenever k may be answers.

    Items that are `last` are candidates only where the others are fewer than k, as they lose whatever is found.

    Raises:
        StoreError: the store cannot be reached.
    """
    without = np.union1d(wanted.hidden, wanted.last)
    rows = _candidates(version, wanted, Narrowed(wanted.where, wanted.flag, without))
    if len(rows) < wanted.k and len(wanted.last):
        rows = _candidates(version, replace(wanted, last=wanted.last[:0]), _narrowed(wanted))
    parts, known = exact(version, wanted, rows)
    total = np.asarray(parts.sum(axis=0) + sum(known.values(), np.zeros(len(rows), dtype=np.float32)))
    columns, _ = top_k(total[None].astype(np.float32), min(wanted.k, len(rows)))
    best = columns[0][columns[0] >= 0]
    return Ranking(rows[best], total[best], parts[:, best], {name: values[best] for name, values in known.items()})


def exact(version: Version, wanted: Wanted, rows: Rows) -> tuple[Floats, dict[str, Floats]]:
    """Scores of rows: of each part, (n_parts, n_rows), and what was known beforehand, by channel. `rows` ascend."""
    parts = np.zeros((len(wanted.parts), len(rows)), dtype=np.float32)
    known = {name: np.zeros(len(rows), dtype=np.float32) for name in wanted.known}
    if len(rows):
        scales = np.array([part.scale for part in wanted.parts], dtype=np.float32)
        if len(wanted.parts):
            parts = scales[:, None] * version.scores(wanted.parts, rows)
        for name, (which, values) in wanted.known.items():
            _, there, given = np.intersect1d(rows, which, return_indices=True)
            known[name][there] = values[given]
    return parts, known


def _candidates(version: Version, wanted: Wanted, narrowed: Narrowed) -> Rows:
    n = max(wanted.k, wanted.depth)
    if n >= version.shape.n_items:
        return version.first(version.shape.n_items, narrowed)
    found = version.nearest(wanted.parts, n, narrowed) if wanted.parts else []
    leading = [rows[np.argsort(-values, kind="stable")[:n]] for rows, values in wanted.known.values()]
    beforehand = np.unique(np.concatenate(leading)) if leading else np.zeros(0, dtype=np.int64)
    if len(beforehand):
        found = [*found, version.passing(beforehand, narrowed)]
    rows = np.unique(np.concatenate(found)) if found else np.zeros(0, dtype=np.int64)
    if len(rows) < wanted.k:
        # Terms find the items that have them, and no others: what is left of k is filled up in order.
        rows = np.union1d(rows, version.first(wanted.k + len(rows), narrowed))
    return rows.astype(np.int64)


def _narrowed(wanted: Wanted) -> Narrowed:
    return Narrowed(wanted.where, wanted.flag, wanted.hidden)
