"""Requests that are worded as the catalog words it, and requests in other words: what a row finds of each.

A request is literal where it has all words of the values that its truth is made of, by their stems: "synth pop bands"
of the tag "synth pop". Truth and training labels share fields, so a lookup of values is the floor to be ahead of, and
the requests in other words are those where a lookup has to be beaten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from antiphon.data.jsonl import json_lines
from antiphon.evaluate.baselines.facet_lookup import is_literal
from antiphon.evaluate.results import Result
from antiphon.reproduce.comparisons import against
from antiphon.reproduce.reproduce import LABELS, OURS, Reproduction
from antiphon.reproduce.rows import floor, of_row

LOOKUP = "facet-lookup"
FLOORS = (LOOKUP, "bm25", "text+bm25")
WORDED: Mapping[bool, str] = {True: "the catalog's words", False: "other words"}
Document = list[dict[str, Any]]


def wordings(everything: Reproduction) -> Document:
    """nDCG@200 of both kinds of test requests over all seeds, and the difference to the facet lookup."""
    literal = literal_requests(everything.material.queries)
    found = {LABELS[name]: [floor(everything, name, "retrieve", draw) for draw in everything.draws] for name in FLOORS}
    ours = [
        next(result for result in of_row(everything, OURS, draw).results if result.ids == floors.ids)
        for draw, floors in zip(everything.draws, found[LABELS[LOOKUP]], strict=True)
    ]
    return by_wording({OURS: ours, **found}, literal, LABELS[LOOKUP])


def by_wording(systems: Mapping[str, Sequence[Result]], literal: Mapping[str, bool], reference: str) -> Document:
    """A row for each system and wording, for JSON: see `comparisons.against`, the difference is to `reference`.

    `systems`: for each seed the result of every system. `literal`: of the id of a request.
    """
    rows: Document = []
    for asked, worded in WORDED.items():
        held = [[literal[name] == asked for name in result.ids] for result in systems[reference]]
        if not all(map(any, held)):
            continue
        parts = {
            label: [_part(result, np.array(mask)) for result, mask in zip(results, held, strict=True)]
            for label, results in systems.items()
        }
        rows += [
            {"system": label, "worded": worded, **against(part, parts[reference])} for label, part in parts.items()
        ]
    return rows


def literal_requests(queries: Path) -> dict[str, bool]:
    """Whether each request of a file has the words of its values, by its id; a request without values has not."""
    lines = json_lines(queries, "a request")
    return {str(line["query_id"]): is_literal(line["text"], line.get("tags", ())) for _, line in lines}


def _part(result: Result, mask: Any) -> Result:
    ids = tuple(name for name, kept in zip(result.ids, mask, strict=True) if kept)
    return replace(result, ids=ids, values={name: values[mask] for name, values in result.values.items()})
