"""docs/configuration.md has every key that the code knows, with its default, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from antiphon.base.registry import find, names
from antiphon.config import sections as config

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
TABLES: dict[str, type[BaseModel]] = {
    "The file": config.Config,
    "[catalog]": config.CatalogConfig,
    "[catalog.fields.NAME]": config.FieldConfig,
    "[catalog.lists.NAME]": config.ListConfig,
    "[catalog.interactions]": config.InteractionsConfig,
    "[catalog.media.NAME]": config.MediaConfig,
    "[split]": config.SplitConfig,
    "[describe]": config.DescribeConfig,
    "[[describe.categories]]": config.CategoryConfig,
    "[[modalities]]": config.ModalityConfig,
    "[synthetic]": config.SyntheticConfig,
    "[joint]": config.JointConfig,
    "[train]": config.TrainConfig,
    "[space]": config.SpaceConfig,
    "[build]": config.BuildConfig,
    "[store]": config.StoreConfig,
} | {f'encoder = "{name}"': find("antiphon.encoders", name).Options for name in names("antiphon.encoders")}
TABLES |= {f'kind = "{name}"': find("antiphon.stores", name).options for name in ("qdrant", "postgres")}


def rows_of(heading: str) -> dict[str, str]:
    """Key -> default of the table under a heading."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| `(\w+)` \|[^|]*(?:`\"\|\"`[^|]*)?\|([^|]*)\|", section, re.MULTILINE)
    return {key: default.strip() for key, default in cells}


def shown(field: Any) -> str:
    """A default as the page writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return "none"
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return "a text modality"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_there_with_its_default(heading: str) -> None:
    """The table under each heading has the keys of the code in their order, with their defaults."""
    expected = {key: shown(field) for key, field in TABLES[heading].model_fields.items()}
    assert rows_of(heading) == expected


def test_every_section_of_the_code_has_a_table() -> None:
    """No section of `antiphon.config` is left out."""
    sections = {
        value
        for value in vars(config).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == config.__name__
    }
    assert sections - {config.Section} <= set(TABLES.values())


def test_no_table_is_out_of_date() -> None:
    """Every heading that looks like a table or an encoder is one."""
    headings = re.findall(r"^## (\[.*|encoder.*)$", PAGE, re.MULTILINE)
    assert set(headings) <= set(TABLES)
