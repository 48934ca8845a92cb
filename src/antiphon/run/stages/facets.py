"""The stage `facets`: what reads a text as facets of the catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.facet_training import fit_facets
from antiphon.channels.facets import Facets
from antiphon.describe.degrees import degrees_of
from antiphon.run.outputs import catalog_of
from antiphon.run.stage import Job, Stage
from antiphon.run.stages.synthetic import NAME as SYNTHETIC
from antiphon.run.stages.synthetic import identity_of, queries_of

QUICK_DRAWS = 40_000
"""Requests that the reader of a space that is wanted soon is trained on."""


def work(job: Job, fingerprint: str) -> None:
    """Learn to read from the synthetic requests."""
    queries = queries_of(job)
    assert queries is not None  # noqa: S101  else it is not wanted
    fitted = fit_facets(
        queries.queries,
        queries.vectors,
        queries.labels,
        queries.plain,
        seed=job.config.seed,
        draws=QUICK_DRAWS if job.config.quick else None,
        progress=job.progress,
    )
    replace(fitted, degrees=_degrees(job, fitted)).save(job.layout.facets)


def _degrees(job: Job, facets: Facets) -> NDArray[np.float32]:
    config = job.config
    return degrees_of(
        catalog_of(job), config.describe, config.synthetic, facets.names, np.asarray(facets.bounds), facets.rows
    )


def _counts(job: Job) -> list[Any]:
    """The columns that say how many people are behind each value."""
    items = catalog_of(job).items
    names = [category.counts for category in job.config.describe.categories if category.counts is not None]
    return [[name, storage.digest("counts", items[name].to_pylist())] for name in names if name in items.column_names]


STAGE = Stage(
    "facets",
    work,
    lambda job: Facets.paths(job.layout.facets),
    inputs=[SYNTHETIC],
    options=lambda job: [identity_of(job), job.config.seed, _counts(job), job.config.quick],
    wanted=lambda job: job.config.space.facets and SYNTHETIC in job.records,
)
