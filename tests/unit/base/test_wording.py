"""Words as people write them, made comparable."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from antiphon.base.wording import bare, fold, fold_title, names_of


def test_case_accents_and_blanks_do_not_count():
    """For comparing; signs stay in `fold` and go in `bare`."""
    assert fold("  \u00c9t\u00e9\n in  PARIS! ") == "ete in paris!"
    assert bare("Dr. Strangelove, or: I_can't!") == "dr strangelove or i cant"


def test_the_article_of_a_title_goes_to_the_front():
    """Where a catalog has it at the end, before the year."""
    assert fold_title("Matrix, The (1999)") == "the matrix (1999)"
    assert fold_title("Heat (1995)") == "heat (1995)"


@given(st.text())
def test_bare_words_have_single_blanks_and_no_signs(text):
    """Whatever the text."""
    words = bare(text)
    assert words == " ".join(words.split())
    assert not set(words) & set("_'.,;:!?()[]{}\"-/")


def test_letters_with_dots_are_one_word_too() -> None:
    """N.W.A is asked for as NWA; a title that ends a sentence is no such name."""
    assert names_of("N.W.A") == ["n w a", "nwa"]
    assert names_of("Notorious B.I.G.") == ["notorious b i g", "notorious big"]
    assert names_of("Mr. Smith") == ["mr smith"]


@given(st.text("aB7 .,'-(_\t\n", max_size=12))
@example("Heat 2")
@example("Iron, The")
@example(" ")
def test_a_plain_title_is_read_as_any_other(title: str) -> None:
    """The short way of titles without signs gives what the long way gives: folded words, and the moved article."""
    if "(" in title or "." in title:
        return
    assert names_of(title) == [name for name in dict.fromkeys((bare(fold_title(title)), bare(title))) if name]
