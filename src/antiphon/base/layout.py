"""Names of the files in a run's folder, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from antiphon.base import storage

FORMAT = 3


@dataclass(frozen=True)
class SpaceLayout:
    """A published version of a space."""

    root: Path

    @property
    def manifest(self) -> Path:
        """What it is, and the checksum of every other file."""
        return self.root / "manifest.json"

    @property
    def items(self) -> Path:
        """item_id and title, in the order of the vectors."""
        return self.root / "items.parquet"

    @property
    def fields(self) -> Path:
        """Filterable fields, in the order of the vectors."""
        return self.root / "fields.parquet"

    @property
    def vectors(self) -> Path:
        """(n_items, dim) float32: the joint vector of unit length, then the blocks of taste."""
        return self.root / "vectors.npy"

    @property
    def parts(self) -> Path:
        """(n_modalities, n_items, dim) float32: the projections that the vectors are the mean of."""
        return self.root / "parts.npy"

    @property
    def present(self) -> Path:
        """(n_modalities, n_items) bool."""
        return self.root / "present.npy"

    @property
    def map(self) -> Path:
        """(n_items, 2) float32 from 0 to 1: where each item is on the page's map; NaN where it has no vector."""
        return self.root / "map.npy"

    @property
    def model(self) -> Path:
        """Folder of the joint model."""
        return self.root / "model"

    @property
    def taste(self) -> Path:
        """Folder of the factors of taste: what turns a history into vectors."""
        return self.root / "taste"

    @property
    def lexical(self) -> Path:
        """Folder of the lexical index."""
        return self.root / "lexical"

    @property
    def facets(self) -> Path:
        """Folder of the facet channel."""
        return self.root / "facets"

    @property
    def mixture(self) -> Path:
        """How much each channel counts."""
        return self.root / "mixture.json"

    def covariance(self, block: str) -> Path:
        """(dim, dim) float64: the covariance of a block of the vectors over the items."""
        return self.root / f"covariance_{block}.npy"

    @property
    def users(self) -> Path:
        """user_id, ordered."""
        return self.root / "users.parquet"

    @property
    def user_bounds(self) -> Path:
        """(n_users + 1,) int64: where each user's items start."""
        return self.root / "user_bounds.npy"

    @property
    def user_items(self) -> Path:
        """(n,) int32 rows of items, user after user."""
        return self.root / "user_items.npy"

    @property
    def user_weights(self) -> Path:
        """(n,) float32, the weight of each of `user_items`."""
        return self.root / "user_weights.npy"

    def query_side(self, modality: str) -> Path:
        """Folder with what a modality needs to encode queries."""
        return self.root / "query" / modality


@dataclass(frozen=True)
class RunLayout:
    """A run: one build of one configuration."""

    root: Path

    @property
    def config(self) -> Path:
        """The configuration as it was resolved."""
        return self.root / "config.toml"

    @property
    def manifest(self) -> Path:
        """Stages with fingerprints, seconds and files."""
        return self.root / "manifest.json"

    @property
    def lock(self) -> Path:
        """Held while a build is at work."""
        return self.root / ".lock"

    @property
    def growing(self) -> Path:
        """Folder of the build that `antiphon add` makes, until its files have taken their places."""
        return self.root / ".growing"

    @property
    def catalog(self) -> Path:
        """Folder of the checked catalog."""
        return self.root / "catalog"

    @property
    def descriptions(self) -> Path:
        """Texts of the items."""
        return self.root / "descriptions.parquet"

    @property
    def features(self) -> Path:
        """Folder of the vectors of each modality."""
        return self.root / "features"

    def workspace(self, modality: str) -> Path:
        """An encoder's own folder."""
        return self.features / f"{modality}.work"

    @property
    def model(self) -> Path:
        """Folder of the joint model."""
        return self.root / "model"

    @property
    def synthetic(self) -> Path:
        """(n, dim) float32: vectors of the synthetic queries, the facets' words, and texts that ask for none."""
        return self.features / "synthetic.npy"

    @property
    def facets(self) -> Path:
        """Folder of the facet channel."""
        return self.root / "facets"

    @property
    def taste(self) -> Path:
        """Folder of the factors of taste."""
        return self.root / "taste"

    @property
    def spaces(self) -> Path:
        """Folder of the published versions."""
        return self.root / "space"

    @property
    def current(self) -> Path:
        """Names the version in use; replaced atomically."""
        return self.spaces / "CURRENT"

    @property
    def evaluation(self) -> Path:
        """Folder of what evaluations wrote."""
        return self.root / "eval"


def space_id_of(files: Mapping[str, str]) -> str:
    """The id of a space whose files have these checksums."""
    return storage.digest("space", FORMAT, dict(files))[:16]
