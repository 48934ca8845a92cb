"""From a generated catalog to answers: a project, a build, a few requests.

python examples/quickstart.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import antiphon
from antiphon.base.progress import silent
from antiphon.datasets.generated import GENERATED


def main(folder: Path) -> None:
    """Build a space in `folder` and print what it answers."""
    project = GENERATED.make_project(folder / "films", None, silent)
    config = antiphon.load_config(project, ["quick=true"])
    antiphon.build(config, folder / "run")
    space = antiphon.load(folder / "run")

    print("a tense film about a conspiracy")
    for hit in space.search("a tense film about a conspiracy", k=3, explain=True):
        print(f"  {hit.score:.3f}  {hit.title}  {hit.why}")

    print("the same, but from France or Italy, and before 1990")
    for hit in space.search("a tense film about a conspiracy", where="country in France,Italy and year<1990", k=3):
        print(f"  {hit.score:.3f}  {hit.title}  {hit.fields['country']}")

    print("for somebody who liked two films")
    for hit in space.search(history=["film-010", "film-012"], k=3):
        print(f"  {hit.score:.3f}  {hit.title}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
