"""Reading antiphon.toml: files, overrides from the command line, and what is said where something is wrong."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from antiphon.base.registry import find
from antiphon.config.sections import MODEL, Config, ModalityConfig, StoreConfig
from antiphon.errors import ConfigError, nearest

S = TypeVar("S", bound=BaseModel)


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read antiphon.toml and apply `key.key=value` overrides.

    Raises:
        ConfigError: the file is missing, is not TOML, or has unknown keys or wrong values.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"the configuration {path} does not exist.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}.") from error
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error.strerror}.") from error
    for override in overrides:
        apply_override(raw, override)
    config: Config = _absolute(parse_config(raw, source=str(path)), path.resolve().parent)
    return config


def parse_config(raw: Mapping[str, Any], source: str = "the configuration") -> Config:
    """Check a configuration that was read already.

    Raises:
        ConfigError: unknown keys or wrong values.
    """
    return check_section(Config, raw, source)


def check_section(section: type[S], raw: Mapping[str, Any], source: str, prefix: str = "") -> S:
    """Validate `raw` as `section`; the error says which key, what was got, and what is known.

    Raises:
        ConfigError: unknown keys or wrong values.
    """
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_sentence(error, section, source, prefix)) from error


def _sentence(error: ValidationError, section: type[BaseModel], source: str, prefix: str) -> str:
    # A key that is not known explains best why another is missing.
    first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join([prefix, *map(str, first["loc"])]) if prefix else ".".join(map(str, first["loc"]))
    more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        known = _keys_at(section, first["loc"][:-1])
        return f"{source}: unknown key {where!r}; {nearest(str(first['loc'][-1]), known)}{more}"
    if first["type"] == "missing":
        return f"{source}: {where!r} is missing{more}."
    message = "expected a table" if first["type"] == "model_type" else first["msg"].removeprefix("Value error, ")
    got = "" if isinstance(first["input"], dict | BaseModel) else f", got {first['input']!r}"
    return f"{source}: {where or 'the file'}: {message}{got}{more}."


def _keys_at(section: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    model: Any = section
    for step in location:
        if step in model.model_fields:
            model = _model_in(model.model_fields[step].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None


def _absolute(value: Any, folder: Path) -> Any:
    """A value of a configuration, every path in it below `folder`, unless it is absolute."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, ModalityConfig | StoreConfig):
        return _with_absolute_options(value, folder)
    if isinstance(value, BaseModel):
        return value.model_copy(update=_changed(dict(value), folder))
    if isinstance(value, Mapping):
        return {**value, **_changed(value, folder)}
    if isinstance(value, list | tuple):
        return type(value)(_absolute(inner, folder) for inner in value)
    return value


def _changed(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {key: found for key, value in values.items() if (found := _absolute(value, folder)) != value}


def _with_absolute_options(modality: ModalityConfig | StoreConfig, folder: Path) -> ModalityConfig | StoreConfig:
    """A modality with its encoder's options of the type `Path` absolute, and those that are a `Model` in a folder.

    The same of a store and its options.
    """
    try:
        if isinstance(modality, StoreConfig):
            fields = find("antiphon.stores", modality.kind).options.model_fields
        else:
            fields = find("antiphon.encoders", modality.encoder).Options.model_fields
    except ConfigError:
        return modality  # making the encoder, or opening the store, says why
    paths = {
        key: str(folder / value)
        for key, value in modality.options.items()
        if isinstance(value, str) and key in fields and _is_path(fields[key], folder / value)
    }
    return modality.model_copy(update=paths)


def _is_path(field: FieldInfo, path: Path) -> bool:
    # A model is a name, of the hub or of what comes with antiphon, or a folder.
    return Path in (field.annotation, *get_args(field.annotation)) or (MODEL in field.metadata and path.is_dir())


def apply_override(raw: dict[str, Any], override: str) -> None:
    """Set the key of `override` in a configuration that was read; tables that are missing are made.

    Raises:
        ConfigError: it is not of the form key=value, or its key leads through something that is no table.
    """
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {override!r} is not of the form key=value, such as train.epochs=3.")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    table: Any = raw
    for parent in parents:
        table = _named(table, parent, override) if isinstance(table, list) else table.setdefault(parent, {})
        if not isinstance(table, dict | list):
            raise ConfigError(f"--set {override!r}: {parent!r} is not a table of the configuration.")
    if isinstance(table, list):
        raise ConfigError(f"--set {override!r}: say which of {parents[-1]!r}, such as {parents[-1]}.NAME.{last}=...")
    table[last] = value


def _named(tables: list[Any], name: str, override: str) -> Any:
    """The table of an array, such as [[modalities]], that has this `name`."""
    known = {str(table["name"]): table for table in tables if isinstance(table, dict) and "name" in table}
    if name not in known:
        raise ConfigError(f"--set {override!r}: there is no {name!r}; {nearest(name, known)}")
    return known[name]
