"""Synthetic queries: requests made of one to three facets of an item, to train on.

The paper's method never sees a query while it trains. A request that names facets of an item (its genres, tags,
country, decade) is one that the item answers, and so does every other item with the same facets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from antiphon.base.language import ENGLISH, Language
from antiphon.config.sections import SyntheticConfig
from antiphon.data.catalog import Catalog
from antiphon.data.synthetic import Facet, SyntheticQueries
from antiphon.query.columns import words_of

MAX_FACETS = 3
N_FACETS = (0.4, 0.4, 0.2)
"""Chances of one, two and three facets."""
MAX_PLAIN = 20_000
MOST_QUERIES = 400_000
"""Of all items: the reader of facets learns from as many in an epoch. Each item has one at least."""
YEAR = re.compile(r"\s*\(\d{4}\)$")
"""At the end of a title, as in "Alien (1979)"."""


def make_queries(
    catalog: Catalog, config: SyntheticConfig, seed: int, language: Language = ENGLISH
) -> SyntheticQueries:
    """Draw `per_item` requests for each item with facets, fewer of a large catalog; the same seed gives the same."""
    lists = facets_of(catalog, config, language)
    names = sorted({facet for facets in lists for facet in facets})
    numbers = {facet: number for number, facet in enumerate(names)}
    rng = np.random.default_rng([seed, 7])
    texts, owner, wanted = [], [], []
    per_item = max(1, min(config.per_item, MOST_QUERIES // max(1, len(lists)))) if config.per_item else 0
    for row, facets in enumerate(lists):
        for _ in range(per_item if facets else 0):
            n_facets = min(len(facets), int(rng.choice(MAX_FACETS, p=N_FACETS)) + 1)
            chosen = [facets[place] for place in rng.choice(len(facets), n_facets, replace=False)]
            texts.append(_phrase(chosen, config, rng, language))
            owner.append(row)
            wanted.append([numbers[facet] for facet in chosen] + [-1] * (MAX_FACETS - n_facets))
    held = [sorted(numbers[facet] for facet in facets) for facets in lists]
    return SyntheticQueries(
        tuple(texts),
        np.array(owner, dtype=np.int32),
        np.array(wanted, dtype=np.int32).reshape(-1, MAX_FACETS),
        np.concatenate([[0], np.cumsum([len(facets) for facets in held])]).astype(np.int64),
        np.array([number for facets in held for number in facets], dtype=np.int32),
        tuple(names),
        tuple(_forms(facet, config, language)[-1] for facet in names),
    )


def plain_texts(catalog: Catalog, seed: int, language: Language = ENGLISH) -> tuple[str, ...]:
    """Texts that name an item and ask for no facet: titles, and what people put before them."""
    rng = np.random.default_rng([seed, 15])
    named = dict.fromkeys(YEAR.sub("", str(title)).strip() for title in catalog.items["title"].to_pylist() if title)
    titles = [title for title in named if title]
    if len(titles) > MAX_PLAIN:
        titles = [titles[place] for place in np.sort(rng.choice(len(titles), MAX_PLAIN, replace=False))]
    plain = language.synthetic.plain
    return tuple(plain[rng.integers(len(plain))].replace("{}", title) for title in titles)


def label_of(facet: Facet, config: SyntheticConfig, language: Language = ENGLISH) -> str:
    """The words for a facet."""
    return _forms(facet, config, language)[-1]


def spoken_facets(catalog: Catalog, config: SyntheticConfig) -> list[list[Facet]]:
    """Facets of each item, however few items share them."""
    # Sorted: a catalog that was read from files and one that was saved before have their fields in another order.
    spoken = sorted(name for name, kind in catalog.field_types.items() if kind in ("string", "list"))
    lists: list[list[Facet]] = [[] for _ in range(catalog.n_items)]
    for name in config.fields if config.fields is not None else spoken:
        for row, value in enumerate(catalog.fields[name].to_pylist()):
            lists[row] += [(name, word.casefold()) for word in words_of(value) if word.strip()]
    for name in config.decades:
        for row, year in enumerate(catalog.fields[name].to_pylist()):
            lists[row] += [] if year is None else [(name, str(int(year) // 10 * 10))]
    return lists


def facets_of(catalog: Catalog, config: SyntheticConfig, language: Language = ENGLISH) -> list[list[Facet]]:
    """Facets of each item that at least `min_items` items share."""
    lists = spoken_facets(catalog, config)
    # Facets that are said in the same words, such as a genre and a tag, are one: no text can tell them apart. A decade
    # goes before a tag "1990s": it has more ways to be said.
    first: dict[str, Facet] = {}
    for facet in sorted(
        {facet for facets in lists for facet in facets}, key=lambda facet: (facet[0] not in config.decades, facet)
    ):
        first.setdefault(label_of(facet, config, language), facet)
    lists = [list(dict.fromkeys(first[label_of(facet, config, language)] for facet in facets)) for facets in lists]
    counts = Counter(facet for facets in lists for facet in facets)
    return [[facet for facet in facets if counts[facet] >= config.min_items] for facets in lists]


def _phrase(facets: Sequence[Facet], config: SyntheticConfig, rng: np.random.Generator, language: Language) -> str:
    joints, phrases = language.synthetic.joints, language.synthetic.phrases
    words = [forms[rng.integers(len(forms))] for forms in (_forms(facet, config, language) for facet in facets)]
    joined = joints[rng.integers(len(joints))].join(words)
    return phrases[rng.integers(len(phrases))].format(facets=joined, noun=config.noun).strip()


def _forms(facet: Facet, config: SyntheticConfig, language: Language) -> tuple[str, ...]:
    """Ways to say a facet, the shortest last."""
    name, value = facet
    if name in config.decades:
        return tuple(form.format(decade=value, short=value[2:]) for form in language.synthetic.decades)
    return (config.phrases.get(name, "{}").replace("{}", value),)
