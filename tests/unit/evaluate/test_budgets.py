"""How many settings were tried on validation is counted from what a build and a fit really try."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from antiphon.evaluate.baselines.fitted import baselines_of, make_system
from antiphon.evaluate.budgets import baseline_budget, modality_budget, space_budget
from antiphon.evaluate.protocols import recommend_task
from antiphon.evaluate.rundata import RunData


def test_a_floor_tries_as_many_settings_as_its_budget_says(data: RunData, tmp_path: Path) -> None:
    """Lines of its table of trials; a slow one has fewer than were asked for."""
    validation = recommend_task(data, "validation")
    for name in ("ease", "ials-256", "popularity"):
        table = tmp_path / f"{name}.jsonl"
        make_system(data, name, validation, table=table, trials=6)
        lines = len(table.read_text(encoding="utf-8").splitlines()) if table.is_file() else 0
        known = baselines_of(data)
        assert lines == (baseline_budget(known[name], 6)["own"] if name in known else 0)
    assert baseline_budget(baselines_of(data)["ials-256"], 6) == {"own": 4}


def test_a_space_counts_each_search_of_its_build(data: RunData) -> None:
    """The paper's preset searches collaborative factors alone; ours also taste, its mixture and the second stage."""
    assert space_budget(data.config).keys() <= {"cf"}
    assert modality_budget(data.config)["text"] == 0
    ours = data.config.model_copy(
        update={"space": data.config.space.model_copy(update={"taste": True, "rerank": True})}
    )
    assert space_budget(ours).keys() >= {"iALS", "EASE", "mixture", "second stage"}
    assert all(isinstance(n, int) and n > 0 for n in space_budget(ours).values())
    assert np.sum(list(space_budget(ours).values())) > 50
