"""How far the defaults are behind a search: `antiphon tune` on the catalogs of `antiphon reproduce`.

    python benchmarks/tuning.py ../shared/data                  both catalogs, 20 trials each (about 15 minutes each)
    python benchmarks/tuning.py ../shared/data --dataset music --trials 30
    python benchmarks/tuning.py ../shared/data --write          benchmarks/results/tuning.json and its plots as well

The search sees validation users, queries and pairs alone. What it finds is then held against the default on the test
ones. The base run is that of `antiphon reproduce` in runs/reproduce-NAME, made where it is not there.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kept import origin

from antiphon.evaluate.protocols import Task
from antiphon.evaluate.results import evaluate
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import SpaceSystem
from antiphon.evaluate.trials import Trial, run_trial, trial_config
from antiphon.evaluate.tune import FOLDER, PLOT, nested, search_config
from antiphon.numbers.metrics import mean_over_queries
from antiphon.reproduce.reproduce import MULTI, OURS_FROM, Options, Reproduction

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
METRIC = "ndcg@200"


def tuned(dataset: str, source: Path, trials: int) -> tuple[dict[str, Any], Path]:
    """What a search found on a catalog, and its plot."""
    everything = Reproduction(Options(dataset, source, Path("runs") / f"reproduce-{dataset}"), notify=tell)
    everything.prepare()
    base, settings = everything.base_of("default", 0), everything.trial_settings("default")
    default = Trial("tuned", MULTI[OURS_FROM], everything.joined)
    run = everything.options.out / default.name
    data = run_trial(base, settings, default, run)
    material = everything.material
    found = search_config(
        trial_config(settings, default), run, trials=trials, queries=material.queries, truth=material.truth, notify=tell
    )
    best = Trial("best", nested(found.best.settings), seed=data.config.seed)
    other = run_trial(run, data.config.model_dump(mode="json", exclude_none=True), best, run.with_name("tuned-best"))
    tests = {name: measured(one, everything.tasks) for name, one in (("default", RunData(run)), ("best", other))}
    result = {
        "trials": len(found.tried),
        "seconds": round(sum(row.seconds for row in found.tried)),
        "default_behind_percent": round(100 * found.behind, 2),
        "best_trial": found.best.number,
        "best_changes": found.overrides(),
        "validation": {"default": found.tried[0].values, "best": found.best.values},
        "test": tests,
    }
    return result, run / FOLDER / PLOT


def measured(data: RunData, tasks: Mapping[str, Task]) -> dict[str, float]:
    """Mean nDCG@200 on each task."""
    system = SpaceSystem(data)
    return {
        name: round(mean_over_queries(evaluate(system, task, [METRIC]).values[METRIC]), 4)
        for name, task in tasks.items()
    }


def tell(message: str) -> None:
    """Print what happens, beside the result."""
    print(message, file=sys.stderr, flush=True)


def main() -> None:
    """Run a search for each catalog."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of the data sets")
    parser.add_argument("--dataset", choices=["movies", "music"], action="append")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    file = RESULTS / "tuning.json"
    results = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for dataset in given.dataset or ["movies", "music"]:
        found, plot = tuned(dataset, given.source, given.trials)
        results[dataset] = {**found, **origin("tuning.json")}
        print(json.dumps({dataset: results[dataset]}, indent=2))
        if given.write:
            file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            shutil.copy(plot, RESULTS / dataset / "plots" / "tuning.svg")


if __name__ == "__main__":
    main()
