"""Reading who used what: a table of users and items, with weights and what counts as liked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from antiphon.config.sections import InteractionsConfig
from antiphon.data.catalog import Finding, Interactions
from antiphon.data.cells import as_numbers
from antiphon.data.lines import places, where
from antiphon.data.masks import names_in, parsed, table_mask
from antiphon.data.tables import column_of, ids_of, is_blank, numbers_of, read_file
from antiphon.errors import DataError
from antiphon.query.columns import Mask

N_EXAMPLES = 3


def read_interactions(
    config: InteractionsConfig, unknown: str, item_ids: pa.ChunkedArray, findings: list[Finding]
) -> Interactions:
    """Read and check the table that [catalog.interactions] names; what is dropped is added to `findings`.

    Raises:
        ConfigError: `positive` does not parse or does not fit the columns.
        DataError: the file is missing or broken, or has values that a policy refuses.
    """
    path = config.file
    table = read_file(path, [config.user_id, config.item_id])
    users = ids_of(column_of(table, config.user_id, path), path, config.user_id)
    items = ids_of(column_of(table, config.item_id, path), path, config.item_id)
    table, misfits = _with_numbers(config, table, findings)
    columns = _values(config, table, ~misfits)
    item_row = np.asarray(pc.fill_null(pc.index_in(items, value_set=item_ids.combine_chunks()), -1))
    no_item = item_row < 0
    no_user = is_blank(users) & ~no_item
    if no_item.all():
        shown = f" (here: {items[0].as_py()!r}, items: {item_ids[0].as_py()!r})" if len(items) else ""
        raise DataError(
            f"{path}, column {config.item_id!r}: none of the {len(items):,} interactions has an item of the catalog"
            f"{shown}. Are they ids of the same kind?"
        )
    _report_unknown(no_item, items, "interactions with an unknown item", path, config.item_id, unknown, findings)
    _report_unknown(no_user, users, "interactions without a user", path, config.user_id, unknown, findings)
    good = ~no_item & ~no_user & ~misfits
    if not (columns["positive"] & good).any():
        raise DataError(f"{path}: no interaction is positive; check `positive` ({config.positive!r}) and the file.")
    user_ids = pc.unique(users.filter(pa.array(good))).sort()
    user_row = np.asarray(pc.fill_null(pc.index_in(users, value_set=user_ids), -1))
    order = np.flatnonzero(good)[np.lexsort((item_row[good], user_row[good]))]
    ordered = {name: values[order] for name, values in columns.items()}
    rows = _merge_repeats(user_row[order], item_row[order], ordered, path, findings)
    return Interactions(user_ids=tuple(user_ids.to_pylist()), **rows)


def _with_numbers(config: InteractionsConfig, table: pa.Table, findings: list[Finding]) -> tuple[pa.Table, Mask]:
    """The table with its texts of numbers as numbers, where `positive` or `weight` reads them; rows that hold none."""
    misfits = np.zeros(table.num_rows, dtype=bool)
    names = set() if config.positive is None else names_in(parsed(config.positive, "catalog.interactions.positive"))
    for name in sorted({*names, *filter(None, [config.weight])} & set(table.column_names)):
        found = as_numbers(table[name])
        if found is None and not (name == config.weight and config.on_error == "drop"):
            continue
        numbers, bad = found or (table[name], np.zeros(table.num_rows, dtype=bool))
        if name == config.weight and config.on_error == "drop":
            bad |= _bad_weights(numbers_of(pa.table({name: numbers}), name, config.file))
        if bad.any() and config.on_error == "refuse":
            row = int(np.flatnonzero(bad)[0])
            more = f", and {bad.sum() - 1:,} more" if bad.sum() > 1 else ""
            raise DataError(
                f"{config.file}, column {name!r}: {table[name][row].as_py()!r} ({places(config.file, [row])[0]}{more}) "
                'is no number. Mend the file, or leave such rows out with on_error = "drop" in [catalog.interactions].'
            )
        if bad.any():
            shown = tuple(dict.fromkeys(str(table[name][int(row)].as_py()) for row in np.flatnonzero(bad)[:100]))
            kind = "interactions whose value is no number" if name != config.weight else "interactions without a weight"
            findings.append(Finding(kind, "dropped", int(bad.sum()), str(config.file), name, shown[:N_EXAMPLES]))
        misfits |= bad
        table = table.set_column(table.column_names.index(name), name, numbers)
    return table, misfits


def _values(config: InteractionsConfig, table: pa.Table, kept: Mask) -> dict[str, NDArray[Any]]:
    path = config.file
    columns: dict[str, NDArray[Any]] = {"weight": np.ones(table.num_rows), "positive": np.ones(table.num_rows, bool)}
    if config.weight is not None:
        columns["weight"] = np.where(kept, numbers_of(table, config.weight, path), 0.0)
        _refuse_bad_weights(columns["weight"], path, config.weight)
    if config.weight_transform == "log":
        columns["weight"] = np.log1p(columns["weight"])
    if config.positive is not None:
        columns["positive"] = table_mask(table, config.positive, path, "catalog.interactions.positive")
    return columns


def _bad_weights(weight: NDArray[np.float64]) -> Mask:
    return np.asarray(~(np.abs(weight) <= np.finfo(np.float32).max) | (weight < 0))


def _refuse_bad_weights(weight: NDArray[np.float64], path: Path, column: str) -> None:
    bad = _bad_weights(weight)
    if bad.any():
        examples = ", ".join(str(value) for value in weight[bad][:N_EXAMPLES])
        raise DataError(
            f"{path}, column {column!r}: {bad.sum():,} weights are missing, negative or not finite "
            f"({where(path, bad)}: {examples}). A weight is a count or strength of 0 or more; for "
            "likes and dislikes use `positive`."
        )


def _report_unknown(
    bad: Mask, ids: pa.ChunkedArray, kind: str, path: Path, column: str, policy: str, findings: list[Finding]
) -> None:
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    some = list(dict.fromkeys(str(ids[int(row)].as_py()) for row in rows[:1000]))[:N_EXAMPLES]
    if policy == "refuse":
        raise DataError(
            f"{path}, column {column!r}: {len(rows):,} {kind}, such as {', '.join(map(repr, some))} "
            f'({where(path, bad)}). Mend the file, or set catalog.unknown = "drop" to leave them out.'
        )
    findings.append(Finding(kind, "dropped", len(rows), str(path), column, tuple(some)))


def _merge_repeats(
    user: NDArray[Any], item: NDArray[Any], columns: dict[str, NDArray[Any]], path: Path, findings: list[Finding]
) -> dict[str, NDArray[Any]]:
    starts = np.ones(len(user), dtype=bool)
    starts[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    first = np.flatnonzero(starts)
    n_repeats = len(user) - len(first)
    if n_repeats:
        findings.append(
            Finding("interactions that repeat a user and an item", "merged, weights add up", n_repeats, str(path))
        )
    weight, positive = columns["weight"], columns["positive"]
    if n_repeats:
        weight, positive = np.add.reduceat(weight, first), np.logical_or.reduceat(positive, first)
    user, item = user[first].astype(np.int32), item[first].astype(np.int32)
    return {"user": user, "item": item, "weight": weight.astype(np.float32), "positive": positive}
