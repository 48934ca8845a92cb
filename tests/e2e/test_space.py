"""A built space: what queries mean, on one small run. The command line answers through the same calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import antiphon
from antiphon import Query, QueryError, UnknownIdError
from antiphon.numbers.vectors import unit
from antiphon.query.filters import parse_filter
from antiphon.space.space import Space

A, B, C = "film-001", "film-002", "film-003"


@pytest.fixture(scope="module")
def space(paper_run: Any) -> Space:
    """60 films with text, image and cf, as in the paper: queries are sums of unit vectors in the joint space."""
    return antiphon.load(paper_run.run)


@pytest.fixture(scope="module", params=["default", "paper"])
def either(request: pytest.FixtureRequest) -> Space:
    """The same films, with the usual mixture of channels and as in the paper: what holds for any space."""
    name = {"default": "tiny_run", "paper": "paper_run"}[request.param]
    return antiphon.load(request.getfixturevalue(name).run)


def ids(hits: Any) -> list[str]:
    """Item ids of hits."""
    return [hit.item_id for hit in hits]


def vector(space: Space, item_id: str) -> np.ndarray:
    """The vector of an item."""
    return np.asarray(space.vectors[space.row_of[item_id]])


def naive(space: Space, query: np.ndarray, hidden: set[str], k: int) -> list[str]:
    """Cosine with every item, hidden ones left out, ties by id."""
    scores = np.asarray(space.vectors) @ query
    order = sorted(range(space.n_items), key=lambda row: (-scores[row], row))
    return [space.item_ids[row] for row in order if space.item_ids[row] not in hidden][:k]


def test_items_are_unit_means_of_their_parts(space: Space) -> None:
    """Vectors are the normalised sum of the projections that each item has."""
    assert_allclose(space.vectors, unit(np.asarray(space.parts).sum(axis=0)), atol=1e-6)
    assert_allclose(np.linalg.norm(space.parts, axis=2), space.present.astype(float), atol=1e-5)  # no learned weights
    assert space.item_ids == sorted(space.item_ids)
    assert space.modalities == ("text", "image", "cf")
    assert not space.present[1].all()


def test_a_text_goes_through_the_projection_of_the_text(space: Space) -> None:
    """The embedding of a request is the model's text projection of the encoded words."""
    _, side = space.sides["text"]
    expected = space.model.project("text", side.encode(["dark space robots"]))[0]
    got = space.embed(Query(text="dark space robots"))
    assert_allclose(got.vector, expected, atol=1e-6)
    assert ids(space.search("dark space robots", k=7)) == naive(space, expected, set(), 7)


def test_an_items_own_description_finds_it(paper_run: Any, space: Space) -> None:
    """Asked with its description, an item's text part is met exactly."""
    from antiphon.data.descriptions import Descriptions

    texts = Descriptions.load(paper_run.run / "descriptions.parquet").views["template"]
    for row in (0, 17, 42):
        embedded = space.embed(Query(text=texts[row])).vector
        assert float(embedded @ space.parts[0, row]) == pytest.approx(1, abs=1e-3)


def test_likes_are_a_mean_without_the_liked(space: Space) -> None:
    """Nearest neighbours of the mean of the liked items' vectors, the liked ones left out."""
    mean = unit(vector(space, A) + vector(space, B))
    assert ids(space.search(likes=[A, B], k=8)) == naive(space, mean, {A, B}, 8)
    assert ids(space.similar(A, k=5)) == naive(space, vector(space, A), {A}, 5)


def test_dislikes_are_subtracted(space: Space) -> None:
    """A disliked item pushes away, and alone it asks for its opposite."""
    pushed = unit(vector(space, A) - 0.5 * vector(space, B))
    assert ids(space.search(likes=[A], dislikes=[B], k=8)) == naive(space, pushed, {A, B}, 8)
    assert ids(space.search(dislikes=[B], k=8)) == naive(space, -vector(space, B), {B}, 8)


