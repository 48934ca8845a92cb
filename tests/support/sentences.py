"""Sentences with expectations that a machine can check: what a newcomer asks of films, artists, and generated films.

python tests/support/sentences.py RUN [movies|music|generated]     prints what fails
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

import antiphon
from antiphon.query.hits import Hit

FOLDER = Path(__file__).parent
FILES = {"movies": "sentences.txt", "music": "sentences_music.txt", "generated": "sentences_generated.txt"}
FIRST, USUAL = 5, 4


def sentences(dataset: str = "movies") -> Iterator[tuple[str, list[str]]]:
    """Each request, and what must hold."""
    for line in (FOLDER / FILES[dataset]).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            text, _, expected = line.partition(" | ")
            yield text, [part.strip() for part in expected.split(";")]


def holds(expected: str, hits: Sequence[Hit]) -> bool:
    """Whether an expectation holds of the first answers."""
    verb, _, rest = expected.partition(" ")
    first = hits[:FIRST]
    if verb in ("first", "among", "absent"):
        titles = [hit.title for hit in first]
        return {"first": titles[:1] == [rest], "among": rest in titles, "absent": rest not in titles}[verb]
    words, _, number = rest.rpartition(" ") if re.search(r" \d$", rest) else (rest, "", "")
    least = int(number) if number else USUAL
    if verb == "years":
        low, high = map(int, words.split()[:2])
        return sum(low <= int(str(hit.fields["year"])[:4]) <= high for hit in first) >= least
    having = [any(words in value for value in _values(hit)) for hit in first]
    return sum(having) >= least if verb == "has" else len(first) - sum(having) >= least


def failing(space: antiphon.Space, dataset: str = "movies") -> list[tuple[str, str, list[str]]]:
    """Requests of which something does not hold: the request, what, and the titles that came."""
    found = []
    for text, expectations in sentences(dataset):
        hits = space.search(text, k=FIRST)
        found += [(text, what, [hit.title for hit in hits]) for what in expectations if not holds(what, hits)][:1]
    return found


def _values(hit: Hit) -> list[str]:
    values: list[str] = []
    for value in hit.fields.values():
        parts = value if isinstance(value, list | tuple) else [value]
        values += [str(part).casefold() for part in parts]
    return values


if __name__ == "__main__":
    asked = sys.argv[2] if len(sys.argv) > 2 else "movies"
    bad = failing(antiphon.load(sys.argv[1]), asked)
    for text, what, titles in bad:
        click.echo(f"{text!r}: {what}\n    {' | '.join(titles)}")
    total = len(list(sentences(asked)))
    click.echo(f"{total - len(bad)} of {total} requests hold")
