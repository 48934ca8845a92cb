"""Training the gate (torch): which weights of the voices bring what a request asks for to the top.

The loss is the cross entropy of a softmax over the items against equal shares of those that answer the request; the
scores are the sum of the voices, each times its weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.progress import Progress, silent
from antiphon.channels.gate import VOICES, Gate

Floats = NDArray[np.float32]
EPOCHS, BATCH, RATE, DECAY = 60, 64, 0.01, 0.01
START = {"text": 0.5, "facets": 3.0, "named": 1.0, "names": 1.0, "popularity": -1.0}
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
    length = max(len(part) for part in scores)
    with progress("weighing the channels", EPOCHS) as advance:
        for _ in range(EPOCHS):
            for batch in np.array_split(rng.permutation(len(scores)), max(1, len(scores) // BATCH)):
                given = np.zeros((len(batch), length, len(VOICES)), dtype=np.float32)
                wanted = np.zeros((len(batch), length), dtype=np.float32)
                open_ = np.zeros((len(batch), length), dtype=bool)
                for place, row in enumerate(batch):
                    n = len(scores[row])
                    given[place, :n], open_[place, :n] = scores[row], True
                    wanted[place, :n] = answers[row] / max(1, answers[row].sum())
                weights = torch.nn.functional.softplus(layer(inputs[batch]))
                total = torch.einsum("bnv,bv->bn", torch.from_numpy(given), weights)
                total = total.masked_fill(~torch.from_numpy(open_), -1e4)
                loss = -(total.log_softmax(dim=1) * torch.from_numpy(wanted)).sum(dim=1).mean()
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            advance(1)
    weights, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
    return Gate(mean.tolist(), spread.tolist(), weights.tolist(), bias.tolist())
