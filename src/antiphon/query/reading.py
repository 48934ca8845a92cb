"""What is read out of a request's words, for people to see and to take back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["like", "unlike", "asked", "without", "years", "spelling"]
VERBS: dict[Kind, str] = {
    "like": "like", "unlike": "not like", "asked": "", "without": "without", "years": "", "spelling": "",
}  # fmt: skip


@dataclass(frozen=True)
class Read:
    """Words of a request, and what they were taken for.

    `kind`: an item that answers should be like, or unlike; an item that is asked for by name; something that answers
    should be without; years that they should be of; a misspelt word that was put right. `means`: the title, the words,
    the years, or the word put right.
    Naming `words` among the `literal` ones of a query takes the reading back.
    """

    kind: Kind
    words: str
    means: str
    item_id: str | None = None

    @property
    def says(self) -> str:
        """The reading in a few words, such as "like Heat (1995)"."""
        if self.kind == "spelling":
            return f"{self.words}: {self.means}"
        return f"{VERBS[self.kind]} {self.means}".strip()

    def plain(self) -> dict[str, Any]:
        """The reading as plain values, for JSON."""
        found: dict[str, Any] = {"kind": self.kind, "words": self.words, "says": self.says}
        return found if self.item_id is None else {**found, "item_id": self.item_id}
