"""The map of the space for the page: positions, colours by a field, and names of regions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.base.layout import SpaceLayout
from antiphon.errors import UnknownIdError, nearest
from antiphon.numbers.map import groups_of, project_2d
from antiphon.query.columns import NumberColumn, WordColumn

if TYPE_CHECKING:
    from antiphon.serve.counts import FieldCounts
    from antiphon.space.space import Space

Floats = NDArray[np.float32]
GRID = 6
N_COLOURS = 8
MIN_REGION = 12
MIN_LIFT = 2.0


class Atlas:
    """Positions of the items, (n_items, 2) float32 from 0 to 1, NaN where an item has no vector."""

    def __init__(self, space: Space, facets: FieldCounts) -> None:
        self.space, self.facets = space, facets
        file = SpaceLayout(space.layout.root).map
        places = storage.read_array(file) if file.is_file() else None
        if places is None or places.shape != (space.n_items, 2):
            places = project_2d(np.asarray(space.vectors, dtype=np.float32), groups_of(space.present))
        self.places: Floats = places

    def place(self, row: int) -> list[float] | None:
        """Where an item is on the map; None where it is not."""
        x, y = (float(value) for value in self.places[row])
        return None if np.isnan(x) else [round(x, 4), round(y, 4)]

    def document(self) -> bytes:
        """Ids and positions (0..65535, -1 for no place) of all items, fields to colour by, and regions."""
        scaled = np.where(np.isnan(self.places), -1, np.nan_to_num(self.places) * 65535).astype(int)
        value = {
            "space_id": self.space.space_id,
            "item_ids": list(self.space.item_ids),
            "x": scaled[:, 0].tolist(),
            "y": scaled[:, 1].tolist(),
            "fields": list(self.space.columns),
            "regions": self.regions(),
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    def colours(self, name: str) -> dict[str, Any]:
        """A field's values for colouring: numbers as they are, or codes of its most frequent values.

        Raises:
            UnknownIdError: the catalog has no such field.
        """
        column = self.space.columns.get(name)
        if column is None:
            raise UnknownIdError(f"the catalog has no field {name!r} to colour by; {nearest(name, self.space.columns)}")
        if isinstance(column, NumberColumn):
            values = [None if np.isnan(value) else float(value) for value in column.values]
            return {"field": name, "kind": "number", "values": values}
        if not isinstance(column, WordColumn):
            return {"field": name, "kind": "words", "legend": [], "codes": [-1] * self.space.n_items}
        counts = np.bincount(column.codes, minlength=len(column.vocabulary))
        counts[self.facets.hidden[name]] = 0
        best = np.argsort(-counts, kind="stable")[:N_COLOURS]
        place_of = {int(code): place for place, code in enumerate(best)}
        codes = np.full(self.space.n_items, -1)
        # An item's first value colours it: catalogs name the main one first.
        for row, code in zip(column.rows[::-1], column.codes[::-1], strict=True):
            codes[row] = place_of.get(int(code), codes[row])
        return {
            "field": name,
            "kind": "words",
            "legend": [self.facets.names[name][code] for code in best],
            "codes": codes.tolist(),
        }

    def regions(self) -> list[dict[str, Any]]:
        """Names of regions: in each cell of a grid, the value that is most typical of the items there."""
        known = np.flatnonzero(~np.isnan(self.places[:, 0]))
        cells = np.minimum((self.places[known] * GRID).astype(int), GRID - 1)
        cell = cells[:, 0] * GRID + cells[:, 1]
        found: list[dict[str, Any]] = []
        for number in np.argsort(-np.bincount(cell, minlength=GRID * GRID), kind="stable"):
            rows = known[cell == number]
            name = self._typical(rows, {str(region["label"]) for region in found}) if len(rows) >= MIN_REGION else None
            if name:
                x, y = np.median(self.places[rows], axis=0)
                found.append({"label": name, "x": round(float(x), 4), "y": round(float(y), 4), "count": len(rows)})
        return found

    def _typical(self, rows: NDArray[np.int64], taken: set[str]) -> str | None:
        """The value with the highest count here times its lift over everywhere."""
        best, name = 0.0, None
        here = np.zeros(self.space.n_items, dtype=bool)
        here[rows] = True
        for field, column in self.space.columns.items():
            if not isinstance(column, WordColumn) or column.type != "list":
                continue
            inside = np.bincount(column.codes[here[column.rows]], minlength=len(column.vocabulary))
            inside[self.facets.hidden[field]] = 0
            overall = np.bincount(column.codes, minlength=len(column.vocabulary))
            share = inside / len(rows)
            lift = share / np.maximum(overall / self.space.n_items, 1e-9)
            # What is spread over the whole map names no place in it.
            typical = (inside >= 4) & (share >= 0.08) & (lift >= MIN_LIFT)
            # A small vocabulary (genres) names regions better than one that anybody adds words to.
            rarity = np.log2(2 + len(column.vocabulary))
            worth = np.where(typical, share * np.log(np.maximum(lift, 1e-9)) / rarity, 0)
            for code in np.argsort(-worth)[:5]:
                label = self.facets.names[field][code]
                if worth[code] > best and label not in taken and not label.isdigit():
                    best, name = float(worth[code]), label
        return name
