"""What a request may say, for people, with limits and usual weights: at one place, light enough for every door."""

from __future__ import annotations

from collections.abc import Mapping

MAX_K = 10_000
MAX_TEXT = 100_000
MAX_ITEMS = 10_000
MAX_TURNS = 1_000
MAX_MEDIA: Mapping[str, int] = {"image": 20_000_000, "audio": 100_000_000}
"""Bytes that a file of a request may have."""
PARTS: Mapping[str, float] = {
    "text": 1.0, "image": 1.0, "audio": 1.0, "look": 0.0,
    "likes": 1.0, "dislikes": 0.5, "user": 1.0, "folded": 0.0,
}  # fmt: skip
"""Parts of a query and their usual weights. `image` and `audio` are files; `look` is the text once more, as the text
side of the picture model reads it, where a space has one. `user` is what a user or a history has; `folded` is the same,
folded into collaborative filtering and projected. `dislikes` is subtracted."""
CHANNELS = ("joint", "words", "passages", "facets", "names", "taste")
"""What answers a query; see `antiphon.channels`. Each counts by a factor, 1 where not named."""
ABOUT: Mapping[str, str] = {
    "text": "What is asked for, in plain words.",
    "turns": "What was said before, oldest first.",
    "literal": "Words that are only words: no item, refusal or misspelling is read out of them.",
    "image": "A picture to search with.",
    "audio": "A sound to search with.",
    "likes": "Items to be like.",
    "dislikes": "Items to be unlike.",
    "user": "A user of the catalog.",
    "history": "What a new user has used.",
    "where": "A filter, such as year>=1980 and genres any drama,war.",
    "weights": f"Weights of parts of the request ({', '.join(PARTS)}) and of channels ({', '.join(CHANNELS)}).",
    "k": "Number of answers.",
    "offset": "Answers to skip.",
    "exclude": "Items that are not answers.",
    "explain": "Say the share of each modality in each score, and what matches.",
}
"""Field of `Query` -> what it is."""
