"""The stage `synthetic`: requests made of the items' facets, as vectors of the encoder that reads requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from antiphon.base import storage
from antiphon.data.synthetic import QueryData, SyntheticQueries
from antiphon.describe.synthetic import make_queries, plain_texts
from antiphon.encoders.base import Encoder, RequestEncoder
from antiphon.run.outputs import catalog_of, spoken_in
from antiphon.run.stage import Job, Stage

NAME = "synthetic"


def stage(encoders: Sequence[Encoder[Any]]) -> Stage:
    """Wanted where an encoder reads requests, something is trained on them, and items have facets to ask for."""
    reader = next((encoder for encoder in encoders if isinstance(encoder, RequestEncoder)), None)

    def wanted(job: Job) -> bool:
        config = job.config
        trained_on = config.train.query_weight > 0 and len(encoders) > 1
        if reader is None or not config.synthetic.per_item or not (trained_on or config.space.facets):
            return False
        job.once("reader", lambda: reader.modality)
        if not drawn(job).texts:
            job.notify("synthetic: the items have no facets that several share, so no queries are trained on")
            return False
        return True

    def work(job: Job, fingerprint: str) -> None:
        assert reader is not None  # noqa: S101  else it is not wanted
        vectors = reader.encode_requests(_texts(job), job.layout.workspace(reader.modality), job.progress)
        storage.write_array(job.layout.synthetic, vectors)

    return Stage(
        NAME,
        work,
        lambda job: [job.layout.synthetic],
        options=lambda job: [reader.request_identity() if reader else None, _texts(job)],
        wanted=wanted,
        code=[type(reader)],
    )


def drawn(job: Job) -> SyntheticQueries:
    """The requests, drawn from the seed."""
    return job.once(NAME, lambda: make_queries(catalog_of(job), job.config.synthetic, job.config.seed, spoken_in(job)))


def queries_of(job: Job) -> QueryData | None:
    """The requests with their vectors; None where the stage was not wanted."""
    if NAME not in job.records:
        return None
    queries = drawn(job)
    ends = np.cumsum([len(queries.texts), len(queries.labels)])
    modality = job.once("reader", str)
    return QueryData(modality, queries, *np.split(storage.read_array(job.layout.synthetic), ends))


def identity_of(job: Job) -> list[Any] | None:
    """What training on the requests depends on beside their vectors; None if there are none."""
    if NAME not in job.records:
        return None
    queries = drawn(job)
    return [storage.array_digest(queries.wanted, queries.bounds, queries.facets), queries.names]


def _texts(job: Job) -> tuple[str, ...]:
    queries = drawn(job)
    return (*queries.texts, *queries.labels, *plain_texts(catalog_of(job), job.config.seed, spoken_in(job)))