def test_parts_are_weighted_and_added(space: Space) -> None:
    """A request is the weighted sum of unit vectors; a weight of 0 takes the part out but not what it hides."""
    words = space.embed(Query(text="dark")).vector
    both = unit(0.3 * words + 2.0 * vector(space, A))
    assert ids(space.search("dark", likes=[A], weights={"text": 0.3, "likes": 2}, k=9)) == naive(space, both, {A}, 9)
    assert ids(space.search("dark", likes=[A], weights={"likes": 0}, k=9)) == naive(space, words, {A}, 9)
    with pytest.raises(QueryError, match=r"nothing is left.*cancel out"):
        space.search(likes=[A], dislikes=[A], weights={"dislikes": 1})
    alone = space.search("dark", likes=[A], weights={"text": 0}, k=9)
    assert ids(alone) == ids(space.search(likes=[A], k=9))


def test_a_user_is_the_mean_of_what_they_liked(space: Space) -> None:
    """A user of the catalog equals a history of the same items, and none of these is an answer."""
    assert space.users is not None
    user = "user-05"
    known = [space.item_ids[row] for row in space.users.known(user)[0]]
    mean = unit(np.stack([vector(space, item) for item in known]).sum(axis=0))
    expected = naive(space, mean, set(known), 10)
    assert ids(space.search(user=user, k=10)) == expected
    assert ids(space.search(history=known, k=10)) == expected


def test_taste_is_the_folded_in_history(space: Space) -> None:
    """`taste` folds a history in and projects the factors; it is off unless it is weighed."""
    modality, side = space.sides["history"]
    assert modality == "cf"
    rows = np.array([space.row_of[A], space.row_of[B]], np.int32)
    folded = space.model.project("cf", side.encode([(rows, np.ones(2, np.float32))]))[0]
    only = space.search(history=[A, B], weights={"folded": 1, "user": 0}, k=9)
    assert ids(only) == naive(space, folded, {A, B}, 9)
    off = space.search(history=[A, B], k=9)
    assert ids(off) == ids(space.search(likes=[A, B], k=9))


def test_a_history_that_collaborative_filtering_does_not_know_says_nothing(space: Space) -> None:
    """Items without interactions fold in to nothing: their taste must not become the projection's bias."""
    unknown = [item for item, known in zip(space.item_ids, space.present[2], strict=True) if not known]
    if not unknown:
        pytest.fail("the small catalog has no item without interactions; change its size")
    with pytest.raises(QueryError, match="nothing is left"):
        space.search(history=unknown[:1], weights={"folded": 1, "user": 0})
    mixed = space.resolve([Query(text="dark", history=(unknown[0],), weights={"folded": 1, "user": 0})]).vectors[
        "joint"
    ]
    assert_array_equal(mixed[0], space.embed(Query(text="dark")).vector)


def test_pages_continue_each_other(either: Space) -> None:
    """`offset` skips answers, ranks go on counting, and beyond the end there is nothing."""
    whole = either.search("dark", k=60)
    assert len(whole) == 60
    pages = [hit for offset in range(0, 70, 7) for hit in either.search("dark", k=7, offset=offset)]
    assert pages == whole
    assert [hit.rank for hit in whole] == list(range(1, 61))
    assert either.search("dark", k=5, offset=60) == []


def test_more_than_there_is_gives_all_there_is(either: Space) -> None:
    """K beyond the catalog gives every item once."""
    hits = either.search("dark", k=10_000)
    assert sorted(ids(hits)) == either.item_ids
    assert len(either.search(likes=[A], exclude=[B, C], k=10_000)) == 57
    rows, scores = either.rank_rows([Query(text="dark")], 100)
    assert rows.shape == scores.shape == (1, 100)
    assert (rows[0, 60:] == -1).all()
    assert np.isneginf(scores[0, 60:]).all()


def test_excluded_items_are_no_answers(either: Space) -> None:
    """`exclude` hides items without changing what is asked."""
    best = ids(either.search("dark", k=4))
    assert ids(either.search("dark", exclude=best[:2], k=2)) == best[2:]


