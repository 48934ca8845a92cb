"""The exception tree, and the hints at the end of sentences."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon import errors
from antiphon.errors import AntiphonError, MissingExtraError, nearest

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_descends_from_one_base_and_is_in_the_tree(kind):
    """One `except AntiphonError` catches all, and the module's docstring draws each class."""
    assert issubclass(kind, AntiphonError)
    assert kind.__name__ in str(errors.__doc__)


def test_a_missing_extra_is_an_import_error_that_names_the_command():
    """The sentence can be pasted into a shell."""
    error = MissingExtraError("torch", "build", "training")
    assert isinstance(error, ImportError)
    assert "pip install 'antiphon[build]'" in str(error)
    assert (error.package, error.extra) == ("torch", "build")


def test_nearest_names_what_was_meant():
    """A slip of the pen gets its correction."""
    assert nearest("genre", ["genres", "year"]) == "did you mean 'genres'?"


def test_nearest_looks_past_case_and_keeps_the_known_spelling():
    """'YEAR' is 'Year' to a person."""
    assert nearest("YEAR", ["Year", "genres"]) == "did you mean 'Year'?"


def test_nearest_lists_what_there_is_when_nothing_is_near():
    """Up to twelve names, sorted."""
    assert nearest("zzz", ["b", "a"]) == "known are: a, b."
    many = nearest("zzz", [f"name{number:02}" for number in range(20)])
    assert many.endswith("name11, ...")
    assert "name12" not in many


def test_nearest_says_so_when_there_is_nothing():
    """An empty catalog has no fields to suggest."""
    assert nearest("year", []) == "there are none."


@given(st.one_of(st.text(), st.integers(), st.none()), st.lists(st.text(max_size=5), max_size=5))
def test_nearest_always_ends_a_sentence(word, known):
    """Whatever was got, the answer is a hint and no traceback."""
    assert nearest(word, known)[-1] in ".?"
