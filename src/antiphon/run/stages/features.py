"""The stages `features.<modality>`: an encoder's vectors of the items."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from antiphon.data.features import feature_paths
from antiphon.encoders.base import Encoder, Source
from antiphon.encoders.files import read_findings
from antiphon.run.outputs import catalog_of, descriptions_of, split_of
from antiphon.run.stage import Job, Stage


def source_of(job: Job) -> Source:
    """What encoders see of the run."""
    config = job.config
    return Source(catalog_of(job), descriptions_of(job), split_of(job), config.split, config.seed)


def stage(encoder: Encoder[Any]) -> Stage:
    """The encoder's own fingerprint says what its vectors depend on, so that nothing else repeats them."""
    modality = encoder.modality

    def work(job: Job, fingerprint: str) -> None:
        workspace = job.layout.workspace(modality)
        encoder.encode(source_of(job), workspace, job.progress).save(job.layout.features)
        for finding in read_findings(workspace):
            job.notify(f"{modality}: {finding.sentence()}")

    return Stage(
        f"features.{modality}",
        work,
        lambda job: files_of(encoder, job),
        options=lambda job: encoder.fingerprint(source_of(job)),
        code=[type(encoder)],
    )


def files_of(encoder: Encoder[Any], job: Job) -> Iterable[Path]:
    """The files of a modality: its vectors, and what the encoder keeps."""
    kept = encoder.kept(job.layout.workspace(encoder.modality))
    return [*feature_paths(job.layout.features, encoder.modality), *kept]
