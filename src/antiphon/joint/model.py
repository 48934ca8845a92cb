"""JointModel: a projection per modality into one space, and the mean that makes an item.

It is plain numpy: a published space needs no torch to project a query. `train.py` makes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.data.features import Features
from antiphon.errors import MismatchError, nearest
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
LAYERS = ("hidden.weight", "hidden.bias", "output.weight", "output.bias")


@dataclass(frozen=True)
class Projection:
    """dense(hidden) -> ReLU -> dense(dim): weights as (in, out), biases as (out,), float32.

    `residual` (in, dim) is a linear path around the layers; None without one.
    """

    hidden_weight: Floats
    hidden_bias: Floats
    output_weight: Floats
    output_bias: Floats
    residual: Floats | None = None

    def __call__(self, vectors: Floats) -> Floats:
        """Project (n, in) vectors to (n, dim), unit L2."""
        hidden = np.maximum(vectors @ self.hidden_weight + self.hidden_bias, 0)
        output = hidden @ self.output_weight + self.output_bias
        return unit(output if self.residual is None else output + vectors @ self.residual)


@dataclass(frozen=True)
class Identity:
    """The projection of a space with one modality: there is nothing to join, so vectors stay as they are."""

    dim: int

    def __call__(self, vectors: Floats) -> Floats:
        """Unit-length copies of (n, dim) vectors."""
        return unit(vectors)


@dataclass(frozen=True)
class JointModel:
    """A projection per modality, their weights in an item's vector, and what was learned about them."""

    projections: Mapping[str, Projection | Identity]
    info: Mapping[str, Any]
    weights: Mapping[str, float] | None = None

    def weight(self, modality: str) -> float:
        """Weight of a modality in an item's vector; 1 for all is the paper's mean."""
        return 1.0 if self.weights is None else self.weights[modality]

    @property
    def dim(self) -> int:
        """Length of the vectors in the joint space."""
        first = next(iter(self.projections.values()))
        return first.dim if isinstance(first, Identity) else len(first.output_bias)

    def project(self, modality: str, vectors: Floats) -> Floats:
        """Project (n, in) vectors of a modality to (n, dim), unit L2.

        Raises:
            MismatchError: no such modality, or vectors of another length.
        """
        if modality not in self.projections:
            raise MismatchError(f"the model has no modality {modality!r}; {nearest(modality, self.projections)}")
        projection = self.projections[modality]
        expected = projection.dim if isinstance(projection, Identity) else len(projection.hidden_weight)
        if vectors.shape[-1] != expected:
            raise MismatchError(
                f"modality {modality!r}: expected vectors of length {expected}, got {vectors.shape[-1]}."
            )
        return projection(vectors)

    def save(self, folder: Path) -> None:
        """Write model.safetensors and model.json."""
        tensors = {
            f"{name}.{layer}": getattr(projection, layer.replace(".", "_"))
            for name, projection in self.projections.items()
            if isinstance(projection, Projection)
            for layer in LAYERS
        }
        tensors |= {
            f"{name}.residual": projection.residual
            for name, projection in self.projections.items()
            if isinstance(projection, Projection) and projection.residual is not None
        }
        storage.write_tensors(folder / "model.safetensors", tensors)
        identities = {name: item.dim for name, item in self.projections.items() if isinstance(item, Identity)}
        storage.write_json(
            folder / "model.json",
            {
                "modalities": list(self.projections),
                "identities": identities,
                "info": dict(self.info),
                "weights": None if self.weights is None else dict(self.weights),
            },
        )

    @classmethod
    def load(cls, folder: Path) -> JointModel:
        """Read what `save` wrote.

        Raises:
            IntegrityError: a file is missing or incomplete.
        """
        meta = storage.read_json(folder / "model.json")
        tensors = storage.read_tensors(folder / "model.safetensors")
        projections: dict[str, Projection | Identity] = {}
        for name in meta["modalities"]:
            if name in meta["identities"]:
                projections[name] = Identity(meta["identities"][name])
            else:
                layers = {layer.replace(".", "_"): tensors[f"{name}.{layer}"] for layer in LAYERS}
                projections[name] = Projection(**layers, residual=tensors.get(f"{name}.residual"))
        return cls(projections, meta["info"], meta["weights"])


@dataclass(frozen=True)
class Embedded:
    """Items in the joint space.

    `parts`: (n_modalities, n_items, dim) float32, unit L2 times the modality's weight, zeros where an item lacks it.
    `present`: (n_modalities, n_items) bool. `vectors`: (n_items, dim) float32, unit L2, the normalised mean of the
    parts that an item has; zeros where it has none.
    """

    modalities: tuple[str, ...]
    parts: Floats
    present: NDArray[np.bool_]
    vectors: Floats

    @property
    def searchable(self) -> NDArray[np.bool_]:
        """Items with at least one modality, (n_items,) bool."""
        return np.asarray(self.present.any(axis=0))


def embed_items(model: JointModel, features: Sequence[Features]) -> Embedded:
    """Item embeddings: the weighted mean of the projections of the modalities that an item has.

    With weights of 1 it is the mean of the paper's section 2.2.
    """
    parts = np.stack([np.float32(model.weight(item.modality)) * _part(model, item) for item in features])
    present = np.stack([item.present for item in features])
    return Embedded(tuple(item.modality for item in features), parts, present, mean_of_parts(parts))


def mean_of_parts(parts: Floats) -> Floats:
    """Normalised mean over the first axis; missing parts are zeros and do not change its direction."""
    return unit(parts.sum(axis=0))


def _part(model: JointModel, features: Features) -> Floats:
    views = [
        np.where(mask[:, None], model.project(features.modality, np.asarray(matrix)), 0)
        for matrix, mask in zip(features.matrix, features.mask, strict=True)
    ]
    return unit(np.asarray(np.stack(views).sum(axis=0)))
