"""Training the gate (torch): which weights of the voices bring what a request asks for to the top.

The scores are the sum of the voices, each times its weight. The loss is that of each answer against the items that are
none, -log(exp(s) / (exp(s) + sum exp(others))), its mean over the answers: where hundreds of items answer, which of
them comes first does not count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.progress import Progress, silent
from antiphon.channels.gate import SCALES, VOICES, Gate

Floats = NDArray[np.float32]
BATCH, RATE, DECAY = 64, 0.01, 0.01
EPOCHS, STEPS = (30, 60), 1_200
"""The fewest and the most passes over the requests, and steps to reach between them."""
START = {"text": 0.5, "facets": 1.0, "named": 1.0, "names": 1.0, "popularity": -1.0}
LEAST_SPREAD = 1e-3


def fit_gate(
    facts: Floats,
    scores: Sequence[Floats],
    answers: Sequence[NDArray[np.bool_]],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> Gate:
    """Learn the gate.

    `facts`: (n_requests, n_facts) float32. For each request `scores`: (n_candidates, n_voices) float32 of items that
    may be answers, and `answers`: (n_candidates,) bool, those that are.
    """
    torch = runtime.torch()
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 19])
    mean, spread = facts.mean(axis=0), facts.std(axis=0) + LEAST_SPREAD
    inputs = torch.from_numpy(((facts - mean) / spread).clip(-3, 3).astype(np.float32))
    layer = torch.nn.Linear(inputs.shape[1], len(VOICES))
    with torch.no_grad():
        layer.bias[:] = torch.tensor([START.get(voice, 0.0) for voice in VOICES])
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE, weight_decay=DECAY)
    scales = torch.tensor([SCALES.get(voice, 1.0) for voice in VOICES])
    n_batches = max(1, len(scores) // BATCH)
    epochs = int(np.clip(STEPS // n_batches, *EPOCHS))
    with progress("weighing the channels", epochs) as advance:
        for _ in range(epochs):
            for batch in np.array_split(rng.permutation(len(scores)), n_batches):
                given, wanted, others = _padded([scores[row] for row in batch], [answers[row] for row in batch])
                weights = torch.nn.functional.softplus(layer(inputs[batch])) * scales
                total = torch.einsum("bnv,bv->bn", torch.from_numpy(given), weights)
                rest = total.masked_fill(~torch.from_numpy(others), -1e4).logsumexp(dim=1, keepdim=True)
                right = torch.from_numpy(wanted)
                lost = torch.nn.functional.softplus(rest - total).masked_fill(~right, 0).sum(dim=1)
                loss = (lost / right.sum(dim=1).clamp(min=1)).mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            advance(1)
    weights, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
    return Gate(mean.tolist(), spread.tolist(), weights.tolist(), bias.tolist())


def _padded(
    scores: Sequence[Floats], answers: Sequence[NDArray[np.bool_]]
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.bool_]]:
    """Scores of some requests at one length, (n, length, n_voices), which items answer, and which others are there."""
    shape = (len(scores), max(map(len, scores)))
    given = np.zeros((*shape, len(VOICES)), dtype=np.float32)
    wanted, others = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for place, (lines, right) in enumerate(zip(scores, answers, strict=True)):
        given[place, : len(lines)], wanted[place, : len(lines)], others[place, : len(lines)] = lines, right, ~right
    return given, wanted, others
