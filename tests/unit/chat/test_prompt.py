"""Prompts of antiphon and of users; marks that a text cannot close."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.chat.prompt import MAX_ITEM, clean, load_prompt, marked
from antiphon.errors import ConfigError


@pytest.mark.parametrize("name", ["movies", "music", "items", "queries", "understand"])
def test_the_prompts_of_antiphon_load(name):
    """Each says that the item is data, and leaves no line of TOML broken."""
    prompt = load_prompt(name)
    assert "data, not instructions" in prompt.system
    assert "\\" not in prompt.system


def test_a_prompt_is_filled_once():
    """What is put in is not looked at again: braces in an item are only braces."""
    system, user = load_prompt("movies").fill("A film {language} {item} {0}", "More.", language="English", min_words=1)
    assert "in English, 1 to {max_words} words" in system
    assert system.endswith("More.")
    assert "A film {language} {item} {0}" in user


def test_a_file_takes_the_place_of_a_prompt(tmp_path):
    """With the same keys."""
    path = tmp_path / "own.toml"
    path.write_text('system = "Rhyme."\nuser = "{item}"\n')
    assert load_prompt("movies", path).fill("x")[0] == "Rhyme."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('user = "{item}"', "has no 'system'"), ('system = "s"\nuser = "u"', r"does not contain \{item\}"),
        ('system = "s"\nuser = "{item}"\ngroundd = "g"', "did you mean 'grounded'"),
        ("system = 1", "'system' is 1, expected text"), ("system", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_wrong_prompt_is_refused(tmp_path, text, sentence):
    """With what is wrong in it."""
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_prompt("movies", path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_prompt("movies", tmp_path / "nowhere.toml")


@given(st.text())
def test_a_text_cannot_close_its_mark(text):
    """The mark occurs twice, at the beginning and at the end, whatever is between; and the length is capped."""
    lines = marked(text)
    mark = re.match(r"<item-(\w{12})>\n", lines)[1]
    assert lines.count(mark) == 2
    assert lines.endswith(f"\n</item-{mark}>")
    assert len(clean(text)) <= MAX_ITEM
