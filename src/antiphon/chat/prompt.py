"""Prompts as files: those that come with antiphon, and those that users put in their place."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from antiphon.errors import ConfigError, nearest

KEYS = ("system", "user", "grounded", "may_add")
MAX_ITEM = 4000
"""Characters of an item's text that a model is given."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Prompt:
    """What a model is told (`system`) and how it is given an item (`user`, which has {item}).

    `grounded`, `may_add`: what is added to `system` where only the item's own facts may be used, and where not.
    """

    name: str
    system: str
    user: str
    grounded: str = ""
    may_add: str = ""

    def fill(self, item: str, addition: str = "", **values: object) -> tuple[str, str]:
        """System and user text for one item."""
        return _filled(f"{self.system}\n{addition}".strip(), values), _filled(
            self.user, {**values, "item": marked(item)}
        )


def load_prompt(name: str, path: Path | None = None) -> Prompt:
    """A prompt of antiphon by its name, or the one in a file.

    Raises:
        ConfigError: the file is missing, is no TOML, or lacks a part.
    """
    if path is None:
        text = (resources.files("antiphon.chat") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        return _parsed(text, name)
    try:
        return _parsed(path.read_text(encoding="utf-8-sig"), str(path))
    except OSError as error:
        raise ConfigError(f"the prompt {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the prompt {path} is not valid TOML: {error}.") from error


def marked(text: str) -> str:
    """A text between two marks that it cannot contain, shortened, without invisible signs.

    The mark is the beginning of the text's own SHA-256: nobody can write a text that closes its own mark.
    """
    text = clean(text)
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    return f"<item-{mark}>\n{text}\n</item-{mark}>"


def clean(text: str) -> str:
    """A text as a model is given it: capped, without control signs and signs that turn the direction of writing."""
    return _CONTROL.sub(" ", text)[:MAX_ITEM].strip()


def _parsed(text: str, name: str) -> Prompt:
    raw = tomllib.loads(text)
    for key, value in raw.items():
        if key not in KEYS:
            raise ConfigError(f"the prompt {name}: unknown key {key!r}; {nearest(key, KEYS)}")
        if not isinstance(value, str):
            raise ConfigError(f"the prompt {name}: {key!r} is {value!r}, expected text.")
    for key in ("system", "user"):
        if not raw.get(key, "").strip():
            raise ConfigError(f"the prompt {name} has no {key!r}; copy one that comes with antiphon and change it.")
    if "{item}" not in raw["user"]:
        raise ConfigError(f"the prompt {name}: 'user' does not contain {{item}}, the place of the item's text.")
    return Prompt(name, **{key: value.strip() for key, value in raw.items()})


def _filled(text: str, values: dict[str, object]) -> str:
    """`text` with its {names} replaced, in one pass: what is put in is not looked at again."""
    return re.sub(r"\{(\w+)\}", lambda match: str(values.get(match[1], match[0])), text)
