"""Bodies that the API takes: views of `Query`, `Wish` and `PlaylistRequest`, with their limits and examples."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from antiphon.playlist.request import MAX_LENGTH
from antiphon.query.parts import ABOUT, MAX_ITEMS, MAX_K, MAX_TEXT, MAX_TURNS
from antiphon.talk.wish import MAX_WORDS

MAX_REQUESTS = 64
"""Of a batch."""
Id = Annotated[str, Field(max_length=500)]
Ids = Annotated[list[Id], Field(max_length=MAX_ITEMS)]
Phrases = Annotated[list[Annotated[str, Field(min_length=1, max_length=500)]], Field(max_length=MAX_WORDS)]
Turns = Annotated[list[Annotated[str, Field(max_length=MAX_TEXT)]], Field(max_length=MAX_TURNS)]
WhereText = Annotated[str, Field(max_length=10_000)]
WhereJson = WhereText | Annotated[list[WhereText], Field(max_length=100)] | dict[str, Any]
Number = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weights = Annotated[dict[Annotated[str, Field(max_length=50)], Number], Field(max_length=20)]


class Body(BaseModel):
    """A request: unknown parts are refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid")


class Asking(Body):
    """What every request for items may say."""

    text: Annotated[str | None, Field(max_length=MAX_TEXT, description=ABOUT["text"])] = None
    turns: Annotated[Turns, Field(description=ABOUT["turns"])] = []
    literal: Annotated[Phrases, Field(description=ABOUT["literal"])] = []
    more: Annotated[Phrases, Field(description="Words to go towards.")] = []
    less: Annotated[Phrases, Field(description="Words to go away from.")] = []
    likes: Annotated[Ids, Field(description=ABOUT["likes"])] = []
    dislikes: Annotated[Ids, Field(description=ABOUT["dislikes"])] = []
    user: Annotated[Id | None, Field(description=ABOUT["user"])] = None
    history: Annotated[Ids, Field(description=ABOUT["history"])] = []
    exclude: Annotated[Ids, Field(description=ABOUT["exclude"])] = []
    where: Annotated[
        WhereJson | None, Field(description=f"{ABOUT['where']} Text, several texts that all hold, or a mapping.")
    ] = None
    weights: Annotated[Weights, Field(description=ABOUT["weights"])] = {}


class SearchBody(Asking):
    """A search or a recommendation."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"text": "a quiet film about growing old", "k": 5},
                {"text": "science fiction", "less": ["violent"], "where": "year>=1980", "k": 5, "explain": True},
            ]
        },
    )
    k: Annotated[int, Field(ge=1, le=MAX_K, description=ABOUT["k"])] = 10
    offset: Annotated[int, Field(ge=0, le=MAX_K, description=ABOUT["offset"])] = 0
    explain: Annotated[bool, Field(description=ABOUT["explain"])] = False
    fields: Annotated[
        list[Annotated[str, Field(max_length=200)]] | None,
        Field(max_length=100, description="The fields that each answer has; all where not given, none for []."),
    ] = None


class BatchBody(Body):
    """Several searches, answered together."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"requests": [{"text": "a quiet drama", "k": 3}]}]}
    )
    requests: Annotated[list[SearchBody], Field(min_length=1, max_length=MAX_REQUESTS)]


class WhyBody(Asking):
    """A request, and the item whose place in its answer is to be explained."""

    item_id: Id


class TradeoffBody(Body):
    """Weights of fit to the request, closeness to the list, and variety."""

    relevance: Number = 1.0
    coherence: Number = 0.5
    diversity: Number = 0.3


