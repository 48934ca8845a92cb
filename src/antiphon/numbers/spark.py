"""Spark: parts are encoded by `mapInArrow`, interactions are factorized by MLlib's implicit ALS.

Executors need antiphon in their Python, and the models and files that the configuration names under the same paths.
What they make comes back through Arrow and is written here, so that nothing half-written can be left there.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.errors import ConfigError, RunError
from antiphon.numbers.engine import Encoding

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]
TRIES = 4
"""Of a task, on one machine too: Spark's own number for a cluster."""
EACH = 4
"""Parts for each core in one job; two jobs are under way, so that no core waits for the last of one."""
JOBS = 2
PER_BLOCK = 2_000_000
"""Interactions in a block of ALS, about."""
SCHEMA = "part int, width int, vectors binary"
ALONE = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
"""For Spark on this machine alone: it listens to nobody else."""
USUAL = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}


@dataclass(frozen=True)
class Spark:
    """An engine that is a Spark application; `master` as Spark names it, `settings` are properties of Spark."""

    master: str
    settings: Mapping[str, str]
    name: ClassVar[str] = "spark"

    def encoded(self, encoding: Encoding, parts: Sequence[Sequence[str]]) -> Iterator[tuple[int, Floats]]:
        """The number of each part and its vectors; a part whose task fails is tried again."""
        spark = self._session()
        cores = spark.sparkContext.defaultParallelism
        work = partial(_encoded, encoding.maker, json.dumps(encoding.settings))
        waiting: deque[Future[pa.Table]] = deque()
        with ThreadPoolExecutor(JOBS, thread_name_prefix="antiphon-spark") as pool:
            try:
                for start in range(0, len(parts), cores * EACH):
                    if len(waiting) == JOBS:
                        yield from _vectors(waiting.popleft())
                    # Dealt out: parts that stand side by side cost about the same, and the last ones most.
                    numbers = sorted(range(start, min(start + cores * EACH, len(parts))), key=lambda n: n % cores)
                    table = pa.table(
                        {"part": pa.array(numbers, pa.int32()), "inputs": [list(parts[n]) for n in numbers]}
                    )
                    waiting.append(pool.submit(_job, spark, table, work))
                while waiting:
                    yield from _vectors(waiting.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def factorized(
        self, matrix: Any, *, factors: int, alpha: float, regularization: float, iterations: int, seed: int
    ) -> Floats:
        """Item factors by MLlib; zeros for items without interactions.

        MLlib multiplies the regularization of a user or item by its number of interactions (Zhou et al. 2008), so it is
        given here for a user of average length.
        """
        spark = self._session()  # before ALS, which is an object of its Java
        from pyspark.ml.recommendation import ALS

        pairs = matrix.tocoo()
        table = pa.table({"user": pairs.row.astype(np.int32), "item": pairs.col.astype(np.int32), "rating": pairs.data})
        blocks = 1 + pairs.nnz // PER_BLOCK
        length = pairs.nnz / max(1, int((matrix.getnnz(axis=1) > 0).sum()))
        als = ALS(
            rank=factors,
            maxIter=iterations,
            alpha=alpha,
            regParam=regularization / max(length, 1.0),
            implicitPrefs=True,
            seed=seed,
            numUserBlocks=blocks,
            numItemBlocks=blocks,
        )
        found = als.fit(spark.createDataFrame(table)).itemFactors.toArrow()
        items = np.zeros((matrix.shape[1], factors), dtype=np.float32)
        items[found["id"].to_numpy()] = found["features"].combine_chunks().flatten().to_numpy().reshape(-1, factors)
        return items

    @contextmanager
    def running(self) -> Iterator[None]:
        """Stops a session that was started inside; one that was there before is used, and stays."""
        session = self._sql().SparkSession
        if session.getActiveSession() is None:
            _need_java()  # said before anything is written
        before = session.getActiveSession()
        try:
            yield
        finally:
            after = session.getActiveSession()
            if before is None and after is not None:
                after.stop()

    def _sql(self) -> Any:
        return runtime.library("pyspark.sql", "spark", f"the engine {self.master!r}")

    def _session(self) -> Any:
        sql = self._sql()
        if (known := sql.SparkSession.getActiveSession()) is not None:
            return known
        _need_java()
        alone = self.master.startswith("local[")
        if alone:
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        master = f"{self.master[:-1]},{TRIES}]" if alone and "," not in self.master else self.master
        builder = sql.SparkSession.builder.appName("antiphon").master(master)
        for key, value in {**USUAL, **(ALONE if alone else {}), **self.settings}.items():
            builder = builder.config(key, value)
        try:
            spark = builder.getOrCreate()
        except Exception as error:  # of Java, of the network, of the settings: they share no narrower base
            raise RunError(f"Spark could not be started at {self.master!r}: {_last_line(error)}") from error
        spark.sparkContext.setLogLevel("ERROR")
        return spark


def _job(spark: Any, table: pa.Table, work: Callable[[Iterator[Any]], Iterator[Any]]) -> pa.Table:
    try:
        return spark.createDataFrame(table).mapInArrow(work, SCHEMA).toArrow()
    except Exception as error:  # what a task raised, or what became of the cluster, in wrappings of several kinds
        raise RunError(f"Spark could not encode a part, tried {TRIES} times: {_last_line(error)}") from error


def _vectors(job: Future[pa.Table]) -> Iterator[tuple[int, Floats]]:
    for row in job.result().to_pylist():
        yield row["part"], np.frombuffer(row["vectors"], dtype=np.float32).reshape(-1, row["width"])


def _encoded(maker: str, settings: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Runs in an executor: vectors of the parts of its batches."""
    from pyspark import TaskContext

    task = TaskContext.get()
    if task is not None:
        _settle_in(task)
    for batch in batches:
        for number, inputs in zip(batch["part"].to_pylist(), batch["inputs"].to_pylist(), strict=True):
            vectors = np.ascontiguousarray(_made(maker, settings)(inputs), dtype=np.float32)
            columns = {"part": [number], "width": [vectors.shape[1]], "vectors": [vectors.tobytes()]}
            types = [("part", pa.int32()), ("width", pa.int32()), ("vectors", pa.binary())]
            yield pa.RecordBatch.from_pydict(columns, schema=pa.schema(types))


@lru_cache(maxsize=2)
def _made(maker: str, settings: str) -> Encode:
    """What encodes, with its model, kept as long as the executor's process."""
    module, _, name = maker.partition(":")
    encode: Encode = getattr(importlib.import_module(module), name)(json.loads(settings))
    return encode


def _settle_in(task: Any) -> None:
    """Take the cores and the GPU that Spark has given to the task, and no others."""
    os.environ["ANTIPHON_CORES"] = str(task.cpus())
    gpu = task.resources().get("gpu")
    if gpu is not None and gpu.addresses:
        os.environ["ANTIPHON_DEVICE"] = f"cuda:{gpu.addresses[0]}"


def _need_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if (Path(home) / "bin" / "java").exists() if home else shutil.which("java"):
        return
    where = f"JAVA_HOME is {home}, which has no bin/java" if home else "there is no java on the path"
    raise ConfigError(
        f"Spark needs Java 17 or newer, and {where}; install it (on Debian: apt-get install openjdk-17-jre-headless), "
        'or build with [build] engine = "local".'
    )


def _last_line(error: BaseException) -> str:
    """The line of an error's text that says most: the last one that names an exception of Python, else the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    named = [line for line in lines if line.partition(":")[0].endswith(("Error", "Exception")) and " at " not in line]
    return named[-1] if named else lines[0]
