"""What antiphon is made of: licences that fit, an SBOM, a released set with hashes, workflows that a linter passes."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
supply = runpy.run_path(str(ROOT / "scripts" / "supply.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def pins(name):
    """Packages of a file, and their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {re.sub(r"[._-]+", "-", package).lower(): version for package, version in PIN.findall(text)}


@pytest.fixture(scope="module")
def parts():
    """What is installed and shipped."""
    return supply["parts_of"](supply["extras_of"]())


def test_every_licence_is_known_and_fits(parts):
    """No dependency says nothing of its licence, and none has one that Apache-2.0 cannot be used beside."""
    assert {"numpy", "torch", "fastapi", "pydantic"} <= {part.name for part in parts}
    assert not [(part.name, part.licence) for part in parts if not part.fits]


@pytest.mark.parametrize("licence", ["GPL-3.0-only", "AGPLv3", "unknown", "", "SSPL-1.0", "Proprietary"])
def test_a_licence_that_does_not_fit_is_seen(licence):
    """Copyleft of whole programs, and what says nothing."""
    assert not supply["Part"]("x", "1", licence, "").fits
    assert supply["Part"]("x", "1", "LGPL-2.1-or-later", "").fits


def test_the_sbom_names_every_part_once(parts):
    """CycloneDX: each part with its version, purl and licence; antiphon depends on all; twice it is the same."""
    document = supply["sbom"](parts)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    purls = [component["purl"] for component in document["components"]]
    assert len(purls) == len(set(purls)) == len(parts) - 1
    assert document["dependencies"][0]["dependsOn"] == purls
    assert all(component["licenses"] for component in document["components"])
    assert document == supply["sbom"](parts)


def test_what_could_not_be_audited_is_no_success(capsys):
    """pip-audit ends with 0 where its index has no data of a package: here that is said, and weaknesses are named."""
    skipped = {"name": "b", "skip_reason": "not found"}
    assert supply["audited"]([skipped]) == 0
    said = capsys.readouterr()
    assert "0 of 1 packages audited" in said.out
    assert "not audited, as the index has no data of them: b" in said.err
    known = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"]}
    assert supply["audited"]([{"name": "a", "version": "1.0", "vulns": [known]}, skipped]) == 1
    assert "PYSEC-2026-1, mended in 2.0" in capsys.readouterr().out
    assert supply["audited"]([{"name": "a", "version": "1.0", "vulns": []}]) == 0


def test_the_released_set_has_hashes_and_the_versions_of_the_tests():
    """Each package of requirements-released.txt has a SHA-256, and the version that constraints.txt has."""
    text = (ROOT / "requirements-released.txt").read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text.split("\n", 2)[2])
    assert all("--hash=sha256:" in block for block in blocks if "==" in block)
    released, tested = pins("requirements-released.txt"), pins("constraints.txt")
    differ = {name: version for name, version in released.items() if tested.get(name, version) != version}
    assert not differ
    wanted = [text for extra in ("serve", "build") for text in PROJECT["optional-dependencies"][extra]]
    names = {re.sub(r"[._-]+", "-", re.match(r"[A-Za-z0-9._-]+", text).group()).lower() for text in wanted}
    assert names <= set(released)


def test_workflows_test_every_python_that_is_promised():
    """The matrix is the classifiers; `make test` is what runs."""
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"]
    promised = [line.rsplit(" ", 1)[-1] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert jobs["test"]["strategy"]["matrix"]["python"] == promised
    assert any("make test" in step.get("run", "") for step in jobs["test"]["steps"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_no_more_rights_than_they_need(path):
    """No right by default, actions by their commit, and a limit of time; publishing has no token."""
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", f"a@{'0' * 40}"))
            assert "secrets." not in str(step)


def test_the_linter_of_workflows_finds_nothing():
    """zizmor, without the network."""
    linter = shutil.which("zizmor") or shutil.which("zizmor", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("zizmor is not installed; it is part of the extra dev")
    command = [linter, "--offline", "--quiet", str(ROOT / ".github" / "workflows")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_make_targets_are_documented():
    """Each target that is no file stands in the header of the Makefile, or is one of the short ones."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    header = text.split("SHELL", 1)[0]
    for target in ("fuzz", "chaos", "soak", "audit", "lock"):
        assert f"# make {target} " in header
        assert re.search(rf"^{target}:", text, re.MULTILINE)
