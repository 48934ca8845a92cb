"""Components by name."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from antiphon.base import registry
from antiphon.datasets.base import Dataset
from antiphon.encoders.base import Encoder
from antiphon.errors import ConfigError


def test_what_comes_with_antiphon_is_registered():
    """Encoders and the data sets are found as a plugin would be."""
    assert {"als", "precomputed", "sentence-transformers"} <= set(registry.names("antiphon.encoders"))
    assert {"generated", "ml-latest-small", "movies", "music"} <= set(registry.names("antiphon.datasets"))
    assert issubclass(registry.find("antiphon.encoders", "precomputed"), Encoder)
    for name in registry.names("antiphon.datasets"):
        found = registry.find("antiphon.datasets", name)
        assert isinstance(found, Dataset)
        assert found.name == name


def test_every_component_of_a_group_comes_at_once():
    """Under its name, in order: what `find` gives."""
    found = registry.every("antiphon.encoders")
    assert list(found) == registry.names("antiphon.encoders")
    assert found["als"] is registry.find("antiphon.encoders", "als")


@pytest.mark.parametrize(
    ("group", "name", "sentence"),
    [
        ("antiphon.encoders", "precomputd", "there is no encoder 'precomputd'; did you mean 'precomputed'?"),
        ("antiphon.datasets", "Movies!", "there is no data set 'Movies!'; did you mean 'movies'?"),
        ("antiphon.datasets", "", "there is no data set ''; known are: "),
    ],
)
def test_an_unknown_name_gets_the_nearest(group, name, sentence):
    """The sentence says what kind of thing is not there."""
    with pytest.raises(ConfigError) as caught:
        registry.find(group, name)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package_of_anyone:Thing", "No module named"),
        ("antiphon.errors:Nothing", "Nothing"),
        ("broken_plugin_for_a_test:Thing", "division by zero"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_named(monkeypatch, tmp_path, value, reason):
    """A missing module, a missing name, or code that fails: the entry point and the reason are told."""
    (tmp_path / "broken_plugin_for_a_test.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    entry = EntryPoint("mine", value, "antiphon.encoders")
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    with pytest.raises(ConfigError, match=f"the encoder 'mine' .*cannot be loaded: .*{reason}"):
        registry.find("antiphon.encoders", "mine")
    with pytest.raises(ConfigError, match=f"the encoder 'mine' .*cannot be loaded: .*{reason}"):
        registry.every("antiphon.encoders")
