#!/usr/bin/env python3
"""What antiphon is made of: the licences of its dependencies, an SBOM, and what is known against them.

python scripts/supply.py licences            a table; ends with 1 where one has no licence, or one that is not expected
python scripts/supply.py sbom --out FILE     CycloneDX 1.6 as JSON
python scripts/supply.py audit               pip-audit, where it is installed and can reach its data

All of it is about what is installed here: the extras that are named (`--extra`, repeated; all but dev and bench where
none is), and what they need in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OWN = "antiphon"
NOT_SHIPPED = ("bench", "dev")
EXPECTED = re.compile(
    r"apache|bsd|mit|mpl|mozilla|isc|psf|python|zlib|unlicense|public domain|cc0|hpnd|boost|0bsd|lgpl|cmu|zpl|wtfpl",
    re.IGNORECASE,
)
"""Licences that a program under Apache-2.0 may use; LGPL as a library that is loaded."""
REFUSED = re.compile(r"(?<!l)gpl|affero|agpl|sspl|proprietary|commercial", re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """A package that is installed."""

    name: str
    version: str
    licence: str
    summary: str

    @property
    def purl(self) -> str:
        """Its name for registries."""
        return f"pkg:pypi/{self.name}@{self.version}"

    @property
    def fits(self) -> bool:
        """Whether its licence is one that is expected."""
        return bool(EXPECTED.search(self.licence)) and not REFUSED.search(self.licence)


def parts_of(extras: Sequence[str]) -> list[Part]:
    """What antiphon with these extras needs, and what that needs, as far as it is installed here."""
    found: dict[str, Distribution] = {}
    left = [(OWN, tuple(extras))]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while left:
        name, wanted = left.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            known = distribution(name)
        except PackageNotFoundError:
            continue
        found[canonicalize_name(name)] = known
        left += list(_needs(known, wanted))
    return sorted(
        (Part(name, one.version, licence_of(one), one.metadata.get("Summary") or "") for name, one in found.items()),
        key=lambda part: part.name,
    )


def _needs(known: Distribution, extras: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for text in known.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            yield requirement.name, tuple(sorted(requirement.extras))


def licence_of(known: Distribution) -> str:
    """The licence that a package's metadata name: an expression, classifiers, or the first line of a text."""
    data = known.metadata
    if expression := data.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1] for line in data.get_all("Classifier") or () if line.startswith("License ::")
    ]
    named = [line for line in classifiers if line != "OSI Approved"]
    text = next(
        (line.strip() for line in str(data.get("License") or "").splitlines() if line.strip() not in ("", "UNKNOWN")),
        "",
    )
    if named:
        return " AND ".join(dict.fromkeys(named))
    return text[:80] or _of_file(known) or "unknown"


def _of_file(known: Distribution) -> str:
    """What the first lines of a licence file say."""
    for file in known.files or ():
        if re.match(r"(licen[cs]e|copying)", file.name, re.IGNORECASE):
            try:
                lines = file.locate().read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            return next((line.strip() for line in lines if line.strip()), "")[:80]
    return ""


def sbom(parts: Sequence[Part], files: Sequence[Path] = ()) -> dict[str, Any]:
    """A CycloneDX 1.6 document; the same parts give the same document."""
    own = next(part for part in parts if part.name == OWN)
    content = json.dumps([(part.name, part.version) for part in parts])
    component = {**_component(own), "type": "application"}
    if files:
        component["hashes"] = [{"alg": "SHA-256", "content": _sha256(file)} for file in files]
    others = [part for part in parts if part.name != OWN]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}",
        "version": 1,
        "metadata": {"component": component},
        "components": [_component(part) for part in others],
        "dependencies": [{"ref": own.purl, "dependsOn": [part.purl for part in others]}],
    }


def _component(part: Part) -> dict[str, Any]:
    named = (
        {"expression": part.licence}
        if re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*", part.licence)
        else None
    )
    return {
        "type": "library",
        "bom-ref": part.purl,
        "name": part.name,
        "version": part.version,
        "description": part.summary,
        "purl": part.purl,
        "licenses": [named or {"license": {"name": part.licence}}],
    }


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def audit(parts: Sequence[Part]) -> int:
    """What pip-audit knows against these versions; 0 where it is not there or cannot reach its data, which is said."""
    if importlib.util.find_spec("pip_audit") is None:
        print("pip-audit is not installed: nothing was asked. Install it with: pip install pip-audit", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "pinned.txt"
        pinned.write_text("".join(f"{part.name}=={part.version}\n" for part in parts if part.name != OWN))
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--no-deps",
            "--disable-pip",
            "--format",
            "json",
            "-r",
            str(pinned),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"pip-audit could not reach its data, so nothing is known: {last}", file=sys.stderr)
        return 0
    return audited(found)


def audited(found: Sequence[dict[str, Any]]) -> int:
    """Print what pip-audit found in each package; 1 where one has a known weakness.

    A package that its data does not have was not audited: pip-audit itself calls that a success.
    """
    asked = [row for row in found if "vulns" in row]
    weak = [row for row in asked if row["vulns"]]
    for row in weak:
        for known in row["vulns"]:
            fixed = ", ".join(known.get("fix_versions", ())) or "no version yet"
            print(f"! {row['name']:<32} {row['version']:<14} {known['id']}, mended in {fixed}")
    print(f"{len(asked)} of {len(found)} packages audited, {len(weak)} with a known weakness")
    if len(asked) < len(found):
        names = ", ".join(row["name"] for row in found if "vulns" not in row)
        print(f"not audited, as the index has no data of them: {names}", file=sys.stderr)
    return min(1, len(weak))


def extras_of() -> list[str]:
    """The extras that are shipped."""
    return [name for name in distribution(OWN).metadata.get_all("Provides-Extra") or () if name not in NOT_SHIPPED]


def main(words: Sequence[str] | None = None) -> int:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("licences", "sbom", "audit"))
    parser.add_argument("--extra", action="append", help="an extra of antiphon")
    parser.add_argument("--out", type=Path, help="a file for the SBOM; standard output where not given")
    parser.add_argument("--file", type=Path, action="append", default=[], help="what is released, for its hash")
    given = parser.parse_args(words)
    parts = parts_of(given.extra or extras_of())
    if given.command == "audit":
        return audit(parts)
    if given.command == "sbom":
        text = json.dumps(sbom(parts, given.file), indent=2, ensure_ascii=False) + "\n"
        given.out.write_text(text, encoding="utf-8") if given.out else print(text)
        return 0
    for part in parts:
        print(f"{'  ' if part.fits else '! '}{part.name:<32} {part.version:<14} {part.licence}")
    odd = [part.name for part in parts if not part.fits]
    if odd:
        print(f"\n{len(odd)} with a licence that is not expected: {', '.join(odd)}", file=sys.stderr)
    return min(1, len(odd))


if __name__ == "__main__":
    sys.exit(main())
