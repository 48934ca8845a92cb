"""antiphon.toml as typed values.

Unknown keys are refused with the nearest known one. Paths are relative to the file's folder. What an encoder takes
beside `name` and `encoder` is checked by that encoder's own options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from antiphon.base.language import ENDING, known_languages, unknown
from antiphon.errors import nearest
from antiphon.query.columns import FieldType

_RESERVED = ("and", "or", "not")
MODEL = "a name, or a folder relative to the configuration's"
Model = Annotated[str, MODEL]
"""The type of an encoder's option that names a model; an option of the type `Path` is always a path."""


class Section(BaseModel):
    """A table of antiphon.toml: immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


class FieldConfig(Section):
    """A column that filters, facets and explanations can use."""

    type: FieldType
    column: str | None = Field(None, description="column of the items file; the field's own name where not given")
    separator: str | None = Field(
        None, description="splits a text column into a list, such as '|'; 'json' reads lists that a program wrote"
    )
    pattern: str | None = Field(None, description="a regular expression; its first group is the value")
    format: str | None = Field(None, description="of dates, such as '%d/%m/%Y'; found out where not given")
    missing: Sequence[str] = Field((), description="words that stand for no value, such as 'unknown'")
    on_error: Literal["refuse", "null"] = Field("refuse", description="null: a cell that does not fit is left empty")

    @field_validator("pattern")
    @classmethod
    def _pattern_has_a_group(cls, value: str | None) -> str | None:
        try:
            groups = 1 if value is None else re.compile(value).groups
        except re.error as error:
            raise ValueError(f"this is no regular expression ({error})") from error
        if groups != 1:
            raise ValueError(f"the pattern has {groups} groups, expected one in parentheses: it is the value")
        return value

    @model_validator(mode="after")
    def _format_is_of_dates(self) -> FieldConfig:
        if self.format is not None and self.type != "date":
            raise ValueError(f'a format is of dates, but the type is {self.type!r}; use type = "date"')
        return self

    @model_validator(mode="after")
    def _separator_makes_a_list(self) -> FieldConfig:
        if self.separator is not None and self.type != "list":
            raise ValueError(f'a separator makes a list, but the type is {self.type!r}; use type = "list"')
        return self


class InteractionsConfig(Section):
    """Who used what: a table of users, items and optional weights."""

    file: Path
    user_id: str = "user_id"
    item_id: str = "item_id"
    weight: str | None = Field(None, description="column with a play count or the like")
    positive: str | None = Field(
        None, description="a filter over the table's columns, such as 'rating>3'; all where not given"
    )
    weight_transform: Literal["none", "log"] = Field("none", description="log: weights become log(1 + weight)")
    on_error: Literal["refuse", "drop"] = Field("refuse", description="drop: rows whose numbers do not fit")

    @model_validator(mode="before")
    @classmethod
    def _has_no_key_of_before(cls, raw: Any) -> Any:
        for name in ("rating", "timestamp"):
            if isinstance(raw, Mapping) and name in raw:
                raise ValueError(f"{name} was kept and never used; remove the key, `positive` reads the file's columns")
        return raw


class MediaConfig(Section):
    """Files of one kind for items: a folder or a zip, one file per item."""

    path: Path
    pattern: str = Field("{item_id}.jpg", description="file name of an item")

    @field_validator("pattern")
    @classmethod
    def _names_the_item(cls, value: str) -> str:
        if "{item_id}" not in value:
            raise ValueError("the pattern does not contain '{item_id}'")
        return value


class ListConfig(Section):
    """[catalog.lists.NAME]: a column of the items, gathered from a file with a row per item and value.

    The values of an item come most frequent first, and their numbers stand in the column NAME_counts.
    """

    file: Path
    item_id: str = "item_id"
    column: str = Field(description="column of that file with the values")


class CatalogConfig(Section):
    """[catalog]: where the items are and which column is what."""

    items: Path
    item_id: str | None = Field(None, description="item_id where not given; a file without it has its titles as ids")
    title: str | None = Field(None, description="column with the title; item_id where not given")
    keep: str | None = Field(None, description="a filter over the file's columns, such as 'core=true'")
    fields: Mapping[str, FieldConfig] = Field(default_factory=dict)
    lists: Mapping[str, ListConfig] = Field(default_factory=dict)
    interactions: InteractionsConfig | None = None
    media: Mapping[str, MediaConfig] = Field(default_factory=dict)
    duplicates: Literal["refuse", "drop"] = Field("refuse", description="items with an id that was there before")
    unknown: Literal["drop", "refuse"] = Field(
        "drop", description="interactions with an item that is not in the catalog"
    )

    @field_validator("fields", "lists", "media")
    @classmethod
    def _names_can_be_written(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in value:
            if not name.strip() or name.casefold() in _RESERVED or any(sign in name for sign in "/\\'\""):
                raise ValueError(
                    f"the name {name!r} cannot be used: it is blank, has quotes or slashes, or is a keyword"
                )
        return value


class SplitConfig(Section):
    """[split]: users held out for test and validation, and cold items; all drawn from the seed."""

    test: float = Field(0.1, ge=0, lt=1, description="share of users held out for test")
    validation: float = Field(0.05, ge=0, lt=1, description="share of users held out for choosing hyperparameters")
    profile: float = Field(0.5, gt=0, lt=1, description="share of a held-out user's positives that is known")
    cold: float = Field(0.0, ge=0, lt=1, description="share of items hidden from collaborative filtering")

    @model_validator(mode="after")
    def _leaves_users(self) -> SplitConfig:
        if self.test + self.validation >= 1:
            raise ValueError(f"test {self.test} and validation {self.validation} leave no users to train on")
        return self


class CategoryConfig(Section):
    """A category of the template: 'label: value, value.' from one column."""

    label: str
    column: str
    max_values: int | None = Field(None, ge=1, description="keep the first n values")
    counts: str | None = Field(None, description="column with the number of people behind each value")
    min_count: int = Field(1, ge=1, description="drop values with fewer people behind them; needs `counts`")
    stop: Sequence[str] = Field((), description="values to leave out, whatever their case")
    separator: str | None = Field(None, description="splits a text column into values, as that of a field does")


class DescribeConfig(Section):
    """[describe]: the text of an item."""

    mode: Literal["template", "gen", "template+gen"] = "template"
    preset: Literal["movies", "music"] | None = None
    opening: str | None = Field(None, description="first sentence, such as 'Movie: {title}.'")
    categories: Sequence[CategoryConfig] = ()
    texts: Sequence[str] = Field((), description="columns with more that is written of an item: plot, review, lyrics")
    gen_column: str | None = Field(None, description="column with ready-made descriptions")
    gen_file: Path | None = Field(None, description="what `antiphon describe` wrote; goes before gen_column")

    @model_validator(mode="after")
    def _gen_has_a_source(self) -> DescribeConfig:
        if self.mode != "template" and self.gen_column is None and self.gen_file is None:
            raise ValueError(
                f"mode {self.mode!r} needs gen_column, the column with ready-made descriptions, or gen_file, the file "
                "that `antiphon describe` writes"
            )
        return self


class ModalityConfig(BaseModel):
    """[[modalities]]: a name, an encoder, and the encoder's own options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    encoder: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the encoder."""
        return dict(self.model_extra or {})


