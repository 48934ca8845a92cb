"""Training the reader of the facet channel on synthetic queries (torch)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import runtime
from antiphon.base.progress import Progress, silent
from antiphon.channels.facets import TEMPERATURE, FacetReader, Facets, members
from antiphon.data.synthetic import SyntheticQueries
from antiphon.joint.model import Projection

Floats = NDArray[np.float32]
HIDDEN, DIM = 512, 256
FEWEST_DRAWS, DRAWS, PASSES = 250_000, 400_000, 8
"""Of queries that are trained on: eight passes, as long as that is between the two numbers."""
MAX_EPOCHS, BATCH, RATE = 40, 512, 1e-3
INPUT_DROPOUT, DROPOUT = 0.1, 0.3


def fit_facets(
    queries: SyntheticQueries,
    vectors: Floats,
    labels: Floats,
    plain: Floats,
    *,
    seed: int = 0,
    draws: int | None = None,
    progress: Progress = silent,
) -> Facets:
    """Learn to read texts as facets.

    `vectors`: (n_queries, in) float32 of the synthetic queries; `labels`: (n_facets, in) of the facets' own words;
    `plain`: (n, in) of texts that ask for none. A facet's vector is a linear map of its label's, so what is learned
    of one facet serves those with like names. The loss is the cross entropy against equal shares of the facets that a
    query was made of. `draws`: queries that are trained on, each counted as often as it is seen.
    """
    nothing = np.full((len(plain), queries.wanted.shape[1]), -1, dtype=np.int32)
    nothing[:, 0] = len(labels)
    wanted = np.concatenate([queries.wanted, nothing])
    draws = draws_of(len(wanted)) if draws is None else draws
    reader = _fit_reader(wanted, np.concatenate([vectors, plain]), labels, seed, draws, progress)
    bounds, rows = members(queries.bounds, queries.facets, len(queries.names))
    return Facets(reader, queries.names, bounds, rows, len(queries.bounds) - 1)


def draws_of(n_queries: int) -> int:
    """How many queries are trained on where there are so many, each counted as often as it is seen."""
    return min(DRAWS, max(FEWEST_DRAWS, PASSES * n_queries))


def _fit_reader(
    wanted: NDArray[np.int32], vectors: Floats, labels: Floats, seed: int, draws: int, progress: Progress
) -> FacetReader:
    torch = runtime.torch()
    torch.manual_seed(seed)
    rng = np.random.default_rng([seed, 13])
    inputs = torch.from_numpy(np.array(vectors))
    # No facet has no words: its row is zeros, and its vector what the map adds to them.
    names = torch.nn.functional.normalize(torch.from_numpy(np.pad(labels, ((0, 1), (0, 0)))), dim=1)
    targets = torch.from_numpy(wanted.astype(np.int64))
    network = _network(torch, vectors.shape[1], len(names))
    epochs = int(np.clip(draws // max(1, len(vectors)), 1, MAX_EPOCHS))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    with progress("learning to read facets", epochs) as advance:
        for epoch in range(epochs):
            for group in optimizer.param_groups:
                group["lr"] = RATE * (1 - epoch / epochs)
            order = rng.permutation(len(vectors))[:draws]
            for batch in np.array_split(order, max(1, len(order) // BATCH)):
                rows = torch.from_numpy(batch)
                loss = _loss(torch, _logits(torch, network, inputs[rows], names), targets[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            advance(1)
    return _reader(torch, network.eval(), names)


def _network(torch: Any, dim: int, n_facets: int) -> Any:
    nn = torch.nn
    network = nn.ModuleDict(
        {
            "text": nn.Sequential(
                nn.Dropout(INPUT_DROPOUT),
                nn.Linear(dim, HIDDEN),
                nn.ReLU(),
                nn.Dropout(DROPOUT),
                nn.Linear(HIDDEN, DIM),
            ),
            "around": nn.Linear(dim, DIM, bias=False),
            "facet": nn.Linear(dim, DIM),
        }
    )
    network.register_parameter("bias", nn.Parameter(torch.zeros(n_facets)))
    return network


def _logits(torch: Any, network: Any, texts: Any, names: Any) -> Any:
    normalize = torch.nn.functional.normalize
    read = normalize(network["text"](texts) + network["around"](texts), dim=1)
    return read @ normalize(network["facet"](names), dim=1).T / TEMPERATURE + network.bias


def _loss(torch: Any, logits: Any, wanted: Any) -> Any:
    there = wanted >= 0
    logs = logits.log_softmax(dim=1).gather(1, wanted.clamp_min(0))
    return -((logs * there).sum(dim=1) / there.sum(dim=1)).mean()


def _reader(torch: Any, network: Any, names: Any) -> FacetReader:
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(network["facet"](names), dim=1).numpy()
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    projection = Projection(
        np.ascontiguousarray(state["text.1.weight"].T),
        state["text.1.bias"],
        np.ascontiguousarray(state["text.4.weight"].T),
        state["text.4.bias"],
        residual=np.ascontiguousarray(state["around.weight"].T),
    )
    return FacetReader(projection, vectors, state["bias"])
