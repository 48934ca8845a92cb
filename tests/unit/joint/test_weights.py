"""Planted pictures: a strong modality is used, a weak one is not."""

from __future__ import annotations

import numpy as np
import pytest

from antiphon.base.progress import silent
from antiphon.config.sections import JointConfig, TrainConfig
from antiphon.data.features import Features
from antiphon.data.synthetic import QueryData, SyntheticQueries
from antiphon.numbers.vectors import unit

pytest.importorskip("torch")

N_ITEMS, N_FACETS, DIM = 240, 12, 16
CONFIG = TrainConfig(epochs=15, batch_size=64, pair_weight=0.3)
JOINT = JointConfig(hidden=24, dim=12)


def planted(signal: float, seed: int = 0) -> tuple[list[Features], QueryData]:
    """Texts that know a little of each item's two facets, and pictures that know as much as `signal` says."""
    rng = np.random.default_rng(seed)
    facets = np.sort([rng.choice(N_FACETS, 2, replace=False) for _ in range(N_ITEMS)], axis=1).astype(np.int32)
    has = np.zeros((N_ITEMS, N_FACETS))
    np.put_along_axis(has, facets, 1.0, axis=1)
    words = rng.normal(size=(N_FACETS, DIM))

    def of(modality: str, of_facets: np.ndarray, noise: float) -> Features:
        vectors = unit((has @ of_facets + noise * rng.normal(size=(N_ITEMS, DIM))).astype(np.float32))
        return Features(modality, ("item",), vectors[None], np.ones((1, N_ITEMS), dtype=bool))

    pictures = of("image", signal * rng.normal(size=(N_FACETS, DIM)), 0.2)
    vectors = unit((has @ words + 0.3 * rng.normal(size=(N_ITEMS, DIM))).astype(np.float32))
    wanted = np.concatenate([facets, np.full((N_ITEMS, 1), -1, dtype=np.int32)], axis=1)
    queries = SyntheticQueries(
        tuple(f"query {row}" for row in range(N_ITEMS)), np.arange(N_ITEMS, dtype=np.int32), wanted,
        np.arange(0, 2 * N_ITEMS + 1, 2), facets.ravel(), tuple(("tags", str(n)) for n in range(N_FACETS)),
        tuple(str(n) for n in range(N_FACETS)),
    )  # fmt: skip
    labels = unit(words.astype(np.float32))
    return [of("text", words, 3.0), pictures], QueryData("text", queries, vectors, labels, labels[:0])


@pytest.mark.parametrize("seed", range(2))
def test_a_planted_strong_picture_is_used_and_a_weak_one_is_not(seed: int) -> None:
    """Pictures that say which facets an item has carry its vector; pictures of noise have almost no part in it."""
    from antiphon.joint.weights import learn_weights

    shares = {}
    for name, signal in (("strong", 1.0), ("weak", 0.0)):
        features, queries = planted(signal, seed)
        shares[name] = learn_weights(features, JOINT, CONFIG, queries, seed=seed, progress=silent)["image"]
    assert shares["strong"] > 0.5
    assert shares["weak"] < 0.1
