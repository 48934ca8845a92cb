"""The stage `taste`: factors of who likes what, and the second stage for histories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.channels.rerank_training import fit_reranker
from antiphon.channels.taste import Taste, fit_taste
from antiphon.data.catalog import Interactions
from antiphon.data.held_out import user_item_matrix
from antiphon.data.splits import HeldOut, passed_over, training_interactions
from antiphon.numbers.engine import engine_of
from antiphon.run.outputs import catalog_of, split_of, validation_of
from antiphon.run.stage import Job, Stage


def work(job: Job, fingerprint: str) -> None:
    """Fit both models, then what orders their leading items."""
    config, seed, folder, n_items = job.config.space, job.config.seed, job.layout.taste, catalog_of(job).n_items
    train_on, check = _inputs(job)
    table = folder / f"search-{fingerprint[:12]}.jsonl"
    engine = engine_of(job.config.build.engine, job.config.build.spark)
    fitted = fit_taste(train_on, check, n_items, config, seed=seed, table=table, progress=job.progress, engine=engine)
    if config.rerank:
        matrix = user_item_matrix(train_on, n_items)
        fitted = replace(fitted, reranker=fit_reranker(matrix, fitted, seed=seed, progress=job.progress, engine=engine))
    replace(fitted, passed=_passed(job)).save(folder)


def _options(job: Job) -> Any:
    config, (train_on, check) = job.config.space, _inputs(job)
    arrays = [train_on.user, train_on.item, train_on.weight, *check.profiles, *check.truths, _passed(job)]
    settings = [config.taste_trials, config.ease_rank, config.rerank, job.config.seed, catalog_of(job).n_items]
    engine = engine_of(job.config.build.engine, job.config.build.spark)
    return [settings, storage.array_digest(*arrays), *([engine.name] if engine else [])]


def _passed(job: Job) -> NDArray[np.float32]:
    interactions = catalog_of(job).interactions
    assert interactions is not None  # noqa: S101  else it is not wanted
    return passed_over(interactions, split_of(job), catalog_of(job).n_items)


def _inputs(job: Job) -> tuple[Interactions, HeldOut]:
    interactions, check = catalog_of(job).interactions, validation_of(job)
    assert interactions is not None  # noqa: S101  else it is not wanted
    assert check is not None  # noqa: S101
    return training_interactions(interactions, split_of(job)), check


STAGE = Stage(
    "taste",
    work,
    lambda job: Taste.paths(job.layout.taste),
    options=_options,
    wanted=lambda job: job.config.space.taste and catalog_of(job).interactions is not None,
    beside=True,
    loads=[runtime.implicit_als, runtime.lapack, runtime.optimizers],
)
