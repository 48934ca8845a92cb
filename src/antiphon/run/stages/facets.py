"""The stage `facets`: what reads a text as facets of the catalog."""

from __future__ import annotations

from antiphon.channels.facet_training import fit_facets
from antiphon.channels.facets import Facets
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
    fitted.save(job.layout.facets)


STAGE = Stage(
    "facets",
    work,
    lambda job: Facets.paths(job.layout.facets),
    inputs=[SYNTHETIC],
    options=lambda job: [identity_of(job), job.config.seed, job.config.quick],
    wanted=lambda job: job.config.space.facets and SYNTHETIC in job.records,
)
