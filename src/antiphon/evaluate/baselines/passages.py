"""Everything that is written of an item by the text encoder alone, and with BM25: nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from antiphon.channels.passages import Passages
from antiphon.data.features import Features, feature_paths
from antiphon.evaluate.baselines.base import Baseline
from antiphon.evaluate.baselines.bm25 import BM25
from antiphon.evaluate.baselines.fusion import ScoreFusion
from antiphon.evaluate.protocols import Kind, Task
from antiphon.evaluate.rundata import RunData
from antiphon.evaluate.systems import Floats, ScoringSystem
from antiphon.run.stages.passages import FILE


class BestPassage(ScoringSystem):
    """The cosine of a request with the best of an item's texts: its descriptions, and passages of the others."""

    kinds: Sequence[Kind] = ("retrieve",)

    def __init__(self, data: RunData) -> None:
        self.name, self.data = "passages", data
        parts = [data.features(data.text_modality)]
        if all(path.is_file() for path in feature_paths(data.layout.features, FILE)):
            parts.append(Features.load(data.layout.features, FILE))
        self.passages = Passages.of(parts)

    def scores(self, task: Task) -> Floats:
        """Cosines."""
        return self.passages.best(self.data.encode_texts(task.texts))


def baselines(data: RunData) -> Sequence[Baseline]:
    """The best passage, with BM25 over the same texts; the weight is chosen."""
    if "text" not in {info["accepts"] for info in data.space.manifest["modalities"].values()}:
        return []
    parts = cache(lambda: [BestPassage(data), BM25(data.words())])
    return [
        Baseline(
            "passages+bm25",
            ("retrieve",),
            {"dense": 0.5},
            lambda rng: {"dense": round(float(rng.uniform(0, 1)), 4)},
            lambda values: ScoreFusion("passages+bm25", parts(), [values["dense"], 1 - values["dense"]]),
        )
    ]
