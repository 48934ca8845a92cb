"""Words as people write them: folding for comparison, and what the people of a country are called."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

_ARTICLE = re.compile(r"^(.*), (the|a|an|le|la|les|il|el|das|der|die)( \(\d{4}\))?$")

DECADES: Mapping[str, int] = {
    "twenties": 1920, "thirties": 1930, "forties": 1940, "fifties": 1950, "sixties": 1960, "seventies": 1970,
    "eighties": 1980, "nineties": 1990,
}  # fmt: skip
"""Decades as they are spoken -> their first years."""
DEMONYMS: Mapping[str, Sequence[str]] = {
    "american": ("united states of america", "united states", "usa", "us"),
    "british": ("united kingdom", "uk", "great britain"), "english": ("england", "united kingdom", "uk"),
    "scottish": ("scotland",), "welsh": ("wales",), "irish": ("ireland",), "french": ("france",),
    "german": ("germany", "west germany"), "italian": ("italy",), "spanish": ("spain",), "portuguese": ("portugal",),
    "dutch": ("netherlands", "the netherlands"), "belgian": ("belgium",), "swiss": ("switzerland",),
    "austrian": ("austria",), "danish": ("denmark",), "swedish": ("sweden",), "norwegian": ("norway",),
    "finnish": ("finland",), "icelandic": ("iceland",), "polish": ("poland",), "czech": ("czech republic", "czechia"),
    "hungarian": ("hungary",), "romanian": ("romania",), "bulgarian": ("bulgaria",), "greek": ("greece",),
    "turkish": ("turkey",), "russian": ("russia", "soviet union"), "soviet": ("soviet union",),
    "ukrainian": ("ukraine",), "serbian": ("serbia",), "croatian": ("croatia",), "israeli": ("israel",),
    "iranian": ("iran",), "egyptian": ("egypt",), "indian": ("india",), "chinese": ("china",),
    "taiwanese": ("taiwan",), "japanese": ("japan",), "korean": ("south korea", "korea"), "thai": ("thailand",),
    "vietnamese": ("vietnam",), "filipino": ("philippines",), "indonesian": ("indonesia",),
    "australian": ("australia",), "canadian": ("canada",), "mexican": ("mexico",), "cuban": ("cuba",),
    "jamaican": ("jamaica",), "brazilian": ("brazil",), "argentinian": ("argentina",), "argentine": ("argentina",),
    "chilean": ("chile",), "colombian": ("colombia",), "peruvian": ("peru",), "south african": ("south africa",),
    "nigerian": ("nigeria",), "senegalese": ("senegal",), "malian": ("mali",),
}  # fmt: skip
"""Adjective -> names of the country, folded."""


def fold(text: str) -> str:
    """Text for comparing: no case, no accents, single blanks."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in plain if not unicodedata.combining(letter)).split())


def fold_title(title: str) -> str:
    """A title for comparing: "Matrix, The (1999)" is also "the matrix (1999)"."""
    folded = fold(title)
    moved = _ARTICLE.match(folded)
    return f"{moved[2]} {moved[1]}{moved[3] or ''}" if moved else folded


def bare(text: str) -> str:
    """Folded words without signs between them: "Dr. Strangelove!" is "dr strangelove"."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", fold(text).replace("'", "").replace("\u2019", "")).split())
