"""Inspection: what a run's manifests say, and what to do where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from antiphon.config.load import load_config
from antiphon.errors import RunError
from antiphon.run.build import build
from antiphon.run.inspection import inspect_run


@pytest.fixture
def run(make_catalog: Callable[..., Path], tmp_path: Path) -> Path:
    """A run of 21 films with image and cf; an unknown item, a repeated pair, and an item with no modality."""
    toml = make_catalog(
        n_items=21,
        settings={
            "describe": {"mode": "gen"},
            "modalities": [
                {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
                {"name": "cf", "encoder": "als", "trials": 1, "factors": [4]},
            ],
            "space": {"taste": False},
        },
    )
    path = toml.parent / "interactions.parquet"
    table = pq.read_table(path)
    table = table.filter(pa.array([item != "film-006" for item in table["item_id"].to_pylist()]))
    stranger = table.slice(0, 1).set_column(1, "item_id", pa.array(["film-999"]))
    pq.write_table(pa.concat_tables([table, stranger, table.slice(0, 2)]), path)
    build(load_config(toml), tmp_path / "run")
    return tmp_path / "run"


def test_counts_of_everything_that_was_left_out(run: Path) -> None:
    """Dropped, merged and filled things are counted, each with a sentence that names the file."""
    found = inspect_run(run)
    dropped = found["dropped"]
    assert dropped["interactions with an unknown item"] == 1
    assert dropped["interactions that repeat a user and an item"] == 2
    assert dropped["items without a GEN description"] == 2  # every eighth has an empty one
    assert dropped["items without any modality"] == 1
    assert len(found["findings"]) == len(dropped)
    assert any("interactions.parquet" in line and "film-999" in line for line in found["findings"])


def test_coverage_and_dimensions(run: Path) -> None:
    """Each modality with its length and the share of items that have it."""
    found = inspect_run(run)
    assert found["n_items"] == 21
    assert found["n_searchable"] == 20
    image = found["modalities"]["image"]
    assert (image["dim"], image["coverage"]) == (8, pytest.approx(18 / 21))
    assert sum(modality["weight"] for modality in found["modalities"].values()) == pytest.approx(1)
    assert found["modalities"]["cf"]["dim"] == 4
    assert 0 < found["modalities"]["cf"]["coverage"] <= 20 / 21
    assert {stage["name"] for stage in found["stages"]} >= {"catalog", "describe", "train", "publish"}


def test_a_run_that_is_not_there_or_not_done(run: Path, tmp_path: Path) -> None:
    """Both say what to call."""
    with pytest.raises(RunError, match=r"there is no run at .*nowhere\. Runs here: .*run"):
        inspect_run(tmp_path / "nowhere")
    (run / "space" / "CURRENT").unlink()
    with pytest.raises(RunError, match=r"no published space yet.*antiphon build"):
        inspect_run(run)
