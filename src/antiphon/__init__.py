"""antiphon: a catalog becomes one space that you can talk to.

    import antiphon

    space = antiphon.load("runs/movies")
    for hit in space.search("dark science fiction from the eighties", where={"year": {"gte": 1980}}):
        print(hit.title, hit.score)

Names are loaded when they are used: importing the package loads neither torch nor a web framework.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from antiphon.base.package import __version__
from antiphon.errors import (
    AntiphonError,
    ConfigError,
    DataError,
    FilterError,
    IntegrityError,
    MismatchError,
    MissingExtraError,
    QueryError,
    RunError,
    UnknownIdError,
)

# Idle threads of OpenBLAS spin for 2**26 cycles, which takes cores from the other threads of a service. It counts where
# numpy is loaded after this package.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")

if TYPE_CHECKING:
    from antiphon.api import build
    from antiphon.config.load import load_config
    from antiphon.config.sections import Config
    from antiphon.data.catalog import Catalog
    from antiphon.data.features import Features
    from antiphon.data.reading import read_catalog
    from antiphon.joint.model import JointModel
    from antiphon.query.hits import Hit
    from antiphon.query.reading import Read
    from antiphon.query.request import Query
    from antiphon.run.growing import add_items
    from antiphon.serve.client import AsyncClient, Client
    from antiphon.space.loading import load
    from antiphon.space.space import Space
    from antiphon.talk.conversation import Talk

_LAZY = {
    "AsyncClient": "serve.client",
    "Catalog": "data.catalog",
    "Client": "serve.client",
    "Config": "config.sections",
    "Features": "data.features",
    "Hit": "query.hits",
    "JointModel": "joint.model",
    "Query": "query.request",
    "Read": "query.reading",
    "Space": "space.space",
    "Talk": "talk.conversation",
    "add_items": "run.growing",
    "build": "api",
    "load": "space.loading",
    "load_config": "config.load",
    "read_catalog": "data.reading",
}

__all__ = [
    "AntiphonError",
    "AsyncClient",
    "Catalog",
    "Client",
    "Config",
    "ConfigError",
    "DataError",
    "Features",
    "FilterError",
    "Hit",
    "IntegrityError",
    "JointModel",
    "MismatchError",
    "MissingExtraError",
    "Query",
    "QueryError",
    "Read",
    "RunError",
    "Space",
    "Talk",
    "UnknownIdError",
    "__version__",
    "add_items",
    "build",
    "load",
    "load_config",
    "read_catalog",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'antiphon' has no attribute {name!r}")
    value = getattr(import_module(f"antiphon.{_LAZY[name]}"), name)
    # `antiphon.build` is a module and a function: the function is what the name means.
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
