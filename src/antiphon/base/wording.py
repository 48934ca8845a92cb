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


def names_of(title: str) -> list[str]:
    """A title as people say it: without its year and what stands in brackets, the article in front."""
    plain = re.sub(r"\s*\([^)]*\)", "", title).strip() or title
    return [name for name in dict.fromkeys((bare(fold_title(plain)), bare(plain))) if name]


SENTENCE_END = re.compile(r"(?<=[.!?\n])\s+")
PLACE_FIELD = re.compile(r"countr|nation|origin|location", re.IGNORECASE)
TIME_FIELD = re.compile(r"year|date|released|published|issued", re.IGNORECASE)
"""Names of fields that say where an item is from, and how new it is."""
REFUSING = (
    r"nothing\s+(?:with|about|by|from|in)|no(?:\s+more)?(?!\s+(?:idea|matter|doubt|one|need))|without|excluding|"
    r"not(?!\s+(?:sure|only|just|necessarily|that))(?:\s+too)?|except(?:\s+for)?|other\s+than"
)
"""How people say what they do not want."""
STOP_WORDS: frozenset[str] = frozenset(
    (
        "a", "about", "above", "after", "again", "against", "all", "also", "am", "an", "and", "any", "are", "aren't",
        "as", "at", "be", "because", "been", "before", "being", "below", "between", "both", "but", "by", "can",
        "can't", "could", "couldn't", "did", "didn't", "do", "does", "doesn't", "doing", "don't", "down", "during",
        "each", "either", "else", "etc", "ever", "few", "for", "from", "further", "get", "got", "had", "hadn't",
        "has", "hasn't", "have", "haven't", "having", "he", "her", "here", "hers", "herself", "him", "himself", "his",
        "how", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "into", "is", "isn't", "it", "it's", "its", "itself",
        "just", "let", "like", "ll", "made", "make", "many", "maybe", "me", "might", "mine", "more", "most", "much",
        "must", "my", "myself", "no", "nor", "not", "now", "of", "off", "on", "once", "one", "ones", "only", "or",
        "other", "our", "ours", "ourselves", "out", "over", "own", "re", "same", "shall", "she", "should", "so",
        "some", "such", "than", "that", "that's", "the", "their", "theirs", "them", "themselves", "then", "there",
        "these", "they", "they're", "this", "those", "though", "through", "to", "too", "under", "until", "up", "us",
        "ve", "very", "was", "wasn't", "we", "were", "weren't", "what", "what's", "when", "where", "which", "while",
        "who", "whom", "whose", "why", "will", "with", "without", "won't", "would", "wouldn't", "yes", "you", "you'd",
        "you'll", "you're", "you've", "your", "yours", "yourself", "yourselves",
    )
)  # fmt: skip
"""English words that name nothing."""
REQUEST_WORDS: frozenset[str] = frozenset(
    (
        "album", "albums", "anyone", "anything", "artist", "artists", "band", "bands", "best", "book", "books",
        "bunch", "check", "choose", "could", "couple", "enjoy", "enjoyed", "explore", "fan", "feel", "feeling",
        "feels", "few", "film", "films", "find", "good", "great", "hear", "help", "hey", "hi", "hello", "idea",
        "ideas", "interested", "interesting", "item", "items", "kind", "kinds", "know", "list", "listen", "listening",
        "lot", "lots", "look", "looking", "love", "loved", "mood", "movie", "movies", "music", "musicians", "name",
        "need", "nice", "ok", "okay", "option", "options", "otherwise", "pick", "picks", "piece", "play", "please",
        "point", "product", "products", "prefer", "really", "recommend", "recommendation", "recommendations",
        "recommended", "right", "search", "searching", "see", "seen", "set", "show", "similar", "singer", "singers",
        "some", "somebody", "someone", "something", "song", "songs", "sort", "sorts", "stuff", "style", "styles",
        "suggest", "suggestion", "suggestions", "sure", "take", "tell", "thank", "thanks", "thing", "things", "think",
        "title", "titles", "track", "tracks", "try", "type", "types", "want", "wants", "watch", "watched", "watching",
        "well", "whatever", "worth", "would",
    )
)  # fmt: skip
"""English words that people put around what they ask for, and that say nothing of it."""
