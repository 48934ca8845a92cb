"""Cold items: the factors of taste that an item without interactions would have, by what is known of its content.

An item that nobody has met has no factors, so no history could ever find it among those that have. Ridge regression
from the content to the factors of the known items gives it some (as in Gantner et al. 2010, "Learning attribute-to-
feature mappings for cold-start recommendations"). What a regression predicts lies nearer to the mean than what is
observed, which would keep new items behind all others however well they fit; so predictions are stretched to spread as
much as the factors of known items do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.channels.lsa import LSA
from antiphon.channels.taste import Taste
from antiphon.data.features import Features
from antiphon.joint.model import Embedded, JointModel
from antiphon.numbers.vectors import unit

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
RIDGE = 3.0
"""Chosen on validation users of a split with cold items; 1 to 10 differ by less than 3%."""
BLOCK = 4_096
"""Items that are read as float64 at once."""
MOST_STRETCH = 3.0
"""Content that says next to nothing of taste must not be taken for much."""


def taste_vectors(
    taste: Taste,
    features: Sequence[Features],
    model: JointModel,
    embedded: Embedded,
    content: Collection[str],
    texts: Sequence[str],
) -> dict[str, Floats]:
    """Item vectors by block of taste, each (n_items, length) float32, with those of unknown items predicted.

    `content`: the modalities that are not made of interactions. `texts`: the descriptions, (n_items,). Only known
    items decide how others are predicted: an item that is added later gets what it would have got from the start.
    """
    blocks = taste.blocks()
    known = np.any([block.any(axis=1) for block in blocks.values()], axis=0) if blocks else np.zeros(0, dtype=bool)
    described, inputs = content_of(features, model, embedded, content)
    if (described & ~known).any():
        inputs = np.concatenate([inputs, words_of(texts, known & described)], axis=1)
    return {name: predict(block, known, inputs, described) for name, block in blocks.items()}


def words_of(texts: Sequence[str], fitted: NDArray[np.bool_]) -> Floats:
    """Vectors of descriptions, (n_items, dim) float32, unit L2, by latent semantic analysis of those of some items.

    Single words tell more of taste than a sentence encoder keeps of them. No columns where there are too few words.
    """
    try:
        lsa = LSA([text for text, taken in zip(texts, fitted, strict=True) if taken])
    except ValueError:  # there is no word, or too few texts
        return np.zeros((len(texts), 0), dtype=np.float32)
    return lsa.encode(texts).astype(np.float32)


def content_of(
    features: Sequence[Features], model: JointModel, embedded: Embedded, content: Collection[str]
) -> tuple[NDArray[np.bool_], Floats]:
    """What is known of items beside interactions: which have any, (n_items,) bool, and inputs (n_items, width).

    The encoders' own vectors and the learned projections of each modality, each as much as the modality weighs.
    """
    weights = {item.modality: model.weight(item.modality) for item in features if item.modality in content}
    top = max(weights.values(), default=1.0) or 1.0
    columns: list[Floats] = []
    described = np.zeros(len(embedded.vectors), dtype=bool)
    parts: Mapping[str, Floats] = dict(zip(embedded.modalities, embedded.parts, strict=True))
    for item in features:
        if weights.get(item.modality, 0) / top < 0.01:  # it says nothing of taste, and would only add noise
            continue
        raw = unit(np.where(item.mask[:, :, None], item.matrix, 0).sum(axis=0).astype(np.float32))
        columns += [raw * np.float32(weights[item.modality] / top), parts[item.modality] / np.float32(top)]
        described |= item.present
    width = np.concatenate(columns, axis=1) if columns else np.zeros((len(described), 0), dtype=np.float32)
    return described, width.astype(np.float32)


def predict(
    factors: Floats, known: NDArray[np.bool_], inputs: Floats, described: NDArray[np.bool_], ridge: float = RIDGE
) -> Floats:
    """`factors`, (n_items, length), with rows of described but unknown items predicted by ridge regression.

    W = (A'A + ridge I)^-1 A'(Y - mean Y) over the known items, with A their inputs less the mean; the prediction is
    mean Y + stretch (x - mean x) W. The stretch is the mean distance of known factors from their mean, divided by
    that of the predictions that known items would have had, each left out of the regression.
    """
    result = np.array(factors, dtype=np.float32)
    learn, fill = known & described, described & ~known
    if not fill.any() or learn.sum() < 2 or not inputs.shape[1]:
        return result
    rows = np.flatnonzero(learn)
    middle, mean = (np.asarray(part[rows]).mean(axis=0, dtype=np.float64) for part in (inputs, factors))

    def blocks() -> Iterator[tuple[Doubles, Doubles]]:
        for start in range(0, len(rows), BLOCK):
            some = rows[start : start + BLOCK]
            yield inputs[some].astype(np.float64) - middle, np.asarray(factors[some], dtype=np.float64) - mean

    gram, answers = np.diag(np.full(inputs.shape[1], ridge)), np.zeros((inputs.shape[1], factors.shape[1]))
    for centred, wanted in blocks():
        gram += centred.T @ centred
        answers += centred.T @ wanted
    inverse = np.linalg.inv(gram)
    weights = inverse @ answers
    stretch = _stretch(blocks(), weights, inverse, len(rows))
    for some in np.array_split(np.flatnonzero(fill), range(BLOCK, int(fill.sum()), BLOCK)):
        result[some] = (mean + (inputs[some] - middle) @ weights * stretch).astype(np.float32)
    return result


def _stretch(blocks: Iterable[tuple[Doubles, Doubles]], weights: Doubles, inverse: Doubles, n: int) -> float:
    """How much wider known factors spread than their predictions by the others: 1 to `MOST_STRETCH`.

    Leaving an item out of a ridge regression changes its residual e into e / (1 - leverage).
    """
    spread = predicted = 0.0
    for centred, wanted in blocks:
        leverage = np.einsum("nd,nd->n", centred @ inverse, centred) + 1 / n
        residual = wanted - centred @ weights
        left_out = wanted - residual / np.maximum(1 - leverage, 1e-6)[:, None]
        spread += float(np.linalg.norm(wanted, axis=1).sum())
        predicted += float(np.linalg.norm(left_out, axis=1).sum())
    return float(np.clip(spread / predicted if predicted > 0 else 1.0, 1.0, MOST_STRETCH))
