"""Which store a run has: what is given, the environment, its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.errors import ConfigError, IntegrityError
from antiphon.stores.settings import open_store, store_of


@pytest.fixture
def file(tmp_path):
    """A run's configuration."""
    path = tmp_path / "config.toml"
    path.write_text('name = "My Films!"\n[store]\nkind = "qdrant"\npath = "there"\ndepth = 7\n', encoding="utf-8")
    return path


def test_the_configuration_says_it(file):
    """The name is that of the configuration, in letters that tables may have."""
    found = store_of(None, {}, file)
    assert (found.kind, found.name, found.depth, found.options) == ("qdrant", "my_films_", 7, {"path": "there"})


def test_the_environment_goes_before_it(file):
    """Another kind takes none of the options; the same kind keeps them."""
    found = store_of(None, {"ANTIPHON_STORE": "postgres", "ANTIPHON_STORE_URL": "postgresql://db"}, file)
    assert (found.kind, found.depth, found.options) == ("postgres", 7, {"url": "postgresql://db"})
    found = store_of(None, {"ANTIPHON_STORE_URL": "http://db", "ANTIPHON_STORE_KEY": "secret"}, file)
    assert found.options == {"path": "there", "url": "http://db", "api_key": "secret"}


def test_what_is_given_goes_before_both(file):
    """Nothing of the others is left."""
    found = store_of({"kind": "memory"}, {"ANTIPHON_STORE": "postgres"}, file)
    assert (found.kind, found.options) == ("memory", {})


def test_no_run_no_store(tmp_path):
    """A folder without a configuration is in memory."""
    assert open_store(store_of(None, {}, tmp_path / "config.toml"), tmp_path) is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "qdrnt"}, "no store 'qdrnt'; did you mean 'qdrant'"),
        ({"kind": "postgres"}, "needs a url"),
        ({"kind": "postgres", "ulr": "x"}, "unknown key 'store.ulr'; did you mean 'url'"),
        ({"kind": "qdrant", "name": "Films; --"}, "name"),
    ],
)
def test_what_does_not_fit_is_refused(given, said):
    """With the key and what to do."""
    with pytest.raises(ConfigError, match=said):
        open_store(store_of(given, {}, Path("config.toml")), Path())


def test_an_address_without_a_kind_is_refused(tmp_path):
    """Nobody would look at it."""
    with pytest.raises(ConfigError, match="ANTIPHON_STORE"):
        store_of(None, {"ANTIPHON_STORE_URL": "postgresql://db"}, tmp_path / "config.toml")


def test_a_damaged_configuration_is_a_sentence(file):
    """A run whose config.toml was cut off is named, not a line of a parser."""
    file.write_text(file.read_text()[:-3].rstrip('"]') + "[")
    with pytest.raises(IntegrityError, match="not readable as TOML"):
        store_of(None, {}, file)
