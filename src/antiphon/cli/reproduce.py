"""antiphon reproduce: the paper's table on real data, with floors, tests and studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note, progress


@click.command(epilog="Example: antiphon reproduce movies --from ~/datasets --out runs/reproduce-movies")
@click.argument("dataset", metavar="movies|music")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Folder of data sets; ANTIPHON_DATA where not given."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the results; runs/reproduce-DATASET.")
@click.option("--seeds", type=int, default=3, show_default=True, help="Draws of the split and of all that is random.")
@click.option("--trials", type=int, default=12, show_default=True, help="Settings tried for each tuned system.")
@click.option("--encoders", default="minilm,lsa", show_default=True, help="Text encoders: minilm, lsa, uae, e5.")
@click.option("--studies/--no-studies", default=True, help="Cold items, missing modalities, noise, ablations, bias.")
@click.option("--study-seeds", type=int, help="Seeds of the studies that train anew; all where not given.")
@click.option("--items", type=int, help="Keep so many items: a small slice, to see that it runs.")
@click.option("--users", type=int, help="Keep so many users.")
@click.option("--queries", type=int, help="Keep so many requests.")
@click.option("--epochs", type=int, help="Epochs of every training.")
@json_option
def reproduce(
    dataset: str, source: Path | None, out: Path | None, encoders: str, as_json: bool, **numbers: Any
) -> None:
    """Print and write the paper's Table 4 on one of two data sets; what is there already is not done again.

    Writes metrics.json, per_query.parquet, report.html and report.md into --out.
    """
    from antiphon.reproduce.reproduce import Options
    from antiphon.reproduce.summary import reproduce as run
    from antiphon.reproduce.summary import short_document

    names = tuple(name.strip() for name in encoders.split(",") if name.strip())
    folder = out or Path("runs") / f"reproduce-{dataset}"
    options = Options(dataset=dataset, source=source, out=folder.resolve(), encoders=names, **numbers)
    found = run(options, progress(), note)
    if as_json:
        document(short_document(found))
        return
    for kind in dict.fromkeys(row["task"] for row in found["rows"]):
        click.echo(f"\n{kind:<42} nDCG@200  95% interval     recall@20  recall@200  MRR    paper")
        for row in sorted(found["rows"], key=lambda row: -row["metrics"]["ndcg@200"]["mean"]):
            if row["task"] == kind:
                click.echo(_line(row))
    click.echo(f"\n{folder / 'report.html'}")


def _line(row: dict[str, Any]) -> str:
    main, *others = (row["metrics"][name] for name in ("ndcg@200", "recall@20", "recall@200", "mrr@200"))
    paper = "" if row["paper"] is None else f"{row['paper']:.3f}"
    numbers = f"{main['mean']:.4f}    [{main['low']:.3f}, {main['high']:.3f}]"
    return (
        f"  {row['system']:<40} {numbers}  " + "      ".join(f"{other['mean']:.3f}" for other in others) + f"   {paper}"
    )
