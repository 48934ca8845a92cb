"""What a version of a space holds: each file is read, or mapped, when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from antiphon.base import runtime, storage
from antiphon.base.checking import Checking
from antiphon.base.language import Language, language_of, read_language
from antiphon.base.layout import CODED, SpaceLayout
from antiphon.base.registry import find
from antiphon.base.texts import Places, Texts
from antiphon.channels.asking import StoredPassages
from antiphon.channels.dictionary import Dictionary
from antiphon.channels.facets import Facets
from antiphon.channels.mentions import Names
from antiphon.channels.mixture import Mixture
from antiphon.channels.passages import Passages
from antiphon.channels.resolver import Users
from antiphon.channels.spelling import Speller
from antiphon.channels.stored import StoredParts, StoredRows, taste_of
from antiphon.channels.taste import Taste, popularity_of
from antiphon.channels.words import Lexical
from antiphon.errors import IntegrityError
from antiphon.joint.model import JointModel
from antiphon.numbers.coded import CodedIndex
from antiphon.numbers.codes import LARGE, Codes
from antiphon.query.columns import Column, FieldType, WordColumn, field_table
from antiphon.space.stored import OnStore, check_words

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Published:
    """A version of a space: vectors, items, fields, models, and the query side of each modality.

    `vectors` is (n_items, dim) float32, unit L2: the joint space. `blocks` is (n_items, width)
    float32, what is searched: the joint vectors, then the factors of taste. `parts` is (n_modalities, n_items, dim)
    float32: the weighted projections that the joint vectors are the normalised sum of. All are memory-mapped.
    """

    def __init__(
        self,
        layout: SpaceLayout,
        manifest: Mapping[str, Any],
        on_store: OnStore | None = None,
        checking: Checking | None = None,
    ) -> None:
        self.layout, self.manifest, self.on_store = layout, manifest, on_store
        self.checking = checking or Checking({})
        self.space_id: str = manifest["space_id"]
        self.modalities: tuple[str, ...] = tuple(manifest["order"])
        self.model = JointModel.load(layout.model)
        self._mixture = Mixture.load(layout.mixture)
        self.vectors: Floats = self.items["joint"]
        # A version in use is not removed: users and query encoders are read when they are asked for.
        self._held = storage.Hold(layout.vectors if on_store is None else layout.manifest)
        self.present: NDArray[np.bool_] = storage.read_array(layout.present)
        items = storage.read_table(layout.items)
        self.item_ids, self.titles = (self._texts(items[name]) for name in ("item_id", "title"))
        self._check_shapes()
        self.searchable: NDArray[np.bool_] = np.asarray(self.present.any(axis=0))
        if on_store is not None:
            check_words(self)

    @staticmethod
    def _texts(column: pa.ChunkedArray) -> Sequence[str]:
        """A list; of a large catalog's texts each is made when it is asked for."""
        return Texts(column) if len(column) > LARGE else column.to_pylist()

    @property
    def n_items(self) -> int:
        """Number of items, searchable or not."""
        return len(self.item_ids)

    @property
    def dim(self) -> int:
        """Length of a joint vector."""
        return int(self.vectors.shape[1])

    @cached_property
    def fields(self) -> pa.Table:
        """The fields of all items, in the order of the vectors; read when they are asked for.

        Raises:
            IntegrityError: they are of more or fewer items.
        """
        table = storage.read_table(self.layout.fields, coded=self.n_items > LARGE)
        if table.num_rows != self.n_items:
            raise IntegrityError(f"{self.layout.root}: fields and items do not fit each other; build the run again.")
        return table

    @cached_property
    def blocks(self) -> Floats:
        """(n_items, width) float32, what is searched, mapped; from a store all of it is fetched."""
        if self.on_store is None:
            return storage.read_array(self.layout.vectors, mmap=True)
        return np.concatenate([np.asarray(items) for items in self.items.values()], axis=1)

    @cached_property
    def parts(self) -> Floats:
        """(n_modalities, n_items, dim) float32, the projections that the joint vectors are the sum of."""
        if self.on_store is None:
            return storage.read_array(self.layout.parts, mmap=True)
        return StoredParts(self.on_store.version, self.modalities)  # type: ignore[return-value]  # read by row

    @cached_property
    def row_of(self) -> Mapping[str, int]:
        """Row of each item id."""
        if self.n_items > LARGE:
            return Places(self.item_ids)
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def field_types(self) -> dict[str, FieldType]:
        """Fields that filters may use, with their types."""
        return dict(self.manifest["field_types"])

    def hides(self, name: str, value: str) -> bool:
        """Whether a value of a field is none that anybody would choose by, such as a tag that names a shelf."""
        patterns = self.manifest.get("hidden", {}).get(name, ())
        return any(fnmatchcase(value.casefold(), pattern.casefold()) for pattern in patterns)

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Fields made ready for filters."""
        return field_table(self.fields, self.field_types)

    @cached_property
    def users(self) -> Users | None:
        """Users of the catalog; None where it has no interactions."""
        if not self.layout.users.is_file():
            return None
        ids = storage.read_table(self.layout.users)["user_id"].to_pylist()
        arrays = (self.layout.user_bounds, self.layout.user_items, self.layout.user_weights)
        return Users({user_id: row for row, user_id in enumerate(ids)}, *map(storage.read_array, arrays))

    @cached_property
    def language(self) -> Language:
        """The language of the requests: one that comes with antiphon, or that of the space's own file."""
        own = self.layout.language
        return read_language(own) if own.is_file() else language_of(self.manifest.get("language", "en"))

    @cached_property
    def lexical(self) -> Lexical | None:
        """The lexical index; None for a space without one."""
        return Lexical.load(self.layout.lexical, self.n_items, self.language) if self.layout.lexical.is_dir() else None

    @cached_property
    def facets(self) -> Facets | None:
        """The facet channel; None for a space without one."""
        return Facets.load(self.layout.facets) if self.layout.facets.is_dir() else None

    @cached_property
    def passages(self) -> Passages | None:
        """Vectors of all texts of the items; None for a space without them."""
        if self.on_store is not None and self.on_store.version.shape.passages:
            return StoredPassages(self.on_store.version, self.searchable)  # type: ignore[return-value]  # same verbs
        if not self.layout.passages.is_dir():
            return None
        rough = self.layout.rough.is_dir() and runtime.has("onnxruntime")
        return Passages.load(self.layout.passages, self.layout.rough if rough else None)

    @cached_property
    def dictionary(self) -> Dictionary:
        """The catalog's own values, as texts name them."""
        words = Dictionary.of(self.columns, self.manifest.get("spoken"), self.language)
        return words if self.facets is None else words.with_degrees(self.facets.members())

    @cached_property
    def names(self) -> Names | None:
        """The items' names, as texts name them; None for a space that does not read them."""
        if not self.manifest["names"]:
            return None
        users = None if self.taste is None else self.taste.users
        share = None if self.lexical is None else self.lexical.share
        return Names.in_catalog(self.titles, self.columns, users, share, self.language)

    @cached_property
    def speller(self) -> Speller | None:
        """The catalog's words, for misspelt ones; None for a space that does not read names, or has no words."""
        lexical = self.lexical
        if lexical is None or not self.manifest["names"]:
            return None
        values = (
            value for column in self.columns.values() if isinstance(column, WordColumn) for value in column.vocabulary
        )
        # Words of the text model's own vocabulary are no slips.
        usual = getattr(self.sides["text"][1], "has_word", None) if "text" in self.sides else None
        words = chain(self.titles, values)
        return Speller.of(words, lambda word: lexical.share(word) > 0, self.language, usual or (lambda _: False))

    @cached_property
    def taste(self) -> Taste | None:
        """The models of taste; None for a space without them."""
        if not self.layout.taste.is_dir():
            return None
        return Taste.load(self.layout.taste) if self.on_store is None else taste_of(self.on_store.version, self.layout)

    @cached_property
    def items(self) -> dict[str, Floats]:
        """The items' vectors by block, each (n_items, length) float32; from a store, fetched by row."""
        if self.on_store is not None:
            version = self.on_store.version
            return {name: StoredRows(version, name) for name in self.manifest["blocks"]}  # type: ignore[misc]
        # A plain array: rows of a memmap are fetched with a detour.
        blocks = np.asarray(self.blocks)
        return {name: blocks[:, slice(*columns)] for name, columns in self.manifest["blocks"].items()}

    @cached_property
    def codes(self) -> dict[str, Codes]:
        """The codes of large blocks, by name; none for a small space, on a store, or where faiss is not installed."""
        folders = sorted(self.layout.codes.iterdir()) if self.layout.codes.is_dir() else []
        if self.on_store is not None or not runtime.has("faiss"):
            return {}
        # Those of an older space that are not read any more stay where they are.
        return {folder.name: Codes.load(folder, self.n_items) for folder in folders if folder.name in CODED}

    @cached_property
    def coded(self) -> CodedIndex | None:
        """What finds rows of a large space by the codes of all blocks; None where there are none."""
        if (codes := self.codes.get(CODED[0])) is None:
            return None
        popularity = None if self.taste is None else popularity_of(self.taste.users)
        return CodedIndex(np.asarray(self.blocks), codes, popularity)

    @cached_property
    def sides(self) -> dict[str, tuple[str, Any]]:
        """Query kind -> (modality, its query side); the first modality that accepts a kind has it."""
        sides: dict[str, tuple[str, Any]] = {}
        for modality in self.modalities:
            info = self.manifest["modalities"][modality]
            if info["accepts"] is not None and info["accepts"] not in sides:
                side = find("antiphon.encoders", info["encoder"]).query_side(self.layout.query_side(modality))
                sides[info["accepts"]] = (modality, side)
        return sides

    def accepts(self, kind: str) -> bool:
        """Whether the space answers queries of a kind: "text", "image", "audio" or "history"."""
        return any(self.manifest["modalities"][name]["accepts"] == kind for name in self.modalities)

    def _check_shapes(self) -> None:
        n_items, n_modalities = len(self.item_ids), len(self.modalities)
        expected = (n_modalities, n_items, self.model.dim)
        if (
            tuple(self.vectors.shape) != expected[1:]
            or tuple(self.parts.shape) != expected
            or self.present.shape != expected[:2]
        ):
            raise IntegrityError(f"{self.layout.root}: vectors and items do not fit each other; build the run again.")