class SyntheticConfig(Section):
    """[synthetic]: requests made of the items' facets, to train on."""

    per_item: int = Field(8, ge=0, description="requests drawn for each item, 400,000 of all at most; 0 for none")
    fields: Sequence[str] | None = Field(
        None, description="fields whose values requests name; all of words if not given"
    )
    decades: Sequence[str] = Field((), description="fields with years that are spoken of as decades")
    noun: str = Field("items", description="what the items are called, such as 'films'")
    phrases: Mapping[str, str] = Field(default_factory=dict, description="how a field is said: director = 'by {}'")
    min_items: int = Field(5, ge=1, description="facets that fewer items have are not asked for")


class JointConfig(Section):
    """[joint]: one encoder per modality, dense(hidden) -> ReLU -> dropout -> dense(dim)."""

    hidden: int = Field(512, ge=1)
    dim: int = Field(256, ge=2, le=8192)
    dropout: float = Field(0.3, ge=0, lt=1)
    residual: bool = Field(True, description="add a linear path around the layers of the text encoder")
    weights: Literal["learned", "mean"] = Field("learned", description="weights of the modalities in an item's vector")


LEAST_EPOCHS = 5


class TrainConfig(Section):
    """[train]: the contrastive training."""

    epochs: int = Field(60, ge=0)
    visits: int = Field(
        2_500_000, ge=1, description="items that all epochs together look at, at most: of many items, epochs are fewer"
    )
    query_weight: float = Field(1.0, ge=0, description="weight of the loss over synthetic queries")
    pair_weight: float = Field(0.3, ge=0, description="weight of the paper's loss over pairs of modalities")
    query_temperature: float = Field(0.05, gt=0)
    batch_size: int = Field(512, ge=2)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    temperature: float = Field(0.1, gt=0, description="start value where it is learned")
    learn_temperature: bool = False
    symmetric: bool = Field(False, description="mean of both directions; the paper prints one")
    schedule: Literal["constant", "cosine"] = "cosine"
    validation_items: float = Field(0.0, ge=0, lt=1, description="share of items whose loss is watched, not trained on")
    patience: int | None = Field(
        None, ge=1, description="epochs without a better validation loss before the training stops"
    )
    pairs: Sequence[tuple[str, str]] | None = Field(None, description="pairs of modalities; all where not given")
    checkpoint_every: int = Field(10, ge=1, description="epochs between checkpoints")
    requests: Path | None = Field(None, description="JSONL of real requests and what was chosen of the answers")

    def passes(self, n_items: int) -> int:
        """Epochs over so many items: as many as `epochs` says, or as `visits` leaves, and these are not under 5."""
        return min(self.epochs, max(LEAST_EPOCHS, self.visits // max(1, n_items)))

    @model_validator(mode="after")
    def _patience_has_a_loss_to_watch(self) -> TrainConfig:
        if self.patience is not None and self.validation_items == 0:
            raise ValueError("patience needs validation_items > 0: it watches their loss")
        return self


class SpaceConfig(Section):
    """[space]: what a published space has beside the joint vectors."""

    taste: bool = Field(True, description="factors of collaborative filtering with their norms, for histories")
    taste_trials: int = Field(12, ge=1, description="settings of the factorization that are tried")
    ease_rank: int = Field(128, ge=0, description="rank of the item-item model; 0 for none")
    rerank: bool = Field(True, description="the leading items of a history are put into order by a small network")
    passages: bool = Field(True, description="texts are also met with everything that is written of an item")
    names: bool = Field(True, description="items that a request names are examples, or are asked for")
    lexical: bool = Field(True, description="BM25 over the descriptions, added to the scores of texts")
    facets: bool = Field(True, description="texts are also read as facets of the catalog, added to their scores")
    language: str | Path = Field("en", description="language of the requests: a name, or a file of its own, 'fr.toml'")

    @field_validator("language")
    @classmethod
    def _is_a_language(cls, value: str | Path) -> str | Path:
        if str(value).endswith(ENDING):
            return Path(value)
        if value not in known_languages():
            raise ValueError(unknown(str(value)))
        return value


class BuildConfig(Section):
    """[build]: where the heavy work of a build runs."""

    engine: str = Field(
        "local",
        pattern=r"^(local|local\[(\d+|\*)(, ?\d+)?\]|[a-z][a-z0-9_]*(://.+)?)$",
        description="this process; or Spark: local[n] on this machine, spark://host:port, yarn, k8s://...",
    )
    spark: Mapping[str, str] = Field(
        default_factory=dict, description='properties of Spark, such as "spark.executor.memory" = "8g"'
    )


class StoreConfig(BaseModel):
    """[store]: where the vectors of a published space are searched, and that store's own options."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field("memory", description="memory, qdrant, postgres, or a store of another package")
    name: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]{0,23}$",
        description="of this space in a shared store; the file's where not given",
    )
    depth: int = Field(1_000, ge=1, description="candidates of each part of a request, at least")

    @property
    def options(self) -> dict[str, Any]:
        """The keys that belong to the store."""
        return dict(self.model_extra or {})


PAPER: Mapping[str, Mapping[str, Any]] = {
    "joint": {"hidden": 256, "dim": 200, "dropout": 0.3, "residual": False, "weights": "mean"},
    "train": {"epochs": 100, "visits": 10**9, "query_weight": 0.0, "pair_weight": 1.0, "schedule": "constant"},
    "space": {
        "taste": False,
        "rerank": False,
        "lexical": False,
        "facets": False,
        "passages": False,
        "names": False,
    },
    "synthetic": {"per_item": 0},
}
"""What `preset = "paper"` sets where the file does not: the paper's model and use, without additions."""


QUICK: Mapping[str, Mapping[str, Any]] = {
    "synthetic": {"per_item": 1},
    "train": {"epochs": 8},
    "space": {"taste_trials": 1, "rerank": False},
}
"""What `quick = true` sets, whatever the file says; practice and the reader of facets learn from fewer requests."""
QUICK_ENCODERS: Mapping[str, Mapping[str, Any]] = {"als": {"trials": 1}}


class Config(Section):
    """A whole antiphon.toml."""

    name: str = "antiphon"
    seed: int = Field(0, ge=0)
    preset: Literal["default", "paper"] = "default"
    quick: bool = Field(False, description="a first space soon: fewer requests and settings are learned from")
    catalog: CatalogConfig
    split: SplitConfig = SplitConfig()
    describe: DescribeConfig = DescribeConfig()
    modalities: Sequence[ModalityConfig] = Field(
        (ModalityConfig(name="text", encoder="sentence-transformers"),), min_length=1
    )
    synthetic: SyntheticConfig = SyntheticConfig()
    joint: JointConfig = JointConfig()
    train: TrainConfig = TrainConfig()
    space: SpaceConfig = SpaceConfig()
    build: BuildConfig = BuildConfig()
    store: StoreConfig = StoreConfig()
    hide: Mapping[str, Sequence[str]] = Field(
        default_factory=dict,
        description="values of fields that filters, the map and sentences leave out; * is anything",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_preset(cls, raw: Any) -> Any:
        if not isinstance(raw, Mapping) or raw.get("preset") != "paper":
            return raw
        filled = {name: {**values, **raw.get(name, {})} for name, values in PAPER.items()}
        return {**raw, **filled}

    @model_validator(mode="before")
    @classmethod
    def _fill_quick(cls, raw: Any) -> Any:
        """What `quick` changes goes before what the file says: it is asked for on the way, with --quick."""
        if not isinstance(raw, Mapping) or raw.get("quick") is not True:
            return raw
        hurried = [
            {**item, **QUICK_ENCODERS.get(str(item.get("encoder")), {})} if isinstance(item, Mapping) else item
            for item in raw.get("modalities") or ()
        ]
        filled = {name: {**raw.get(name, {}), **values} for name, values in QUICK.items()}
        return {**raw, **filled, **({"modalities": hurried} if hurried else {})}

    @model_validator(mode="after")
    def _facets_are_fields(self) -> Config:
        for name in (*(self.synthetic.fields or ()), *self.synthetic.decades):
            if name not in self.catalog.fields:
                raise ValueError(f"synthetic names the field {name!r}; {nearest(name, self.catalog.fields)}")
        for name in self.synthetic.decades:
            if (kind := self.catalog.fields[name].type) != "number":
                raise ValueError(f"synthetic.decades takes fields with years as numbers, but {name!r} is a {kind}")
        return self

    @model_validator(mode="after")
    def _hidden_are_fields(self) -> Config:
        for name in self.hide:
            if name not in self.catalog.fields:
                raise ValueError(f"hide names the field {name!r}; {nearest(name, self.catalog.fields)}")
        return self

    @property
    def hidden(self) -> dict[str, list[str]]:
        """Field -> the values that are not shown: those of `hide`, and the stop words of its category."""
        columns = {name: field.column or name for name, field in self.catalog.fields.items()}
        stops = {category.column: category.stop for category in self.describe.categories}
        found = {name: [*self.hide.get(name, ()), *stops.get(column, ())] for name, column in columns.items()}
        return {name: list(dict.fromkeys(values)) for name, values in found.items() if values}

    @model_validator(mode="after")
    def _names_are_unique(self) -> Config:
        names = [modality.name for modality in self.modalities]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two modalities are named {twice[0]!r}; give each its own name")
        for pair in self.train.pairs or ():
            for name in pair:
                if name not in names:
                    raise ValueError(f"train.pairs names the modality {name!r}; {nearest(name, names)}")
            if pair[0] == pair[1]:
                raise ValueError(f"train.pairs pairs {pair[0]!r} with itself; a pair is two modalities")
        return self
