"""A whole build on Spark, through the command line."""

from __future__ import annotations

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import antiphon
from antiphon.base import storage
from antiphon.config.load import load_config
from antiphon.run.build import build

need_spark = runpy.run_path(str(Path(__file__).resolve().parents[1] / "support" / "spark.py"))["need_spark"]
FEW = ("space.taste_trials=1", "space.rerank=false", "modalities.cf.trials=1", "modalities.cf.iterations=[3, 3]")


def test_a_build_on_spark_encodes_and_factorizes_there(own_run: Any, cli: Callable[..., Any]) -> None:
    """What was encoded comes from the same shards afterwards; factors are fitted again where the engine is another."""
    need_spark()
    before = storage.read_array(own_run.run / "features" / "text.npy")
    for shard in (own_run.run / "features").rglob("shards-*"):
        shutil.rmtree(shard)
    (own_run.run / "features" / "text.npy").unlink()
    changes = [word for key in FEW for word in ("--set", key)]
    engine = ["--set", "build.engine=local[1]", "--set", 'build.spark={"spark.driver.memory" = "700m"}']
    done = cli("build", own_run.project, "--run", own_run.run, *changes, *engine)
    assert done.returncode == 0, done.stderr
    assert statuses(own_run.run) >= {"features.text", "features.cf", "taste", "publish"}
    assert statuses(own_run.run).isdisjoint({"catalog", "describe", "features.image"})
    np.testing.assert_allclose(storage.read_array(own_run.run / "features" / "text.npy"), before, atol=1e-3)
    assert len(antiphon.load(own_run.run).search("a quiet drama", k=3)) == 3
    build(load_config(own_run.project, FEW), own_run.run)
    assert "features.text" not in statuses(own_run.run)
    assert statuses(own_run.run) >= {"features.cf", "taste"}


def statuses(run: Path) -> set[str]:
    """The stages that the last build did."""
    stages = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["stages"]
    return {stage["name"] for stage in stages if stage["status"] == "built"}
