"""Spark: parts in other processes, what fails there, and factors that are as good as those of this process."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from antiphon.data.held_out import held_out_score
from antiphon.data.splits import HeldOut
from antiphon.encoders.shards import encode_in_shards
from antiphon.errors import ConfigError, RunError
from antiphon.numbers.engine import BuildEngine, Encoding, engine_of
from antiphon.numbers.factorization import Factors, Setting, factorize
from antiphon.numbers.spark import Spark, _settle_in

spark = runpy.run_path(str(Path(__file__).resolve().parents[2] / "support" / "spark.py"))["spark"]
TEXTS = [f"{letter * (1 + n % 5)}{n}" for n, letter in enumerate("abcdefghijklmnopqrstuvwxyz" * 2)]


def test_parts_come_back_with_their_numbers(spark: BuildEngine) -> None:
    """Every part once, whatever its size, also where there are more than one job takes."""
    parts = [TEXTS[start : start + 1 + start % 3] for start in range(0, 48, 3)]
    found = dict(spark.encoded(Encoding("spark:maker", {}), parts))
    assert sorted(found) == list(range(16))
    for number, part in enumerate(parts):
        assert found[number].tolist() == [[len(text), ord(text[0])] for text in part]
        assert found[number].dtype == np.float32


def test_a_task_whose_process_dies_is_tried_again(spark: BuildEngine, tmp_path: Path) -> None:
    """All shards are whole in the end, and nothing half-written stands beside them."""
    (tmp_path / "marks").mkdir()
    encoding = Encoding("spark:flaky", {"folder": str(tmp_path / "marks")})
    folder = tmp_path / "shards"

    def away(parts: Any) -> Any:
        return spark.encoded(encoding, [[TEXTS[position] for position in part] for part in parts])

    def never(positions: list[int]) -> Any:
        raise AssertionError(positions)

    made = encode_in_shards(TEXTS[:20], never, folder, lambda *_: _silent(), name="x", shard_size=8, away=away)
    assert len(list((tmp_path / "marks").iterdir())) == 3
    assert made[:, 0].tolist() == [len(text) for text in TEXTS[:20]]
    assert len(list(folder.iterdir())) == 6
    again = encode_in_shards(TEXTS[:20], never, folder, lambda *_: _silent(), name="x", shard_size=8)
    np.testing.assert_array_equal(again, made)


def test_what_a_task_cannot_do_is_said_and_what_others_did_is_kept(spark: BuildEngine, tmp_path: Path) -> None:
    """The error names the reason; the shards from before it stay, and are whole."""

    def away(parts: Any) -> Any:
        encoding = Encoding("spark:maker", {"refuses": TEXTS[-1]})
        return spark.encoded(encoding, [[TEXTS[position] for position in part] for part in parts])

    with pytest.raises(RunError, match=f"ValueError: '{TEXTS[-1]}' cannot be read"):
        encode_in_shards(
            TEXTS, lambda _: np.zeros(0), tmp_path, lambda *_: _silent(), name="x", shard_size=4, away=away
        )
    files = sorted(path.name for path in tmp_path.iterdir())
    assert 0 < len(files) < 26
    assert {name.rpartition(".")[2] for name in files} == {"json", "npy"}


def _silent() -> Any:
    from antiphon.base.progress import silent

    return silent("", 0)


def histories(seed: int = 0, n_users: int = 400, n_items: int = 600) -> tuple[Any, HeldOut]:
    """Users of six tastes with 8 to 30 items each, popular ones more often; of a fifth, halves are held out."""
    rng = np.random.default_rng(seed)
    taste = rng.dirichlet(np.full(6, 0.2), size=n_users)
    kind = rng.dirichlet(np.full(6, 0.2), size=n_items)
    popular = 1 / (1 + np.arange(n_items)) ** 0.5
    rows = []
    for user in range(n_users):
        chance = popular * (0.02 + kind @ taste[user])
        rows.append(rng.choice(n_items, size=int(rng.integers(8, 31)), replace=False, p=chance / chance.sum()))
    held = rng.permutation(n_users)[: n_users // 5]
    train = np.setdiff1d(np.arange(n_users), held)
    users = np.repeat(train, [len(rows[user]) for user in train])
    items = np.concatenate([rows[user] for user in train])
    matrix = sparse.csr_matrix((np.ones(len(items), np.float32), (users, items)), shape=(n_users, n_items + 1))
    halves = [np.array_split(rng.permutation(rows[user]).astype(np.int32), 2) for user in held]
    return matrix, HeldOut(held, tuple(np.sort(a) for a, _ in halves), tuple(np.sort(b) for _, b in halves))


def score(factors: Factors, check: HeldOut) -> float:
    """nDCG@200 of held-out users whose halves are folded in."""
    users = factors.fold_in([(rows, np.ones(len(rows), dtype=np.float32)) for rows in check.profiles])
    return held_out_score(users @ factors.items.T, check)


def test_factors_of_spark_are_as_good_as_those_of_implicit(spark: BuildEngine) -> None:
    """Folded-in users have implicit's nDCG within .01, far above random factors; an item that nobody has is zeros."""
    matrix, check = histories()
    setting = Setting(factors=16, alpha=5.0, regularization=3.0, iterations=8)
    here, there = factorize(matrix, setting, 0), factorize(matrix, setting, 0, spark)
    assert there.items.shape == here.items.shape
    assert there.items.dtype == np.float32
    assert not there.items[-1].any()
    floor = score(Factors(np.random.default_rng(0).normal(size=here.items.shape).astype(np.float32), setting), check)
    assert score(here, check) > floor + 0.1
    assert abs(score(here, check) - score(there, check)) < 0.01