WHERE = [
    ({"year": {"gte": 1980}}, lambda f: f["year"] is not None and f["year"] >= 1980),
    ("year<1980 and not genres=drama", lambda f: f["year"] and f["year"] < 1980 and "drama" not in f["genres"]),
    ({"genres": ["horror", "sci-fi"]}, lambda f: {"horror", "sci-fi"} & set(f["genres"])),
    ({"genres": {"all": ["horror", "drama"]}}, lambda f: {"horror", "drama"} <= set(f["genres"])),
    ({"seen": True}, lambda f: f["seen"] is True),
    ({"seen": {"ne": True}}, lambda f: f["seen"] is not True),
    ({"country": None}, lambda f: f["country"] is None),
    (["year>=1960", "country=JAPAN"], lambda f: f["year"] and f["year"] >= 1960 and f["country"] == "Japan"),
    ({"released": {"gte": "2000-01-01"}}, lambda f: f["released"].year >= 2000),
]  # fmt: skip


@pytest.mark.parametrize(("where", "passes"), WHERE)
def test_filters_give_all_that_passes_and_nothing_else(either: Space, where: Any, passes: Any) -> None:
    """With a filter there are as many answers as items pass, in the order of the unfiltered answers."""
    everything = either.search("dark", k=60)
    expected = [hit.item_id for hit in everything if passes(hit.fields)]
    assert 0 < len(expected) < 60
    assert ids(either.search("dark", where=where, k=60)) == expected
    assert ids(either.search("dark", where=where, k=2)) == expected[:2]


def test_a_filter_that_nothing_passes_gives_nothing(either: Space) -> None:
    """No answer is no error."""
    assert either.search("dark", where="year>=3000") == []


def test_a_batch_answers_as_its_queries_do_alone(either: Space) -> None:
    """Evaluation ranks batches, service answers one: the same items, whose scores agree to rounding.

    Their order is that of the scores: of two that are equal to rounding either may be first.
    """
    queries = [
        Query(text="dark"),
        Query(text="space robots", likes=(A,), weights={"text": 0.5}),
        Query(user="user-03"),
        Query(history=(A, B), weights={"folded": 1}),
        Query(dislikes=(C,), where=parse_filter("year>=1980")),
        Query(text="a tender film", where=parse_filter("year>=1980"), exclude=(A,)),
    ]
    rows, scores = either.rank_rows(queries, 15)
    for query, row, score in zip(queries, rows, scores, strict=True):
        hits = either.answer(Query(**{**vars(query), "k": 15}))
        together = {either.item_ids[item]: value for item, value in zip(row, score, strict=True) if item >= 0}
        assert together.keys() == set(ids(hits))
        assert_allclose([together[hit.item_id] for hit in hits], [hit.score for hit in hits], rtol=1e-5, atol=1e-5)
        assert_allclose(score[: len(hits)], [hit.score for hit in hits], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "request_",
    [
        {"text": "dark robots"},
        {"likes": [A]},
        {"dislikes": [A]},
        {"text": "dark", "user": "user-02", "weights": {"folded": 0.5}},
    ],
)
def test_explanations_are_exact(space: Space, request_: dict[str, Any]) -> None:
    """Shares sum to one, and share times score is the part's inner product over the item's norm."""
    given = {**request_, "likes": tuple(request_.get("likes", ())), "dislikes": tuple(request_.get("dislikes", ()))}
    query = space.embed(Query(**given)).vector
    for hit in space.search(**request_, k=60, explain=True):
        assert hit.why is not None
        row = space.row_of[hit.item_id]
        assert sum(hit.why.values()) == pytest.approx(1, abs=1e-6)
        assert hit.score == pytest.approx(float(vector(space, hit.item_id) @ query), abs=1e-5)
        norm = np.linalg.norm(np.asarray(space.parts[:, row]).sum(axis=0))
        for position, name in enumerate(space.modalities):
            part = float(space.parts[position, row] @ query) / norm
            assert hit.why[name] * hit.score == pytest.approx(part, abs=1e-5)
            if not space.present[position, row]:
                assert hit.why[name] == 0


