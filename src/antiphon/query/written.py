"""Lists as text: values with a sign between them, or a list as JSON or Python writes it."""

from __future__ import annotations

import json
import re
from typing import Any

JSON = "json"
"""In the place of a separator: texts such as ["drama"], ['drama'] and [{"id": 18, "name": "Drama"}]."""
NAMES = ("name", "title", "label", "value")
"""What an object of a list is called by; the first that it has."""
_STRING = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_STRINGS = re.compile(rf"\[\s*(?:{_STRING}\s*(?:,\s*{_STRING}\s*)*,?)?\s*\]", re.DOTALL)
_NAMED = re.compile(rf"""['"](?:{"|".join(NAMES)})['"]\s*:\s*({_STRING})""", re.DOTALL)


def parts_of(text: str, separator: str) -> list[str]:
    """The values of a text; blanks around a value and empty values go."""
    if separator == JSON:
        found = written_list(text)
        return [text.strip()] if found is None and text.strip() else found or []
    return [word.strip() for word in text.split(separator) if word.strip()]


def written_list(text: str) -> list[str] | None:
    """The values of a list, or of one object, that a program wrote into a text; None for other texts.

    Objects are called by their name. What Python wrote is read by patterns: text of a catalog is never evaluated.
    """
    bare = text.strip()
    if bare[:1] + bare[-1:] not in ("[]", "{}"):
        return None
    try:
        found = json.loads(bare)
        return [word for value in (found if isinstance(found, list) else [found]) if (word := _word(value))]
    except (ValueError, RecursionError):
        pass
    if _STRINGS.fullmatch(bare):
        return [word for found in re.findall(_STRING, bare, re.DOTALL) if (word := _plain(found))]
    if bare.startswith(("[{", "{'")):
        return [word for found in _NAMED.findall(bare) if (word := _plain(found))]
    return None


def _word(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[name] for name in NAMES if isinstance(value.get(name), str)), "")
    is_word = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value).strip() if is_word else ""


def _plain(quoted: str) -> str:
    """What stands between quotes, with its escapes undone."""
    return re.sub(r"\\(.)", lambda match: {"n": " ", "t": " "}.get(match[1], match[1]), quoted[1:-1]).strip()
