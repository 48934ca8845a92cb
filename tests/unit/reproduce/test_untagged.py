"""A catalog without tags keeps everything else."""

from __future__ import annotations

from antiphon.evaluate.trials import merged
from antiphon.reproduce.untagged import without_tags


def test_tags_leave_fields_and_descriptions() -> None:
    """Neither a field nor a category of the template has them; genres and years stay."""
    settings = {
        "catalog": {"items": "x", "fields": {"tags": {"type": "list"}, "genres": {"type": "list"}}},
        "describe": {"categories": [{"label": "Tags", "column": "tags"}, {"label": "Year", "column": "year"}]},
        "synthetic": {"noun": "films", "phrases": {"tags": "{}", "country": "from {}"}},
    }
    found = merged(settings, without_tags(settings))
    assert found["catalog"] == {"items": "x", "fields": {"genres": {"type": "list"}}}
    assert [one["column"] for one in found["describe"]["categories"]] == ["year"]
    assert found["synthetic"] == {"noun": "films", "phrases": {"country": "from {}"}}


def test_a_catalog_of_tags_alone_has_no_fields_left() -> None:
    """There is then nothing to look up, and the template says the name."""
    settings = {
        "catalog": {"fields": {"tags": {"type": "list"}, "mb_tags": {"type": "list"}}},
        "describe": {"categories": [{"label": "Genre", "column": "mb_tags"}]},
    }
    found = merged(settings, without_tags(settings))
    assert found["catalog"]["fields"] == {}
    assert found["describe"]["categories"] == []


def test_nothing_else_speaks_of_the_tags() -> None:
    """Neither what is hidden of a field nor the fields that requests name; without others all are named."""
    settings = {
        "catalog": {"fields": {"tags": {"type": "list"}, "genres": {"type": "list"}}},
        "describe": {},
        "hide": {"tags": ["dvd"], "genres": ["other"]},
        "synthetic": {"fields": ["tags"]},
    }
    found = merged(settings, without_tags(settings))
    assert found["hide"] == {"genres": ["other"]}
    assert found["synthetic"] == {}
    settings["synthetic"] = {"fields": ["tags", "genres"]}
    assert merged(settings, without_tags(settings))["synthetic"] == {"fields": ["genres"]}
