"""Stages as values: lists of them, replaced by name."""

from __future__ import annotations

import pytest

from antiphon import ConfigError
from antiphon.run.stage import Job, Stage, with_stages


def stage(name: str, note: str = "") -> Stage:
    """A stage that does nothing."""
    return Stage(name, lambda job, fingerprint: None, lambda job: [], options=lambda job: note)


def test_stages_are_replaced_by_name() -> None:
    """The others stay as they are, in their order."""
    usual = [stage("catalog"), stage("train"), stage("publish")]
    other = stage("train", "another seed")
    assert with_stages(usual, other) == [usual[0], other, usual[2]]
    assert with_stages(usual) == usual


def test_a_name_that_is_not_there_is_refused() -> None:
    """With the nearest one."""
    with pytest.raises(ConfigError, match=r"no stage 'trian'.*'train'"):
        with_stages([stage("train")], stage("trian"))


def test_what_is_made_once_is_kept() -> None:
    """Within a job, not across jobs."""
    made = []
    job, other = (Job(None, None, None, None, {}) for _ in range(2))  # type: ignore[arg-type]
    assert [job.once("x", lambda: made.append(1) or len(made)) for _ in range(3)] == [1, 1, 1]
    assert other.once("x", lambda: made.append(1) or len(made)) == 2
