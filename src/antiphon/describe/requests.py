"""Requests to evaluate with: sets of one to three facets that enough items have, said in plain words (paper, 4.2).

Templates make a draft of each set. Without a model a grammar of phrasings varies it; with one, the model rewrites the
draft's syntax. Neither the phrases nor the random numbers are those of the synthetic queries that a space is trained
on, so that a space is not asked in the very words that it has learned.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base.language import ENGLISH
from antiphon.base.progress import Progress, silent
from antiphon.base.wording import bare, fold
from antiphon.chat.crowd import each
from antiphon.chat.endpoint import Chat
from antiphon.chat.ledger import Question
from antiphon.chat.prompt import Prompt
from antiphon.config.sections import Config, SyntheticConfig
from antiphon.data.catalog import Catalog
from antiphon.data.synthetic import Facet
from antiphon.describe.checks import INSTRUCTIONS
from antiphon.describe.synthetic import MAX_FACETS, N_FACETS, facets_of

TRIES_A_QUERY = 50
STREAM = 11
"""Number of the random stream; that of the synthetic queries is 7."""
PHRASES = (
    "I would like {noun} {which}", "Which {noun} {have} {which}?", "Do you know any {noun} {which}?",
    "Could you find me {noun} {which}?", "{noun} {which}, please", "My friends and I are after {noun} {which}",
    "Tonight I want {noun} {which}", "Is there anything {which}?", "Give me a list of {noun} {which}",
    "What would you suggest to someone who wants {noun} {which}?", "I can't get enough of {noun} {which}",
    "Searching for {noun} {which} that I may have missed",
)  # fmt: skip
JOINTS = (" and ", ", ", " but also ", ", and also ")
FORMS = (
    "tagged {}", "described as {}", "that people call {}", "known for {}", "that have to do with {}", "filed under {}",
)  # fmt: skip
DECADES = ("from the {}s", "of the {}s", "made in the {}s", "out of the {}s")
_SPOKEN = {first - 1900: name for name, first in ENGLISH.decades.names.items()}
STYLES = (
    "ask a full question", "write a short command of a few words", "write a relaxed sentence in the first person",
    "begin with the last property", "write keywords as typed into a search box", "use a subordinate clause",
    "be polite and indirect", "describe the occasion in passing",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request with the facets it asks for and the items that have them all.

    `draft`: the sentence of the grammar. `prompt`: what the model was given, None where none was asked or its answer
    did not pass (`fault`).
    """

    text: str
    facets: tuple[Facet, ...]
    positives: tuple[str, ...]
    draft: str
    prompt: str | None = None
    fault: str | None = None

    def line(self, number: int, model: str | None) -> dict[str, Any]:
        """The request as `antiphon evaluate --queries` reads it, with what it was made from."""
        source = "grammar" if self.prompt is None else "model"
        made = {"source": source, "draft": self.draft, "prompt": self.prompt, "fault": self.fault}
        return {
            "query_id": f"q{number:05}", "text": self.text, "positives": list(self.positives),
            "facets": [list(facet) for facet in self.facets], **made, "model": model if source == "model" else None,
        }  # fmt: skip


def draw_requests(catalog: Catalog, config: Config, n_requests: int, seed: int, min_items: int) -> list[Request]:
    """Different sets of facets, each said by the grammar; fewer than asked for where there are not as many.

    A first facet is drawn from those that enough items have, each as likely; the others from an item that has it, so
    the set is one that goes together.
    """
    lists = _speakable(catalog, config, min_items)
    holders: dict[Facet, set[int]] = defaultdict(set)
    for row, facets in enumerate(lists):
        for facet in facets:
            holders[facet].add(row)
    common = sorted(facet for facet, rows in holders.items() if len(rows) >= min_items)
    rng = np.random.default_rng([seed, STREAM])
    found: dict[frozenset[Facet], Request] = {}
    for _ in range(n_requests * TRIES_A_QUERY if common else 0):
        if len(found) == n_requests:
            break
        chosen = _draw(lists, holders, common, min_items, rng)
        rows = set.intersection(*(holders[facet] for facet in chosen))
        if len(rows) >= min_items and frozenset(chosen) not in found:
            ids = tuple(catalog.items["item_id"][row].as_py() for row in sorted(rows))
            text = _say(chosen, config.synthetic, rng)
            found[frozenset(chosen)] = Request(text, tuple(chosen), ids, text)
    return list(found.values())


