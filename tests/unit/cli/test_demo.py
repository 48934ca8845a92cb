"""Which build the demo makes: the whole one, or a quick one where the whole would try its users' patience."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from antiphon.base.progress import silent
from antiphon.base.registry import find
from antiphon.cli.demo import _settings
from antiphon.run import estimate, stage
from antiphon.run.stage import Record

Quick = Callable[..., bool]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quick:
    """Whether the generated catalog's demo is quick, where the whole build takes some seconds."""
    project = find("antiphon.datasets", "generated").make_project(tmp_path / "project", None, silent)

    def is_quick(seconds: float, *, full: bool = False) -> bool:
        monkeypatch.setattr(estimate, "expected_seconds", lambda *_: seconds)
        return _settings(project, tmp_path, full=full).quick

    return is_quick


def test_a_slow_machine_gets_a_quick_demo(quick: Quick, capsys: pytest.CaptureFixture[str]) -> None:
    """And is told what the whole one would take, and how to have it."""
    assert quick(400)
    assert "about 7 min" in (said := capsys.readouterr().err)
    assert "antiphon demo --full" in said


@pytest.mark.parametrize(("seconds", "full"), [(100, False), (400, True)])
def test_a_demo_is_whole_where_it_may_be(
    quick: Quick, capsys: pytest.CaptureFixture[str], seconds: float, full: bool
) -> None:
    """It does not take long, or was asked for."""
    assert not quick(seconds, full=full)
    assert not capsys.readouterr().err


@pytest.mark.parametrize("before", [True, False])
def test_a_demo_that_was_built_stays_what_it_is(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Another estimate, of a machine that is busy now, builds nothing again."""
    kept = (tmp_path / "project" / "antiphon.toml").read_text(encoding="utf-8")
    (tmp_path / "config.toml").write_text(f"quick = {str(before).lower()}\n{kept}", encoding="utf-8")
    monkeypatch.setattr(stage, "recorded", lambda _: {"publish": Record})
    assert quick(1 if before else 4_000) == before
