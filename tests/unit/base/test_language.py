"""Languages: a file each, checked key by key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from antiphon.base.language import ENGLISH, FOLDER, known_languages, language_of, read_language
from antiphon.base.wording import fold
from antiphon.errors import ConfigError

ENGLISH_TEXT = (FOLDER / "en.toml").read_text(encoding="utf-8")


def changed(folder: Path, old: str, new: str) -> Path:
    """The English file with one line changed."""
    assert old in ENGLISH_TEXT
    path = folder / "own.toml"
    path.write_text(ENGLISH_TEXT.replace(old, new, 1), encoding="utf-8")
    return path


def test_all_files_are_read_and_have_the_same_keys() -> None:
    """`read_language` refuses a file that lacks one, or has one more."""
    assert known_languages() == ["de", "en"]
    assert {name: language_of(name).name for name in known_languages()} == {"de": "German", "en": "English"}


@pytest.mark.parametrize("name", known_languages())
def test_words_are_compared_without_accents(name: str) -> None:
    """Texts are folded before they are read."""
    language = language_of(name)
    assert all(language.is_empty(fold(word)) for word in language.stop_words | language.request_words)
    assert all(word == fold(word) for names in language.peoples.values() for word in names)
    assert all(word == fold(word) for word in language.peoples)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('stemmer = "english"', "", "'stemmer' is missing"),
        ('conjunction = "and"', 'conjunctoin = "and"', "unknown key 'names.conjunctoin'; did you mean 'conjunction'?"),
        ("[refusals]", "[refusal]", "unknown key 'refusal'; did you mean 'refusals'?"),
        ("before = [", "before = 'but'\nafter_ = [", "unknown key 'refusals.after_'; did you mean 'after'?"),
        ('stemmer = "english"', 'stemmer = "englisch"', "there is no stemmer 'englisch'; did you mean 'english'?"),
        ("capitals = true", 'capitals = "perhaps"', "'names.capitals'"),
        ("twenties = 1920", 'twenties = "early"', "'decades.names.twenties'"),
        ("seen = ['seen', 'saw', 'heard', 'watched']", "seen = ['(seen']", "'names.seen': '(seen' is no pattern"),
        ("seen = ['seen', 'saw', 'heard', 'watched']", "seen = []", "'names.seen' is empty"),
        ('"something {facets}"', '"something {facet}"', "'synthetic.phrases': expected {facets}"),
        ('forms = ["{decade}s"', 'forms = ["s"', "'decades.forms': 's' has neither"),
        ("[names]", "[names", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_meant(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """The error names the file and the key."""
    path = changed(tmp_path, old, new)
    with pytest.raises(ConfigError, match=re.escape(sentence)) as error:
        read_language(path)
    assert "stemmer" in sentence or str(path) in str(error.value)


def test_a_language_is_a_name_or_a_file(tmp_path: Path) -> None:
    """A name that is not known is refused with those that are."""
    own = language_of(changed(tmp_path, 'name = "English"', 'name = "Own"'))
    assert (own.name, own.key) == ("Own", "")
    assert own.source.startswith("# English")
    assert language_of("en") is ENGLISH
    with pytest.raises(ConfigError, match="there is no language 'fr'; known are: de, en"):
        language_of("fr")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        language_of(tmp_path / "none.toml")
