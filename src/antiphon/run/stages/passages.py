"""The stage `passages`: vectors of the items' long texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from antiphon.base import storage
from antiphon.data.features import Features, feature_paths
from antiphon.describe.passages import passages_of
from antiphon.encoders.base import Encoder, RequestEncoder
from antiphon.run.outputs import catalog_of
from antiphon.run.stage import Job, Stage
from antiphon.run.stages.features import source_of

NAME = "passages"
FILE = "texts-passages"
"""The name of the files; no modality has a hyphen in its name."""


def stage(encoders: Sequence[Encoder[Any]]) -> Stage:
    """Wanted where the configuration names texts, and an encoder reads requests."""
    reader = next((encoder for encoder in encoders if isinstance(encoder, RequestEncoder)), None)

    def work(job: Job, fingerprint: str) -> None:
        assert reader is not None  # noqa: S101  else it is not wanted
        source = replace(source_of(job), descriptions=passages_of(catalog_of(job), job.config.describe))
        found = reader.encode(source, job.layout.workspace(f"{reader.modality}-{NAME}"), job.progress)
        replace(found, modality=FILE).save(job.layout.features)

    return Stage(
        NAME,
        work,
        lambda job: feature_paths(job.layout.features, FILE),
        options=lambda job: [
            reader.request_identity() if reader else None,
            storage.digest("passages", dict(passages_of(catalog_of(job), job.config.describe).views)),
        ],
        wanted=lambda job: reader is not None and bool(job.config.describe.texts),
        code=[type(reader)],
    )


def features_of_passages(job: Job) -> list[Features]:
    """The passages' vectors; none where the stage was not wanted."""
    return [Features.load(job.layout.features, FILE)] if NAME in job.records else []
