"""The lookup that nobody trained: what it counts, and over which fields."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from antiphon.base.language import ENGLISH
from antiphon.evaluate.baselines.facet_lookup import FacetLookup, plain_dictionary
from antiphon.query.columns import field_table


def data() -> SimpleNamespace:
    """Three films; the second is dark by a genre, the third by a tag."""
    fields = pa.table({"genres": [["drama"], ["dark", "drama"], ["comedy"]], "tags": [["slow"], [], ["dark"]]})
    columns = field_table(fields, {"genres": "list", "tags": "list"})
    return SimpleNamespace(space=SimpleNamespace(columns=columns, language=ENGLISH))


def test_values_are_counted_over_all_fields_or_one() -> None:
    """A value in any field counts once; of one field only its own do."""
    assert plain_dictionary(data()).scores("dark dramas").tolist() == [1, 2, 1]
    assert plain_dictionary(data(), "tags").scores("dark dramas").tolist() == [0, 0, 1]


def test_words_decide_between_equals() -> None:
    """BM25 counts little beside a value."""
    words = SimpleNamespace(scores=lambda task: np.array([[0.0, 0.0, 5.0]], dtype=np.float32))
    lookup = FacetLookup(plain_dictionary(data()), words, 0.001)
    scores = lookup.scores(SimpleNamespace(texts=["dark dramas"]))
    assert np.argsort(-scores[0]).tolist() == [1, 2, 0]
