"""How long a build will take: a rough sum over its stages, before they begin.

The constants are CPU seconds of one core of an AMD EPYC with AVX2, measured on builds of 3,883 films; what several
cores share is divided by two. Another machine takes as many times longer or shorter as a product of matrices does. A
busy machine takes longer, and the stages say how long is left as they go.
"""

from __future__ import annotations

import functools
import time
from dataclasses import replace

import numpy as np

from antiphon.base import runtime
from antiphon.base.runtime import n_cores
from antiphon.channels.facet_training import MAX_EPOCHS, draws_of
from antiphon.channels.rerank_training import FEWEST_USERS, FOLDS, MOST_USERS
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog
from antiphon.describe.passages import passages_of, text_column
from antiphon.describe.practice import LEAST_PER_KIND, PER_KIND
from antiphon.describe.template import fill_template
from antiphon.encoders.base import make_encoder
from antiphon.encoders.text.precision import MANY_TEXTS, has_vnni, is_fast
from antiphon.joint.weights import EPOCHS as WEIGHED
from antiphon.numbers.ease import DENSE_ITEMS
from antiphon.numbers.factorization import FINALISTS, MOST_SEARCHED, SHORTER
from antiphon.run.stages.facets import QUICK_DRAWS

PRODUCT = 3.5e-3
"""A product of 256 x 384 and 384 x 1,536 numbers in 32 bits."""
START = 15.0
"""Libraries, and a text model that is made ready once."""
LETTER, BITS_8, VNNI = 9e-5, 0.6, 0.25
"""A letter of a description in 32 bits, and the part of it that 8 bits take."""
LONGEST = 1_200
"""Letters of a text that are read, about."""
REQUEST, PRACTICE, PICTURE = 4.8e-3, 2e-2, 0.1
"""A request, short and of every kind, and a picture or sound."""
STEP = 3.6e-4
"""An item in an epoch of the joint model."""
DRAW = 1.6e-4
"""A request that the reader of facets learns from."""
CUBE = 7e-11
"""EASE, for each triple of items where they are few."""
LOW_RANK = 1.6e-5
"""EASE, for each interaction where they are many."""
PAIR = 7e-6
"""An interaction in one setting of collaborative filtering."""
REORDERED = 7.5e-3
"""A user whose items the second stage learns to put into order."""
BUSY = 1.15
"""What several cores lose by stages that one of them does alone."""
PRACTISED = 6e-6
"""A practice request against an item."""
CLIMBED = 4
"""Penalties of EASE that are tried, mostly."""
SAMPLE = 128


def expected_seconds(config: Config, catalog: Catalog) -> float:
    """Seconds that a first build takes on this machine, if it is idle: right within a factor of two or so."""
    n, cores = catalog.n_items, min(2, n_cores())
    requests = n * (config.synthetic.per_item + 1) * config.space.facets
    practised = 4 * _per_kind(config, n) * config.space.facets
    options = [make_encoder(item).options for item in config.modalities]
    files = {getattr(option, "media", None) for option in options}
    media = sum(int(item.present.sum()) for name, item in catalog.media.items() if name in files)
    epochs = config.train.passes(n) + min(WEIGHED, config.train.passes(n))
    shared = (
        _texts(config, catalog) + REQUEST * requests + PRACTICE * practised + PICTURE * media + STEP * n * epochs
    )  # fmt: skip
    alone = PRACTISED * n * practised
    draws = min(QUICK_DRAWS if config.quick else draws_of(int(requests)), MAX_EPOCHS * requests)
    alone += DRAW * draws + _searched(catalog, max((getattr(option, "trials", 0) for option in options), default=0))
    taste = _taste(config, catalog)
    if cores == 1:
        return START + (shared + alone + taste) * pace()
    # Taste is learned beside the other stages: they wait for it where it takes longer, and share the cores with it.
    return START + max(shared / cores + alone, BUSY * (shared + alone + taste) / cores) * pace()


@functools.cache
def pace() -> float:
    """How many times longer this machine takes than that of the constants, by the fastest of a few products."""
    rng = np.random.default_rng(0)
    left, right = (rng.random(shape, dtype=np.float32) for shape in ((256, 384), (384, 1536)))
    seconds = []
    with runtime.one_blas_thread():
        for _ in range(20):
            begun = time.perf_counter()
            left @ right
            seconds.append(time.perf_counter() - begun)
    return min(seconds) / PRODUCT


def _texts(config: Config, catalog: Catalog) -> float:
    """Of descriptions and passages, by the lengths of some of them."""
    rows = np.unique(np.linspace(0, catalog.n_items - 1, min(SAMPLE, catalog.n_items)).astype(int))
    some = replace(catalog, items=catalog.items.take(rows), fields=catalog.fields.take(rows))
    texts = [text for text in fill_template(some.items, config.describe) if text]
    texts += [text for view in passages_of(some, config.describe).views.values() for text in view if text]
    if config.describe.mode != "template" and config.describe.gen_column is not None:
        texts += [text for text in text_column(some, config.describe.gen_column, "gen_column") if text]
    share = catalog.n_items / max(len(rows), 1)
    fast = len(texts) * share >= MANY_TEXTS and is_fast()
    part = (VNNI if has_vnni() else BITS_8) if fast else 1.0
    return LETTER * part * share * sum(min(len(text), LONGEST) for text in texts)


def _per_kind(config: Config, n_items: int) -> float:
    return LEAST_PER_KIND if config.quick else min(PER_KIND, max(LEAST_PER_KIND, n_items // 2))


def _searched(catalog: Catalog, trials: int) -> float:
    """Of the settings of a factorization that are tried, of many interactions on a part, and of fitting the best."""
    if catalog.interactions is None:
        return 0.0
    tried = trials / SHORTER + FINALISTS if trials > 2 * FINALISTS else trials
    pairs = len(catalog.interactions)
    return PAIR * (min(pairs, MOST_SEARCHED) * tried + pairs)


def _taste(config: Config, catalog: Catalog) -> float:
    if catalog.interactions is None or not config.space.taste:
        return 0.0
    folds = FOLDS * config.space.rerank
    few, pairs = catalog.n_items <= DENSE_ITEMS, len(catalog.interactions)
    fitted = (CUBE * catalog.n_items**3 if few else LOW_RANK * pairs) * (CLIMBED + folds)
    users = min(len(catalog.interactions.user_ids), MOST_USERS)
    reordered = REORDERED * users * (config.space.rerank and users >= FEWEST_USERS)
    return fitted + _searched(catalog, config.space.taste_trials) + PAIR * pairs * folds + reordered
