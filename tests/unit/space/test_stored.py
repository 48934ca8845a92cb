"""Which versions of a space a store keeps."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from antiphon.errors import StoreError
from antiphon.space.stored import switch
from antiphon.stores.memory import Memory

made = runpy.run_path(str(Path(__file__).parents[2] / "support" / "versions.py"))


def test_the_current_version_and_the_one_before_stay():
    """Services may still ask the one before; older ones go."""
    store = Memory()
    for name in ("a", "b", "c", "d"):
        store.write(name, made["SHAPE"], made["batches"](size=600))
        switch(name, store)
    assert (store.versions(), store.current()) == (["c", "d"], "d")
    switch("c", store)
    assert (store.versions(), store.current()) == (["c", "d"], "c")
    switch("c", store)
    assert store.current() == "c"
    with pytest.raises(StoreError, match="has no version a"):
        switch("a", store)
