"""Loading: from a folder to a space, in memory or on a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from antiphon.base import versions
from antiphon.base.layout import RunLayout, SpaceLayout
from antiphon.channels.stored import HELD
from antiphon.errors import RunError
from antiphon.space.space import Space
from antiphon.space.stored import config_of, opened, put, switch
from antiphon.stores.settings import open_store


def load(path: str | Path, *, store: Mapping[str, Any] | None = None) -> Space:
    """Load the current space of a run's folder, or one version's folder, after checking its files.

    Files of more than 256 MB are compared with their checksums in the background, so that the first answer does not
    wait for gigabytes: where one is wrong, requests are refused from then on. `space.checking.finish()` waits for it.

    `store`: as [store] of antiphon.toml, such as `{"kind": "postgres", "url": ...}`; where it is not given, what the
    environment says (ANTIPHON_STORE), else the run's configuration. On a store no vectors are read of the folder, and
    those files may be missing there.

    Raises:
        StoreError: the store cannot be reached, or does not have the version that is current.
        RunError: there is no such run, it has no published space, or its files cannot be opened.
        IntegrityError: a file is missing, incomplete, or not the one that was published.
    """
    root = Path(path)
    if not root.is_dir():
        raise RunError(f"there is no run at {root}; build one with: antiphon build antiphon.toml --run {root}")
    run = RunLayout(root)
    if run.current.is_file():
        layout = versions.current(run)
    elif not SpaceLayout(root).manifest.is_file() or run.config.is_file():
        raise RunError(
            f"{root} has no published space yet; finish its build with: antiphon build antiphon.toml --run {root}"
        )
    else:
        layout = SpaceLayout(root)
    owner = root if run.current.is_file() else layout.root.parent.parent
    on_store = opened(config_of(owner, store), owner, layout.root.name)
    try:
        manifest, checking = versions.opened(layout, () if on_store is None else HELD)
        return Space(layout, manifest, on_store, checking)
    except OSError as error:
        raise RunError(
            f"the space in {layout.root} cannot be read ({error.strerror or error}); look at permissions and at the "
            "limit on open files."
        ) from error


def write_to_store(root: Path, space_id: str, *, again: bool = False) -> bool:
    """Write a version of a run into the run's store and make it the current one there; says whether there is a store.

    `again`: also where the store has it.

    Raises:
        StoreError: the store cannot be reached.
        IntegrityError: a file of the version is missing, or is not the one that was published.
    """
    store = open_store(config_of(root, None), root)
    if store is None:
        return False
    try:
        if again:
            store.drop(space_id)
        if space_id in store.versions():
            switch(space_id, store)
        else:
            layout = SpaceLayout(RunLayout(root).spaces / space_id)
            put(Space(layout, versions.verified(layout)), store)
    finally:
        store.close()
    return True
