"""A second text encoder that needs no download: TF-IDF and a truncated SVD, fitted on the catalog's descriptions."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.errors import MissingExtraError
from antiphon.numbers.vectors import unit

DIM = 300


class LSA:
    """Latent semantic analysis (Deerwester et al. 1990): words that occur together lie together.

    Unlike a pretrained encoder it knows nothing but the texts it is fitted on. `vectors`: (n_items, dim) float32,
    unit L2, those of the texts.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """

    def __init__(self, texts: Sequence[str], seed: int = 0) -> None:
        try:
            text = importlib.import_module("sklearn.feature_extraction.text")
            decomposition = importlib.import_module("sklearn.decomposition")
        except ModuleNotFoundError as error:
            raise MissingExtraError("scikit-learn", "build", "the text encoder LSA") from error
        self.tfidf: Any = text.TfidfVectorizer(sublinear_tf=True, stop_words="english")
        counts = self.tfidf.fit_transform(texts)
        dim = max(1, min(DIM, min(counts.shape) - 1))
        self.svd: Any = decomposition.TruncatedSVD(dim, random_state=seed)
        self.vectors = unit(np.asarray(self.svd.fit_transform(counts)))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of requests, (n, dim) float32, unit L2; zeros where no word is known."""
        return unit(np.asarray(self.svd.transform(self.tfidf.transform(texts))))
