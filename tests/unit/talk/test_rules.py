"""Rules of other packages."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.talk import rules
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Change


def test_a_rule_of_another_package_is_asked_first(space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before those that come with antiphon, which read what it does not."""
    words = Vocabulary.of(space)
    mine = (r"(?P<what>no horror)", lambda match, words, shown: Change("mine", less=(match["what"],)))
    monkeypatch.setattr(rules, "every", lambda group: {"mine": mine})
    rules.all_rules.cache_clear()
    try:
        assert rules.read_clause("no horror", words, ()).says == "mine"
        assert rules.read_clause("only comedies", words, ()).where == ("genres any 'comedy'",)
    finally:
        rules.all_rules.cache_clear()


def test_newer_is_newer_than_the_example(space) -> None:
    """Before anything is shown, an example of the same sentence is what is compared with."""
    words = Vocabulary.of(space)
    row = int(np.nanargmin(np.where(words.numbers["year"] > 1960, words.numbers["year"], np.nan)))
    like, newer = rules.read_sentence(f"like {space.titles[row]} but newer", words, (), has_text=False)
    assert like.likes == (space.item_ids[row],)
    assert newer.where == (f"year>{words.numbers['year'][row]:.0f}",)


def test_a_bound_between_two_years_is_a_year(space) -> None:
    """The middle of 1988 and 1989 is 1988.5: newer is after 1988, older before 1989, and both keep the same films."""
    words = Vocabulary.of(space)
    years = words.numbers["year"]
    known = np.flatnonzero(~np.isnan(years))
    pair = next((one, two) for one in known for two in known if (years[one] + years[two]) % 2 == 1)
    shown = tuple(space.item_ids[row] for row in pair)
    middle = float(years[list(pair)].mean())
    newer, older = (rules.read_clause(said, words, shown) for said in ("newer", "older"))
    assert newer.where == (f"year>{int(middle)}",)
    assert older.where == (f"year<{int(middle) + 1}",)
