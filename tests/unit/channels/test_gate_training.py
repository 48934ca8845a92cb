"""The gate learns who is right for which request."""

from __future__ import annotations

import numpy as np

from antiphon.channels.gate import FACTS, VOICES
from antiphon.channels.gate_training import fit_gate


def test_the_gate_follows_the_voice_that_is_right() -> None:
    """Two kinds of requests that a fact tells apart, and a voice that is right for each."""
    rng = np.random.default_rng(0)
    facts = rng.normal(size=(200, len(FACTS))).astype(np.float32)
    right = np.where(facts[:, 0] > 0, VOICES.index("words"), VOICES.index("facets"))
    scores, answers = [], []
    for voice in right:
        lines = rng.normal(size=(40, len(VOICES))).astype(np.float32)
        lines[0, voice] = 4
        scores.append(lines)
        answers.append(np.arange(40) == 0)
    gate = fit_gate(facts, scores, answers)
    high, low = (facts * 0 + [[x] + [0] * (len(FACTS) - 1)] for x in (1.5, -1.5))
    above, below = gate(high.astype(np.float32)), gate(low.astype(np.float32))
    assert above["words"][0] > 1.2 * above["facets"][0]
    assert below["facets"][0] > 1.2 * below["words"][0]
    assert above["passages"][0] < above["words"][0]


def test_the_same_seed_gives_the_same_gate() -> None:
    """Spaces are compared byte for byte."""
    rng = np.random.default_rng(1)
    facts = rng.normal(size=(20, len(FACTS))).astype(np.float32)
    scores = [rng.normal(size=(9, len(VOICES))).astype(np.float32) for _ in range(20)]
    answers = [np.arange(9) < 2] * 20
    assert fit_gate(facts, scores, answers) == fit_gate(facts, scores, answers)