def test_without_explain_nothing_is_explained(either: Space) -> None:
    """`why` and `matched` are only made when they are asked for."""
    hit = either.search("dark", k=1)[0]
    assert hit.why is None
    assert hit.matched is None


@pytest.mark.parametrize(
    ("request_", "kind", "sentence"),
    [
        ({"likes": ["film-0000"]}, UnknownIdError, "no item 'film-0000'; did you mean 'film-000'"),
        ({"exclude": ["x"], "text": "dark"}, UnknownIdError, "no item 'x'"),
        ({"history": ["x"]}, UnknownIdError, "no item 'x'"),
        ({"user": "nobody"}, UnknownIdError, "no user 'nobody'"),
        ({"text": "dark", "weights": {"text": 0}}, QueryError, "nothing is left"),
        ({"likes": A}, QueryError, "write \\['film-001'\\]"),
        ({"text": "dark", "where": "yaer>=1980"}, QueryError, "no field 'yaer' to filter on; did you mean 'year'"),
        ({"text": "dark", "where": {"year": {"gte": "x"}}}, QueryError, "'year' holds numbers, got 'x'"),
        ({"text": "dark", "where": {"genres": {"gte": 3}}}, QueryError, "no range"),
        ({"text": "dark", "where": {"country": {"all": ["a"]}}}, QueryError, "'all' does not fit"),
    ],
)
def test_what_cannot_be_answered_is_refused(
    either: Space, request_: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    """Each wrong request names what is wrong and what would be right."""
    with pytest.raises(kind, match=sentence):
        either.search(**request_)


def test_shares_of_every_channel_sum_to_the_score(either: Space) -> None:
    """Modalities, taste and words: shares sum to one, in every mixture of channels."""
    for request in (
        {"text": "a dark thriller"},
        {"likes": [A]},
        {"user": "user-02"},
        {"text": "dark", "history": [A, B]},
    ):
        for hit in either.search(**request, k=60, explain=True):
            assert hit.why is not None
            assert sum(hit.why.values()) == pytest.approx(1, abs=1e-6)
            row = either.row_of[hit.item_id]
            assert set(hit.why) - {"words", "passages", "taste", "popularity", "facets"} == {"text", "image", "cf"}
            for position, name in enumerate(either.modalities):
                if not either.present[position, row]:
                    assert hit.why[name] == 0


def test_words_are_matched_beside_vectors(tiny_run: Any) -> None:
    """In the usual mixture a film that has the very words gains by them, and the explanation says so."""
    default = antiphon.load(tiny_run.run)
    hits = default.search("dystopia", k=60, explain=True)
    having = [hit for hit in hits if "dystopia" in hit.fields["tags"]]
    assert having
    assert all(hit.why["words"] > 0 for hit in having)
    others = [hit for hit in hits if "dystopia" not in hit.fields["tags"]]
    assert all(hit.why["words"] == 0 for hit in others)
    mean_rank = np.mean([hit.rank for hit in having]), np.mean([hit.rank for hit in others])
    assert mean_rank[0] < mean_rank[1]


def test_taste_and_joint_are_blocks_of_one_vector(tiny_run: Any) -> None:
    """What is searched holds the joint vectors and the factors of taste; a user's score is one inner product."""
    default = antiphon.load(tiny_run.run)
    assert set(default.manifest["blocks"]) == {"joint", "ials", "ease"}
    query = Query(user="user-05", k=60)
    vector_ = default.embed(query).vector
    hits = [hit for hit in default.answer(query) if default.taste.users[default.row_of[hit.item_id]] > 0]
    assert len(hits) > 20
    for hit in hits:  # what nobody liked is doubted, which is no inner product
        assert hit.score == pytest.approx(float(default.blocks[default.row_of[hit.item_id]] @ vector_), abs=1e-4)


def test_loading_again_gives_the_same_answers(paper_run: Any, space: Space) -> None:
    """Answers are a function of the files."""
    assert antiphon.load(paper_run.run).search("dark", user="user-01", k=20) == space.search(
        "dark", user="user-01", k=20
    )
