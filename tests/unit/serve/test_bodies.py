"""Bodies that no route can read: half surrogates and endless nesting are the caller's fault."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.serve.bodies import MAX_DEPTH, depth_of, fault_of

HALF = '"\\ud800"'
ROUTES = (
    ("/v1/search", '{"text": %s}'), ("/v1/search", '{"text": "a", "more": [%s]}'), ("/v1/search", '{"likes": [%s]}'),
    ("/v1/search", '{"text": "a", "where": %s}'), ("/v1/search", '{"text": "a", "where": {"genres": %s}}'),
    ("/v1/search", '{"text": "a", "where": {%s: 1}}'), ("/v1/search", '{"text": "a", "user": %s}'),
    ("/v1/search", '{"text": "a", "weights": {%s: 1}}'), ("/v1/search", "{%s: 1}"),
    ("/v1/recommend", '{"history": [%s]}'), ("/v1/why", '{"text": "a", "item_id": %s}'),
    ("/v1/facets", '{"text": %s}'), ("/v1/understand", '{"text": %s}'), ("/v1/refine", '{"say": %s}'),
    ("/v1/refine", '{"wish": {"text": %s}, "say": "newer"}'), ("/v1/playlist", '{"text": %s}'),
    ("/v1/playlist", '{"text": "a", "format": "xspf", "name": %s}'), ("/v1/playlist/order", '{"item_ids": [%s]}'),
)  # fmt: skip
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(("path", "body"), ROUTES)
@pytest.mark.parametrize("half", [HALF.encode(), b'"\xed\xa0\x80"', b'"a\\uDFFFb"'], ids=["escape", "bytes", "lower"])
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(client, path, body, half):
    """A text that nothing can encode is answered with 400 and a sentence, in each field of each route."""
    got = client.post(path, content=body.encode().replace(b"%s", half), headers=JSON)
    assert got.status_code == 400, got.text
    assert "half a surrogate pair" in got.json()["detail"]


@pytest.mark.parametrize("path", sorted({path for path, _ in ROUTES}))
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_body_nested_without_end_is_refused(client, path, opening):
    """However deep, the answer is 400 and says which depth is read."""
    got = client.post(path, content=opening * 50_000, headers=JSON)
    assert got.status_code == 400, got.text
    assert f"more than {MAX_DEPTH} deep" in got.json()["detail"]


@pytest.mark.parametrize("depth", [2, 30, MAX_DEPTH - 4, 1000])
def test_a_value_of_a_filter_that_holds_values_is_refused(client, depth):
    """{"year": {"eq": {...}}} is no filter, however deep; the sentence stays short."""
    where = '{"year": {"eq": ' + '{"a": ' * depth + "1" + "}" * depth + "}}"
    got = client.post("/v1/search", content=f'{{"text": "a", "where": {where}}}'.encode(), headers=JSON)
    assert got.status_code == 400, got.text
    assert len(got.json()["detail"]) < 300


def test_whole_pairs_and_texts_with_brackets_are_read(client):
    """An emoji is a text, escaped or not, and brackets in a text nest nothing."""
    for text in ("\U0001f3ac", "[" * 900, '\\"{' * 300):
        for ascii_only in (True, False):
            body = json.dumps({"text": text}, ensure_ascii=ascii_only).encode()
            assert client.post("/v1/search", content=body, headers=JSON).status_code == 200


def test_other_encodings_are_read_as_json_reads_them():
    """UTF-16 is JSON too: its depth counts, and its halves are found."""
    assert "deep" in str(fault_of(("[" * 200).encode("utf-16")))
    assert "half" in str(fault_of(b"\xff\xfe" + '"\ud800"'.encode("utf-16-le", "surrogatepass")))
    assert fault_of('{"text": "Été"}'.encode("utf-16")) is None


NESTED = st.recursive(
    st.none() | st.integers() | st.text(alphabet='[]{}\\"a', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[{"\\', max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)  # fmt: skip


def deep(value: object) -> int:
    """How deep a value is, counted slowly."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deep, inner), default=0)


@given(NESTED)
def test_depth_is_that_of_the_document(value):
    """Whatever stands in its strings."""
    assert depth_of(json.dumps(value)) == deep(value)