def vary(
    requests: Sequence[Request], chat: Chat, prompt: Prompt, config: SyntheticConfig, seed: int, *, n_workers: int = 4,
    temperature: float | None = None, progress: Progress = silent,
) -> list[Request]:  # fmt: skip
    """The requests as a model rewrites them; one that loses a facet or is no request keeps the grammar's words."""
    rng = np.random.default_rng([seed, STREAM, 1])
    styles = [STYLES[place] for place in rng.integers(len(STYLES), size=len(requests))]

    def work(number: int) -> Request:
        request = requests[number]
        system, user = prompt.fill(request.draft, style=styles[number])
        reply = chat.ask(Question(system, user, 120, temperature))
        fault = reply.problem or find_fault(reply.text, request, config)
        if fault is not None:
            return replace(request, fault=fault)
        return replace(request, text=_one_line(reply.text), prompt=f"{system}\n\n{user}")

    done: dict[int, Request] = {}
    with progress("varying requests", len(requests)) as advance:
        for number, request in each(work, range(len(requests)), n_workers, chat.pace.stop):
            done[number] = request
            advance(1)
    return [done[number] for number in range(len(requests))]


def find_fault(answer: str, request: Request, config: SyntheticConfig) -> str | None:
    """Why an answer of a model is not the request in other words; None where it is."""
    text = _one_line(answer)
    if not text or len(answer.strip().splitlines()) > 1:
        return "not one line"
    if len(text) > max(200, 3 * len(request.draft)):
        return "too long"
    if INSTRUCTIONS.search(text) or re.search(r"https?:|</?\w+[^>]*>", text):
        return "instructions repeated"
    lost = [facet for facet in request.facets if not _names(text, facet, config)]
    return f"facet lost: {lost[0][1]}" if lost else None


def counts(requests: Sequence[Request]) -> Mapping[str, int]:
    """Kinds of faults with their numbers."""
    return dict(Counter(request.fault.split(":")[0] for request in requests if request.fault).most_common())


def _speakable(catalog: Catalog, config: Config, min_items: int) -> list[list[Facet]]:
    """Facets of each item, without the values that the descriptions leave out."""
    stops = {
        (name, word.casefold())
        for category in config.describe.categories
        for word in category.stop
        for name, field in config.catalog.fields.items()
        if (field.column or name) == category.column
    }
    spoken = config.synthetic.model_copy(update={"min_items": min_items})
    return [[facet for facet in facets if facet not in stops] for facets in facets_of(catalog, spoken)]


def _draw(
    lists: Sequence[Sequence[Facet]], holders: Mapping[Facet, set[int]], common: Sequence[Facet], min_items: int,
    rng: np.random.Generator,
) -> list[Facet]:  # fmt: skip
    first = common[int(rng.integers(len(common)))]
    n_more = int(rng.choice(MAX_FACETS, p=N_FACETS))
    rows = sorted(holders[first])
    item = lists[rows[int(rng.integers(len(rows)))]]
    others = [facet for facet in item if facet != first and len(holders[facet]) >= min_items]
    places: NDArray[Any] = rng.choice(len(others), min(n_more, len(others)), replace=False) if others else np.empty(0)
    return [first, *(others[int(place)] for place in places)]


def _say(facets: Sequence[Facet], config: SyntheticConfig, rng: np.random.Generator) -> str:
    parts = [_part(facet, config, rng) for facet in facets]
    which = JOINTS[int(rng.integers(len(JOINTS)))].join(parts)
    phrase = PHRASES[int(rng.integers(len(PHRASES)))]
    text = phrase.replace("{have}", "are there").replace("{noun}", config.noun).replace("{which}", which)
    return text[0].upper() + text[1:]


def _part(facet: Facet, config: SyntheticConfig, rng: np.random.Generator) -> str:
    name, value = facet
    if name in config.decades:
        short = int(value) % 100
        spoken = value if int(value) // 100 != 19 or short not in _SPOKEN else None
        form = DECADES[int(rng.integers(len(DECADES)))]
        if spoken is None and rng.integers(2):
            return form.replace("{}s", _SPOKEN[short])
        return form.format(value)
    if name in config.phrases:
        return config.phrases[name].replace("{}", value)
    return FORMS[int(rng.integers(len(FORMS)))].replace("{}", value)


def _names(text: str, facet: Facet, config: SyntheticConfig) -> bool:
    """Whether a text still says a facet: in its words, as a decade, or by the people of a country."""
    name, value = facet
    words = f" {bare(text)} "
    if name in config.decades:
        short = int(value) % 100
        forms = (f"{value}s", value, f"{short:02}s", f"{short:02} s", _SPOKEN.get(short, value))
        return any(f" {form} " in words for form in forms)
    plain = bare(value) or fold(value)
    if f" {plain} " in words or f" {plain}s " in words:
        return True
    return any(f" {adjective} " in words and plain in names for adjective, names in ENGLISH.peoples.items())


def _one_line(text: str) -> str:
    return " ".join(text.split()).strip("\"'\u201c\u201d ")
