"""Which items a text names, and how it means them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.channels.mentions import Names

TITLES = [
    "Heat (1995)", "Matrix, The (1999)", "Alien (1979)", "It (1990)", "Pulp Fiction (1994)", "Up (2009)",
    "Lion King, The (1994)", "2010 (1984)", "Elizabeth (1998)", "When Harry Met Sally... (1989)", "Seven (1995)",
]  # fmt: skip
YEARS = np.array([float(title[-5:-1]) for title in TITLES])
COMMON = {"it": 0.5, "up": 0.4, "heat": 0.02, "alien": 0.04, "seven": 0.02, "king": 0.05}
NAMES = Names.of(TITLES, None, YEARS, lambda word: COMMON.get(word, 0.001))


def said(text: str) -> list[tuple[str, str]]:
    """Titles and how they are meant."""
    return [(TITLES[mention.row], mention.how) for mention in NAMES.said(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("something like The Matrix but funny", [("Matrix, The (1999)", "example")]),
        ("I loved Heat (1995) and alien (1979)", [("Heat (1995)", "example"), ("Alien (1979)", "example")]),
        ("pulp fiction", [("Pulp Fiction (1994)", "asked")]),
        ("PULP FICTION!", [("Pulp Fiction (1994)", "asked")]),
        ("Add The Lion King and Pulp Fiction", [("Lion King, The (1994)", "asked"), ("Pulp Fiction (1994)", "asked")]),
        ("I liked when harry met sally", [("When Harry Met Sally... (1989)", "example")]),
        ("I did not like Pulp Fiction", [("Pulp Fiction (1994)", "refused")]),
        ("nothing like The Matrix please", [("Matrix, The (1999)", "refused")]),
        ("I want something like Pulp Fiction", [("Pulp Fiction (1994)", "example")]),
        ("I dont like Pulp Fiction", [("Pulp Fiction (1994)", "refused")]),
        ("I haven't seen Pulp Fiction", [("Pulp Fiction (1994)", "example")]),
        ("I liked Alien, now play Pulp Fiction", [("Alien (1979)", "example"), ("Pulp Fiction (1994)", "asked")]),
        ("would you like to add pulp fiction", [("Pulp Fiction (1994)", "asked")]),
        ("can we have songs by artists like Pulp Fiction", [("Pulp Fiction (1994)", "example")]),
        ("Pulp Fiction, The Matrix, Gummo", [("Pulp Fiction (1994)", "asked"), ("Matrix, The (1999)", "asked")]),
        ("do you have any pulp fiction", [("Pulp Fiction (1994)", "asked")]),
        ("more like Alien and less like The Matrix", [("Alien (1979)", "example"), ("Matrix, The (1999)", "refused")]),
        ("I am tired of Pulp Fiction", [("Pulp Fiction (1994)", "refused")]),
        ("between pulp fiction and X", [("Pulp Fiction (1994)", "example")]),
    ],
)
def test_names_are_found_as_people_write_them(text: str, found: list[tuple[str, str]]) -> None:
    """With and without a year, an article in its place, capitals; as examples, as wishes, as what is not wanted."""
    assert said(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "what is it about", "it came up again", "an alien lands in the heat of the night", "made before 2010",
        "It (2017) was great", "anything with Elizabeth Taylor in it", "seven friends open a bar", "", "the king",
    ],
)  # fmt: skip
def test_words_are_no_names(text: str) -> None:
    """Nor are films of another year, numbers, or parts of longer names."""
    assert said(text) == []


@given(st.text(max_size=80))
def test_no_text_is_too_odd(text: str) -> None:
    """Each item is named once, inside the text."""
    found = NAMES.said(text)
    assert len({mention.row for mention in found}) == len(found)
    assert all(0 <= mention.start < mention.end <= len(text) for mention in found)