class PlaylistBody(Asking):
    """A playlist: `likes` are its seeds, `after` is a list to continue."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "a rainy sunday", "length": 10, "tradeoff": {"coherence": 1.0}}]},
    )
    after: Annotated[list[Id], Field(max_length=1_000)] = []
    length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] = 20
    max_per: dict[Annotated[str, Field(max_length=200)], Annotated[int, Field(ge=1, le=10_000)]] = {}
    tradeoff: TradeoffBody = TradeoffBody()
    include_seeds: bool = False
    flow: bool = True
    variety: Annotated[float, Field(ge=0, le=1)] = 0.0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    explain: bool = False
    format: Literal["json", "m3u8", "xspf", "csv"] = "json"
    name: Annotated[str, Field(max_length=200)] = "antiphon"
    location: Annotated[str, Field(max_length=1_000)] = "{item_id}"


class OrderBody(Body):
    """Items to be put in an order that flows (`flow`), or as they are, with the similarity of neighbours."""

    item_ids: Annotated[list[Id], Field(min_length=1, max_length=500)]
    flow: bool = True
    format: Literal["json", "m3u8", "xspf", "csv"] = "json"
    name: Annotated[str, Field(max_length=200)] = "antiphon"
    location: Annotated[str, Field(max_length=1_000)] = "{item_id}"


class WishBody(Body):
    """The state of a conversation; the client holds it."""

    text: Annotated[str | None, Field(max_length=MAX_TEXT)] = None
    more: Phrases = []
    less: Phrases = []
    likes: Ids = []
    dislikes: Ids = []
    exclude: Ids = []
    where: Annotated[list[WhereText], Field(max_length=100)] = []
    weights: Weights = {}


class UnderstandBody(Body):
    """A sentence to take apart."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "a drama from the eighties, nothing with war"}]}
    )
    text: Annotated[str, Field(max_length=MAX_TEXT, description="A request in plain words.")]
    beside_search: Annotated[
        bool,
        Field(description="Leave in the words what a search reads of them by itself: years, refusals, named items."),
    ] = False


class LikedItem(Body):
    """An item that a sentence names."""

    item_id: Id
    title: str


class Understood(Body):
    """What a sentence was taken for; nothing is searched by it until its `query` is sent."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "space_id": "5e1c4a0b7d2f", "by": "rules", "says": ["no war", "year 1980-1989"], "text": "a drama",
                    "where": ["not genres any 'war'", "year>=1980", "year<1990"], "likes": [], "less": [],
                    "query": {"text": "a drama", "where": ["not genres any 'war'", "year>=1980", "year<1990"]},
                }
            ]
        },
    )  # fmt: skip
    space_id: str
    by: Annotated[Literal["rules", "model"], Field(description="Who read it.")]
    says: Annotated[list[str], Field(description="Each part that was found, for people; empty where none was.")]
    text: Annotated[str | None, Field(description="The words that remain.")]
    where: Annotated[list[str], Field(description="Filters that must all hold.")]
    likes: Annotated[list[LikedItem], Field(description="Items that the answers should be like.")]
    less: Annotated[list[str], Field(description="Words to go away from.")]
    query: Annotated[dict[str, Any], Field(description="The same as a body of /v1/search.")]


class RefineBody(Body):
    """A sentence that changes a request."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"wish": {"text": "a thriller"}, "say": "less violent", "shown": []}]},
    )
    wish: WishBody = WishBody()
    say: Annotated[str, Field(min_length=1, max_length=1_000)]
    shown: Annotated[list[Id], Field(max_length=500)] = []


class ConversationBody(Body):
    """What was said and shown so far; the client holds it and sends it back."""

    turns: Annotated[Turns, Field(description=ABOUT["turns"])] = []
    wish: WishBody = WishBody()
    shown: Annotated[list[Id], Field(max_length=500, description="The last answers, best first.")] = []
    seen: Annotated[Ids, Field(description="All answers so far; none of them comes again.")] = []


class TalkBody(Body):
    """The next sentence of a conversation."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"say": "a thriller, not too violent", "k": 5, "conversation": {}}]},
    )
    say: Annotated[str, Field(min_length=1, max_length=MAX_TEXT, description="What the person says next.")]
    conversation: ConversationBody = ConversationBody()
    user: Annotated[Id | None, Field(description=ABOUT["user"])] = None
    k: Annotated[int, Field(ge=1, le=500, description=ABOUT["k"])] = 10
