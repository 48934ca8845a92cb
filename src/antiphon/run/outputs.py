"""What stages read of those before them, each loaded once per build, always as it was saved.

A build that goes on later must see the same catalog as the one that read the files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from antiphon.base.language import Language, language_of
from antiphon.data.catalog import Catalog
from antiphon.data.descriptions import Descriptions
from antiphon.data.features import Features
from antiphon.data.splits import HeldOut, Split, held_out, make_split
from antiphon.errors import DataError
from antiphon.run.stage import Job

Change = Callable[[Features], Features]


def catalog_of(job: Job) -> Catalog:
    """The checked catalog."""
    return job.once("catalog", lambda: Catalog.load(job.layout.catalog))


def spoken_in(job: Job) -> Language:
    """The language of the requests.

    Raises:
        ConfigError: its file is missing or wrong.
    """
    return job.once("language", lambda: language_of(job.config.space.language))


def descriptions_of(job: Job) -> Descriptions:
    """The items' texts."""
    return job.once("descriptions", lambda: Descriptions.load(job.layout.descriptions))


def split_of(job: Job) -> Split:
    """Who is held out, and which items are cold."""
    return job.once("split", lambda: make_split(catalog_of(job), job.config.split, job.config.seed))


def validation_of(job: Job) -> HeldOut | None:
    """What is known and asked of the validation users; None for a catalog without interactions."""
    interactions = catalog_of(job).interactions
    if interactions is None:
        return None
    config = job.config
    return job.once(
        "validation", lambda: held_out(interactions, split_of(job).validation, config.split.profile, config.seed)
    )


def features_of(job: Job) -> list[Features]:
    """The vectors of each modality, in the order of the configuration.

    Raises:
        DataError: a modality has no vector for any item.
    """
    return [_features(job, item.name) for item in job.config.modalities]


def _features(job: Job, modality: str) -> Features:
    features = Features.load(job.layout.features, modality)
    if not features.present.any():
        raise DataError(f"modality {modality!r}: no item has a vector; leave the modality out or mend its input.")
    return features


def changed(features: Sequence[Features], changes: Sequence[tuple[str, Change]]) -> list[Features]:
    """Features after all changes, one after the other."""
    result = list(features)
    for _, change in changes:
        result = [change(item) for item in result]
    return result
