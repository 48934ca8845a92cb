"""How long a build will take: a rough sum over its stages, before they begin.

The constants are CPU seconds measured on one core of an AMD EPYC, with catalogs of 5,000 and 9,742 films; what several
cores share is divided by two. A busy machine takes longer, and the stages say how long is left as they go.
"""

from __future__ import annotations

from antiphon.base.runtime import n_cores
from antiphon.channels.facet_training import MAX_EPOCHS, draws_of
from antiphon.channels.rerank_training import FOLDS
from antiphon.config.sections import Config
from antiphon.data.catalog import Catalog
from antiphon.describe.practice import LEAST_PER_KIND, PER_KIND
from antiphon.encoders.base import make_encoder
from antiphon.encoders.text.precision import MANY_TEXTS, is_fast
from antiphon.numbers.ease import DENSE_ITEMS
from antiphon.numbers.factorization import FINALISTS, SHORTER
from antiphon.run.stages.facets import QUICK_DRAWS

START = 10.0
"""Libraries, and a text model that is made ready once."""
TEXT, SHORT_TEXT, REQUEST, PICTURE = 9e-3, 4e-3, 1.5e-3, 0.05
"""A description of forty words in 32 and in 8 bits, a request, and a picture or sound."""
STEP = 4e-5
"""An item in an epoch of the joint model."""
DRAW = 1.2e-4
"""A request that the reader of facets learns from."""
CUBE = 3.5e-11
"""EASE, for each triple of items where they are few."""
LOW_RANK = 8e-6
"""EASE, for each interaction where they are many."""
PAIR = 4e-6
"""An interaction in one setting of collaborative filtering."""
BUSY = 1.15
"""What several cores lose by stages that one of them does alone."""
PRACTISED = 6e-6
"""A practice request against an item."""
CLIMBED = 4
"""Penalties of EASE that are tried, mostly."""


def expected_seconds(config: Config, catalog: Catalog) -> float:
    """Seconds that a first build takes on this machine, if it is idle: right within a factor of two or so."""
    n, cores = catalog.n_items, min(2, n_cores())
    texts = n * (1 + (config.describe.mode == "template+gen") + 2 * len(config.describe.texts))
    requests = n * (config.synthetic.per_item + 1) * config.space.facets
    options = [make_encoder(item).options for item in config.modalities]
    files = {getattr(option, "media", None) for option in options}
    media = sum(int(item.present.sum()) for name, item in catalog.media.items() if name in files)
    in_8_bits = texts >= MANY_TEXTS and is_fast()
    shared = (
        (SHORT_TEXT if in_8_bits else TEXT) * texts
        + REQUEST * requests
        + PICTURE * media
        + STEP * n * config.train.epochs
    )
    alone = PRACTISED * n * 4 * _per_kind(config, n) * config.space.facets
    draws = min(QUICK_DRAWS if config.quick else draws_of(int(requests)), MAX_EPOCHS * requests)
    alone += DRAW * draws
    taste = _taste(config, catalog)
    if cores == 1:
        return START + shared + alone + taste
    # Taste is learned beside the other stages: they wait for it where it takes longer, and share the cores with it.
    return START + max(shared / cores + alone, BUSY * (shared + alone + taste) / cores)


def _per_kind(config: Config, n_items: int) -> float:
    return LEAST_PER_KIND if config.quick else min(PER_KIND, max(LEAST_PER_KIND, n_items // 2))


def _taste(config: Config, catalog: Catalog) -> float:
    if catalog.interactions is None or not config.space.taste:
        return 0.0
    fits = CLIMBED + FOLDS * config.space.rerank
    trials = config.space.taste_trials
    tried = (trials / SHORTER + FINALISTS if trials > 2 * FINALISTS else trials) + FOLDS * config.space.rerank
    few, pairs = catalog.n_items <= DENSE_ITEMS, len(catalog.interactions)
    return (CUBE * catalog.n_items**3 if few else LOW_RANK * pairs) * fits + PAIR * pairs * tried
