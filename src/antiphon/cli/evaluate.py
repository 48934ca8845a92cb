"""antiphon evaluate: a run held against its held-out users, or against anyone's judgements."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from antiphon.cli.options import json_option
from antiphon.cli.output import document, note, progress
from antiphon.errors import ConfigError

if TYPE_CHECKING:
    from antiphon.evaluate.protocols import Task
    from antiphon.evaluate.results import Result
    from antiphon.evaluate.rundata import RunData

TASKS = ("recommend", "similar", "retrieve", "cold")


@click.command(
    epilog="Example: antiphon evaluate runs/films --task retrieve --queries requests.jsonl --system text+bm25 --json"
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--task", type=click.Choice(TASKS), help="What to ask; follows from --queries or --truth, else recommend."
)
@click.option(
    "--queries",
    type=click.Path(path_type=Path),
    help='Lines of {"query_id", "text" or "turns", "positives"}, for retrieve.',
)
@click.option("--truth", type=click.Path(path_type=Path), help="Table of item_id and similar_id, for similar.")
@click.option("--system", default="joint", show_default=True, help="What answers; `list` shows the names.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME@K", help="Such as ndcg@10; repeat for more.")
@click.option("--among", type=click.Choice(("cold", "all")), default="cold", show_default=True, help="For cold.")
@click.option("--trials", type=click.IntRange(1), default=12, show_default=True, help="Settings tried where tuned.")
@json_option
def evaluate(
    run: Path, task: str | None, queries: Path | None, truth: Path | None, system: str, metrics: tuple[str, ...],
    among: str, trials: int, as_json: bool,
) -> None:  # fmt: skip
    """Measure how well RUN answers; any of the floors can answer in its place (--system).

    A system with hyperparameters is tuned on held-out validation users, or on the part of the queries that is then
    left out of the result. Values of every query are kept in RUN/eval.
    """
    from antiphon.evaluate.baselines.fitted import baselines_of, make_system, system_names
    from antiphon.evaluate.results import METRICS
    from antiphon.evaluate.results import evaluate as measure
    from antiphon.evaluate.rundata import RunData
    from antiphon.numbers.metrics import parse_metric

    specs = [str(parse_metric(metric)) for metric in metrics] or list(METRICS)
    kind = _kind(task, queries, truth)
    data = RunData(run)
    if system == "list":
        click.echo("\n".join(system_names(data)))
        return
    tuned = system in baselines_of(data)
    asked = _task(data, kind, queries, truth, among, "test" if tuned else "all")
    validation = _task(data, kind, queries, truth, among, "validation") if tuned else None
    table = data.layout.evaluation / "tuning" / f"{system}-{asked.name}.jsonl"
    made = make_system(data, system, validation, table=table, trials=trials, progress=progress())
    result = measure(made, asked, specs, beside=lambda ranked: _beside(ranked, data, kind))
    _keep(data, result)
    _show(result, asked, system, kind, as_json=as_json)


def _kind(task: str | None, queries: Path | None, truth: Path | None) -> str:
    kind = task or ("retrieve" if queries is not None else "similar" if truth is not None else "recommend")
    for option, given, wanted in (("--queries", queries, "retrieve"), ("--truth", truth, "similar")):
        if given is None and kind == wanted:
            raise ConfigError(f"--task {kind} needs {option} FILE; see `antiphon evaluate --help`.")
        if given is not None and kind != wanted:
            raise ConfigError(f"{option} is for --task {wanted}, but the task is {kind}; leave one of them out.")
    return kind


def _task(data: RunData, kind: str, queries: Path | None, truth: Path | None, among: Any, part: Any) -> Task:
    from antiphon.evaluate import protocols

    if kind == "retrieve" and queries is not None:
        return protocols.retrieve_task(data, queries, part)
    if kind == "similar" and truth is not None:
        return protocols.similar_task(data, truth, part)
    users: Any = "test" if part == "all" else part
    if kind == "cold":
        return protocols.cold_task(data, users, among=among)
    return protocols.recommend_task(data, users)


def _beside(ranked: Any, data: RunData, kind: str) -> Mapping[str, Any]:
    """What recommendations are made of; other tasks ask for what they ask for."""
    from antiphon.evaluate.answers import answer_shares

    return answer_shares(ranked, data) if kind == "recommend" else {}


def _keep(data: RunData, result: Result) -> None:
    from antiphon.errors import RunError
    from antiphon.evaluate.results import save_results

    try:
        save_results(data.layout.evaluation / f"{result.task}.{result.system}.parquet", [result])
    except RunError as error:
        note(f"the values of each query are not kept: {error}")


def _show(result: Result, task: Task, system: str, kind: str, *, as_json: bool) -> None:
    from antiphon.evaluate.answers import NAMES

    metrics = result.document()
    answers = {name: metrics.pop(name) for name in NAMES if name in metrics}
    if as_json:
        shown = {"task": kind, "system": system, "n_queries": len(task), "ignored_ids": task.ignored_ids}
        shown |= {"ignored": dict(task.ignored), "metrics": metrics}
        document({**shown, "answers": answers} if answers else shown)
        return
    if task.ignored_ids:
        note(f"left out: {task.ignored_ids:,} ids or pairs outside the catalog")
    for reason, count in task.ignored.items():
        if count:
            note(f"left out: {count:,} {reason}")
    click.echo(f"{system} on {task.name}, {len(task):,} queries (95% interval)")
    for name, value in metrics.items():
        if value["mean"] is None:
            click.echo(f"  {name:<12} no query has a relevant item")
        else:
            click.echo(f"  {name:<12} {value['mean']:.4f}  [{value['low']:.4f}, {value['high']:.4f}]")
    for name, value in answers.items():
        if value["mean"] is not None:
            click.echo(f"  {NAMES[name]}: {value['mean']:.1%}")
