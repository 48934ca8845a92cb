"""Rules of other packages."""

from __future__ import annotations

import pytest

from antiphon.talk import rules
from antiphon.talk.vocabulary import Vocabulary
from antiphon.talk.wish import Change


def test_a_rule_of_another_package_is_asked_first(space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before those that come with antiphon, which read what it does not."""
    words = Vocabulary.of(space)
    mine = (r"(?P<what>no horror)", lambda match, words, shown: Change("mine", less=(match["what"],)))
    monkeypatch.setattr(rules, "names", lambda group: ["mine"])
    monkeypatch.setattr(rules, "find", lambda group, name: mine)
    rules.all_rules.cache_clear()
    try:
        assert rules.read_clause("no horror", words, ()).says == "mine"
        assert rules.read_clause("only comedies", words, ()).where == ("genres any 'comedy'",)
    finally:
        rules.all_rules.cache_clear()