@pytest.mark.data
def test_factors_of_spark_are_as_good_on_real_ratings(spark: BuildEngine, data_dir: Path) -> None:
    """MovieLens latest small, ratings of 3.5 and more: within .01 of implicit at the settings that suit both."""
    import pyarrow.compute as pc
    from pyarrow import csv

    file = data_dir / "ml-latest-small" / "ratings.csv"
    if not file.is_file():
        pytest.skip(f"there is no {file}")
    table = csv.read_csv(file)
    names = {name.lower(): name for name in table.column_names}
    liked = table.filter(pc.greater_equal(table["rating"], 3.5))
    (users, user), (items, item) = (
        np.unique(liked[names[name]], return_inverse=True) for name in ("userid", "movieid")
    )
    rng = np.random.default_rng(0)
    held = rng.permutation(len(users))[:120]
    kept = ~np.isin(user, held)
    matrix = sparse.csr_matrix(
        (np.ones(kept.sum(), np.float32), (user[kept], item[kept])), shape=(len(users), len(items))
    )
    halves = [np.array_split(rng.permutation(item[user == one]).astype(np.int32), 2) for one in held]
    halves = [half for half in halves if min(map(len, half)) > 1]
    check = HeldOut(held, tuple(np.sort(a) for a, _ in halves), tuple(np.sort(b) for _, b in halves))
    for setting in (Setting(64, 5.0, 1.0, 10), Setting(64, 12.0, 30.0, 10)):
        here, there = factorize(matrix, setting, 0), factorize(matrix, setting, 0, spark)
        assert abs(score(here, check) - score(there, check)) < 0.01, setting


def test_spark_without_java_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Before anything is started or written; where JAVA_HOME is wrong, that is said."""
    pytest.importorskip("pyspark")
    from pyspark.sql import SparkSession

    monkeypatch.setattr(SparkSession, "getActiveSession", classmethod(lambda cls: None))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(ConfigError, match=r"Java 17.*no java on the path.*openjdk-17"), Spark("local[1]", {}).running():
        pass
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="has no bin/java"), Spark("local[1]", {}).running():
        pass


def test_engines_are_found_by_the_beginning_of_their_name() -> None:
    """Masters of Spark as Spark names them; another is looked for among what is registered."""
    assert engine_of("local", {}) is None
    for master in ("local[2]", "local[*]", "spark://host:7077", "yarn", "k8s://https://host:443"):
        assert engine_of(master, {"spark.executor.memory": "8g"}) == Spark(master, {"spark.executor.memory": "8g"})
    with pytest.raises(ConfigError, match="there is no engine 'ray'"):
        engine_of("ray://host:10001", {})


def test_a_task_takes_the_gpu_and_the_cores_that_spark_gave_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What encodes then computes there, and beside other tasks of the machine."""
    from antiphon.base import runtime

    for name in ("ANTIPHON_DEVICE", "ANTIPHON_CORES"):
        monkeypatch.setenv(name, "")  # so that what the task sets is taken back
    task = SimpleNamespace(cpus=lambda: 3, resources=lambda: {"gpu": SimpleNamespace(addresses=["1"])})
    _settle_in(task)
    assert (runtime.device(), runtime.n_cores()) == ("cuda:1", 3)
    os.environ["ANTIPHON_DEVICE"] = "cpu"
    _settle_in(SimpleNamespace(cpus=lambda: 1, resources=dict))
    assert (runtime.device(), runtime.n_cores()) == ("cpu", 1)
