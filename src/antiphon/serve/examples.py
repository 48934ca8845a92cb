"""Conversations to begin with: what the page offers to click, and what `antiphon demo` shows."""

from __future__ import annotations

from typing import Any

from antiphon.talk.vocabulary import Vocabulary

FILMS = (
    {"text": "dark science fiction from the eighties", "then": ["newer", "less violent", "more like the second one"]},
    {"text": "a feel-good film for the whole family", "then": ["funnier", "no musicals", "before 1990"]},
    {"text": "a slow and beautiful love story", "then": ["sadder", "only drama", "older"]},
)
MUSIC = (
    {"text": "quiet piano for a rainy evening", "then": ["darker", "no classical", "more like the first one"]},
    {"text": "loud guitars and angry vocals", "then": ["more melodic", "less metal", "more like the third one"]},
    {"text": "music to dance to all night", "then": ["only electronic", "more vocals", "less pop"]},
)


def conversations(words: Vocabulary) -> list[dict[str, Any]]:
    """Three conversations that fit the catalog."""
    if "comedy" in words.values and "drama" in words.values:
        return [dict(example) for example in FILMS]
    if "rock" in words.values or "electronic" in words.values:
        return [dict(example) for example in MUSIC]
    common = [value for _, value in list(words.values.values())[:6]]
    pairs = [common[0:2], common[2:4], common[4:6]]
    return [
        {"text": " and ".join(pair), "then": [f"less {pair[-1]}", "more like the second one"]} for pair in pairs if pair
    ]
