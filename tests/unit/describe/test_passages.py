"""Long texts cut into passages."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.config.sections import DescribeConfig
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.describe.passages import MAX_PASSAGES, MAX_WORDS, cut, lexical_texts, passages_of
from antiphon.errors import ConfigError

ITEMS = pa.table(
    {"item_id": ["a", "b"], "title": ["A", "B"], "plot": ["One. Two.", None], "year": [1, 2]},
)
CATALOG = Catalog(ITEMS, pa.table({"tags": [["x", "y"], None]}), {"tags": "list"})


@given(st.lists(st.sampled_from(["word", "end.", "stop!", "a"]), max_size=4000))
def test_passages_hold_the_text_in_order(words: list[str]) -> None:
    """No passage is longer than an encoder reads; what is beyond the last goes."""
    passages = cut(" ".join(words))
    assert len(passages) <= MAX_PASSAGES
    assert all(len(passage.split()) <= MAX_WORDS for passage in passages)
    kept = " ".join(passages).split()
    assert kept == words[: len(kept)]
    assert len(kept) == len(words) or len(passages) == MAX_PASSAGES


def test_each_text_is_a_view() -> None:
    """Named by its column; an item without one has none."""
    assert passages_of(CATALOG, DescribeConfig(texts=["plot"])).views == {"plot 1": ("One. Two.", None)}


def test_lists_of_sentences_are_one_text() -> None:
    """As JSONL has them, or as a program wrote them into a cell."""
    items = pa.table({
        "item_id": ["a", "b", "c"],
        "features": [["It is warm. ", "It floats."], [], None],
        "steps": ["['stir it', 'bake it!']", "[stir it]", None],
    })  # fmt: skip
    views = passages_of(Catalog(items, pa.table({}), {}), DescribeConfig(texts=["features", "steps"])).views
    assert views["features 1"] == ("It is warm. It floats.", None, None)
    assert views["steps 1"] == ("stir it. bake it!", "[stir it]", None)


@pytest.mark.parametrize(("column", "said"), [("plto", "'plot'"), ("tags", "no column")])
def test_a_column_that_is_not_there_is_refused(column: str, said: str) -> None:
    """With the nearest that is."""
    with pytest.raises(ConfigError, match=said):
        passages_of(CATALOG, DescribeConfig(texts=[column]))


def test_words_are_looked_up_in_everything() -> None:
    """The description, the lists, and the texts."""
    texts = lexical_texts(CATALOG, Descriptions({"template": ("Item A", "Item B")}), [("One. Two.", None)])
    assert texts == ["Item A x, y One. Two.", "Item B"]
