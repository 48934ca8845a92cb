"""Spark on this machine, for tests: a fixture, and encoders that run in its processes."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antiphon.numbers.engine import BuildEngine, engine_of

SMALL = {"spark.driver.memory": "700m", "spark.sql.shuffle.partitions": "1"}


@pytest.fixture(scope="module")
def spark() -> Iterator[BuildEngine]:
    """Spark with one core; skips where there is no pyspark, or no Java."""
    need_spark()
    # Its processes find `maker` and `flaky` in this folder.
    engine = engine_of("local[1]", {**SMALL, "spark.executorEnv.PYTHONPATH": str(Path(__file__).parent)})
    assert engine is not None
    with engine.running():
        yield engine


def need_spark() -> None:
    """Skip where Spark cannot be started, and say what is missing."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("NO PYSPARK: Spark is not tested. Install it with pip install 'antiphon[spark]'")
    home = os.environ.get("JAVA_HOME")
    if not ((Path(home) / "bin" / "java").exists() if home else shutil.which("java")):
        pytest.skip("NO JAVA: Spark is not tested. Install one with scripts/install-java")


def maker(settings: Mapping[str, Any]) -> Callable[[Sequence[str]], np.ndarray]:
    """Encodes a text as its length and its first letter; `refuses` texts as the settings say."""

    def encode(texts: Sequence[str]) -> np.ndarray:
        if settings.get("refuses") in texts:
            raise ValueError(f"{settings['refuses']!r} cannot be read")
        return np.array([[len(text), ord(text[0])] for text in texts], dtype=np.float32)

    return encode


def flaky(settings: Mapping[str, Any]) -> Callable[[Sequence[str]], np.ndarray]:
    """As `maker`, but the process dies at the first text that it is given of each part, the first time."""
    encode = maker({})

    def dies_once(texts: Sequence[str]) -> np.ndarray:
        mark = Path(settings["folder"]) / texts[0]
        if not mark.exists():
            mark.touch()
            os._exit(1)
        return encode(texts)

    return dies_once
