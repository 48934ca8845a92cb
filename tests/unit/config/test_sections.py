"""antiphon.toml: what is taken, what is refused, and with which words."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path

import pytest
import tomli_w

from antiphon.config.load import load_config, parse_config
from antiphon.config.sections import Config, TrainConfig
from antiphon.encoders.base import make_encoder
from antiphon.errors import ConfigError

FULL = {
    "name": "films",
    "seed": 1,
    "catalog": {
        "items": "items.parquet",
        "fields": {"year": {"type": "number"}},
        "interactions": {"file": "interactions.parquet"},
        "media": {"image": {"path": "posters.zip"}},
    },
    "split": {"test": 0.1},
    "describe": {"categories": [{"label": "Year", "column": "year"}]},
    "modalities": [
        {"name": "text", "encoder": "sentence-transformers"},
        {"name": "image", "encoder": "precomputed", "file": "image.parquet"},
    ],
    "joint": {},
    "train": {"epochs": 3},
}


def changed(*path, value):
    """FULL with one key set."""
    raw = copy.deepcopy(FULL)
    table = raw
    for step in path[:-1]:
        table = table[step]
    table[path[-1]] = value
    return raw


def write(folder, raw):
    """A configuration on disk."""
    path = folder / "antiphon.toml"
    path.write_text(tomli_w.dumps(raw), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (("catalogue",), "unknown key 'catalogue'; did you mean 'catalog'?"),
        (("catalog", "item"), "unknown key 'catalog.item'; did you mean 'items'?"),
        (("catalog", "fields", "year", "typ"), "unknown key 'catalog.fields.year.typ'; did you mean 'type'?"),
        (("catalog", "interactions", "user"), "unknown key 'catalog.interactions.user'; did you mean 'user_id'?"),
        (("catalog", "media", "image", "patern"), "unknown key 'catalog.media.image.patern'; did you mean 'pattern'?"),
        (("split", "tests"), "unknown key 'split.tests'; did you mean 'test'?"),
        (("describe", "preste"), "unknown key 'describe.preste'; did you mean 'preset'?"),
        (("describe", "categories", 0, "lable"), "unknown key 'describe.categories.0.lable'; did you mean 'label'?"),
        (("train", "epoch"), "unknown key 'train.epoch'; did you mean 'epochs'?"),
        (("train", "EPOCHS"), "unknown key 'train.EPOCHS'; did you mean 'epochs'?"),
        (("index",), "unknown key 'index'"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(path, sentence):
    """At every level of the file."""
    with pytest.raises(ConfigError) as caught:
        parse_config(changed(*path, value="x"), "antiphon.toml")
    assert str(caught.value).startswith(f"antiphon.toml: {sentence}")


def test_an_unknown_option_of_an_encoder_is_refused_when_the_encoder_is_made():
    """Options belong to the encoder, which knows them."""
    config = parse_config(changed("modalities", 1, "standardize", value=True))
    with pytest.raises(
        ConfigError, match=r"unknown key 'modalities\.image\.standardize'; did you mean 'standardise'\?"
    ):
        make_encoder(config.modalities[1])


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("catalog",), "items.parquet", "catalog: expected a table, got 'items.parquet'"),
        (("catalog", "fields"), {"year": "number"}, "catalog.fields.year: expected a table, got 'number'"),
        (("catalog", "fields", "year", "type"), "int", "catalog.fields.year.type: Input should be 'number', 'string'"),
        (("catalog", "fields", "year", "separator"), "|", "a separator makes a list, but the type is 'number'"),
        (("catalog", "fields"), {"not": {"type": "number"}}, "the name 'not' cannot be used: it is blank"),
        (("catalog", "media"), {"../x": {"path": "a"}}, "the name '../x' cannot be used: it is blank"),
        (("catalog", "media", "image", "pattern"), "x.jpg", "does not contain '{item_id}', got 'x.jpg'"),
        (("catalog", "duplicates"), "keep", "catalog.duplicates: Input should be 'refuse' or 'drop', got 'keep'"),
        (("catalog", "items"), 5, "catalog.items: "),
        (("seed",), -1, "seed: Input should be greater than or equal to 0, got -1"),
        (("seed",), "zero", "seed: Input should be a valid integer"),
        (("split", "test"), 1.0, "split.test: Input should be less than 1, got 1.0"),
        (("split", "test"), float("nan"), "split.test: Input should be a finite number"),
        (("split",), {"test": 0.6, "validation": 0.5}, "test 0.6 and validation 0.5 leave no users to train on"),
        (("describe", "mode"), "gen", "mode 'gen' needs gen_column"),
        (("describe", "categories", 0), {"label": "Year"}, "'describe.categories.0.column' is missing"),
        (("modalities",), [], "modalities: "),
        (("modalities", 0, "name"), "Text!", "modalities.0.name: "),
        (("modalities", 1, "name"), "text", "two modalities are named 'text'; give each its own name"),
        (("train", "epochs"), 1.5, "train.epochs: Input should be a valid integer"),
        (("train", "learning_rate"), float("inf"), "train.learning_rate: Input should be a finite number"),
        (("train", "pairs"), [["text", "imag"]], "train.pairs names the modality 'imag'; did you mean 'image'?"),
        (("train", "pairs"), [["text", "text"]], "train.pairs pairs 'text' with itself"),
        (("train", "patience"), 3, "patience needs validation_items > 0"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(path, value, sentence):
    """The key, what was expected, and what was got."""
    with pytest.raises(ConfigError) as caught:
        parse_config(changed(*path, value=value), "antiphon.toml")
    assert str(caught.value).startswith("antiphon.toml: ")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["rating", "timestamp"])
def test_a_key_that_is_gone_says_what_to_do(name):
    """Earlier versions kept the column, and nothing used it."""
    with pytest.raises(ConfigError, match=rf"catalog\.interactions: {name} was kept and never used; remove the key"):
        parse_config(changed("catalog", "interactions", name, value=name))


def test_several_mistakes_are_counted():
    """The first is told, the others are counted."""
    raw = changed("train", "epochs", value="many")
    raw["seed"] = -1
    with pytest.raises(ConfigError, match=r"\(1 more\)"):
        parse_config(raw)


def test_a_missing_key_is_named():
    """[catalog] items is the one thing that is always needed."""
    with pytest.raises(ConfigError, match=r"'catalog\.items' is missing"):
        parse_config({"catalog": {}})
    with pytest.raises(ConfigError, match="'catalog' is missing"):
        parse_config({})


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    """Not to where the command was run; absolute ones stay."""
    folder = tmp_path / "project"
    folder.mkdir()
    raw = changed("catalog", "interactions", "file", value="/elsewhere/i.parquet")
    path = write(folder, raw)
    monkeypatch.chdir(tmp_path)
    for given in (path, Path("project/antiphon.toml")):
        config = load_config(given)
        assert config.catalog.items == folder.resolve() / "items.parquet"
        assert config.catalog.interactions.file == Path("/elsewhere/i.parquet")
        assert config.catalog.media["image"].path == folder.resolve() / "posters.zip"
        assert config.modalities[1].options["file"] == str(folder.resolve() / "image.parquet")


def test_an_encoder_says_which_of_its_options_are_paths(tmp_path):
    """An option of the type `Path` always is one; a model is one where there is such a folder."""
    (tmp_path / "models" / "one").mkdir(parents=True)
    (tmp_path / "image").mkdir()
    raw = copy.deepcopy(FULL)
    raw["modalities"] = [
        {"name": "a", "encoder": "timm", "model": "models/one", "file": "weights.safetensors", "media": "image"},
        {"name": "b", "encoder": "sentence-transformers", "model": "models/two"},
        {"name": "c", "encoder": "nobody-knows", "file": "x.parquet"},
    ]
    timm, text, unknown = load_config(write(tmp_path, raw)).modalities
    folder = tmp_path.resolve()
    paths = {"model": str(folder / "models" / "one"), "file": str(folder / "weights.safetensors")}
    assert timm.options == {**paths, "media": "image"}
    assert text.options == {"model": "models/two"}
    assert unknown.options == {"file": "x.parquet"}


def test_a_path_of_a_modality_that_is_no_text_is_left_to_the_encoder(tmp_path):
    """Its options refuse it with a sentence."""
    config = load_config(write(tmp_path, changed("modalities", 1, "file", value=5)))
    with pytest.raises(ConfigError, match=r"modalities\.image\.file: .* got 5"):
        make_encoder(config.modalities[1])


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("train.epochs=7", ("train", "epochs"), 7),
        ("train.symmetric = true", ("train", "symmetric"), True),
        ("name=other films", ("name",), "other films"),
        ("name='quoted'", ("name",), "quoted"),
        ("split.test=0.25", ("split", "test"), 0.25),
        ('describe.preset="movies"', ("describe", "preset"), "movies"),
        ("catalog.keep=core=true", ("catalog", "keep"), "core=true"),
        ('train.pairs=[["text","image"]]', ("train", "pairs"), [("text", "image")]),
    ],
)
def test_overrides_set_values(tmp_path, override, place, value):
    """As TOML, or as a plain word where it is no TOML."""
    got = load_config(write(tmp_path, FULL), [override])
    for step in place:
        got = getattr(got, step)
    assert got == value


def test_an_override_finds_a_modality_by_its_name(tmp_path):
    """`modalities` is an array of tables with names."""
    config = load_config(write(tmp_path, FULL), ["modalities.image.standardise=true"])
    assert config.modalities[1].options["standardise"] is True
    assert config.modalities[0].options == {}


def test_later_overrides_win_and_missing_tables_are_made(tmp_path):
    """--set can be given more than once."""
    raw = {"catalog": {"items": "items.parquet"}}
    assert load_config(write(tmp_path, raw), ["train.epochs=1", "train.epochs=2"]).train.epochs == 2


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.epochs", "--set 'train.epochs' is not of the form key=value"),
        ("=3", "is not of the form key=value"),
        ("name.first=x", "'name' is not a table of the configuration"),
        ("train.epoch=3", "unknown key 'train.epoch'; did you mean 'epochs'?"),
        ("train.epochs=many", "train.epochs: Input should be a valid integer"),
        ("modalities.imag.file=x", "there is no 'imag'; did you mean 'image'?"),
        ("modalities.file=x", "say which of 'modalities', such as modalities.NAME.file=..."),
    ],
)
def test_broken_overrides_are_refused(tmp_path, override, sentence):
    """With what was written."""
    with pytest.raises(ConfigError) as caught:
        load_config(write(tmp_path, FULL), [override])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"name = ", "is not valid TOML: Invalid value (at "),
        (b"[catalog\n", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        (b"a = 1\na = 2\n", "is not valid TOML: Cannot overwrite a value"),
        (b"", "'catalog' is missing"),
    ],
)
def test_a_broken_file_is_a_sentence(tmp_path, content, sentence):
    """With its path, and where it breaks."""
    path = tmp_path / "antiphon.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in str(caught.value)
    assert sentence in str(caught.value)


def test_a_missing_file_and_a_folder_are_sentences(tmp_path):
    """What is there instead is told."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        load_config(tmp_path / "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    """Some editors write one."""
    path = tmp_path / "antiphon.toml"
    path.write_bytes(b"\xef\xbb\xbf" + tomli_w.dumps(FULL).encode())
    assert load_config(path).name == "films"


