"""The stage `describe`: each item as text, one column per view."""

from __future__ import annotations

from antiphon.describe.automatic import unused_columns
from antiphon.describe.descriptions import describe, gen_file_digest
from antiphon.run.outputs import catalog_of
from antiphon.run.stage import Job, Stage

SHOWN = 12


def work(job: Job, fingerprint: str) -> None:
    """Write the descriptions."""
    catalog = catalog_of(job)
    unused = unused_columns(catalog, job.config)
    if unused:
        shown = ", ".join(unused[:SHOWN]) + (", ..." if len(unused) > SHOWN else "")
        job.notify(f"columns that nothing uses: {shown} (name them in [catalog.fields] or [describe])")
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
