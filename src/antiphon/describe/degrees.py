"""Degrees: how much of a facet an item has, where it is known how many people said so.

A tag that one person gave is less than a genre, and less than a tag of twenty. It is still a tag: an item with two
such tags has more of a request for both than one that surely has one of them, so degrees begin at `LEAST`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.config.sections import DescribeConfig, SyntheticConfig
from antiphon.data.catalog import Catalog
from antiphon.data.synthetic import Facet
from antiphon.describe.synthetic import label_of, spoken_facets
from antiphon.query.columns import words_of

LEAST, ENOUGH = 0.7, 5
"""The degree of what one person said, and how many people make it certain."""


def degree_of(count: float) -> float:
    """The degree of a value that `count` people gave, from `LEAST` to 1, on a log scale."""
    return LEAST + (1 - LEAST) * min(1.0, float(np.log(max(count, 1)) / np.log(ENOUGH)))


def degrees_of(
    catalog: Catalog,
    describe: DescribeConfig,
    config: SyntheticConfig,
    names: Sequence[Facet],
    bounds: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> NDArray[np.float32]:
    """The degree of each member of the facets, (n_members,) float32; 1 for fields without counts.

    Facet f has the item rows rows[bounds[f]:bounds[f + 1]]. Where two fields say the same of an item, the surer counts.
    """
    result = np.ones(len(rows), dtype=np.float32)
    counted = _counted(catalog, describe)
    if not counted:
        return result
    said: list[dict[str, float]] = [{} for _ in range(catalog.n_items)]
    for row, facets in enumerate(spoken_facets(catalog, config)):
        for field, value in facets:
            degree = counted[field][row].get(value, 1.0) if field in counted else 1.0
            label = label_of((field, value), config)
            said[row][label] = max(degree, said[row].get(label, 0.0))
    for facet, name in enumerate(names):
        label = label_of(name, config)
        for place in range(bounds[facet], bounds[facet + 1]):
            result[place] = said[rows[place]].get(label, 1.0)
    return result


def _counted(catalog: Catalog, describe: DescribeConfig) -> Mapping[str, list[dict[str, float]]]:
    """Field -> for each item, value -> degree; of the fields whose category has a column of counts."""
    found = {}
    for category in describe.categories:
        if category.counts is None or category.column not in catalog.field_types:
            continue
        values, counts = catalog.items[category.column].to_pylist(), catalog.items[category.counts].to_pylist()
        found[category.column] = [
            {
                word.casefold(): degree_of(float(count or 1))
                for part, count in zip(value, count_list, strict=True)
                for word in words_of(part)
            }
            if isinstance(value, list) and isinstance(count_list, list) and len(value) == len(count_list)
            else {}
            for value, count_list in zip(values, counts, strict=True)
        ]
    return found