def test_a_resolved_configuration_reads_back_as_itself(make_catalog):
    """What a run keeps can be built again."""
    config = load_config(make_catalog())
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    again = Config.model_validate(tomllib.loads(text))
    assert again.model_dump(mode="json") == config.model_dump(mode="json")


def test_configurations_are_values():
    """They cannot be changed on the way."""
    config = parse_config(FULL)
    with pytest.raises(Exception, match="frozen"):
        config.seed = 2


def test_a_language_is_one_that_is_there_or_a_file(tmp_path):
    """A name is checked at once; a file stands beside the configuration."""
    assert load_config(write(tmp_path, FULL)).space.language == "en"
    assert load_config(write(tmp_path, changed("space", value={"language": "de"}))).space.language == "de"
    own = load_config(write(tmp_path, changed("space", value={"language": "own/fr.toml"})))
    assert own.space.language == tmp_path / "own" / "fr.toml"
    with pytest.raises(ConfigError, match=r"space.language: there is no language 'eng'; did you mean 'en'\?"):
        load_config(write(tmp_path, changed("space", value={"language": "eng"})))
    with pytest.raises(ConfigError, match="there is no language 'fr'; known are: de, en"):
        load_config(write(tmp_path, changed("space", value={"language": "fr"})))


def test_hidden_values_are_those_of_hide_and_the_stop_words_of_the_category():
    """A field's own list, then what its category leaves out of descriptions; a field of another column name as well."""
    raw = copy.deepcopy(FULL)
    raw["catalog"]["fields"] |= {"tags": {"type": "list"}, "kind": {"type": "string", "column": "Kind of it"}}
    raw["describe"]["categories"] += [
        {"label": "Tags", "column": "tags", "stop": ["owned", "seen"]},
        {"label": "Kind", "column": "Kind of it", "stop": ["other"]},
    ]
    raw["hide"] = {"tags": ["*dvd*", "owned"]}
    assert parse_config(raw).hidden == {"tags": ["*dvd*", "owned", "seen"], "kind": ["other"]}
    assert parse_config(FULL).hidden == {}


def test_hide_names_fields():
    """A field that does not exist is refused, with the nearest one."""
    with pytest.raises(ConfigError, match="hide names the field 'yeer'; did you mean 'year'"):
        parse_config(changed("hide", value={"yeer": ["x"]}))


@pytest.mark.parametrize(
    ("changes", "n_items", "expected"),
    [
        ({}, 1_000, 60),
        ({}, 100_000, 25),
        ({}, 10_000_000, 5),
        ({"epochs": 3}, 10_000_000, 3),
        ({"visits": 10_000_000}, 100_000, 60),
        ({"epochs": 0}, 0, 0),
    ],
)
def test_many_items_are_passed_fewer_times(changes: dict[str, int], n_items: int, expected: int) -> None:
    """Never more often than asked for, and five times where that is allowed."""
    assert TrainConfig(**changes).passes(n_items) == expected
