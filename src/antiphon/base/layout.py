"""Names of the files in a run's folder, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antiphon.base import storage

FORMAT = 5


class Below:
    """A path below a layout's `root`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, layout: SpaceLayout | RunLayout, _: object) -> Path:
        """The path in one layout."""
        return layout.root / self.name


@dataclass(frozen=True)
class SpaceLayout:
    """A published version of a space."""

    root: Path
    manifest = Below("manifest.json")
    """What it is, and the checksum of every other file."""
    items = Below("items.parquet")
    """item_id and title, in the order of the vectors."""
    fields = Below("fields.parquet")
    """Filterable fields, in the order of the vectors."""
    vectors = Below("vectors.npy")
    """(n_items, dim) float32: the joint vector of unit length, then the blocks of taste."""
    parts = Below("parts.npy")
    """(n_modalities, n_items, dim) float32: the projections that the vectors are the mean of."""
    present = Below("present.npy")
    """(n_modalities, n_items) bool."""
    map = Below("map.npy")
    """(n_items, 2) float32 from 0 to 1: where each item is on the page's map; NaN where it has no vector."""
    language = Below("language.toml")
    """The language of the requests, where it does not come with antiphon."""
    model = Below("model")
    """Folder of the joint model."""
    taste = Below("taste")
    """Folder of the factors of taste: what turns a history into vectors."""
    lexical = Below("lexical")
    """Folder of the lexical index."""
    facets = Below("facets")
    """Folder of the facet channel."""
    mixture = Below("mixture.json")
    """How much each channel counts."""
    passages = Below("passages")
    """Folder of the vectors of all texts of the items."""
    codes = Below("codes")
    """Folder of the codes of large blocks, a folder each: joint, taste, text."""
    rough = Below("codes/passages")
    """Folder of the passages in eight bits, where they are many and the items are not."""
    users = Below("users.parquet")
    """user_id, ordered."""
    user_bounds = Below("user_bounds.npy")
    """(n_users + 1,) int64: where each user's items start."""
    user_items = Below("user_items.npy")
    """(n,) int32 rows of items, user after user."""
    user_weights = Below("user_weights.npy")
    """(n,) float32, the weight of each of `user_items`."""

    def covariance(self, block: str) -> Path:
        """(dim, dim) float64: the covariance of a block of the vectors over the items."""
        return self.root / f"covariance_{block}.npy"

    def query_side(self, modality: str) -> Path:
        """Folder with what a modality needs to encode queries."""
        return self.root / "query" / modality


@dataclass(frozen=True)
class RunLayout:
    """A run: one build of one configuration."""

    root: Path
    config = Below("config.toml")
    """The configuration as it was resolved."""
    manifest = Below("manifest.json")
    """Stages with fingerprints, seconds and files."""
    lock = Below(".lock")
    """Held while a build is at work."""
    growing = Below(".growing")
    """Folder of the build that `antiphon add` makes, until its files have taken their places."""
    catalog = Below("catalog")
    """Folder of the checked catalog."""
    descriptions = Below("descriptions.parquet")
    """Texts of the items."""
    features = Below("features")
    """Folder of the vectors of each modality."""
    model = Below("model")
    """Folder of the joint model."""
    synthetic = Below("features/synthetic.npy")
    """(n, dim) float32: vectors of the synthetic queries, the facets' words, and texts that ask for none."""
    practice = Below("practice")
    """Folder of the requests that the weights of the channels are learned from."""
    facets = Below("facets")
    """Folder of the facet channel."""
    taste = Below("taste")
    """Folder of the factors of taste."""
    spaces = Below("space")
    """Folder of the published versions."""
    current = Below("space/CURRENT")
    """Names the version in use; replaced atomically."""
    evaluation = Below("eval")
    """Folder of what evaluations wrote."""

    def workspace(self, modality: str) -> Path:
        """An encoder's own folder."""
        return self.features / f"{modality}.work"


CODED = ("vectors", "texts")
"""What has codes in a large space: all blocks of an item, and what texts meet."""


def space_id_of(files: Mapping[str, str]) -> str:
    """The id of a space whose files have these checksums."""
    return storage.digest("space", FORMAT, dict(files))[:16]
