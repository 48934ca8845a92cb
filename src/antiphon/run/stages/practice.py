"""The stage `practice`: requests of every kind, made from the catalog, as vectors of what reads requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antiphon.base import storage
from antiphon.channels.passages import sentences_of
from antiphon.data.log import Logged, read_log
from antiphon.data.splits import training_interactions
from antiphon.describe.passages import gen_texts, texts_of
from antiphon.describe.practice import Practice, make_practice
from antiphon.encoders.base import Encoder, RequestEncoder
from antiphon.run.outputs import catalog_of, descriptions_of, split_of, spoken_in
from antiphon.run.stage import Job, Stage
from antiphon.run.stages.synthetic import NAME as SYNTHETIC
from antiphon.run.stages.synthetic import drawn

NAME = "practice"
QUICK_PER_KIND = 60
"""Requests of a kind for a space that is wanted soon."""


def stage(encoders: Sequence[Encoder[Any]]) -> Stage:
    """Wanted where requests are read as facets: the gate weighs that reading against the other channels."""
    reader = next((encoder for encoder in encoders if isinstance(encoder, RequestEncoder)), None)

    def work(job: Job, fingerprint: str) -> None:
        assert reader is not None  # noqa: S101  else it is not wanted
        vectors = reader.encode_requests(_said(practised(job)), job.layout.workspace(reader.modality), job.progress)
        storage.write_array(job.layout.practice / "vectors.npy", vectors)
        chosen = [[logged.text, logged.chosen] for logged in _log(job)]
        storage.write_json(job.layout.practice / "log.json", chosen)

    return Stage(
        NAME,
        work,
        lambda job: [job.layout.practice / name for name in ("vectors.npy", "log.json")],
        options=lambda job: [
            reader.request_identity() if reader else None,
            _said(practised(job)),
            [[logged.text, logged.chosen] for logged in _log(job)],
        ],
        wanted=lambda job: reader is not None and job.config.space.facets and SYNTHETIC in job.records,
        code=[type(reader)],
    )


def practised(job: Job) -> Practice:
    """The requests, drawn from the seed."""

    def make() -> Practice:
        config, catalog = job.config, catalog_of(job)
        interactions = catalog.interactions
        training = None if interactions is None else training_interactions(interactions, split_of(job))
        written, language = _written(job), spoken_in(job)
        fewer = QUICK_PER_KIND if config.quick else None
        return make_practice(
            catalog,
            config.synthetic,
            drawn(job),
            written,
            training,
            config.seed,
            per_kind=fewer,
            log=_log(job),
            language=language,
        )

    return job.once(NAME, make)


def _log(job: Job) -> Sequence[Logged]:
    """Real requests, where the configuration names a log of them."""
    path = job.config.train.requests
    if path is None:
        return ()

    def read() -> Sequence[Logged]:
        log = read_log(path, {item_id: row for row, item_id in enumerate(catalog_of(job).item_ids)})
        if log.without:
            job.notify(f"practice: {log.without:,} requests of {path} have nothing chosen that is in the catalog")
        return log.requests

    return job.once("log", read)


def vectors_of(job: Job) -> dict[str, NDArray[np.float32]]:
    """Vectors of the requests and of their sentences, by text."""
    said = _said(practised(job))
    return dict(zip(said, storage.read_array(job.layout.practice / "vectors.npy"), strict=True))


def _said(practice: Practice) -> list[str]:
    return list(dict.fromkeys(said for text in practice.texts for said in (text, *sentences_of(text))))


def _written(job: Job) -> list[tuple[int, str, bool]]:
    """What is written of the items: texts that channels read, texts that they do not, and else the descriptions."""
    config, catalog = job.config.describe, catalog_of(job)
    read = list(texts_of(catalog, config).values())
    found = [(row, text, True) for view in read for row, text in enumerate(view) if text]
    found += [(row, text, False) for row, text in enumerate(gen_texts(catalog, config)) if text]
    return found or [(row, text, False) for row, text in enumerate(descriptions_of(job).best()) if text]
