"""A catalog in German: built with `[space] language = "de"`, and asked in German."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import antiphon
from antiphon.base.language import FOLDER, language_of
from antiphon.space.space import Space

tiny_text_model = runpy.run_path(str(Path(__file__).parents[1] / "support" / "tiny_text.py"))["tiny_text_model"]
GENRES = ("Komödie", "Drama", "Krimi", "Krieg")
COUNTRIES = ("Frankreich", "Deutschland", "Österreich")
TITLES = ("Der stille Fluss", "Die rote Brücke", "Das kalte Zimmer", "Drei Tage im März")


def films(n_items: int = 48) -> dict[str, list[object]]:
    """A table of films, each of one or two genres."""
    rows = range(n_items)
    return {
        "item_id": [f"film-{row:02}" for row in rows],
        "titel": [TITLES[row] if row < len(TITLES) else f"Kapitel Nummer {row}" for row in rows],
        "genres": [[GENRES[row % 4], *(["Krieg"] if row % 8 == 0 else [])] for row in rows],
        "land": [COUNTRIES[row % 3] for row in rows],
        "jahr": [1980 + row for row in rows],
        "inhalt": [f"Ein Film über {'Brücken' if row == 5 else 'Häuser'} und Straßen, Teil {row}." for row in rows],
    }


def built(folder: Path, model: Path, language: str) -> Space:
    """A space of the films."""
    return antiphon.build(
        items=films(), title="titel", description="inhalt", run=folder,
        settings={
            "modalities": [{"name": "text", "encoder": "sentence-transformers", "model": str(model)}],
            "synthetic": {"decades": ["jahr"], "noun": "Filme"}, "train": {"epochs": 1},
            "space": {"language": language},
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory, tiny_text_model: Path) -> Space:
    """That space with the German that comes with antiphon."""
    return built(tmp_path_factory.mktemp("german"), tiny_text_model, "de")


def values_of(space: Space, text: str) -> list[set[object]]:
    """What a text names: the values that its items share, field by field."""
    columns = films()
    rows = [set(found.rows.tolist()) for found in space.dictionary.named(text)]
    sets = {f"{name}": {row for row in range(48) if name in columns["genres"][row]} for name in GENRES}
    sets |= {name: {row for row in range(48) if columns["land"][row] == name} for name in COUNTRIES}
    sets |= {
        f"{decade}": {row for row in range(48) if columns["jahr"][row] // 10 * 10 == decade} for decade in (1980, 1990)
    }
    return [{name for name, mine in sets.items() if mine == found} for found in rows]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Filme aus den Achtzigern", [{"1980"}]),
        ("etwas aus den 90ern", [{"1990"}]),
        ("französische Dramen", [{"Frankreich"}, {"Drama"}]),
        ("ein österreichischer Krimi der 1980er", [{"Österreich"}, {"Krimi"}, {"1980"}]),
        ("Kannst du mir ein paar gute Filme empfehlen?", []),
    ],
)
def test_values_are_found_as_germans_say_them(german: Space, text: str, names: list[set[str]]) -> None:
    """In any case and number, as decades, and as the people of a country; words around them name nothing."""
    assert values_of(german, text) == names


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("eine Komödie ohne Krieg", [("without", "Krieg")]),
        ("Komödien, aber kein Krieg bitte", [("without", "Krieg")]),
        ("so etwas wie Der stille Fluss", [("like", "Der stille Fluss")]),
        ("Ich mag Die rote Brücke, aber nicht Das kalte Zimmer",
         [("like", "Die rote Brücke"), ("unlike", "Das kalte Zimmer")]),
        ("etwas für einen kalten Abend im Zimmer", []),
    ],
)  # fmt: skip
def test_what_is_liked_and_refused_is_read(german: Space, text: str, read: list[tuple[str, str]]) -> None:
    """By German words; a capital alone makes no name of a noun."""
    assert [(one.kind, one.words) for one in german.read(text)] == read


def test_what_is_refused_is_not_among_the_answers(german: Space) -> None:
    """Comedies are, those with a war are not."""
    found = [hit.fields["genres"] for hit in german.search("eine Komödie ohne Krieg", k=6)]
    assert all("Krieg" not in genres for genres in found)


def test_the_index_has_german_stems(german: Space) -> None:
    """One bridge is found by many, with and without its accent."""
    for said in ("Brücke", "BRÜCKEN", "brucke"):
        scores = german.lexical.scores([said])[0]
        assert set(scores.nonzero()[0].tolist()) == {1, 5}


def test_the_space_says_its_language(german: Space) -> None:
    """A space that was published before there were languages is English."""
    assert german.manifest["language"] == "de"
    assert german.language is language_of("de")


def test_english_commands_are_no_german(german: Space) -> None:
    """The word "Kinder" asks for children, not for more kindness; one more turn of what is asked for."""
    talk = german.talk(k=3)
    talk.say("eine Komödie")
    talk.say("Kinder")
    assert talk.conversation.turns == ("eine Komödie", "Kinder")


def test_a_language_of_its_own_goes_with_the_space(tmp_path: Path, tiny_text_model: Path) -> None:
    """The file is read once, by the build; what is changed in it counts from the next build on."""
    own = tmp_path / "own.toml"
    text = (FOLDER / "de.toml").read_text(encoding="utf-8").replace('name = "German"', 'name = "Plain German"')
    own.write_text(text.replace("'ohne(?!", "'sonder(?!"), encoding="utf-8")
    space = built(tmp_path / "run", tiny_text_model, str(own))
    own.unlink()
    space = antiphon.load(tmp_path / "run")
    assert (space.manifest["language"], space.language.name) == ("Plain German", "Plain German")
    assert [one.words for one in space.read("eine Komödie sonder Krieg")] == ["Krieg"]
    assert not space.read("eine Komödie ohne Krieg")
