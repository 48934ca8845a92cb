"""Practice: requests of every kind that people make, made from the catalog itself, to learn the gate from.

- facets: as in `synthetic.py`; every item that has them answers.
- title: an item's name, sometimes misspelt.
- memory: a few words of what is written of an item, out of order; often with its own text hidden from the channels.
- phrase: some words of a text that a channel reads, one after another as they are written.
- asked: items asked for by name, "add X and Y".
- talk: what a user likes by name, and perhaps a facet; something else that the user likes answers.
- log: what people really asked, where there is a log; what they chose answers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import ENGLISH, Language
from antiphon.base.wording import fold_title
from antiphon.config.sections import SyntheticConfig
from antiphon.data.catalog import Catalog, Interactions
from antiphon.data.log import Logged
from antiphon.data.synthetic import SyntheticQueries
from antiphon.describe.synthetic import YEAR, label_of

LEAST_PER_KIND, PER_KIND = 40, 500
"""Requests of a kind: half as many as there are items, within these."""
MOST_LOGGED = 2_000
"""Of a longer log as many are drawn."""
LEAST_LIKED = 8
OWN_HIDDEN = 0.5
"""Share of the memories whose own text says nothing: people remember what nobody wrote, and what somebody did."""
CHATTY = 0.5
_SENTENCE = re.compile(r"(?<=[.!?])\s+")

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Practice:
    """Requests, and of each: its kind, rows that answer it, rows named as examples and asked for, and `own`.

    `own`: the row whose own texts must not speak, -1 for none.
    """

    texts: tuple[str, ...]
    kinds: tuple[str, ...]
    answers: tuple[Ints, ...]
    examples: tuple[Ints, ...]
    asked: tuple[Ints, ...]
    own: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


class _Maker:
    """Draws requests for one catalog."""

    def __init__(
        self, catalog: Catalog, config: SyntheticConfig, queries: SyntheticQueries, seed: int, language: Language
    ) -> None:
        self.language, self.words = language, language.practice
        self.config, self.queries, self.rng = config, queries, np.random.default_rng([seed, 18])
        self.titles = [str(title or "") for title in catalog.items["title"].to_pylist()]
        self.n_items = catalog.n_items
        self.found: list[tuple[str, str, Ints, Ints, Ints, int]] = []

    def add(
        self, kind: str, text: str, answers: Sequence[int], examples: Sequence[int] = (), asked: Sequence[int] = (),
        own: int = -1,
    ) -> None:  # fmt: skip
        if text.strip() and len(answers):
            right, shown, wanted = (np.array(sorted(set(part)), dtype=np.int32) for part in (answers, examples, asked))
            self.found.append((kind, text.strip(), right, shown, wanted, own))

    def one_of(self, forms: Sequence[str]) -> str:
        return forms[int(self.rng.integers(len(forms)))]

    def name(self, row: int) -> str:
        """A title as people write it."""
        title = self.titles[row] if self.rng.random() < 0.4 else YEAR.sub("", self.titles[row])
        lower = self.rng.random() < 0.2
        moved = fold_title(title)
        articles = tuple(f"{article} " for article in self.language.names.articles)
        back = moved.startswith(articles) and not title.casefold().startswith(articles)
        return moved if lower or back else title

    def typo(self, text: str) -> str:
        if len(text) < 5:
            return text
        at = int(self.rng.integers(1, len(text) - 2))
        forms = (
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
        )
        return self.one_of(forms)

    def facets(self, n: int) -> None:
        rows = self.rng.permutation(len(self.queries.texts))[:n].astype(np.int64)
        items = np.arange(self.n_items, dtype=np.int64)
        for row in rows:
            answers = np.flatnonzero(self.queries.answered(np.array([row]), items)[0])
            self.add("facets", self.queries.texts[row], answers.tolist())

    def names(self, n: int) -> None:
        for row in self.rng.permutation(self.n_items)[:n].tolist():
            text = self.name(row)
            self.add("title", self.typo(text) if self.rng.random() < 0.3 else text, [row])

    def memories(self, n: int, texts: Sequence[tuple[int, str, bool]]) -> None:
        """`texts`: row, what is written of it, and whether a channel reads that text."""
        for _ in range(n if texts else 0):
            row, text, is_read = texts[int(self.rng.integers(len(texts)))]
            name = YEAR.sub("", self.titles[row])
            pieces = _SENTENCE.split(text.replace(name, self.words.this) if len(name) > 3 else text)
            start = int(self.rng.integers(len(pieces)))
            words = " ".join(pieces[start : start + int(self.rng.integers(1, 5))]).split()
            kept = [word for word in words if self.rng.random() < self.rng.uniform(0.4, 1)]
            if len(kept) < 4:
                continue
            cut = int(self.rng.integers(6, 25))
            said = ". ".join(" ".join(kept[at : at + cut]) for at in range(0, len(kept), cut))
            held = self.held(row)
            wish = f" {self.facet(held)}" if len(held) and self.rng.random() < 0.4 else ""
            own = row if self.rng.random() < OWN_HIDDEN and is_read else -1
            self.add("memory", self.one_of(self.words.memories) + said + wish, [row], own=own)

    def phrases(self, n: int, texts: Sequence[tuple[int, str, bool]]) -> None:
        read = [(row, text) for row, text, is_read in texts if is_read]
        for _ in range(n if read else 0):
            row, text = read[int(self.rng.integers(len(read)))]
            words = text.split()
            n_words = int(self.rng.integers(4, 13))
            start = int(self.rng.integers(max(1, len(words) - n_words)))
            self.add("phrase", " ".join(words[start : start + n_words]), [row])

    def asked(self, n: int, lists: Sequence[Ints]) -> None:
        for _ in range(n if lists else 0):
            liked = lists[int(self.rng.integers(len(lists)))]
            rows = self.rng.permutation(liked)[: int(self.rng.integers(1, 5))].tolist()
            names = [self.name(row) for row in rows]
            last = self.words.joint if self.rng.random() < 0.5 else ", "
            listed = last.join(filter(None, [", ".join(names[:-1]), names[-1]]))
            said = self.one_of(self.words.named).replace("{}", listed)
            self.add("asked", f"{self.one_of(self.words.openings)}{said}", rows, asked=rows)

    def talk(self, n: int, lists: Sequence[Ints]) -> None:
        for _ in range(n if lists else 0):
            liked = self.rng.permutation(lists[int(self.rng.integers(len(lists)))]).tolist()
            n_named = int(self.rng.integers(0, 5))
            named, answers = liked[:n_named], liked[n_named : n_named + int(self.rng.integers(1, 4))]
            held = self.held(answers[0])
            n_facets = int(self.rng.integers(0, 3)) if len(held) else 0
            facets = " ".join(self.facet(held) for _ in range(n_facets))
            ask = self.one_of(self.words.wishes).replace("{}", facets) if n_facets else self.one_of(self.words.askings)
            told = [self.one_of(self.words.likings).replace("{}", self.name(row)) + self.chat(row) for row in named]
            parts = [*told, ask] if self.rng.random() < 0.5 else [ask, *told]
            text = ". ".join(filter(None, [self.one_of(self.words.greetings), *parts]))
            self.add("talk", text, answers, examples=named)

    def chat(self, row: int) -> str:
        """What is said of an item that is named, which the answer need not have."""
        held = self.held(row)
        return (
            self.one_of(self.words.chats).replace("{}", self.facet(held))
            if len(held) and self.rng.random() < CHATTY
            else ""
        )

    def logged(self, requests: Sequence[Logged]) -> None:
        order = self.rng.permutation(len(requests))[:MOST_LOGGED]
        for place in np.sort(order).tolist():
            self.add("log", requests[place].text, requests[place].chosen)

    def held(self, row: int) -> Ints:
        """Facets of an item."""
        return self.queries.facets[self.queries.bounds[row] : self.queries.bounds[row + 1]]

    def facet(self, held: Ints) -> str:
        return label_of(self.queries.names[int(held[int(self.rng.integers(len(held)))])], self.config, self.language)


def make_practice(
    catalog: Catalog,
    config: SyntheticConfig,
    queries: SyntheticQueries,
    texts: Sequence[tuple[int, str, bool]],
    training: Interactions | None,
    seed: int,
    per_kind: int | None = None,
    log: Sequence[Logged] = (),
    language: Language = ENGLISH,
) -> Practice:
    """Draw requests; the same seed gives the same. `training`: of the users that nothing is measured on.

    `texts`: row, what is written of it, and whether a channel reads that text. `per_kind`: by the number of items where
    not given. `log`: what people really asked.
    """
    maker = _Maker(catalog, config, queries, seed, language)
    lists: list[Ints] = []
    if training is not None:
        bounds = training.bounds()
        lists = [training.item[bounds[user] : bounds[user + 1]] for user in range(training.n_users)]
    liked = [part for part in lists if len(part) >= LEAST_LIKED]
    per_kind = int(np.clip(catalog.n_items // 2, LEAST_PER_KIND, PER_KIND)) if per_kind is None else per_kind
    maker.facets(per_kind)
    maker.names(per_kind // 3)
    maker.memories(per_kind, texts)
    maker.asked(per_kind // 2, liked or [np.arange(catalog.n_items, dtype=np.int32)])
    maker.talk(per_kind, liked)
    maker.phrases(per_kind // 4, texts)
    maker.logged(log)
    kinds, said, answers, examples, asked, own = zip(*maker.found, strict=True) if maker.found else ((),) * 6
    return Practice(said, kinds, answers, examples, asked, own)
