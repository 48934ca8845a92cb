"""The stage `describe`: each item as text, one column per view."""

from __future__ import annotations

from antiphon.describe.descriptions import describe, gen_file_digest
from antiphon.run.outputs import catalog_of
from antiphon.run.stage import Job, Stage


def work(job: Job, fingerprint: str) -> None:
    """Write the descriptions."""
    catalog = catalog_of(job)
    describe(catalog, job.config.describe).save(job.layout.descriptions, catalog.item_ids)


STAGE = Stage(
    "describe",
    work,
    lambda job: [job.layout.descriptions],
    options=lambda job: [
        job.config.describe.model_dump(mode="json"),
        gen_file_digest(job.config.describe),
        job.records["catalog"].files["catalog/items.parquet"],
    ],
)
