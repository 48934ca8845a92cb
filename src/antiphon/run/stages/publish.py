"""The stage `publish`: everything that was learned becomes a version of the space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from antiphon.base import versions
from antiphon.base.layout import FORMAT
from antiphon.channels.cold import taste_vectors
from antiphon.channels.facets import Facets
from antiphon.channels.mentions import Names
from antiphon.channels.mixture import Mixture, fit_mixture
from antiphon.channels.passages import Passages
from antiphon.channels.taste import Taste
from antiphon.channels.words import Lexical, tokens
from antiphon.describe.passages import lexical_texts, texts_of
from antiphon.encoders.base import Encoder
from antiphon.joint.model import Embedded, JointModel, embed_items
from antiphon.query.columns import field_table
from antiphon.run.gating import Known, answering, beside_of, gate_of
from antiphon.run.outputs import Change, catalog_of, changed, descriptions_of, features_of, spoken_in, validation_of
from antiphon.run.publish import Contents, publish
from antiphon.run.stage import Job, Stage
from antiphon.run.stages.passages import features_of_passages
from antiphon.run.stages.practice import NAME as PRACTICE
from antiphon.run.stages.practice import practised, vectors_of


def stage(
    encoders: Sequence[Encoder[Any]],
    inputs: Sequence[str],
    *,
    changes: Sequence[tuple[str, Change]] = (),
    mixture: Mixture | None = None,
    sides: Mapping[str, Path] | None = None,
) -> Stage:
    """`changes`: made to the features that are embedded. `mixture`, `sides`: taken as they are, not made anew."""
    by_name = {encoder.modality: encoder for encoder in encoders}
    content = [name for name, encoder in by_name.items() if encoder.accepts != "history"]

    def work(job: Job, fingerprint: str) -> None:
        config, layout, language = job.config, job.layout, spoken_in(job)
        features, texts = changed(features_of(job), changes), descriptions_of(job).best()
        written = list(texts_of(catalog_of(job), config.describe).values())
        words = lexical_texts(catalog_of(job), descriptions_of(job), written)
        readers = [item for item, encoder in zip(features, encoders, strict=True) if encoder.accepts == "text"]
        model = JointModel.load(layout.model)
        embedded = embed_items(model, features)
        taste = Taste.load(layout.taste) if "taste" in job.records else None
        vectors = {} if taste is None else taste_vectors(taste, features, model, embedded, content, texts)
        contents = Contents(
            name=config.name,
            catalog=catalog_of(job),
            embedded=embedded,
            model=model,
            encoders=by_name,
            taste=taste,
            taste_vectors=vectors,
            facets=Facets.load(layout.facets) if "facets" in job.records else None,
            sides=sides or {},
            lexical=Lexical.fit(tokens(words, language), language=language) if config.space.lexical else None,
            passages=Passages.of([*readers[:1], *features_of_passages(job)])
            if config.space.passages and readers
            else None,
            names=config.space.names,
            mixture=mixture or _mixture(job, embedded, taste, vectors),
            language=language,
            hidden=config.hidden,
            spoken=config.synthetic.fields,
        )
        if mixture is None and PRACTICE in job.records:
            contents = _gated(job, contents)
        publish(layout, contents, job.offer)

    return Stage(
        "publish",
        work,
        _files,
        inputs=inputs,
        options=lambda job: [
            job.config.name,
            FORMAT,
            list(by_name),
            job.config.space.model_dump(mode="json"),
            job.config.synthetic.fields,
            job.config.split.model_dump(mode="json"),
            [name for name, _ in changes],
            spoken_in(job).source,
            *([job.config.hidden] if job.config.hidden else []),
        ],
        code=[type(encoder) for encoder in encoders],
    )


def _gated(job: Job, contents: Contents) -> Contents:
    """With weights of the channels that depend on the request."""
    bare = None
    if contents.lexical is not None and job.config.describe.texts:
        words = tokens(lexical_texts(contents.catalog, descriptions_of(job)), contents.language)
        bare = Lexical.fit(words, language=contents.language)
    known = Known(contents.passages, bare, _names(contents) if job.config.train.requests else None)
    resolver, channels = answering(contents)
    gate = gate_of(
        practised(job), vectors_of(job), resolver, channels, known, seed=job.config.seed, progress=job.progress
    )
    mixture, check = replace(contents.mixture, gate=gate), validation_of(job)
    if gate is not None and check is not None:
        louder = replace(resolver, mixture=mixture)
        beside = beside_of(
            practised(job), vectors_of(job), louder, channels, check, contents.catalog.item_ids, seed=job.config.seed
        )
        mixture = replace(mixture, beside=beside)
    return replace(contents, mixture=mixture)


def _names(contents: Contents) -> Names:
    """The items' names, as the published space will read them."""
    columns = field_table(contents.catalog.fields, contents.catalog.field_types)
    users = None if contents.taste is None else contents.taste.users
    titles = contents.catalog.items["title"].to_pylist()
    share = None if contents.lexical is None else contents.lexical.share
    return Names.in_catalog(titles, columns, users, share, contents.language)


def _mixture(job: Job, embedded: Embedded, taste: Taste | None, vectors: Mapping[str, Any]) -> Mixture:
    space, check = job.config.space, validation_of(job)
    if not space.taste and not space.lexical and not space.facets:
        return Mixture(standardise=False)
    if taste is None or check is None:
        return Mixture(history={"joint": 1.0}, likes={"joint": 1.0})
    return fit_mixture(embedded, taste, vectors, check)


def _files(job: Job) -> list[Path]:
    version = versions.current(job.layout).root
    return [job.layout.current, *sorted(path for path in version.rglob("*") if path.is_file())]
