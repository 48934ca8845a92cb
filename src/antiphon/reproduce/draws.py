"""One seed of a reproduction: who is held out, what is asked, and the run that its rows start from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from antiphon.base import storage
from antiphon.evaluate.protocols import Task, recommend_task, retrieve_task, similar_task
from antiphon.evaluate.rundata import RunData
from antiphon.reproduce.slices import Material


class Draw:
    """The base run of a seed, and its tasks.

    A seed draws the split of users, of requests and of pairs, and everything that is random in a build.
    """

    def __init__(self, seed: int, base: Path, material: Material) -> None:
        self.seed, self.base, self.material = seed, base, material

    @cached_property
    def data(self) -> RunData:
        """The base run as an evaluation sees it."""
        return RunData(self.base)

    @cached_property
    def identity(self) -> str:
        """A hash of what the base run's stages wrote, but for what it publishes."""
        stages = storage.read_json(self.data.layout.manifest)["stages"]
        return storage.digest([[stage["name"], stage["files"]] for stage in stages if stage["name"] != "publish"])

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """The columns of the table: test users and test queries."""
        return self._tasks("test")

    @cached_property
    def validation(self) -> Mapping[str, Task]:
        """Users and queries that hyperparameters are chosen on."""
        return self._tasks("validation")

    def _tasks(self, part: Any) -> Mapping[str, Task]:
        tasks = {
            "recommend": recommend_task(self.data, part),
            "retrieve": retrieve_task(self.data, self.material.queries, part),
        }
        if self.material.truth is not None:
            tasks["similar"] = similar_task(self.data, self.material.truth, part)
        return tasks
