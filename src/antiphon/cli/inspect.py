"""antiphon inspect: what is in a run."""

from __future__ import annotations

from pathlib import Path

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, show

NEAR_ZERO = 0.01
"""Weight of a modality below which it has no part in answers."""


@click.command(epilog="Example: antiphon inspect runs/films")
@click.argument("run", type=click.Path(path_type=Path))
@json_option
def inspect(run: Path, as_json: bool) -> None:
    """Show stages, sizes, seconds, the coverage of each modality, and what was dropped."""
    from antiphon.run.inspection import inspect_run

    found = inspect_run(run)
    if as_json:
        document(found)
        return
    show(
        f"{found['name']}: {found['n_items']:,} items, {found['n_searchable']:,} searchable, space {found['space_id']}"
    )
    show("\nmodality           dim  coverage   weight")
    for name, item in found["modalities"].items():
        show(f"  {name:<14} {item['dim']:>5}   {item['coverage']:7.1%}  {item['weight']:7.3f}")
    for name, item in found["modalities"].items():
        if item["weight"] < NEAR_ZERO and len(found["modalities"]) > 1:
            show(
                f"  {name} has almost no weight: items are found as well without it, so it has no part in answers to "
                "words and likes. Requests of its own kind (a picture, a sound) still use it."
            )
    show("\nstage                   seconds  status")
    for stage in found["stages"]:
        show(f"  {stage['name']:<20} {stage['seconds']:8.1f}  {stage['status']}")
    show("\ndropped or merged")
    for line in found["findings"] or ["  nothing"]:
        show(f"  {line.strip()}")
