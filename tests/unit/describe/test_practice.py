"""Requests of every kind, made from a catalog."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from antiphon.base.language import language_of
from antiphon.config.sections import SyntheticConfig
from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.log import Logged
from antiphon.describe.practice import MOST_LOGGED, Practice, make_practice
from antiphon.describe.synthetic import make_queries, plain_texts

N_ITEMS, N_USERS = 40, 10
KINDS = ("facets", "title", "memory", "phrase", "asked", "talk")


def catalog() -> Catalog:
    """Items with two facets each."""
    tags = [["dark" if row % 2 else "light", f"kind {row % 3}"] for row in range(N_ITEMS)]
    items = pa.table(
        {"item_id": [str(row) for row in range(N_ITEMS)], "title": [f"Name {row}" for row in range(N_ITEMS)]}
    )
    return Catalog(items, pa.table({"tags": tags}), {"tags": "list"})


def made(training: Interactions | None, seed: int = 0) -> Practice:
    """Some of each kind."""
    config = SyntheticConfig(min_items=2)
    texts = [
        (row, f"A story of number {row} that begins in a house. It ends at sea.", row % 2 == 0) for row in range(20)
    ]
    return make_practice(catalog(), config, make_queries(catalog(), config, 0), texts, training, seed, per_kind=30)


def liked() -> Interactions:
    """Each user likes a dozen items."""
    rng = np.random.default_rng(0)
    rows = [np.sort(rng.choice(N_ITEMS, 12, replace=False)) for _ in range(N_USERS)]
    n = N_USERS * 12
    return Interactions(
        tuple(str(user) for user in range(N_USERS)),
        np.repeat(np.arange(N_USERS), 12).astype(np.int32),
        np.concatenate(rows).astype(np.int32),
        np.ones(n, dtype=np.float32),
        np.ones(n, dtype=bool),
    )


def test_requests_of_each_kind_have_answers() -> None:
    """What is named as an example is no answer; what is asked for by name is."""
    practice = made(liked())
    assert set(practice.kinds) == set(KINDS)
    for kind, answers, examples, asked, own in zip(
        practice.kinds, practice.answers, practice.examples, practice.asked, practice.own, strict=True
    ):
        assert len(answers)
        assert not set(answers.tolist()) & set(examples.tolist())
        assert (kind == "asked") == bool(len(asked))
        assert own == -1 or (kind == "memory" and own == answers[0] and own % 2 == 0)


def test_the_same_seed_gives_the_same_requests() -> None:
    """And another one others; without interactions nobody talks."""
    assert made(liked()).texts == made(liked()).texts
    assert made(liked()).texts != made(liked(), seed=1).texts
    assert "talk" not in made(None).kinds


def test_a_log_is_practised_as_it_is() -> None:
    """What was chosen answers; a long log is drawn from."""
    log = [Logged(f"request {number}", (number % N_ITEMS,)) for number in range(MOST_LOGGED + 50)]
    config, of = SyntheticConfig(min_items=2), catalog()
    practice = make_practice(of, config, make_queries(of, config, 0), [], None, 0, per_kind=5, log=log)
    texts = [text for text, kind in zip(practice.texts, practice.kinds, strict=True) if kind == "log"]
    assert len(texts) == MOST_LOGGED
    place = practice.texts.index(texts[3])
    assert practice.answers[place].tolist() == [int(texts[3].split()[1]) % N_ITEMS]


def test_requests_are_phrased_in_the_language_of_the_space() -> None:
    """Those made of facets, titles with words before them, and practice of every kind."""
    config, german = SyntheticConfig(min_items=2, noun="Dinge"), language_of("de")
    queries = make_queries(catalog(), config, 0, german)
    practice = make_practice(catalog(), config, queries, [], None, 0, per_kind=30, language=german)
    said = " ".join((*queries.texts, *plain_texts(catalog(), 0, german), *practice.texts))
    assert {"Zeig", "Lust", "wie", "und"} <= set(said.replace(",", " ").split())
    assert not {"something", "Show", "like", "and", "some", "Add"} & set(said.replace(",", " ").split())
